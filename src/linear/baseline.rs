//! linfa's own multinomial logistic regression as a baseline.
//!
//! linfa-logistic takes dense records only, so the features are first reduced to few columns: by a truncated singular value decomposition (latent
//! semantic analysis) or by hashing. Both are linear, as the classifier is: their product is a [`LinearModel`] over the original features,
//! and everything that works on one works on the baseline. It is for comparison, slow and dense (rows × columns × 8 bytes); not for use.

use linfa::Dataset;
use linfa::traits::Fit;
use linfa_logistic::MultiLogisticRegression;
use ndarray::{Array1, Array2};

use super::{LinearModel, Problem, Targets};
use crate::error::{Error, Result};
use crate::random::Random;
use crate::sparse::SparseRows;

/// How many columns the features are reduced to, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    /// The first right singular vectors (Halko, Martinsson & Tropp, SIAM Review 2011: random range, power iterations).
    Svd {
        /// Number of vectors, at least 1; fewer if the rows or columns are fewer.
        n_components: usize,
        /// Power iterations; more are more exact. 4 is plenty.
        n_iterations: usize,
    },
    /// Each feature adds to or is taken from one of so many columns (Weinberger et al., ICML 2009).
    Hashing {
        /// Number of columns, at least 1.
        n_columns: usize,
    },
}

/// Settings of [`fit_baseline`].
#[derive(Debug, Clone, PartialEq)]
pub struct BaselineParams {
    /// 100 singular vectors by default.
    pub reduction: Reduction,
    /// linfa's L2 penalty, from 0; 1 by default.
    pub alpha: f64,
    /// Most steps of linfa's solver; 100 by default.
    pub max_iterations: u64,
    /// Seed of the reduction; 1 by default.
    pub seed: u64,
}

impl Default for BaselineParams {
    fn default() -> Self {
        let reduction = Reduction::Svd { n_components: 100, n_iterations: 4 };
        Self { reduction, alpha: 1.0, max_iterations: 100, seed: 1 }
    }
}

/// Learns linfa's multinomial logistic regression on reduced features; one output for each class. The given value is ignored.
///
/// # Errors
///
/// If the problem is not legal, has sample weights or several classes a row (linfa knows neither), or if linfa fails.
///
/// # Examples
///
/// ```
/// use stancekit::linear::Problem;
/// use stancekit::linear::baseline::{BaselineParams, fit_baseline};
/// use stancekit::sparse::SparseRows;
///
/// let mut rows = SparseRows::new(2);
/// rows.push(&[0], &[1.0]);
/// rows.push(&[1], &[1.0]);
/// let model = fit_baseline(&Problem::single(&rows, &[0, 1], 2), &BaselineParams::default())?;
/// assert_eq!(model.predict_classes(&rows, None), [0, 1]);
/// # Ok::<(), stancekit::Error>(())
/// ```
pub fn fit_baseline(problem: &Problem<'_>, params: &BaselineParams) -> Result<LinearModel> {
    problem.validate()?;
    let Targets::Single(classes) = problem.targets else {
        return Err(Error::labels("the baseline needs one class for each row"));
    };
    if problem.sample_weights.is_some() {
        return Err(Error::parameter("the baseline does not know sample weights"));
    }
    let map = reduce(problem.rows, params)?;
    let targets: Array1<usize> = classes.iter().map(|&class| class as usize).collect();
    let fitted = MultiLogisticRegression::<f64>::default()
        .alpha(params.alpha)
        .max_iterations(params.max_iterations)
        .fit(&Dataset::new(map.apply(problem.rows), targets))
        .map_err(|e| Error::parameter("linfa could not fit the baseline").caused_by(e))?;
    let mut model = LinearModel::zeros(problem.rows.n_columns(), problem.n_classes, problem.n_classes, 0);
    // A class without rows never wins.
    model.bias.fill(f64::MIN / 2.0);
    for (column, &class) in fitted.classes().iter().enumerate() {
        model.bias[class] = fitted.intercept()[column];
        for feature in 0..model.n_features {
            let weight = map.pull_back(feature, |d| fitted.params()[(d, column)]);
            model.shared[feature * model.n_outputs + class] = weight as f32;
        }
    }
    Ok(model)
}

/// A linear map from the features to few columns.
enum Map {
    /// One row of `n` numbers for each feature.
    Dense { vectors: Vec<f32>, n: usize },
    /// One column and sign for each feature.
    Hashed { columns: Vec<(u32, f32)>, n: usize },
}

