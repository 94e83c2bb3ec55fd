//! How good predictions are: scores, intervals over groups, paired comparisons, agreement of annotators.
//!
//! Works on [`Item`]s, pairs of true and predicted class with probabilities; where those come from (a model, a cross-validation, a baseline) is not its business,
//! nor is how they are printed.

mod agreement;
mod baseline;
mod bootstrap;
mod metrics;

pub use agreement::{cohen_kappa, krippendorff_alpha, krippendorff_alpha_with_interval};
pub use baseline::SingleNgram;
pub use bootstrap::{Comparison, Interval, N_SAMPLES, binomial_interval, bootstrap, compare, interval_of};
pub use metrics::{ClassScores, ConfusionMatrix, Item, Scores, pair_labels, reliability};
