//! Cross-validation by group: every score comes from a model that never saw the text's group.

use std::borrow::Cow;

use rayon::prelude::*;

use crate::error::Result;
use crate::evaluate::Item;
use crate::features::Features;
use crate::labelled::Labelled;
use crate::linear::cross_scores;
use crate::model::Calibration;
use crate::random::Random;
use crate::task::Task;
use crate::train::{HeadParams, HeadSet, TrainParams, calibrate, strongest_features, thresholds};

/// Held-out predictions of one head over all folds.
#[derive(Debug, Clone)]
pub struct FoldScores {
    /// Name of the head.
    pub head: String,
    /// Label names.
    pub labels: Vec<String>,
    /// Names of what the head is given.
    pub given_labels: Vec<String>,
    /// One item per labelled case.
    pub items: Vec<Item>,
}

/// Class scores of every entry of `set`, each by the model of the fold that it was left out of.
pub(super) fn held_out_scores(set: &HeadSet<'_>, params: &HeadParams, folds: &[usize], n_folds: usize) -> Result<Vec<Vec<f64>>> {
    if params.is_plain() {
        let mut by_c = held_out_path(set, params, &[params.linear.c], folds)?;
        return Ok(by_c.pop().unwrap_or_default());
    }
    let by_fold = (0..n_folds)
        .into_par_iter()
        .map(|fold| {
            let (held_out, learnt): (Vec<usize>, Vec<usize>) = (0..set.len()).partition(|&i| folds[set.texts[i]] == fold);
            let linear = set.fit(params, &learnt)?;
            Ok(held_out.into_iter().map(|i| (i, set.scores(&linear, i))).collect::<Vec<_>>())
        })
        .collect::<Result<Vec<_>>>()?;
    let mut scores = vec![Vec::new(); set.len()];
    for (i, s) in by_fold.into_iter().flatten() {
        scores[i] = s;
    }
    Ok(scores)
}

/// The same for each C in `cs`, all folds in one sweep from warm starts.
pub(super) fn held_out_path(set: &HeadSet<'_>, params: &HeadParams, cs: &[f64], folds: &[usize]) -> Result<Vec<Vec<Vec<f64>>>> {
    let entry_folds: Vec<u32> = set.texts.iter().map(|&t| folds[t] as u32).collect();
    let all: Vec<usize> = (0..set.len()).collect();
    let held_out = set.with_problem(&all, |problem| cross_scores(problem, &params.linear, cs, &entry_folds))?;
    let of_entry = |outputs: &[f32]| {
        let outputs: Vec<f64> = outputs.iter().map(|&s| f64::from(s)).collect();
        crate::predict::class_scores(&outputs, set.n_classes())
    };
    Ok(held_out.iter().map(|h| h.scores.chunks_exact(h.n_outputs).map(of_entry).collect()).collect())
}

/// Trains and tests by group: vocabulary, solver and calibration of each fold are fitted without the fold.
///
/// # Errors
///
/// As [`crate::train::train`].
pub fn cross_validate(task: &Task, data: &Labelled, params: &TrainParams, n_folds: usize) -> Result<Vec<FoldScores>> {
    cross_validate_folds(task, data, params, &data.folds(n_folds, params.seed)?)
}

/// The same with the fold of each text given, as for leaving out one region after the other. Folds are numbered from 0, none is empty.
///
/// # Errors
///
/// As [`crate::train::train`].
pub fn cross_validate_folds(task: &Task, data: &Labelled, params: &TrainParams, folds: &[usize]) -> Result<Vec<FoldScores>> {
    cross_validate_some(task, data, params, folds, &vec![true; data.n_texts()])
}

