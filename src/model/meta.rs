//! What a model says of itself: everything but the arrays, as one JSON document.

use serde::{Deserialize, Serialize};

use crate::evaluate::SingleNgram;
use crate::features::FeatureParams;
use crate::task::Task;
use crate::train::HeadParams;

/// The metadata of a model; field order is the order in the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelMeta {
    /// Version of the file format.
    pub format: u32,
    /// Version of the crate that wrote the file.
    pub crate_version: String,
    /// What the model was trained for.
    pub task: Task,
    /// Settings of the features.
    pub features: FeatureParams,
    /// Number of training texts, the n of idf.
    pub n_texts: usize,
    /// Number of features.
    pub n_features: usize,
    /// How weights are stored.
    pub weights: WeightKind,
    /// 32-bit words per feature in the `records` tensor.
    pub stride: usize,
    /// The heads, in the order of the task.
    pub heads: Vec<HeadMeta>,
    /// How to repeat the training.
    pub training: TrainingMeta,
    /// Scores measured at training time.
    pub scores: Vec<ScoreMeta>,
    /// Free text for readers: intended use, limits.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub card: String,
}

/// How weights are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WeightKind {
    /// 32-bit floating point.
    F32,
    /// 16-bit integers with one scale per output: a third of a 12-MB model, labels nearly always the same.
    I16,
}

/// One classifier of the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeadMeta {
    /// Name of the head.
    pub name: String,
    /// Labels in sorted order; class numbers index into it.
    pub labels: Vec<String>,
    /// Labels of the given head or column, in sorted order; empty without one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given_labels: Vec<String>,
    /// Scores per text: 1 for two labels, else one per label.
    pub n_outputs: usize,
    /// What one unit of a stored weight is worth, per output; 1 for `f32`.
    pub weight_scales: Vec<f32>,
    /// Settings of the solver.
    pub params: HeadParams,
    /// Turns scores into probabilities.
    pub calibration: Calibration,
    /// Added to log-probabilities before the label is chosen, per label.
    pub offsets: Vec<f64>,
    /// For a head with several labels per text: the least presence probability, per label.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<f64>,
    /// Training rows per label.
    pub counts: Vec<usize>,
    /// The best rule of a single n-gram on the training rows, to compare scores with; none for heads with several labels per text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub single_ngram: Option<SingleNgram>,
}

/// From scores to probabilities: softmax of `scale` · score + `bias` over the classes, and for heads with several labels a logistic
/// function per label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// How it was fitted: `none`, or `out-of-fold`.
    pub method: String,
    /// Common factor of the scores.
    pub scale: f64,
    /// Added per class.
    pub bias: Vec<f64>,
    /// Slope and intercept per class, for presence probabilities; empty for heads with one label per text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub presence: Vec<(f64, f64)>,
    /// The maps for a text that comes with others of its group, one a round; none where the model was trained without context.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub context: Vec<ContextMap>,
}

/// From scores and the neighbours' probabilities to probabilities: softmax of `scale` · score + `bias` + Σ weight · neighbour's probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContextMap {
    /// Common factor of the scores.
    pub scale: f64,
    /// Weights of the probabilities of the previous text, the next, all others on average, and the first.
    pub neighbours: Vec<f64>,
    /// Added per class.
    pub bias: Vec<f64>,
}

/// How the model was trained.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TrainingMeta {
    /// Rows used.
    pub n_rows: usize,
    /// Rows refused.
    pub n_refused: usize,
    /// Groups, or rows where there is no group column.
    pub n_groups: usize,
    /// Fingerprint of texts, labels and groups, in order.
    pub fingerprint: String,
    /// Seed of all random choices.
    pub seed: u64,
    /// Folds of cross-validation; 0 where none was run.
    pub folds: usize,
    /// What a search tried and found, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub search: Vec<String>,
    /// Features dropped because their weights were small.
    #[serde(default)]
    pub n_pruned: usize,
}

/// A measured score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreMeta {
    /// Name of the head.
    pub head: String,
    /// What was measured, and on what, such as `macro-F1, 5-fold by article`.
    pub name: String,
    /// The value.
    pub value: f64,
    /// 95 % interval.
    pub interval: (f64, f64),
}
