//! From labelled texts to a model: features, one solver run per head, out-of-fold scores for calibration, and the file's parts.
//!
//! [`train`] drives all modules before it. Its steps are files of this folder: [`folds`](self) of whole groups, the search of settings, the maps from
//! scores to probabilities. The same data, settings and seed give the same bytes on any number of threads.

mod cross;
mod head;
mod offsets;
mod search;
mod stream;

use std::borrow::Cow;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use cross::{FoldScores, cross_validate, cross_validate_folds, learning_curve};
pub use head::{Algorithm, HeadParams};
pub use offsets::Metric;
pub use search::{Candidate, SearchParams, search};
pub use stream::StreamTrainer;

use crate::calibrate::{Judged, fit_presence};
use crate::error::{Error, Result};
use crate::evaluate::{Interval, Item, Scores, SingleNgram, bootstrap, pair_labels};
use crate::features::{FeatureParams, Features};
use crate::labelled::{HeadCases, Labelled};
use crate::linear::{LinearModel, Problem, Solver, Targets};
use crate::model::{Calibration, HeadMeta, HeadParts, Model, ModelMeta, ModelParts, ScoreMeta, TrainingMeta, WeightKind};
use crate::sparse::SparseRows;
use crate::task::Task;

/// Bootstrap samples behind the intervals that are stored in a model.
const N_SAMPLES: usize = 1000;

/// Least presence probability of a label beside the first: a threshold learnt from few cases may be far too low.
const LEAST_THRESHOLD: f64 = 0.5;

/// Settings of a training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainParams {
    /// Features.
    pub features: FeatureParams,
    /// Solver settings, used for every head that has none of its own in `heads`.
    pub head: HeadParams,
    /// Solver settings per head, in the order of the task; shorter lists leave the rest to `head`.
    pub heads: Vec<HeadParams>,
    /// Let the other texts of a group speak for a text's label, in heads that are given nothing; needs groups of several texts, in order, and
    /// `folds`. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub context: bool,
    /// Folds for calibration and cross-validated scores; 0 skips both. Default: 5.
    pub folds: usize,
    /// How weights are stored. Default: 32-bit floating point.
    pub weights: WeightKind,
    /// Keep only so many features, those with the largest weights, and train again on them. Default: all.
    pub keep_features: Option<usize>,
    /// Seed of all random choices. Default: 1.
    pub seed: u64,
    /// Text for the model's readers.
    pub card: String,
}

impl Default for TrainParams {
    fn default() -> Self {
        Self {
            features: FeatureParams::default(),
            head: HeadParams::default(),
            heads: Vec::new(),
            context: false,
            folds: 5,
            weights: WeightKind::F32,
            keep_features: None,
            seed: 1,
            card: String::new(),
        }
    }
}

impl TrainParams {
    /// Settings of head `head`.
    pub fn for_head(&self, head: usize) -> &HeadParams {
        self.heads.get(head).unwrap_or(&self.head)
    }

    /// How many features to keep, where there are more of them.
    fn pruned_size(&self, features: &Features) -> Option<usize> {
        self.keep_features.filter(|&limit| limit < features.n_features() && self.features.hash_bits.is_none())
    }
}

/// Trains a model.
///
/// # Errors
///
/// If a parameter is out of range, a head has one class only, or there are fewer groups than folds.
pub fn train(task: &Task, data: &Labelled, params: &TrainParams) -> Result<Model> {
    train_logged(task, data, params, Vec::new(), 0)
}