/// Cross-validates on growing shares of the groups of each training part, the smaller within the larger: for each share the number of texts learnt from,
/// on average, and the held-out predictions.
///
/// # Errors
///
/// As [`crate::train::train`].
pub fn learning_curve(
    task: &Task,
    data: &Labelled,
    params: &TrainParams,
    n_folds: usize,
    shares: &[f64],
) -> Result<Vec<(usize, Vec<FoldScores>)>> {
    let folds = data.folds(n_folds, params.seed)?;
    let mut order: Vec<usize> = (0..data.n_groups()).collect();
    Random::new(params.seed).shuffle(&mut order);
    let mut rank = vec![0; order.len()];
    order.iter().enumerate().for_each(|(place, &group)| rank[group] = place);
    let of_share = |share: &f64| {
        let limit = (share * data.n_groups() as f64).ceil() as usize;
        let is_kept: Vec<bool> = data.groups().iter().map(|&group| rank[group] < limit).collect();
        let n_learnt = is_kept.iter().filter(|kept| **kept).count() * (n_folds - 1) / n_folds;
        Ok((n_learnt, cross_validate_some(task, data, params, &folds, &is_kept)?))
    };
    shares.iter().map(of_share).collect()
}

/// Tests on whole folds, learns from those texts of the others that are kept.
fn cross_validate_some(
    task: &Task,
    data: &Labelled,
    params: &TrainParams,
    folds: &[usize],
    is_kept: &[bool],
) -> Result<Vec<FoldScores>> {
    data.check_trainable(task)?;
    let n_folds = n_folds_of(folds);
    let passages = data.passages();
    let mut results: Vec<FoldScores> = task
        .heads
        .iter()
        .zip(data.heads())
        .map(|(head, cases)| FoldScores {
            head: head.name.clone(),
            labels: cases.labels.clone(),
            given_labels: cases.given_labels.clone(),
            items: Vec::new(),
        })
        .collect();
    for fold in 0..n_folds {
        let is_learnt = |text: usize| folds[text] != fold && is_kept[text];
        let learnt: Vec<_> = (0..passages.len()).filter(|&text| is_learnt(text)).map(|text| passages[text]).collect();
        let mut features = Features::fit(&params.features, &learnt)?;
        let mut rows = features.transform(&passages);
        if let Some(limit) = params.pruned_size(&features) {
            features = features.select(&strongest_features(task, data, &rows, params, limit, is_learnt)?)?;
            rows = features.transform(&passages);
        }
        for (head, result) in results.iter_mut().enumerate() {
            result.items.extend(fold_items(
                &HeadSet::new(head, task, data, Cow::Borrowed(&rows)),
                params.for_head(head),
                params,
                folds,
                fold,
                is_kept,
            )?);
        }
    }
    Ok(results)
}

fn fold_items(
    set: &HeadSet<'_>,
    head_params: &HeadParams,
    params: &TrainParams,
    folds: &[usize],
    fold: usize,
    is_kept: &[bool],
) -> Result<Vec<Item>> {
    let (held_out, mut learnt): (Vec<usize>, Vec<usize>) = (0..set.len()).partition(|&i| folds[set.texts[i]] == fold);
    learnt.retain(|&i| is_kept[set.texts[i]]);
    let linear = set.fit(head_params, &learnt)?;
    let n_classes = set.n_classes();
    let mut meta = set.plain_meta(Calibration::none(n_classes));
    if params.folds > 0 && n_folds_of(folds) > 2 {
        let inner = set.subset(&learnt);
        let inner_folds: Vec<usize> = folds.iter().map(|&f| f - usize::from(f > fold)).collect();
        let n_inner = n_folds_of(folds) - 1;
        let scores = held_out_scores(&inner, head_params, &inner_folds, n_inner)?;
        meta.calibration = calibrate(&inner, &scores, n_classes, params.context);
        let judged = inner.judge(&scores, &meta);
        meta.thresholds = thresholds(&inner, &judged, &meta);
        meta.offsets = inner.offsets(&judged, head_params)?;
    }
    let scores: Vec<Vec<f64>> = held_out.iter().map(|&i| set.scores(&linear, i)).collect();
    let held_out = set.subset(&held_out);
    Ok(held_out.items(&held_out.judge(&scores, &meta), &meta))
}

fn n_folds_of(folds: &[usize]) -> usize {
    folds.iter().max().map_or(0, |last| last + 1)
}
