//! The search of settings: one rule for all data, by cross-validation within the groups of the training data.
//!
//! It starts from word 1–2-grams with character 2–5-grams (and the place of words where a mention is marked, and an encoder's vector where there is
//! one), a linear SVM and balanced classes, walks a path of C, and then takes one step after the other: other scales of the vector, other n-grams, the lexicon of sentiment, hashtags split, other weights of words and
//! characters, first and last words, negation marked, other class weights, other weights of what is given, another loss, NB-SVM. At every step some values of C around the best so far are scored on held-out groups, all folds in one
//! sweep from warm starts. Differences below half a standard error of the score (bootstrap over groups) count as chance, in the spirit of the
//! one-standard-error rule (Breiman et al. 1984): a step must gain that much, and of values of C that close to the best the smallest is taken. Coordinates one
//! at a time cost a tenth of the full grid. Small sets are cut into folds several times, and the scores averaged. Last come decision offsets, tuned on the other
//! folds each; were they part of every step, their noise would hide what other steps gain. The vocabulary is learnt from all training texts, without their labels.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::evaluate::{Item, Scores, interval_of};
use crate::features::{Analyzer, FeatureParams, Features, TfidfParams};
use crate::labelled::Labelled;
use crate::linear::{ClassWeights, LinearParams, Loss};
use crate::sparse::SparseRows;
use crate::task::Task;
use crate::train::cross::{held_out_path, held_out_scores};
use crate::train::offsets::nested_score;
use crate::train::{Algorithm, HeadParams, HeadSet, Metric, TrainParams, calibrate, log_probabilities, thresholds};

/// LIBLINEAR's own tolerance for dual solvers: enough to tell settings apart.
const SEARCH_EPS: f64 = 0.1;
/// Draws behind a standard error.
const N_SAMPLES: usize = 100;
/// Standard errors from end to end of a 95 % interval.
const INTERVAL_WIDTH: f64 = 2.0 * 1.96;
/// Offsets are tuned for so many classes at most.
const MAX_OFFSET_CLASSES: usize = 10;
/// NB-SVM is tried for so many outputs at most: each is a problem of its own.
const MAX_RATIO_OUTPUTS: usize = 4;
/// Sets of fewer texts are cut into folds so many times.
const SMALL: (usize, u64) = (5000, 3);
/// Hashtags are split where one text in so many holds one.
const HASHTAG_SHARE: usize = 50;

/// Settings of the search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SearchParams {
    /// Values of C of the first path, ascending.
    pub cs: Vec<f64>,
    /// Features to use; none lets the search choose them.
    pub features: Option<FeatureParams>,
    /// Scales at which an encoder's vector is tried, after its own; none keeps it. Without an encoder they mean nothing.
    pub encoder_scales: Vec<f32>,
    /// Folds.
    pub folds: usize,
    /// What is maximised, for every head.
    pub metric: Metric,
    /// Standard errors of the score below which a difference counts as chance.
    pub chance: f64,
}

impl Default for SearchParams {
    fn default() -> Self {
        Self {
            cs: (-4..=2).step_by(2).map(|e| 2.0_f64.powi(e)).collect(),
            features: None,
            encoder_scales: vec![1.0, 2.0, 4.0],
            folds: 5,
            metric: Metric::MacroF1,
            chance: 0.5,
        }
    }
}

/// One setting with its score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    /// What was changed.
    pub step: String,
    /// Name of the head.
    pub head: String,
    /// Cost of an error.
    pub c: f64,
    /// Held-out score.
    pub score: f64,
}

/// Where the search stands with one head.
#[derive(Debug, Clone)]
struct Best {
    params: HeadParams,
    score: f64,
    /// Standard error of that.
    error: f64,
}

struct Search<'a> {
    task: &'a Task,
    data: &'a Labelled,
    grid: &'a SearchParams,
    /// The fold of each text, in each of several ways to cut.
    cuts: Vec<Vec<usize>>,
    /// Difference of scores that counts as chance, per head; 0 until the first path has been walked.
    chance: Vec<f64>,
    tried: Vec<Candidate>,
}

