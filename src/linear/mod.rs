//! Linear models over sparse rows: support vector machines, logistic regression (one-vs-rest and softmax) and naive Bayes.
//!
//! [`fit`] learns a [`LinearModel`] from a [`Problem`] under [`LinearParams`]; [`fit_path`] does so for many values of C for little more than the
//! price of one, and [`cross_scores`] scores every row by models that have not seen its fold. The solvers are LIBLINEAR's: same objective, same
//! stopping rule, same meaning of C and eps, so that numbers can be compared; each stands in its own file with its formula. One-vs-rest
//! outputs are trained together in one sweep over the data (`sweep.rs`), on a renumbered copy of it (`design.rs`).
//!
//! # Given
//!
//! A row may come with a *given* value, say the topic when the stance is asked for. Every feature then counts twice: once shared by all rows and
//! once for the rows with the same given value (Daumé III, "Frustratingly Easy Domain Adaptation", ACL 2007), the second scaled by
//! [`LinearParams::given_scale`] s: score = xᵀ(w_shared + s·w_given). The doubled row is never built.
//!
//! # Results
//!
//! The same problem, parameters and seed give the same bits on any number of threads (the current rayon pool is used).

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::sparse::{SparseRow, SparseRows};

#[cfg(feature = "linfa-baseline")]
pub mod baseline;
mod bayes;
mod blocks;
mod design;
pub mod estimators;
mod lanes;
mod logistic;
mod path;
mod ratios;
mod softmax;
mod svm;
mod sweep;
mod train;

pub use bayes::{NaiveBayesKind, NaiveBayesParams, fit_naive_bayes};
pub(crate) use blocks::BlockSolver;
pub use path::{HeldOut, cross_scores, fit_path};
pub use ratios::{log_count_ratios, scale_columns};
pub use softmax::{fit_softmax, softmax_objective};
pub(crate) use train::Solver;
pub use train::{Duals, fit, fit_from, objective};

/// What a misclassified row costs.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// max(0, 1 - m)² of the margin m = y·score: LIBLINEAR's default, scikit-learn's `LinearSVC`.
    #[default]
    SquaredHinge,
    /// max(0, 1 - m).
    Hinge,
    /// log(1 + exp(-m)): scores are log-odds.
    Logistic,
}

/// How the cost of a row depends on its class.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassWeights {
    /// Every row costs C.
    #[default]
    None,
    /// n / (k · n_c) for each class c of the k classes that occur, counting sample weights, as scikit-learn's `"balanced"`.
    Balanced,
    /// One positive factor for each class.
    Given(Vec<f64>),
}

/// Settings of [`fit`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinearParams {
    /// Squared hinge by default. Ignored by [`softmax::fit_softmax`].
    pub loss: Loss,
    /// Cost of an error against ½‖w‖², above 0; 1 by default. Large values follow the training data closely.
    pub c: f64,
    /// Factors on C by class. As in LIBLINEAR, one-vs-rest with three or more classes applies a class's factor to its own rows in its own output,
    /// and 1 to the rest.
    pub class_weights: ClassWeights,
    /// Tolerance of the stopping rule, above 0, with LIBLINEAR's meaning; 0.01 by default. Below 0.001 weights are trained in double precision.
    pub eps: f64,
    /// Passes over the data after which training stops unconverged, at least 1; 1000 by default.
    pub max_iter: usize,
    /// Whether there is a bias; true by default.
    pub intercept: bool,
    /// Value of the column whose weight is the bias, above 0; 1 by default. The bias is regularised like any weight, the less the larger this
    /// value. Ignored without intercept.
    pub intercept_scaling: f64,
    /// Whether rows that look settled are left out for a while; true by default. Changes time, not the optimum. Ignored by the logistic loss.
    pub shrinking: bool,
    /// Seed of the order in which rows are visited; 1 by default.
    pub seed: u64,
    /// Scale s of the features given a value against the shared ones, above 0; 1 by default. Ignored without given.
    pub given_scale: f32,
}

impl Default for LinearParams {
    fn default() -> Self {
        Self {
            loss: Loss::default(),
            c: 1.0,
            class_weights: ClassWeights::default(),
            eps: 0.01,
            max_iter: 1000,
            intercept: true,
            intercept_scaling: 1.0,
            shrinking: true,
            seed: 1,
            given_scale: 1.0,
        }
    }
}

impl LinearParams {
    /// Checks every value.
    ///
    /// # Errors
    ///
    /// Names the first parameter outside its range.
    pub fn validate(&self) -> Result<()> {
        let positive = [
            ("c", self.c),
            ("eps", self.eps),
            ("intercept_scaling", self.intercept_scaling),
            ("given_scale", f64::from(self.given_scale)),
        ];
        for (name, value) in positive {
            if !(value.is_finite() && value > 0.0) {
                return Err(Error::parameter(format!("{name} is out of range"))
                    .expected("a number above 0")
                    .found(value.to_string()));
            }
        }
        if self.max_iter == 0 {
            return Err(Error::parameter("max_iter is out of range").expected("at least 1").found("0"));
        }
        if let ClassWeights::Given(weights) = &self.class_weights
            && let Some(bad) = weights.iter().find(|w| !(w.is_finite() && **w > 0.0))
        {
            return Err(Error::parameter("class weight is out of range").expected("a number above 0").found(bad.to_string()));
        }
        Ok(())
    }
}