/// Trains a model and keeps in it what a search has tried and how many rows were refused.
///
/// # Errors
///
/// As [`train`].
pub fn train_logged(task: &Task, data: &Labelled, params: &TrainParams, search: Vec<String>, n_refused: usize) -> Result<Model> {
    task.validate()?;
    data.check_trainable(task)?;
    let passages = data.passages();
    let (mut features, mut rows) = Features::fit_transform_unnamed(&params.features, &passages)?;
    let mut n_pruned = 0;
    if let Some(limit) = params.pruned_size(&features) {
        let kept = strongest_features(task, data, &rows, params, limit, |_| true)?;
        n_pruned = features.n_features() - kept.len();
        features = features.select(&kept)?;
        rows = features.transform(&passages);
    }
    let find_names = |head: usize| (head == 0).then(|| features.find_names(&passages));
    let (trained, names): (Vec<TrainedHead>, Vec<_>) = {
        let rows = rows;
        let n_heads = task.heads.len();
        // Where there is one head, it takes the rows over and lets them go as soon as it can.
        let of_heads = if n_heads == 1 { vec![Cow::Owned(rows)] } else { vec![Cow::Borrowed(&rows); n_heads] };
        let train_head = |(head, rows)| train_head(head, task, data, rows, params, || find_names(head));
        of_heads.into_par_iter().enumerate().map(train_head).collect::<Result<Vec<_>>>()?.into_iter().unzip()
    };
    features.set_names(names.into_iter().flatten().next().unwrap_or_default());
    let parts = ModelParts {
        meta: ModelMeta {
            format: 0,
            crate_version: String::new(),
            task: task.clone(),
            features: params.features.clone(),
            n_texts: features.n_texts(),
            n_features: features.n_features(),
            weights: params.weights,
            stride: 0,
            heads: trained.iter().map(|t| t.meta.clone()).collect(),
            training: TrainingMeta {
                n_rows: data.n_rows(),
                n_refused,
                n_groups: data.n_groups(),
                fingerprint: data.fingerprint(),
                seed: params.seed,
                folds: params.folds,
                search,
                n_pruned,
            },
            scores: trained.iter().flat_map(|t| t.scores.iter().cloned()).collect(),
            card: params.card.clone(),
        },
        features: &features,
        heads: trained.iter().map(|t| HeadParts { linear: &t.linear, nonconformity: t.nonconformity.clone() }).collect(),
    };
    Model::assemble(&parts)
}

/// What the training of one head gives.
struct TrainedHead {
    meta: HeadMeta,
    linear: LinearModel,
    nonconformity: Vec<Vec<f32>>,
    scores: Vec<ScoreMeta>,
}

/// Trains a head. Its solver may leave all threads but one idle: `meanwhile` runs beside it, but not before the rows are laid out, on all threads.
fn train_head<T: Send>(
    head: usize,
    task: &Task,
    data: &Labelled,
    rows: Cow<'_, SparseRows>,
    params: &TrainParams,
    meanwhile: impl FnOnce() -> T + Send,
) -> Result<(TrainedHead, T)> {
    let cases = &data.heads()[head];
    let head_params = params.for_head(head).seeded(params.seed);
    let mut set = HeadSet::new(head, task, data, rows);
    let all: Vec<usize> = (0..set.len()).collect();
    let lay_out = || set.with_problem(&all, |problem| Solver::new(problem, &head_params.linear));
    let solver = head_params.is_plain().then(lay_out).transpose()?;
    if solver.is_some() && params.folds == 0 {
        set.rows = Cow::Owned(SparseRows::new(0));
    }
    let fit = || solver.map_or_else(|| set.fit(&head_params, &all), |solver| Ok(solver.run().0));
    let (linear, (single_ngram, beside)) = rayon::join(fit, || (set.single_ngram(data), meanwhile()));
    let linear = linear?;
    let n_classes = cases.labels.len();
    let mut meta = HeadMeta {
        name: task.heads[head].name.clone(),
        params: head_params.clone(),
        counts: data.counts(head).into_values().collect(),
        single_ngram,
        ..set.plain_meta(Calibration::none(n_classes))
    };
    let (mut nonconformity, mut scores) = (vec![Vec::new(); n_classes], Vec::new());
    if params.folds > 0 {
        let folds = data.folds(params.folds, params.seed)?;
        let held_out = cross::held_out_scores(&set, &head_params, &folds, params.folds)?;
        meta.calibration = calibrate(&set, &held_out, n_classes, params.context);
        let judged = set.judge(&held_out, &meta);
        meta.thresholds = thresholds(&set, &judged, &meta);
        meta.offsets = set.offsets(&judged, &head_params)?;
        let items = set.items(&judged, &meta);
        nonconformity = nonconformity_scores(&set, &judged);
        scores = score_metas(&meta.name, &items, n_classes, params);
    }
    Ok((TrainedHead { meta, linear, nonconformity, scores }, beside))
}

/// The training set of one head: one entry per case, or one per text where a text may have several labels.
pub(crate) struct HeadSet<'a> {
    rows: Cow<'a, SparseRows>,
    cases: &'a HeadCases,
    /// Text of each entry.
    texts: Vec<usize>,
    /// Classes of each entry; one, unless the head is multiple.
    classes: Vec<Vec<u32>>,
    givens: Option<Vec<u32>>,
    groups: &'a [usize],
    is_multiple: bool,
    /// The class that stands for none of the others.
    none: Option<usize>,
}