/// Chooses settings for every head and one feature setting for all. Gives the parameters to train with and all candidates in the order in which they were tried.
///
/// # Errors
///
/// As [`crate::train::train`].
pub fn search(task: &Task, data: &Labelled, params: &TrainParams, grid: &SearchParams) -> Result<(TrainParams, Vec<Candidate>)> {
    data.check_trainable(task)?;
    let n_cuts = if data.n_texts() < SMALL.0 { SMALL.1 } else { 1 };
    let cuts = (0..n_cuts).map(|cut| data.folds(grid.folds, params.seed + cut)).collect::<Result<Vec<_>>>()?;
    let chance = vec![0.0; task.heads.len()];
    let mut search = Search { task, data, grid, cuts, chance, tried: Vec::new() };
    let mut features = grid.features.clone().unwrap_or_else(|| first_features(params));
    let passages = data.passages();
    let (_, mut rows) = Features::fit_transform_unnamed(&features, &passages)?;
    let mut best = (0..task.heads.len()).map(|head| search.start(head, params, &rows)).collect::<Result<Vec<_>>>()?;
    let mut step = |name: &str, changed: &dyn Fn(&FeatureParams) -> Option<FeatureParams>| -> Result<()> {
        let Some(next) = changed(&features) else { return Ok(()) };
        let (_, next_rows) = Features::fit_transform_unnamed(&next, &passages)?;
        let found = (0..best.len())
            .map(|head| search.around(name, head, &next_rows, &best[head].params, &[0.5, 1.0, 2.0]))
            .collect::<Result<Vec<_>>>()?;
        let mean = |bests: &[Best]| bests.iter().map(|b| b.score).sum::<f64>() / bests.len() as f64;
        let chance = search.chance.iter().sum::<f64>() / best.len() as f64;
        if mean(&found) >= mean(&best) + chance {
            (features, rows, best) = (next, next_rows, found);
        }
        Ok(())
    };
    for &scale in &grid.encoder_scales {
        step(&format!("encoder scale {scale}"), &|features| scale_encoder(features, scale))?;
    }
    if grid.features.is_none() {
        FEATURE_STEPS.iter().try_for_each(|(name, changed)| step(name, &|features| changed(features, data)))?;
    }
    for (head, best) in best.iter_mut().enumerate() {
        let set = HeadSet::new(head, task, data, Cow::Borrowed(&rows));
        for (step, changed, factors) in HEAD_STEPS {
            let Some(next) = changed(&best.params, &set) else { continue };
            let found = search.around(step, head, &rows, &next, factors)?;
            if found.score >= best.score + search.chance[head] {
                *best = found;
            }
        }
        let has_offsets = grid.metric != Metric::Accuracy && set.n_classes() <= MAX_OFFSET_CLASSES && !set.is_multiple;
        if has_offsets && search.offset_score(head, &set, &best.params)? >= best.score + search.chance[head] {
            best.params.decide_for = Some(grid.metric.clone());
        }
        best.params.linear.eps = params.for_head(head).linear.eps;
    }
    let heads = best.into_iter().map(|b| b.params).collect();
    Ok((TrainParams { features, heads, ..params.clone() }, search.tried))
}

/// Word and character n-grams, and the blocks that the parameters bring beside them.
fn first_features(params: &TrainParams) -> FeatureParams {
    let is_other =
        |b: &&TfidfParams| matches!(b.analyzer, Analyzer::Target | Analyzer::Ends | Analyzer::Lexicon | Analyzer::Encoder);
    let others = params.features.blocks.iter().filter(is_other).cloned();
    let template = params.features.blocks.iter().find(|b| b.analyzer == Analyzer::Word);
    let mut blocks = vec![TfidfParams::words(1, 2), TfidfParams::chars(2, 5)];
    for block in &mut blocks {
        // Options beside the lengths of n-grams are the user's.
        if let Some(template) = template {
            block.min_df = template.min_df;
            block.max_df = template.max_df;
            block.negation = template.negation;
            block.split_hashtags = template.split_hashtags;
        }
    }
    FeatureParams { blocks: blocks.into_iter().chain(others).collect(), hash_bits: params.features.hash_bits }
}

/// The features with an encoder's vector at another scale; none without an encoder, or where it has that scale.
fn scale_encoder(features: &FeatureParams, scale: f32) -> Option<FeatureParams> {
    let mut features = features.clone();
    let block = features.blocks.iter_mut().find(|b| b.analyzer == Analyzer::Encoder && b.weight != scale)?;
    block.weight = scale;
    Some(features)
}

type FeatureStep = fn(&FeatureParams, &Labelled) -> Option<FeatureParams>;

