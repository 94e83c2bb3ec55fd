//! The linear models behind linfa's traits, so that they work with its datasets and generic code.
//!
//! [`SparseRows`] are linfa records; [`LinearSvm`], [`LogisticRegression`] and [`NaiveBayes`] are unchecked parameters ([`ParamGuard`]) that fit a
//! `DatasetBase<SparseRows, _>` with classes 0, 1, 2, … (`usize`) as targets and, if it has them, its weights as sample weights. What they
//! return is a [`LinearModel`], which predicts. Given values and rows with several classes have no place in linfa's traits: use [`super::fit`].
//!
//! Mind that linfa 0.8 swaps precision and recall in `prediction.confusion_matrix(&array)`: score with this crate's `evaluate` module instead.
//!
//! # Examples
//!
//! ```
//! use linfa::DatasetBase;
//! use linfa::traits::{Fit, Predict};
//! use ndarray::{Array1, array};
//! use stancekit::linear::estimators::LinearSvm;
//! use stancekit::sparse::SparseRows;
//!
//! let mut rows = SparseRows::new(3);
//! rows.push(&[0, 2], &[0.8, 0.6]);
//! rows.push(&[1, 2], &[0.8, 0.6]);
//! rows.push(&[0], &[1.0]);
//! let dataset = DatasetBase::new(rows, array![0usize, 1, 0]);
//!
//! let model = LinearSvm::default().c(10.0).fit(&dataset)?;
//! let predicted: Array1<usize> = model.predict(&dataset);
//! assert_eq!(predicted, array![0, 1, 0]);
//! # Ok::<(), stancekit::Error>(())
//! ```

use linfa::DatasetBase;
use linfa::dataset::{AsSingleTargets, Records};
use linfa::param_guard::ParamGuard;
use linfa::traits::{Fit, Predict, PredictInplace};
use ndarray::Array1;

use super::{
    ClassWeights, LinearModel, LinearParams, Loss, NaiveBayesKind, NaiveBayesParams, Problem, fit, fit_naive_bayes, fit_softmax,
};
use crate::error::{Error, Result};
use crate::sparse::SparseRows;

impl Records for SparseRows {
    type Elem = f32;

    fn nsamples(&self) -> usize {
        self.n_rows()
    }

    fn nfeatures(&self) -> usize {
        self.n_columns()
    }
}

impl PredictInplace<SparseRows, Array1<usize>> for LinearModel {
    fn predict_inplace<'a>(&'a self, rows: &'a SparseRows, classes: &mut Array1<usize>) {
        assert_eq!(rows.n_rows(), classes.len(), "the number of rows must match the number of targets");
        let predicted = self.predict_classes(rows, None);
        classes.iter_mut().zip(predicted).for_each(|(class, predicted)| *class = predicted as usize);
    }

    fn default_target(&self, rows: &SparseRows) -> Array1<usize> {
        Array1::zeros(rows.n_rows())
    }
}

impl Predict<&SparseRows, Array1<usize>> for LinearModel {
    fn predict(&self, rows: &SparseRows) -> Array1<usize> {
        let mut classes = self.default_target(rows);
        self.predict_inplace(rows, &mut classes);
        classes
    }
}

