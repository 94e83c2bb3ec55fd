//! The settings of one head's classifier, and which solver they choose.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

use crate::linear::{LinearModel, LinearParams, Problem, Targets, fit, log_count_ratios, scale_columns};
use crate::linear::{NaiveBayesKind, NaiveBayesParams, fit_naive_bayes, fit_softmax};
use crate::train::Metric;

/// The kind of classifier.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// One support vector machine or logistic regression per class, by the loss of the linear settings.
    #[default]
    OneVsRest,
    /// Multinomial logistic regression over all classes at once.
    Softmax,
    /// Multinomial naive Bayes.
    MultinomialBayes,
    /// Complement naive Bayes (Rennie et al. 2003).
    ComplementBayes,
    /// linfa's dense logistic regression on truncated-SVD features: a baseline.
    LinfaLogistic,
}

/// Settings of one head.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HeadParams {
    /// The kind of classifier. Default: one-vs-rest.
    pub algorithm: Algorithm,
    /// Solver settings.
    pub linear: LinearParams,
    /// Multiply features by their log-count ratios, smoothed by this (NB-SVM): each class's output by ratios of its own. One-vs-rest with one label a text
    /// only. Default: off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio_smoothing: Option<f64>,
    /// Tune decision offsets on held-out probabilities for this score. Ignored by heads with several labels a text, and without folds. Default: off, the
    /// likeliest label is chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decide_for: Option<Metric>,
}

impl HeadParams {
    /// The same settings with another seed.
    pub(crate) fn seeded(&self, seed: u64) -> Self {
        Self { linear: LinearParams { seed, ..self.linear.clone() }, ..self.clone() }
    }

    /// Whether the linear solver trains on the rows as they are.
    pub(crate) fn is_plain(&self) -> bool {
        self.algorithm == Algorithm::OneVsRest && self.ratio_smoothing.is_none()
    }

    /// Runs the solver.
    ///
    /// # Errors
    ///
    /// As the solver; or if the combination is not supported.
    pub fn fit(&self, problem: &Problem<'_>) -> Result<LinearModel> {
        if self.algorithm != Algorithm::OneVsRest && matches!(problem.targets, Targets::Multi(_)) {
            return Err(Error::parameter("this classifier needs one label for each text")
                .help("use svm, svm-hinge or logistic for a head with several labels, or remove `multiple` from the task"));
        }
        match (self.algorithm, self.ratio_smoothing) {
            (Algorithm::OneVsRest, None) => fit(problem, &self.linear),
            (Algorithm::OneVsRest, Some(smoothing)) => self.fit_scaled(problem, smoothing),
            (_, Some(_)) => Err(Error::parameter("log-count ratios go with one-vs-rest only")),
            (Algorithm::Softmax, None) => fit_softmax(problem, &self.linear),
            (Algorithm::MultinomialBayes, None) => {
                fit_naive_bayes(problem, &NaiveBayesParams { kind: NaiveBayesKind::Multinomial, ..NaiveBayesParams::default() })
            }
            (Algorithm::ComplementBayes, None) => {
                fit_naive_bayes(problem, &NaiveBayesParams { kind: NaiveBayesKind::Complement, ..NaiveBayesParams::default() })
            }
            (Algorithm::LinfaLogistic, None) => self.fit_linfa(problem),
        }
    }

    #[cfg(feature = "linfa-baseline")]
    fn fit_linfa(&self, problem: &Problem<'_>) -> Result<LinearModel> {
        use crate::linear::baseline::{BaselineParams, fit_baseline};
        fit_baseline(problem, &BaselineParams { alpha: 1.0 / self.linear.c, seed: self.linear.seed, ..BaselineParams::default() })
    }

    #[cfg(not(feature = "linfa-baseline"))]
    fn fit_linfa(&self, _: &Problem<'_>) -> Result<LinearModel> {
        Err(Error::new(crate::ErrorKind::Unsupported, "this program was built without linfa's classifier")
            .help("build it with `--features linfa-baseline`"))
    }

    /// NB-SVM: trains each output on columns scaled by its ratios and multiplies them into the weights.
    fn fit_scaled(&self, problem: &Problem<'_>, smoothing: f64) -> Result<LinearModel> {
        let ratios = log_count_ratios(problem, smoothing)?;
        let Targets::Single(classes) = problem.targets else {
            return Err(Error::parameter("log-count ratios need one label for each text"));
        };
        if problem.n_outputs() == 1 {
            return self.fit_output(problem, &ratios);
        }
        let outputs = (0..problem.n_classes)
            .into_par_iter()
            .map(|k| {
                let of_output: Vec<f32> = ratios.iter().skip(k).step_by(problem.n_classes).copied().collect();
                let is_class: Vec<u32> = classes.iter().map(|&c| u32::from(c as usize == k)).collect();
                self.fit_output(&Problem { targets: Targets::Single(&is_class), n_classes: 2, ..*problem }, &of_output)
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(side_by_side(&outputs))
    }

    fn fit_output(&self, problem: &Problem<'_>, ratios: &[f32]) -> Result<LinearModel> {
        let rows = scale_columns(problem.rows, ratios);
        let mut model = fit(&Problem { rows: &rows, ..*problem }, &self.linear)?;
        for weights in [&mut model.shared, &mut model.per_given] {
            weights.iter_mut().enumerate().for_each(|(i, weight)| *weight *= ratios[i % ratios.len()]);
        }
        Ok(model)
    }
}

/// One model of the outputs of several models with one output each.
fn side_by_side(outputs: &[LinearModel]) -> LinearModel {
    fn interleave<T: Copy>(outputs: &[LinearModel], of: fn(&LinearModel) -> &[T]) -> Vec<T> {
        (0..of(&outputs[0]).len()).flat_map(|i| outputs.iter().map(move |o| of(o)[i])).collect()
    }
    LinearModel {
        n_classes: outputs.len(),
        n_outputs: outputs.len(),
        shared: interleave(outputs, |o| &o.shared),
        per_given: interleave(outputs, |o| &o.per_given),
        bias: interleave(outputs, |o| &o.bias),
        bias_per_given: interleave(outputs, |o| &o.bias_per_given),
        convergence: outputs.iter().flat_map(|o| o.convergence.iter().copied()).collect(),
        ..outputs[0].clone()
    }
}