/// Changes of the features, in the order in which they are tried; none where a change makes no sense. Words always stay: by characters alone a model
/// cannot tell that it knows nothing of a text.
const FEATURE_STEPS: &[(&str, FeatureStep)] = &[
    ("words 1-2 alone", |f, _| without(f, Analyzer::CharWb)),
    ("words 1-3", |f, _| edit(f, |b| b.analyzer == Analyzer::Word && b.ngrams == (1, 2), |b| b.ngrams = (1, 3))),
    ("lexicon of sentiment", |f, _| {
        let is_new = f.hash_bits.is_none() && f.blocks.iter().all(|b| b.analyzer != Analyzer::Lexicon);
        is_new.then(|| FeatureParams {
            blocks: f.blocks.iter().cloned().chain([TfidfParams::sentiment()]).collect(),
            hash_bits: None,
        })
    }),
    ("lexicon with half the weight", |f, _| edit(f, |b| b.analyzer == Analyzer::Lexicon, |b| b.weight *= 0.5)),
    ("hashtags split", |f, data| {
        let n_tagged = data.passages().iter().filter(|p| p.text.contains('#')).count();
        let is_worth_it = n_tagged * HASHTAG_SHARE >= data.n_texts();
        is_worth_it.then(|| {
            edit(
                f,
                |b| !matches!(b.analyzer, Analyzer::Target | Analyzer::Encoder) && !b.split_hashtags,
                |b| b.split_hashtags = true,
            )
        })?
    }),
    ("words 1 alone", |f, _| edit(f, |b| b.analyzer == Analyzer::Word && b.ngrams == (1, 2), |b| b.ngrams = (1, 1))),
    ("characters double", |f, _| edit(f, |b| b.analyzer == Analyzer::CharWb && b.weight == 1.0, |b| b.weight = 2.0)),
    ("words half as much again", |f, _| {
        let has_even_weights = f.blocks.iter().all(|b| b.analyzer != Analyzer::CharWb || b.weight == 1.0);
        has_even_weights.then(|| edit(f, |b| b.analyzer == Analyzer::Word, |b| b.weight *= 1.5))?
    }),
    ("first and last words", |f, _| {
        let is_new = f.blocks.iter().all(|b| b.analyzer != Analyzer::Ends);
        let ends = TfidfParams { split_hashtags: f.blocks.iter().any(|b| b.split_hashtags), ..TfidfParams::ends() };
        is_new.then(|| FeatureParams { blocks: f.blocks.iter().cloned().chain([ends]).collect(), ..f.clone() })
    }),
    ("negation marked", |f, _| edit(f, |b| b.analyzer == Analyzer::Word && !b.negation, |b| b.negation = true)),
];