fn reduce(rows: &SparseRows, params: &BaselineParams) -> Result<Map> {
    match params.reduction {
        Reduction::Hashing { n_columns: 0 } | Reduction::Svd { n_components: 0, .. } => {
            Err(Error::parameter("cannot reduce the features to no column").expected("at least 1"))
        }
        Reduction::Hashing { n_columns } => {
            let place = |feature: usize| {
                let bits = Random::new(params.seed ^ (feature as u64) << 20).next_u64();
                ((bits >> 1) as usize % n_columns) as u32
            };
            let sign =
                |feature: usize| if Random::new(!params.seed ^ (feature as u64) << 20).next_u64() & 1 == 0 { 1.0 } else { -1.0 };
            Ok(Map::Hashed { columns: (0..rows.n_columns()).map(|f| (place(f), sign(f))).collect(), n: n_columns })
        }
        Reduction::Svd { n_components, n_iterations } => {
            let n = n_components.min(rows.n_rows()).min(rows.n_columns());
            Ok(Map::Dense { vectors: right_singular_vectors(rows, n, n_iterations, params.seed), n })
        }
    }
}

impl Map {
    fn apply(&self, rows: &SparseRows) -> Array2<f64> {
        let n = match self {
            Self::Dense { n, .. } | Self::Hashed { n, .. } => *n,
        };
        let mut dense = Array2::zeros((rows.n_rows(), n));
        for (row, mut into) in rows.iter().zip(dense.rows_mut()) {
            for (feature, value) in row.iter() {
                match self {
                    Self::Dense { vectors, n } => {
                        let vector = &vectors[feature as usize * n..][..*n];
                        into.iter_mut().zip(vector).for_each(|(into, &v)| *into += f64::from(value) * f64::from(v));
                    }
                    Self::Hashed { columns, .. } => {
                        let (column, sign) = columns[feature as usize];
                        into[column as usize] += f64::from(value * sign);
                    }
                }
            }
        }
        dense
    }

    /// The weight of a feature, given those of the columns.
    fn pull_back(&self, feature: usize, weight: impl Fn(usize) -> f64) -> f64 {
        match self {
            Self::Dense { vectors, n } => {
                vectors[feature * n..][..*n].iter().enumerate().map(|(d, &v)| f64::from(v) * weight(d)).sum()
            }
            Self::Hashed { columns, .. } => f64::from(columns[feature].1) * weight(columns[feature].0 as usize),
        }
    }
}

/// Vectors beyond those wanted make the wanted ones more exact.
const OVERSAMPLING: usize = 10;

/// The first `n` right singular vectors, feature by feature.
fn right_singular_vectors(rows: &SparseRows, n: usize, n_iterations: usize, seed: u64) -> Vec<f32> {
    let width = (n + OVERSAMPLING).min(rows.n_rows()).min(rows.n_columns());
    let mut rng = Random::new(seed);
    let mut range: Vec<f64> = (0..rows.n_rows() * width).map(|_| rng.normal()).collect();
    orthonormalise(&mut range, width);
    for _ in 0..n_iterations {
        let mut across = transpose_times(rows, &range, width);
        orthonormalise(&mut across, width);
        range = times(rows, &across, width);
        orthonormalise(&mut range, width);
    }
    // A ≈ Q (QᵀA): the right singular vectors of the small factor are those of A.
    let across = transpose_times(rows, &range, width);
    let mut gram = vec![0.0; width * width];
    for row in across.chunks_exact(width) {
        for i in 0..width {
            (0..width).for_each(|j| gram[i * width + j] += row[i] * row[j]);
        }
    }
    let (values, vectors) = eigen(gram, width);
    let mut order: Vec<usize> = (0..width).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]).then(a.cmp(&b)));
    order.truncate(n);
    let project = |row: &[f64], d: usize| {
        let scale = values[d].max(0.0).sqrt();
        let product: f64 = row.iter().enumerate().map(|(i, v)| v * vectors[i * width + d]).sum();
        // A singular value of zero has no vector of its own.
        if scale > 1e-12 { product / scale } else { 0.0 }
    };
    across.chunks_exact(width).flat_map(|row| order.iter().map(|&d| project(row, d) as f32).collect::<Vec<_>>()).collect()
}

/// A · `right` (rows × width).
fn times(rows: &SparseRows, right: &[f64], width: usize) -> Vec<f64> {
    let mut product = vec![0.0; rows.n_rows() * width];
    for (row, into) in rows.iter().zip(product.chunks_exact_mut(width)) {
        for (feature, value) in row.iter() {
            let from = &right[feature as usize * width..][..width];
            into.iter_mut().zip(from).for_each(|(into, v)| *into += f64::from(value) * v);
        }
    }
    product
}

/// Aᵀ · `left` (columns × width).
fn transpose_times(rows: &SparseRows, left: &[f64], width: usize) -> Vec<f64> {
    let mut product = vec![0.0; rows.n_columns() * width];
    for (row, from) in rows.iter().zip(left.chunks_exact(width)) {
        for (feature, value) in row.iter() {
            let into = &mut product[feature as usize * width..][..width];
            into.iter_mut().zip(from).for_each(|(into, v)| *into += f64::from(value) * v);
        }
    }
    product
}