/// The classes of the rows.
#[derive(Debug, Clone, Copy)]
pub enum Targets<'a> {
    /// One class for every row.
    Single(&'a [u32]),
    /// Any number of classes for every row, as the topics of a sentence; one output for each class.
    Multi(&'a [Vec<u32>]),
}

impl Targets<'_> {
    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        match self {
            Self::Single(classes) => classes.len(),
            Self::Multi(classes) => classes.len(),
        }
    }

    /// Whether row `i` is of class `class`.
    pub fn is_class(&self, i: usize, class: u32) -> bool {
        match self {
            Self::Single(classes) => classes[i] == class,
            Self::Multi(classes) => classes[i].contains(&class),
        }
    }
}

/// What is to be learned.
#[derive(Debug, Clone, Copy)]
pub struct Problem<'a> {
    /// Features of the rows.
    pub rows: &'a SparseRows,
    /// Classes of the rows, below `n_classes`.
    pub targets: Targets<'a>,
    /// Number of classes; some may have no row.
    pub n_classes: usize,
    /// A factor ≥ 0 on the cost of each row.
    pub sample_weights: Option<&'a [f32]>,
    /// The given value of each row and the number of such values.
    pub given: Option<(&'a [u32], usize)>,
}

impl<'a> Problem<'a> {
    /// Rows with one class each, no weights, nothing given.
    pub fn single(rows: &'a SparseRows, classes: &'a [u32], n_classes: usize) -> Self {
        Self { rows, targets: Targets::Single(classes), n_classes, sample_weights: None, given: None }
    }

    /// Rows with any number of classes each, no weights, nothing given.
    pub fn multi(rows: &'a SparseRows, classes: &'a [Vec<u32>], n_classes: usize) -> Self {
        Self { rows, targets: Targets::Multi(classes), n_classes, sample_weights: None, given: None }
    }

    /// The same with a given value for each row.
    pub fn with_given(self, values: &'a [u32], n_values: usize) -> Self {
        Self { given: Some((values, n_values)), ..self }
    }

    /// The same with a factor on the cost of each row.
    pub fn with_sample_weights(self, weights: &'a [f32]) -> Self {
        Self { sample_weights: Some(weights), ..self }
    }

    /// 1 for two exclusive classes, else one for each class.
    pub fn n_outputs(&self) -> usize {
        match self.targets {
            Targets::Single(_) if self.n_classes == 2 => 1,
            _ => self.n_classes,
        }
    }

    /// The factor on the cost of row `i`.
    pub(crate) fn sample_weight(&self, i: usize) -> f64 {
        self.sample_weights.map_or(1.0, |weights| f64::from(weights[i]))
    }

    /// Checks that everything has one entry a row and every number is in range.
    ///
    /// # Errors
    ///
    /// If not, if there are no rows, or if rows with one class each do not have two different ones.
    pub fn validate(&self) -> Result<()> {
        let n = self.rows.n_rows();
        let lengths = [
            ("classes", Some(self.targets.n_rows())),
            ("sample weights", self.sample_weights.map(<[f32]>::len)),
            ("given values", self.given.map(|(values, _)| values.len())),
        ];
        for (name, len) in lengths {
            if let Some(len) = len.filter(|&len| len != n) {
                return Err(Error::labels(format!("{name} do not match the rows"))
                    .expected(n.to_string())
                    .found(len.to_string()));
            }
        }
        if n == 0 || u32::try_from(n).is_err() || u32::try_from(self.rows.n_columns() + 1).is_err() {
            return Err(Error::labels("cannot train on this number of rows or columns").expected("1 to 4294967294 of each"));
        }
        if let Some(bad) = self.sample_weights.and_then(|weights| weights.iter().find(|w| !(w.is_finite() && **w >= 0.0))) {
            return Err(Error::parameter("sample weight is out of range").expected("a number from 0").found(bad.to_string()));
        }
        if let Some((values, n_values)) = self.given
            && let Some(bad) = values.iter().find(|&&g| g as usize >= n_values)
        {
            return Err(Error::labels("unknown given value").expected(format!("below {n_values}")).found(bad.to_string()));
        }
        self.validate_classes()
    }

    fn validate_classes(&self) -> Result<()> {
        let counts = self.class_counts()?;
        let n_present = counts.iter().filter(|&&count| count > 0.0).count();
        match self.targets {
            Targets::Single(_) if n_present < 2 => {
                Err(Error::labels("all rows are of one class").expected("at least two classes").found(n_present.to_string()))
            }
            Targets::Multi(_) if self.n_classes == 0 => Err(Error::labels("there is no class").expected("at least one")),
            _ => Ok(()),
        }
    }