type HeadStep = fn(&HeadParams, &HeadSet<'_>) -> Option<HeadParams>;

/// Changes of a head, and the factors on C that are tried with each.
const HEAD_STEPS: &[(&str, HeadStep, &[f64])] = &[
    ("class weights none", |p, _| Some(linear(p, |l| l.class_weights = ClassWeights::None)), &[1.0, 2.0]),
    ("given half", |p, set| set.givens.is_some().then(|| linear(p, |l| l.given_scale = 0.5)), &[1.0, 2.0]),
    ("given double", |p, set| set.givens.is_some().then(|| linear(p, |l| l.given_scale = 2.0)), &[0.25, 0.5, 1.0]),
    ("logistic loss", |p, _| Some(linear(p, |l| l.loss = Loss::Logistic)), &[4.0, 16.0]),
    (
        "NB-SVM",
        |p, set| {
            let is_small = set.n_classes() <= MAX_RATIO_OUTPUTS && !set.is_multiple;
            // An encoder's values are no counts.
            (is_small && set.rows.are_counts()).then(|| HeadParams { ratio_smoothing: Some(1.0), ..p.clone() })
        },
        &[0.25, 1.0],
    ),
    ("finer C", |p, _| Some(p.clone()), &[0.7, 1.4]),
];

/// The features without a kind of block; none where there would be none left of words and characters.
fn without(features: &FeatureParams, analyzer: Analyzer) -> Option<FeatureParams> {
    let blocks: Vec<TfidfParams> = features.blocks.iter().filter(|b| b.analyzer != analyzer).cloned().collect();
    let has_ngrams = blocks.iter().any(|b| matches!(b.analyzer, Analyzer::Word | Analyzer::CharWb));
    (has_ngrams && blocks.len() < features.blocks.len()).then_some(FeatureParams { blocks, hash_bits: features.hash_bits })
}

/// The features with some blocks edited; none where there is no such block.
fn edit(features: &FeatureParams, wanted: fn(&TfidfParams) -> bool, edit: fn(&mut TfidfParams)) -> Option<FeatureParams> {
    let mut features = features.clone();
    let mut wanted: Vec<&mut TfidfParams> = features.blocks.iter_mut().filter(|b| wanted(b)).collect();
    if wanted.is_empty() {
        return None;
    }
    wanted.iter_mut().for_each(|block| edit(block));
    Some(features)
}

fn linear(params: &HeadParams, edit: fn(&mut LinearParams)) -> HeadParams {
    let mut params = params.clone();
    edit(&mut params.linear);
    params
}

impl Search<'_> {
    /// The first path of a head.
    fn start(&mut self, head: usize, params: &TrainParams, rows: &SparseRows) -> Result<Best> {
        let set = HeadSet::new(head, self.task, self.data, Cow::Borrowed(rows));
        let mut first = params.for_head(head).clone();
        first.linear.eps = SEARCH_EPS;
        first.linear.class_weights = ClassWeights::Balanced;
        first.decide_for = None;
        let best = self.best_of("start", &set, head, &first, &self.grid.cs)?;
        self.chance[head] = self.grid.chance * best.error;
        let near = self.around("start", head, rows, &best.params, &[0.5, 2.0])?;
        Ok(if near.score >= best.score + self.chance[head] { near } else { best })
    }

    /// The best of some factors on the head's C.
    fn around(&mut self, step: &str, head: usize, rows: &SparseRows, params: &HeadParams, factors: &[f64]) -> Result<Best> {
        let set = HeadSet::new(head, self.task, self.data, Cow::Borrowed(rows));
        let cs: Vec<f64> = factors.iter().map(|factor| factor * params.linear.c).collect();
        self.best_of(step, &set, head, params, &cs)
    }

    fn best_of(&mut self, step: &str, set: &HeadSet<'_>, head: usize, params: &HeadParams, cs: &[f64]) -> Result<Best> {
        let at = |c: f64| HeadParams { linear: LinearParams { c, ..params.linear.clone() }, ..params.clone() };
        let mut found: Vec<Best> = cs.iter().map(|&c| Best { params: at(c), score: 0.0, error: 0.0 }).collect();
        for folds in &self.cuts {
            let by_c = if params.algorithm == Algorithm::OneVsRest && params.ratio_smoothing.is_none() {
                held_out_path(set, params, cs, folds)?
            } else {
                cs.iter().map(|&c| held_out_scores(set, &at(c), folds, self.grid.folds)).collect::<Result<_>>()?
            };
            for (found, scores) in found.iter_mut().zip(&by_c) {
                let (score, error) = self.score(set, scores)?;
                found.score += score / self.cuts.len() as f64;
                found.error += error / self.cuts.len() as f64;
            }
        }
        self.tried.extend(found.iter().map(|best| Candidate {
            step: step.to_owned(),
            head: self.task.heads[head].name.clone(),
            c: best.params.linear.c,
            score: best.score,
        }));
        let highest = found.iter().fold(f64::NEG_INFINITY, |highest, best| highest.max(best.score));
        // The first path does not know yet what is chance: its own error says.
        let chance = |best: &Best| if self.chance[head] > 0.0 { self.chance[head] } else { self.grid.chance * best.error };
        let simplest = found.into_iter().find(|best| best.score + chance(best) >= highest);
        simplest.ok_or_else(|| Error::parameter("the search has no value of C"))
    }

    /// The score of held-out decision values, and its standard error.
    fn score(&self, set: &HeadSet<'_>, scores: &[Vec<f64>]) -> Result<(f64, f64)> {
        let n_classes = set.n_classes();
        let mut meta = set.plain_meta(calibrate(set, scores, n_classes, false));
        let judged = set.judge(scores, &meta);
        meta.thresholds = thresholds(set, &judged, &meta);
        let items = set.items(&judged, &meta);
        let classes = match &self.grid.metric {
            Metric::MeanF1(names) => names.iter().map(|n| set.class(n)).collect::<Result<Vec<_>>>()?,
            _ => Vec::new(),
        };
        let value = |items: &[Item], weights: &[f64]| {
            let scores = Scores::new(items, weights, n_classes, &classes);
            match &self.grid.metric {
                Metric::MacroF1 => scores.macro_f1,
                Metric::Accuracy => scores.accuracy,
                Metric::MeanF1(_) => scores.mean_f1,
            }
        };
        let interval = interval_of(&items, N_SAMPLES, 1, value);
        Ok((value(&items, &vec![1.0; items.len()]), (interval.high - interval.low) / INTERVAL_WIDTH))
    }

    /// The score with decision offsets, each fold's tuned on the others.
    fn offset_score(&mut self, head: usize, set: &HeadSet<'_>, params: &HeadParams) -> Result<f64> {
        let mut sum = 0.0;
        for cut in &self.cuts {
            let scores = held_out_scores(set, params, cut, self.grid.folds)?;
            let judged = set.judge(&scores, &set.plain_meta(calibrate(set, &scores, set.n_classes(), false)));
            let log_probabilities = log_probabilities(&judged);
            let rows: Vec<&[f64]> = log_probabilities.iter().map(Vec::as_slice).collect();
            let folds: Vec<usize> = set.texts.iter().map(|&text| cut[text]).collect();
            sum += nested_score(&rows, &set.gold(), &folds, set.n_classes(), &set.goal(&self.grid.metric)?);
        }
        let score = sum / self.cuts.len() as f64;
        let (head, step) = (self.task.heads[head].name.clone(), "decision offsets".to_owned());
        self.tried.push(Candidate { step, head, c: params.linear.c, score });
        Ok(score)
    }
}
