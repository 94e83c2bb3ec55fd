//! Naive Bayes over sparse counts or TF-IDF values, in closed form, as weights of a [`LinearModel`].
//!
//! With the sum N_cj of feature j over the rows of class c (times their sample weights), N_j over all rows, and smoothing α:
//!
//!   multinomial:  w_cj = log (N_cj + α) - log Σ_k (N_ck + α),   bias_c = log (n_c / n)
//!   complement:   w_cj = -log (N_j - N_cj + α) + log Σ_k (N_k - N_ck + α),   no bias (Rennie et al., ICML 2003)
//!
//! scikit-learn's `MultinomialNB` and `ComplementNB`, formula for formula. The score of a row is linear in it, and the best score wins.

use serde::{Deserialize, Serialize};

use super::ratios::column_sums;
use super::{LinearModel, Problem, Targets};
use crate::error::{Error, Result};

/// Which rows speak about a class.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NaiveBayesKind {
    /// Its own.
    Multinomial,
    /// Those of all other classes: steadier when classes differ in size.
    #[default]
    Complement,
}

/// Settings of [`fit_naive_bayes`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NaiveBayesParams {
    /// Complement by default.
    pub kind: NaiveBayesKind,
    /// Smoothing added to every count, above 0; 1 by default.
    pub alpha: f64,
    /// Whether the bias follows how frequent the classes are; true by default. Ignored by the complement kind, which has no bias.
    pub fit_prior: bool,
    /// Whether the weights of a class are divided by their sum; false by default. Ignored by the multinomial kind.
    pub norm: bool,
}

impl Default for NaiveBayesParams {
    fn default() -> Self {
        Self { kind: NaiveBayesKind::default(), alpha: 1.0, fit_prior: true, norm: false }
    }
}

impl NaiveBayesParams {
    /// Checks every value.
    ///
    /// # Errors
    ///
    /// Names the first parameter outside its range.
    pub fn validate(&self) -> Result<()> {
        if self.alpha.is_finite() && self.alpha > 0.0 {
            return Ok(());
        }
        Err(Error::parameter("alpha is out of range").expected("a number above 0").found(self.alpha.to_string()))
    }
}

/// Learns a naive Bayes classifier: one output for each class, also if there are two. The given value is ignored.
///
/// # Errors
///
/// If a parameter or the problem is not legal, if a value is negative, or if rows have any number of classes.
pub fn fit_naive_bayes(problem: &Problem<'_>, params: &NaiveBayesParams) -> Result<LinearModel> {
    params.validate()?;
    problem.validate()?;
    if matches!(problem.targets, Targets::Multi(_)) {
        return Err(Error::labels("naive Bayes needs one class for each row"));
    }
    if !problem.rows.are_counts() {
        return Err(Error::input("naive Bayes needs values that are not negative"));
    }
    let sums = column_sums(problem);
    Ok(match params.kind {
        NaiveBayesKind::Multinomial => multinomial(problem, params, &sums.0, &problem.class_counts()?),
        NaiveBayesKind::Complement => complement(problem, params, &sums),
    })
}

fn multinomial(problem: &Problem<'_>, params: &NaiveBayesParams, by_class: &[f64], counts: &[f64]) -> LinearModel {
    let k = problem.n_classes;
    let mut model = LinearModel::zeros(problem.rows.n_columns(), k, k, 0);
    let log_totals = column_totals(by_class.iter().map(|count| count + params.alpha), k).map(f64::ln);
    for (w, (at, count)) in model.shared.iter_mut().zip(by_class.iter().enumerate()) {
        *w = ((count + params.alpha).ln() - log_totals.as_slice()[at % k]) as f32;
    }
    let n: f64 = counts.iter().sum();
    // A class without rows has the smallest prior that is still a number.
    let prior = |count: f64| if params.fit_prior { (count / n).max(f64::MIN_POSITIVE).ln() } else { -(k as f64).ln() };
    model.bias = counts.iter().map(|&count| prior(count)).collect();
    model
}

fn complement(problem: &Problem<'_>, params: &NaiveBayesParams, (by_class, all): &(Vec<f64>, Vec<f64>)) -> LinearModel {
    let k = problem.n_classes;
    let mut model = LinearModel::zeros(problem.rows.n_columns(), k, k, 0);
    // Differences of sums can fall below zero by rounding.
    let others = |at: usize| (all[at / k] - by_class[at]).max(0.0) + params.alpha;
    let log_totals = column_totals((0..by_class.len()).map(others), k).map(f64::ln);
    let logged: Vec<f64> = (0..by_class.len()).map(|at| others(at).ln() - log_totals.as_slice()[at % k]).collect();
    let divisors = if params.norm { column_totals(logged.iter().copied(), k).0 } else { vec![-1.0; k] };
    model.shared.iter_mut().zip(logged.iter().enumerate()).for_each(|(w, (at, log))| *w = (log / divisors[at % k]) as f32);
    model
}

/// Sums of the columns of a matrix of `k` columns.
struct Totals(Vec<f64>);

impl Totals {
    fn map(self, f: impl Fn(f64) -> f64) -> Self {
        Self(self.0.into_iter().map(f).collect())
    }

    fn as_slice(&self) -> &[f64] {
        &self.0
    }
}

fn column_totals(cells: impl Iterator<Item = f64>, k: usize) -> Totals {
    let mut totals = vec![0.0; k];
    cells.enumerate().for_each(|(at, cell)| totals[at % k] += cell);
    Totals(totals)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sparse::SparseRows;

    fn rows() -> SparseRows {
        let mut rows = SparseRows::new(2);
        rows.push(&[0], &[3.0]);
        rows.push(&[0, 1], &[1.0, 2.0]);
        rows
    }

    #[test]
    fn multinomial_weights_follow_the_formula() {
        let rows = rows();
        let params = NaiveBayesParams { kind: NaiveBayesKind::Multinomial, ..NaiveBayesParams::default() };
        let model = fit_naive_bayes(&Problem::single(&rows, &[0, 1], 2), &params).unwrap();
        // Counts plus one: class 0 (4, 1) of 5, class 1 (2, 3) of 5.
        let expected = [4.0f32 / 5.0, 2.0 / 5.0, 1.0 / 5.0, 3.0 / 5.0].map(f32::ln);
        model.shared.iter().zip(expected).for_each(|(w, e)| assert!((w - e).abs() < 1e-6));
        assert!(model.bias.iter().all(|b| (b - 0.5f64.ln()).abs() < 1e-12));
    }

    #[test]
    fn complement_weights_follow_the_formula() {
        let rows = rows();
        let model = fit_naive_bayes(&Problem::single(&rows, &[0, 1], 2), &NaiveBayesParams::default()).unwrap();
        let expected = [2.0f32 / 5.0, 4.0 / 5.0, 3.0 / 5.0, 1.0 / 5.0].map(|p| -p.ln());
        model.shared.iter().zip(expected).for_each(|(w, e)| assert!((w - e).abs() < 1e-6));
        assert_eq!(model.predict_classes(&rows, None), [0, 1]);
    }

    #[test]
    fn negative_values_are_refused() {
        let mut rows = rows();
        rows.values_mut().for_each(|value| *value = -*value);
        assert!(fit_naive_bayes(&Problem::single(&rows, &[0, 1], 2), &NaiveBayesParams::default()).is_err());
    }
}
