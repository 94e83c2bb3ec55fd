//! The search of settings: cross-validation by group over a small grid, one rule for all data.
//!
//! For every candidate of features and class weights, each C of the path is scored on held-out groups, folds and Cs trained together from warm starts. The
//! best mean score wins; among candidates within one standard error of nothing (no such rule is applied), ties go to the earlier candidate and the smaller C,
//! which is the simpler one. The vocabulary is learnt from all training texts, without their labels.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::evaluate::Scores;
use crate::features::{FeatureParams, Features, TfidfParams};
use crate::labelled::Labelled;
use crate::linear::ClassWeights;
use crate::model::Calibration;
use crate::task::Task;
use crate::train::cross::held_out_path;
use crate::train::{HeadParams, HeadSet, TrainParams};

/// What the search maximises.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Mean F1 over all classes.
    #[default]
    MacroF1,
    /// Share of right labels.
    Accuracy,
    /// Mean F1 over these labels.
    MeanF1(Vec<String>),
}

/// The grid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SearchParams {
    /// Values of C, ascending.
    pub cs: Vec<f64>,
    /// Feature settings, simplest first.
    pub features: Vec<FeatureParams>,
    /// Class weights.
    pub class_weights: Vec<ClassWeights>,
    /// Scales of the given part, for heads with a given.
    pub given_scales: Vec<f32>,
    /// Folds.
    pub folds: usize,
    /// What is maximised, for every head.
    pub metric: Metric,
}

impl Default for SearchParams {
    fn default() -> Self {
        let blocks = |words: Option<(u8, u8)>, chars: Option<(u8, u8)>| {
            let words = words.map(|(a, b)| TfidfParams::words(a, b));
            let chars = chars.map(|(a, b)| TfidfParams::chars(a, b));
            FeatureParams { blocks: words.into_iter().chain(chars).collect(), hash_bits: None }
        };
        Self {
            cs: (-5..=2).map(|e| 2.0_f64.powi(e)).collect(),
            features: vec![blocks(Some((1, 2)), None), blocks(Some((1, 2)), Some((2, 5))), blocks(Some((1, 3)), Some((2, 5)))],
            class_weights: vec![ClassWeights::None, ClassWeights::Balanced],
            given_scales: vec![0.5, 1.0],
            folds: 5,
            metric: Metric::MacroF1,
        }
    }
}

/// One point of the grid with its score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    /// Position in the feature settings.
    pub features: usize,
    /// Name of the head.
    pub head: String,
    /// Settings.
    pub params: HeadParams,
    /// Held-out score.
    pub score: f64,
}

/// Chooses settings for every head and one feature setting for all: the one whose best heads have the best mean. Gives the parameters to train with and all
/// candidates in the order in which they were tried.
///
/// # Errors
///
/// As [`crate::train::train`].
pub fn search(task: &Task, data: &Labelled, params: &TrainParams, grid: &SearchParams) -> Result<(TrainParams, Vec<Candidate>)> {
    data.check_trainable(task)?;
    let folds = data.folds(grid.folds, params.seed)?;
    let passages = data.passages();
    let mut tried = Vec::new();
    let mut best: Option<(f64, TrainParams)> = None;
    for (number, features) in grid.features.iter().enumerate() {
        let (_, rows) = Features::fit_transform(features, &passages)?;
        let (mut total, mut heads) = (0.0, Vec::new());
        for head in 0..task.heads.len() {
            let set = HeadSet::new(head, task, data, &rows);
            let candidates = head_candidates(&set, &task.heads[head].name, number, params.for_head(head), &folds, grid)?;
            let mut winner = &candidates[0];
            for candidate in &candidates[1..] {
                if candidate.score > winner.score {
                    winner = candidate;
                }
            }
            total += winner.score;
            heads.push(winner.params.clone());
            tried.extend(candidates);
        }
        if best.as_ref().is_none_or(|(score, _)| total > *score) {
            best = Some((total, TrainParams { features: features.clone(), heads, ..params.clone() }));
        }
    }
    let (_, chosen) = best.ok_or_else(|| Error::parameter("the search has no feature settings"))?;
    Ok((chosen, tried))
}

fn head_candidates(
    set: &HeadSet<'_>,
    name: &str,
    features: usize,
    base: &HeadParams,
    folds: &[usize],
    grid: &SearchParams,
) -> Result<Vec<Candidate>> {
    let scales: &[f32] = if set.givens.is_some() { &grid.given_scales } else { &[1.0] };
    let mut candidates = Vec::new();
    for class_weights in &grid.class_weights {
        for &given_scale in scales {
            let mut params = base.clone();
            params.linear.class_weights = class_weights.clone();
            params.linear.given_scale = given_scale;
            let by_c = held_out_path(set, &params, &grid.cs, folds)?;
            for (&c, scores) in grid.cs.iter().zip(&by_c) {
                let mut params = params.clone();
                params.linear.c = c;
                candidates.push(Candidate { features, head: name.to_owned(), params, score: score(set, scores, &grid.metric)? });
            }
        }
    }
    Ok(candidates)
}

fn score(set: &HeadSet<'_>, scores: &[Vec<f64>], metric: &Metric) -> Result<f64> {
    let n_classes = set.n_classes();
    let meta = set.plain_meta(Calibration::none(n_classes));
    let items = set.items(&set.judge(scores, &meta), &meta);
    let weights = vec![1.0; items.len()];
    Ok(match metric {
        Metric::MacroF1 => Scores::new(&items, &weights, n_classes, &[]).macro_f1,
        Metric::Accuracy => Scores::new(&items, &weights, n_classes, &[]).accuracy,
        Metric::MeanF1(names) => {
            let classes = names.iter().map(|n| set.class(n)).collect::<Result<Vec<_>>>()?;
            Scores::new(&items, &weights, n_classes, &classes).mean_f1
        }
    })
}