impl<'a> HeadSet<'a> {
    pub(crate) fn new(head: usize, task: &Task, data: &'a Labelled, rows: Cow<'a, SparseRows>) -> Self {
        let cases = &data.heads()[head];
        let is_multiple = task.heads[head].multiple;
        let (mut texts, mut classes): (Vec<usize>, Vec<Vec<u32>>) = Default::default();
        for case in &cases.cases {
            if is_multiple && texts.last() == Some(&case.text) {
                classes.last_mut().expect("as long as texts").push(case.class as u32);
            } else {
                texts.push(case.text);
                classes.push(vec![case.class as u32]);
            }
        }
        let givens = (!cases.given_labels.is_empty()).then(|| cases.cases.iter().map(|c| c.given as u32).collect());
        let none = task.heads[head].none.as_ref().and_then(|none| cases.labels.iter().position(|l| l == none));
        Self { rows, cases, texts, classes, givens, groups: data.groups(), is_multiple, none }
    }

    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }

    fn n_classes(&self) -> usize {
        self.cases.labels.len()
    }

    fn given(&self, entry: usize) -> Option<usize> {
        self.givens.as_ref().map(|givens| givens[entry] as usize)
    }

    /// Calls `f` with the problem of the entries at `chosen`.
    fn with_problem<T>(&self, chosen: &[usize], f: impl FnOnce(&Problem<'_>) -> Result<T>) -> Result<T> {
        let wanted: Vec<usize> = chosen.iter().map(|&i| self.texts[i]).collect();
        let is_whole = wanted.len() == self.rows.n_rows() && wanted.iter().enumerate().all(|(i, &t)| i == t);
        let selected;
        let rows = if is_whole {
            &*self.rows
        } else {
            selected = self.rows.select(&wanted);
            &selected
        };
        let givens: Option<Vec<u32>> = self.givens.as_ref().map(|g| chosen.iter().map(|&i| g[i]).collect());
        let given = givens.as_deref().map(|g| (g, self.cases.given_labels.len()));
        let many: Vec<Vec<u32>> =
            if self.is_multiple { chosen.iter().map(|&i| self.classes[i].clone()).collect() } else { Vec::new() };
        let single: Vec<u32> = if self.is_multiple { Vec::new() } else { chosen.iter().map(|&i| self.classes[i][0]).collect() };
        let targets = if self.is_multiple { Targets::Multi(&many) } else { Targets::Single(&single) };
        f(&Problem { rows, targets, n_classes: self.n_classes(), sample_weights: None, given })
    }

    fn fit(&self, params: &HeadParams, chosen: &[usize]) -> Result<LinearModel> {
        self.with_problem(chosen, |problem| params.fit(problem))
    }

    /// Number of the class with this name.
    fn class(&self, name: &str) -> Result<usize> {
        self.cases.labels.binary_search_by(|l| l.as_str().cmp(name)).map_err(|_| {
            Error::labels("no such label").expected(format!("one of {}", self.cases.labels.join(", "))).found(format!("{name:?}"))
        })
    }

    /// Metadata of a head of which only labels and calibration matter.
    fn plain_meta(&self, calibration: Calibration) -> HeadMeta {
        HeadMeta {
            name: String::new(),
            labels: self.cases.labels.clone(),
            given_labels: self.cases.given_labels.clone(),
            n_outputs: 0,
            weight_scales: Vec::new(),
            params: HeadParams::default(),
            calibration,
            offsets: vec![0.0; self.n_classes()],
            thresholds: Vec::new(),
            counts: Vec::new(),
            single_ngram: None,
        }
    }

    /// The entries at `chosen` alone.
    fn subset(&self, chosen: &[usize]) -> HeadSet<'_> {
        HeadSet {
            rows: Cow::Borrowed(&*self.rows),
            cases: self.cases,
            texts: chosen.iter().map(|&i| self.texts[i]).collect(),
            classes: chosen.iter().map(|&i| self.classes[i].clone()).collect(),
            givens: self.givens.as_ref().map(|givens| chosen.iter().map(|&i| givens[i]).collect()),
            groups: self.groups,
            is_multiple: self.is_multiple,
            none: self.none,
        }
    }

    /// Class scores of an entry by a linear model.
    fn scores(&self, linear: &LinearModel, entry: usize) -> Vec<f64> {
        let mut outputs = vec![0.0; linear.n_outputs];
        linear.scores_into(self.rows.row(self.texts[entry]), self.givens.as_ref().map(|givens| givens[entry]), &mut outputs);
        crate::predict::class_scores(&outputs, self.n_classes())
    }

    /// Entries of each group, in order.
    fn documents(&self) -> Vec<Vec<usize>> {
        let n_groups = self.groups.iter().max().map_or(0, |last| last + 1);
        let mut documents = vec![Vec::new(); n_groups];
        self.texts.iter().enumerate().for_each(|(entry, &text)| documents[self.groups[text]].push(entry));
        documents
    }

    /// What the head makes of every entry, from its scores: in the company of its group, where the model knows context.
    fn judge(&self, scores: &[Vec<f64>], meta: &HeadMeta) -> Vec<Judged> {
        if meta.calibration.context.is_empty() {
            return scores.iter().flat_map(|s| meta.calibration.judge(&[s])).collect();
        }
        let mut judged = vec![Judged { evidence: Vec::new(), probabilities: Vec::new() }; self.len()];
        for document in self.documents() {
            let of_document: Vec<&[f64]> = document.iter().map(|&entry| scores[entry].as_slice()).collect();
            document.iter().zip(meta.calibration.judge(&of_document)).for_each(|(&entry, answer)| judged[entry] = answer);
        }
        judged
    }

    /// Decision offsets tuned on what was made of every entry; zeros where none are wanted or the head has several labels a text.
    fn offsets(&self, judged: &[Judged], params: &HeadParams) -> Result<Vec<f64>> {
        let Some(metric) = params.decide_for.as_ref().filter(|_| !self.is_multiple) else {
            return Ok(vec![0.0; self.n_classes()]);
        };
        let log_probabilities = log_probabilities(judged);
        let rows: Vec<&[f64]> = log_probabilities.iter().map(Vec::as_slice).collect();
        Ok(offsets::tune(&rows, &self.gold(), self.n_classes(), &self.goal(metric)?))
    }

    fn single_ngram(&self, data: &Labelled) -> Option<SingleNgram> {
        let passages = data.passages();
        let cases = self.texts.iter().zip(self.gold()).map(|(&text, class)| (passages[text].text, class));
        (!self.is_multiple).then(|| SingleNgram::learn(cases, self.n_classes()))?
    }

    /// The class of every entry, where each has one.
    fn gold(&self) -> Vec<usize> {
        self.classes.iter().map(|classes| classes[0] as usize).collect()
    }

    fn goal(&self, metric: &Metric) -> Result<offsets::Goal> {
        metric.goal(self.n_classes(), |name| self.class(name))
    }

    /// One item per case; where a text may have several labels, true and predicted ones are paired.
    fn items(&self, judged: &[Judged], meta: &HeadMeta) -> Vec<Item> {
        let mut items = Vec::with_capacity(self.len());
        for (entry, Judged { evidence, probabilities }) in judged.iter().enumerate() {
            let chosen = meta.choose(probabilities);
            let predicted = match meta.thresholds.is_empty() {
                true => vec![(chosen, probabilities[chosen])],
                false => meta.present(evidence, probabilities, self.none, chosen),
            };
            let gold: Vec<usize> = self.classes[entry].iter().map(|&c| c as usize).collect();
            let place = (self.groups[self.texts[entry]], self.given(entry).unwrap_or(0));
            items.extend(pair_labels(&gold, &predicted, self.n_classes(), |c| probabilities[c], place));
        }
        items
    }
}