    /// Sum of the sample weights of each class.
    pub(crate) fn class_counts(&self) -> Result<Vec<f64>> {
        let mut counts = vec![0.0; self.n_classes];
        let mut add = |class: u32, weight: f64| match counts.get_mut(class as usize) {
            Some(count) => {
                *count += weight;
                Ok(())
            }
            None => Err(Error::labels("unknown class").expected(format!("below {}", self.n_classes)).found(class.to_string())),
        };
        match self.targets {
            Targets::Single(classes) => {
                classes.iter().enumerate().try_for_each(|(i, &class)| add(class, self.sample_weight(i)))?;
            }
            Targets::Multi(classes) => {
                for (i, row) in classes.iter().enumerate() {
                    row.iter().try_for_each(|&class| add(class, self.sample_weight(i)))?;
                }
            }
        }
        Ok(counts)
    }
}

/// How the training of one output ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Convergence {
    /// Passes over the data.
    pub n_passes: usize,
    /// Whether the tolerance was met; if not, `max_iter` ended it.
    pub is_converged: bool,
    /// The quantity compared with the tolerance, after the last pass.
    pub violation: f64,
}

/// A linear classifier: a score for each output is a weighted sum of the features plus a bias.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearModel {
    /// Number of features F.
    pub n_features: usize,
    /// Number of classes.
    pub n_classes: usize,
    /// Number of scores K: 1 (above 0 means class 1) or one for each class.
    pub n_outputs: usize,
    /// Number of given values G; 0 without given.
    pub n_given: usize,
    /// Weights for all rows, F × K: those of a feature are neighbours.
    pub shared: Vec<f32>,
    /// Weights added for rows with a given value, G × F × K; the scale of the given features is already multiplied in. Empty without given.
    pub per_given: Vec<f32>,
    /// Bias of each output.
    pub bias: Vec<f64>,
    /// Bias added for rows with a given value, G × K. Empty without given.
    pub bias_per_given: Vec<f64>,
    /// How the training of each output ended; empty for models with a closed formula.
    pub convergence: Vec<Convergence>,
}

impl LinearModel {
    /// All weights zero.
    pub fn zeros(n_features: usize, n_classes: usize, n_outputs: usize, n_given: usize) -> Self {
        Self {
            n_features,
            n_classes,
            n_outputs,
            n_given,
            shared: vec![0.0; n_features * n_outputs],
            per_given: vec![0.0; n_given * n_features * n_outputs],
            bias: vec![0.0; n_outputs],
            bias_per_given: vec![0.0; n_given * n_outputs],
            convergence: Vec::new(),
        }
    }

    /// Weights of all outputs for `feature`, shared by all rows.
    #[inline]
    pub fn weights(&self, feature: usize) -> &[f32] {
        &self.shared[feature * self.n_outputs..][..self.n_outputs]
    }

    /// Weights of all outputs for `feature`, added when `given`.
    #[inline]
    pub fn given_weights(&self, given: usize, feature: usize) -> &[f32] {
        &self.per_given[(given * self.n_features + feature) * self.n_outputs..][..self.n_outputs]
    }

    /// Scores of one row; O(entries · outputs), allocates nothing. Without a given value, or with one unknown to the model, only the shared
    /// weights count.
    ///
    /// # Panics
    ///
    /// If `scores` does not have [`Self::n_outputs`] places or the row has columns that the model has not.
    pub fn scores_into(&self, row: SparseRow<'_>, given: Option<u32>, scores: &mut [f64]) {
        scores.copy_from_slice(&self.bias);
        for (feature, value) in row.iter() {
            add_scaled(scores, self.weights(feature as usize), value);
        }
        let Some(given) = given.map(|g| g as usize).filter(|&g| g < self.n_given) else { return };
        let bias = &self.bias_per_given[given * self.n_outputs..][..self.n_outputs];
        scores.iter_mut().zip(bias).for_each(|(score, b)| *score += b);
        for (feature, value) in row.iter() {
            add_scaled(scores, self.given_weights(given, feature as usize), value);
        }
    }

    /// The class with the best score; the first of equals.
    pub fn best_class(&self, scores: &[f64]) -> u32 {
        if self.n_outputs == 1 {
            return u32::from(self.n_classes > 1 && scores[0] > 0.0);
        }
        let mut best = 0;
        for (class, score) in scores.iter().enumerate() {
            if *score > scores[best] {
                best = class;
            }
        }
        best as u32
    }

    /// The best class of every row; see [`Self::scores_into`] for `given` and panics.
    pub fn predict_classes(&self, rows: &SparseRows, given: Option<&[u32]>) -> Vec<u32> {
        let mut scores = vec![0.0; self.n_outputs];
        let class_of = |(i, row)| {
            self.scores_into(row, given.map(|values| values[i]), &mut scores);
            self.best_class(&scores)
        };
        rows.iter().enumerate().map(class_of).collect()
    }
}

fn add_scaled(scores: &mut [f64], weights: &[f32], value: f32) {
    for (score, &weight) in scores.iter_mut().zip(weights) {
        *score += f64::from(value) * f64::from(weight);
    }
}