/// The problem of a dataset is handed to `fit`.
fn with_problem<T: AsSingleTargets<Elem = usize>>(
    dataset: &DatasetBase<SparseRows, T>,
    fit: impl FnOnce(&Problem<'_>) -> Result<LinearModel>,
) -> Result<LinearModel> {
    let to_class = |&class: &usize| u32::try_from(class).map_err(|_| Error::labels("class number is too large"));
    let classes = dataset.targets().as_single_targets().iter().map(to_class).collect::<Result<Vec<u32>>>()?;
    let n_classes = classes.iter().max().map_or(0, |&last| last as usize + 1);
    if n_classes > classes.len().max(1 << 16) {
        return Err(Error::labels("class numbers are not 0, 1, 2, …").found(format!("{}", n_classes - 1)));
    }
    let weights = dataset.weights();
    fit(&Problem { sample_weights: weights, ..Problem::single(dataset.records(), &classes, n_classes) })
}

macro_rules! common_setters {
    ($($path:tt)+) => {
        /// Cost of an error against the size of the weights, above 0; 1 by default.
        #[must_use]
        pub fn c(mut self, c: f64) -> Self {
            self.$($path)+.c = c;
            self
        }

        /// Tolerance of the stopping rule, above 0; 0.01 by default.
        #[must_use]
        pub fn eps(mut self, eps: f64) -> Self {
            self.$($path)+.eps = eps;
            self
        }

        /// Factors on the cost by class; none by default.
        #[must_use]
        pub fn class_weights(mut self, class_weights: ClassWeights) -> Self {
            self.$($path)+.class_weights = class_weights;
            self
        }

        /// Most passes over the data, at least 1; 1000 by default.
        #[must_use]
        pub fn max_iter(mut self, max_iter: usize) -> Self {
            self.$($path)+.max_iter = max_iter;
            self
        }

        /// Whether there is a bias; true by default.
        #[must_use]
        pub fn intercept(mut self, intercept: bool) -> Self {
            self.$($path)+.intercept = intercept;
            self
        }

        /// Seed of the order of the rows; 1 by default.
        #[must_use]
        pub fn seed(mut self, seed: u64) -> Self {
            self.$($path)+.seed = seed;
            self
        }
    };
}

/// A linear support vector machine, one-vs-rest; squared hinge loss unless told otherwise.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct LinearSvm(LinearSvmValid);

/// Checked parameters of [`LinearSvm`].
#[derive(Debug, Default, Clone, PartialEq)]
pub struct LinearSvmValid(LinearParams);

impl LinearSvm {
    common_setters!(0.0);

    /// Charges max(0, 1 - margin) rather than its square.
    #[must_use]
    pub fn hinge(mut self) -> Self {
        self.0.0.loss = Loss::Hinge;
        self
    }
}

impl LinearSvmValid {
    /// The parameters.
    pub fn params(&self) -> &LinearParams {
        &self.0
    }
}

impl ParamGuard for LinearSvm {
    type Checked = LinearSvmValid;
    type Error = Error;

    fn check_ref(&self) -> Result<&LinearSvmValid> {
        self.0.0.validate()?;
        Ok(&self.0)
    }

    fn check(self) -> Result<LinearSvmValid> {
        self.check_ref()?;
        Ok(self.0)
    }
}

impl<T: AsSingleTargets<Elem = usize>> Fit<SparseRows, T, Error> for LinearSvmValid {
    type Object = LinearModel;

    fn fit(&self, dataset: &DatasetBase<SparseRows, T>) -> Result<LinearModel> {
        with_problem(dataset, |problem| fit(problem, &self.0))
    }
}

/// Logistic regression: one-vs-rest, or softmax over all classes.
///
/// # Examples
///
/// ```
/// use linfa::DatasetBase;
/// use linfa::traits::{Fit, Predict};
/// use ndarray::{Array1, array};
/// use stancekit::linear::estimators::LogisticRegression;
/// use stancekit::sparse::SparseRows;
///
/// let mut rows = SparseRows::new(3);
/// for column in 0..3 {
///     rows.push(&[column], &[1.0]);
/// }
/// let dataset = DatasetBase::new(rows, array![0usize, 1, 2]);
/// let model = LogisticRegression::default().softmax().c(5.0).fit(&dataset)?;
/// let predicted: Array1<usize> = model.predict(dataset.records());
/// assert_eq!(predicted, array![0, 1, 2]);
/// # Ok::<(), stancekit::Error>(())
/// ```
#[derive(Debug, Default, Clone, PartialEq)]
pub struct LogisticRegression(LogisticRegressionValid);

/// Checked parameters of [`LogisticRegression`].
#[derive(Debug, Clone, PartialEq)]
pub struct LogisticRegressionValid {
    params: LinearParams,
    is_softmax: bool,
}

impl Default for LogisticRegressionValid {
    fn default() -> Self {
        Self { params: LinearParams { loss: Loss::Logistic, ..LinearParams::default() }, is_softmax: false }
    }
}

impl LogisticRegression {
    common_setters!(0.params);

    /// One distribution over all classes rather than one output against the rest for each.
    #[must_use]
    pub fn softmax(mut self) -> Self {
        self.0.is_softmax = true;
        self
    }
}

impl LogisticRegressionValid {
    /// The parameters.
    pub fn params(&self) -> &LinearParams {
        &self.params
    }
}

impl ParamGuard for LogisticRegression {
    type Checked = LogisticRegressionValid;
    type Error = Error;

    fn check_ref(&self) -> Result<&LogisticRegressionValid> {
        self.0.params.validate()?;
        Ok(&self.0)
    }

    fn check(self) -> Result<LogisticRegressionValid> {
        self.check_ref()?;
        Ok(self.0)
    }
}

impl<T: AsSingleTargets<Elem = usize>> Fit<SparseRows, T, Error> for LogisticRegressionValid {
    type Object = LinearModel;

    fn fit(&self, dataset: &DatasetBase<SparseRows, T>) -> Result<LinearModel> {
        with_problem(dataset, |problem| match self.is_softmax {
            true => fit_softmax(problem, &self.params),
            false => fit(problem, &self.params),
        })
    }
}

/// Naive Bayes, complement unless told otherwise.
///
/// # Examples
///
/// ```
/// use linfa::DatasetBase;
/// use linfa::traits::{Fit, Predict};
/// use ndarray::{Array1, array};
/// use stancekit::linear::estimators::NaiveBayes;
/// use stancekit::sparse::SparseRows;
///
/// let mut rows = SparseRows::new(2);
/// rows.push(&[0], &[2.0]);
/// rows.push(&[0, 1], &[1.0, 3.0]);
/// let dataset = DatasetBase::new(rows, array![0usize, 1]);
/// let model = NaiveBayes::default().alpha(0.5).fit(&dataset)?;
/// let predicted: Array1<usize> = model.predict(&dataset);
/// assert_eq!(predicted, array![0, 1]);
/// # Ok::<(), stancekit::Error>(())
/// ```
#[derive(Debug, Default, Clone, PartialEq)]
pub struct NaiveBayes(NaiveBayesValid);

/// Checked parameters of [`NaiveBayes`].
#[derive(Debug, Default, Clone, PartialEq)]
pub struct NaiveBayesValid(NaiveBayesParams);

impl NaiveBayes {
    /// Smoothing, above 0; 1 by default.
    #[must_use]
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.0.0.alpha = alpha;
        self
    }

    /// Counts each class's own rows rather than those of all others.
    #[must_use]
    pub fn multinomial(mut self) -> Self {
        self.0.0.kind = NaiveBayesKind::Multinomial;
        self
    }

    /// Divides the weights of each class by their sum; for the complement kind.
    #[must_use]
    pub fn norm(mut self, norm: bool) -> Self {
        self.0.0.norm = norm;
        self
    }
}