/// Logarithms of probabilities, finite.
fn log_probabilities(judged: &[Judged]) -> Vec<Vec<f64>> {
    judged.iter().map(|j| j.probabilities.iter().map(|p| p.max(f64::MIN_POSITIVE).ln()).collect()).collect()
}

fn calibrate(set: &HeadSet<'_>, scores: &[Vec<f64>], n_classes: usize, with_context: bool) -> Calibration {
    let cases: Vec<(usize, usize)> =
        set.classes.iter().enumerate().flat_map(|(entry, classes)| classes.iter().map(move |&c| (entry, c as usize))).collect();
    let flat: Vec<Vec<f64>> = cases.iter().map(|&(entry, _)| scores[entry].clone()).collect();
    let classes: Vec<usize> = cases.iter().map(|&(_, class)| class).collect();
    let mut calibration = Calibration::fit(&flat, &classes, n_classes);
    if with_context && set.givens.is_none() {
        calibration.fit_context(scores, &cases, &set.documents());
    }
    if set.is_multiple {
        let judged = set.judge(scores, &set.plain_meta(calibration.clone()));
        calibration.presence = (0..n_classes)
            .map(|c| {
                let of_class: Vec<f64> = judged.iter().map(|j| j.evidence[c]).collect();
                let is_present: Vec<bool> = set.classes.iter().map(|classes| classes.contains(&(c as u32))).collect();
                fit_presence(&of_class, &is_present)
            })
            .collect();
    }
    calibration
}