/// Makes the columns of a matrix orthonormal, twice over for the rounding (modified Gram-Schmidt); dependent columns become zero.
fn orthonormalise(matrix: &mut [f64], width: usize) {
    for column in 0..width {
        let before: f64 = matrix.chunks_exact(width).map(|row| row[column] * row[column]).sum();
        for earlier in (0..column).chain(0..column) {
            let product: f64 = matrix.chunks_exact(width).map(|row| row[column] * row[earlier]).sum();
            matrix.chunks_exact_mut(width).for_each(|row| row[column] -= product * row[earlier]);
        }
        let norm: f64 = matrix.chunks_exact(width).map(|row| row[column] * row[column]).sum::<f64>().sqrt();
        let scale = if norm > 1e-10 * before.sqrt() { 1.0 / norm } else { 0.0 };
        matrix.chunks_exact_mut(width).for_each(|row| row[column] *= scale);
    }
}

/// Eigenvalues and, in columns, eigenvectors of a symmetric matrix, by cyclic Jacobi rotations.
fn eigen(mut a: Vec<f64>, n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut vectors: Vec<f64> = (0..n * n).map(|at| f64::from(at / n == at % n)).collect();
    let total: f64 = a.iter().map(|v| v * v).sum();
    for _ in 0..50 {
        let off: f64 = (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| a[i * n + j] * a[i * n + j]).sum();
        if off <= 1e-24 * total {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                rotate(&mut a, &mut vectors, n, p, q);
            }
        }
    }
    ((0..n).map(|i| a[i * n + i]).collect(), vectors)
}

/// The rotation that makes a_pq zero (Golub & Van Loan, Algorithm 8.5.1).
fn rotate(a: &mut [f64], vectors: &mut [f64], n: usize, p: usize, q: usize) {
    let apq = a[p * n + q];
    if apq == 0.0 {
        return;
    }
    let tau = (a[q * n + q] - a[p * n + p]) / (2.0 * apq);
    let t = tau.signum() / (tau.abs() + (1.0 + tau * tau).sqrt());
    let c = 1.0 / (1.0 + t * t).sqrt();
    let s = t * c;
    let turn = |matrix: &mut [f64], x: usize, y: usize| {
        let (u, v) = (matrix[x], matrix[y]);
        (matrix[x], matrix[y]) = (c * u - s * v, s * u + c * v);
    };
    (0..n).for_each(|k| turn(a, k * n + p, k * n + q));
    (0..n).for_each(|k| turn(a, p * n + k, q * n + k));
    (0..n).for_each(|k| turn(vectors, k * n + p, k * n + q));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toy() -> (SparseRows, Vec<u32>) {
        let mut rng = Random::new(5);
        let mut rows = SparseRows::new(30);
        let classes: Vec<u32> = (0..90).map(|i| i % 3).collect();
        for &class in &classes {
            let mut columns: Vec<u32> = (0..4).map(|_| class * 8 + rng.below(12) as u32).collect();
            columns.sort_unstable();
            columns.dedup();
            rows.push(&columns, &vec![0.5; columns.len()]);
        }
        (rows, classes)
    }

    #[test]
    fn singular_vectors_are_orthonormal_and_catch_the_matrix() {
        let (rows, _) = toy();
        let n = 30;
        let v = right_singular_vectors(&rows, n, 4, 1);
        for a in 0..5 {
            for b in 0..5 {
                let product: f64 = (0..30).map(|f| f64::from(v[f * n + a]) * f64::from(v[f * n + b])).sum();
                assert!((product - f64::from(u8::from(a == b))).abs() < 1e-5);
            }
        }
        // All of the matrix lies in its full set of vectors: A V Vᵀ = A.
        let projected = Map::Dense { vectors: v.clone(), n }.apply(&rows);
        for (row, p) in rows.iter().zip(projected.rows()) {
            let norm: f64 = p.iter().map(|x| x * x).sum();
            assert!((norm - row.squared_norm()).abs() < 1e-5);
        }
    }

    #[test]
    fn the_baseline_learns_and_repeats_itself() {
        let (rows, classes) = toy();
        let problem = Problem::single(&rows, &classes, 3);
        let reductions = [Reduction::Svd { n_components: 10, n_iterations: 3 }, Reduction::Hashing { n_columns: 64 }];
        for reduction in reductions {
            let params = BaselineParams { reduction, alpha: 0.1, ..BaselineParams::default() };
            let model = fit_baseline(&problem, &params).unwrap();
            let n_right = model.predict_classes(&rows, None).iter().zip(&classes).filter(|(p, c)| p == c).count();
            assert!(n_right > 75, "{reduction:?}: {n_right} of 90");
            assert_eq!(model, fit_baseline(&problem, &params).unwrap());
        }
    }
}