impl NaiveBayesValid {
    /// The parameters.
    pub fn params(&self) -> &NaiveBayesParams {
        &self.0
    }
}

impl ParamGuard for NaiveBayes {
    type Checked = NaiveBayesValid;
    type Error = Error;

    fn check_ref(&self) -> Result<&NaiveBayesValid> {
        self.0.0.validate()?;
        Ok(&self.0)
    }

    fn check(self) -> Result<NaiveBayesValid> {
        self.check_ref()?;
        Ok(self.0)
    }
}

impl<T: AsSingleTargets<Elem = usize>> Fit<SparseRows, T, Error> for NaiveBayesValid {
    type Object = LinearModel;

    fn fit(&self, dataset: &DatasetBase<SparseRows, T>) -> Result<LinearModel> {
        with_problem(dataset, |problem| fit_naive_bayes(problem, &self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset() -> DatasetBase<SparseRows, Array1<usize>> {
        let mut rows = SparseRows::new(2);
        rows.push(&[0], &[1.0]);
        rows.push(&[1], &[1.0]);
        DatasetBase::new(rows, ndarray::array![0, 1])
    }

    #[test]
    fn illegal_parameters_are_refused_before_fitting() {
        assert!(LinearSvm::default().c(-1.0).fit(&dataset()).is_err());
        assert!(LogisticRegression::default().eps(0.0).check().is_err());
        assert!(NaiveBayes::default().alpha(f64::NAN).check_ref().is_err());
    }

    #[test]
    fn all_ways_to_predict_agree() {
        let dataset = dataset();
        let model = LinearSvm::default().hinge().fit(&dataset).unwrap();
        let from_dataset: Array1<usize> = model.predict(&dataset);
        let from_rows: Array1<usize> = model.predict(dataset.records());
        let into_dataset: DatasetBase<SparseRows, Array1<usize>> = model.predict(dataset);
        assert_eq!(from_dataset, from_rows);
        assert_eq!(&from_dataset, into_dataset.targets());
    }

    #[test]
    fn the_weights_of_a_dataset_count() {
        let mut rows = SparseRows::new(1);
        (0..3).for_each(|_| rows.push(&[0], &[1.0]));
        let targets = ndarray::array![0usize, 0, 1];
        let fit = |weights| {
            let dataset = DatasetBase::new(rows.clone(), targets.clone()).with_weights(weights);
            let predicted: Array1<usize> = LinearSvm::default().fit(&dataset).unwrap().predict(&dataset);
            predicted[0]
        };
        assert_eq!(fit(ndarray::array![1.0, 1.0, 1.0]), 0);
        assert_eq!(fit(ndarray::array![1.0, 1.0, 9.0]), 1);
    }
}