/// The presence threshold of each class with the best F1 on held-out scores; ties go to the higher threshold.
fn thresholds(set: &HeadSet<'_>, judged: &[Judged], meta: &HeadMeta) -> Vec<f64> {
    let presence = &meta.calibration.presence;
    (0..presence.len())
        .map(|c| {
            let mut ranked: Vec<(f64, bool)> = judged
                .iter()
                .zip(&set.classes)
                .map(|(j, classes)| {
                    (crate::calibrate::logistic(presence[c].0 * j.evidence[c] + presence[c].1), classes.contains(&(c as u32)))
                })
                .collect();
            ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
            let n_present = ranked.iter().filter(|r| r.1).count() as f64;
            let (mut best, mut hits) = ((0.0, 0.5), 0.0);
            for (i, (probability, is_present)) in ranked.iter().enumerate() {
                hits += f64::from(*is_present);
                let f1 = 2.0 * hits / (i as f64 + 1.0 + n_present);
                if f1 > best.0 {
                    best = (f1, *probability);
                }
            }
            best.1.max(LEAST_THRESHOLD)
        })
        .collect()
}

/// 1 - p(true class) of every held-out case, sorted, per class: the reference of Mondrian prediction sets.
fn nonconformity_scores(set: &HeadSet<'_>, judged: &[Judged]) -> Vec<Vec<f32>> {
    let mut of_class = vec![Vec::new(); set.n_classes()];
    for (judged, classes) in judged.iter().zip(&set.classes) {
        for &c in classes {
            of_class[c as usize].push((1.0 - judged.probabilities[c as usize]) as f32);
        }
    }
    of_class.iter_mut().for_each(|scores: &mut Vec<f32>| scores.sort_by(f32::total_cmp));
    of_class
}

fn score_metas(head: &str, items: &[Item], n_classes: usize, params: &TrainParams) -> Vec<ScoreMeta> {
    let weights = vec![1.0; items.len()];
    let scores = Scores::new(items, &weights, n_classes, &[]);
    let samples = bootstrap(items, n_classes, &[], N_SAMPLES, params.seed);
    let how = format!("{}-fold cross-validation by group", params.folds);
    let score = |name: &str, get: fn(&Scores) -> f64| {
        let interval = Interval::of(samples.iter().map(get).collect());
        ScoreMeta {
            head: head.to_owned(),
            name: format!("{name}, {how}"),
            value: get(&scores),
            interval: (interval.low, interval.high),
        }
    };
    vec![
        score("accuracy", |s| s.accuracy),
        score("macro-F1", |s| s.macro_f1),
        score("log-loss", |s| s.log_loss),
        score("expected calibration error", |s| s.calibration_error),
    ]
}

/// The features with the largest weight of any head, learnt from the texts that `is_learnt` says, in ascending order.
fn strongest_features(
    task: &Task,
    data: &Labelled,
    rows: &SparseRows,
    params: &TrainParams,
    limit: usize,
    is_learnt: impl Fn(usize) -> bool,
) -> Result<Vec<usize>> {
    let mut strength = vec![0.0_f32; rows.n_columns()];
    for head in 0..task.heads.len() {
        let set = HeadSet::new(head, task, data, Cow::Borrowed(rows));
        let learnt: Vec<usize> = (0..set.len()).filter(|&entry| is_learnt(set.texts[entry])).collect();
        let linear = set.fit(params.for_head(head), &learnt)?;
        let largest = linear.shared.iter().fold(0.0_f32, |m, w| m.max(w.abs())).max(f32::MIN_POSITIVE);
        for (strength, weights) in strength.iter_mut().zip(linear.shared.chunks_exact(linear.n_outputs)) {
            let here = weights.iter().fold(0.0_f32, |m, w| m.max(w.abs())) / largest;
            *strength = strength.max(here);
        }
    }
    let mut order: Vec<usize> = (0..strength.len()).collect();
    order.sort_by(|&a, &b| strength[b].total_cmp(&strength[a]).then(a.cmp(&b)));
    order.truncate(limit);
    order.sort_unstable();
    if order.is_empty() {
        return Err(Error::parameter("no feature would be kept").help("raise --keep-features"));
    }
    Ok(order)
}
