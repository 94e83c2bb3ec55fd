//! Log-count ratios: how much more often a feature stands in one class than in the others.
//!
//!   r_jk = log( (p_jk / ‖p_k‖₁) / (q_jk / ‖q_k‖₁) ),   p_jk = α + Σ_{i in k} x_ij,   q_jk = α + Σ_{i not in k} x_ij
//!
//! Features multiplied by these ratios before a linear SVM are the NB-SVM of Wang & Manning, "Baselines and Bigrams: Simple, Good Sentiment and
//! Topic Classification", ACL 2012.

use super::{Problem, Targets};
use crate::error::{Error, Result};
use crate::sparse::SparseRows;

/// The log-count ratios of all features and outputs, F × K as in [`super::LinearModel::shared`]; sample weights count, the given value does not.
///
/// # Errors
///
/// If the problem is not legal, `alpha` is not above 0, or a value is negative, as in an encoder's vector.
pub fn log_count_ratios(problem: &Problem<'_>, alpha: f64) -> Result<Vec<f32>> {
    problem.validate()?;
    if !(alpha.is_finite() && alpha > 0.0) {
        return Err(Error::parameter("alpha is out of range").expected("a number above 0").found(alpha.to_string()));
    }
    if !problem.rows.are_counts() {
        return Err(Error::input("log-count ratios need values that are not negative").help("leave out --nb-svm or --encoder"));
    }
    let (n_features, n_classes, n_outputs) = (problem.rows.n_columns(), problem.n_classes, problem.n_outputs());
    let (own, all) = column_sums(problem);
    // With two exclusive classes the one output is that of class 1.
    let first = n_classes - n_outputs;
    let own = |feature: usize, k: usize| own[feature * n_classes + first + k];
    let shift: Vec<f64> = (0..n_outputs)
        .map(|k| {
            let p: f64 = (0..n_features).map(|f| alpha + own(f, k)).sum();
            let q: f64 = (0..n_features).map(|f| alpha + all[f] - own(f, k)).sum();
            (q / p).ln()
        })
        .collect();
    let ratio = |f: usize, k: usize| ((alpha + own(f, k)) / (alpha + (all[f] - own(f, k)).max(0.0))).ln() + shift[k];
    Ok((0..n_features).flat_map(|f| (0..n_outputs).map(move |k| (f, k))).map(|(f, k)| ratio(f, k) as f32).collect())
}

/// Multiplies every column by its factor, as with the ratios of one output.
///
/// # Panics
///
/// If there are fewer factors than columns.
pub fn scale_columns(rows: &SparseRows, factors: &[f32]) -> SparseRows {
    let mut scaled = SparseRows::new(rows.n_columns());
    let mut values = Vec::new();
    for row in rows.iter() {
        values.clear();
        values.extend(row.iter().map(|(column, value)| value * factors[column as usize]));
        scaled.push(row.indices, &values);
    }
    scaled
}

/// Sum of each column over the rows of each class (F × classes) and over all rows, counting sample weights.
pub(super) fn column_sums(problem: &Problem<'_>) -> (Vec<f64>, Vec<f64>) {
    let n_classes = problem.n_classes;
    let mut by_class = vec![0.0; problem.rows.n_columns() * n_classes];
    let mut all = vec![0.0; problem.rows.n_columns()];
    for (i, row) in problem.rows.iter().enumerate() {
        let weight = problem.sample_weight(i);
        let classes = match &problem.targets {
            Targets::Single(classes) => &classes[i..=i],
            Targets::Multi(classes) => &classes[i],
        };
        for (column, value) in row.iter() {
            let value = weight * f64::from(value);
            all[column as usize] += value;
            for &class in classes {
                by_class[column as usize * n_classes + class as usize] += value;
            }
        }
    }
    (by_class, all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_follow_the_formula() {
        let mut rows = SparseRows::new(2);
        rows.push(&[0, 1], &[2.0, 1.0]);
        rows.push(&[1], &[3.0]);
        let ratios = log_count_ratios(&Problem::single(&rows, &[0, 1], 2), 1.0).unwrap();
        // Class 1: p = (1, 4), ‖p‖ = 5; class 0: q = (3, 2), ‖q‖ = 5.
        assert!((f64::from(ratios[0]) - (1.0f64 / 3.0).ln()).abs() < 1e-6);
        assert!((f64::from(ratios[1]) - (4.0f64 / 2.0).ln()).abs() < 1e-6);
        assert_eq!(scale_columns(&rows, &[0.5, 2.0]).row(0).values, [1.0, 2.0]);
    }
}
