//! One-vs-rest training on rows that come block by block, as when they do not fit into memory.
//!
//!   min_w  1/2 wᵀw + Σ_i C_i loss(y_i wᵀx_i)      by the rules of `svm.rs` and `logistic.rs`
//!
//! Given: blocks of rows x_i with labels, and the dual variables α of each block, which the caller keeps between visits.
//! Result: w = Σ_i α_i y_i x_i. A visit makes a few passes over the block with all other α fixed; visiting all blocks again and again is block coordinate
//! descent on the dual, and ends where training in memory ends. The caller stops when no visit finds a violation above eps.
//! The bias is a column and regularised. Deterministic for a fixed seed and order of blocks.
//! See Algorithm 1 of Yu, Hsieh, Chang & Lin, "Large Linear Classification When Data Cannot Fit in Memory", TKDD 2012.

use super::logistic::LogisticRule;
use super::svm::SvmRule;
use super::sweep::{Point, Rule};
use super::train::Costs;
use super::{Convergence, LinearModel, LinearParams, Loss, Problem};
use crate::error::Result;
use crate::random::Random;

/// Passes over a block per visit: reading it from disk costs more than one pass.
const N_INNER: usize = 3;

/// Weights between visits.
#[derive(Debug)]
pub(crate) struct BlockSolver {
    params: LinearParams,
    n_outputs: usize,
    /// Feature by feature, the bias last; `n_outputs` numbers each.
    weights: Vec<f32>,
    rng: Random,
}

impl BlockSolver {
    /// All weights zero.
    pub(crate) fn new(n_features: usize, n_outputs: usize, params: &LinearParams) -> Self {
        let weights = vec![0.0; (n_features + 1) * n_outputs];
        Self { params: params.clone(), n_outputs, weights, rng: Random::new(params.seed) }
    }

    /// Trains on one block, whose dual variables are `alphas`, row by row; gives the largest violation that it met at first.
    ///
    /// # Errors
    ///
    /// If a parameter or the problem is not legal.
    pub(crate) fn visit(&mut self, problem: &Problem<'_>, alphas: &mut [f64]) -> Result<f64> {
        let costs = Costs::new(problem, &self.params)?;
        let eps = self.params.eps;
        Ok(match self.params.loss {
            Loss::Logistic => self.visit_with(&LogisticRule { eps }, problem, &costs, alphas),
            Loss::SquaredHinge => {
                self.visit_with(&SvmRule { is_squared: true, is_shrinking: false, eps }, problem, &costs, alphas)
            }
            Loss::Hinge => self.visit_with(&SvmRule { is_squared: false, is_shrinking: false, eps }, problem, &costs, alphas),
        })
    }

    fn visit_with<R: Rule>(&mut self, rule: &R, problem: &Problem<'_>, costs: &Costs<'_>, alphas: &mut [f64]) -> f64 {
        let (n_rows, n_outputs) = (problem.rows.n_rows(), self.n_outputs);
        let bias = if self.params.intercept { self.params.intercept_scaling } else { 0.0 };
        let marks: Vec<f64> = (0..n_rows * n_outputs)
            .map(|at| {
                let cost = costs.of_row(at % n_outputs, at / n_outputs, self.params.c);
                rule.mark(cost.abs()).copysign(cost)
            })
            .collect();
        let norms: Vec<f64> = problem.rows.iter().map(|row| row.squared_norm() + bias * bias).collect();
        let mut states: Vec<R::State> = (0..n_outputs).map(|_| rule.start(n_rows)).collect();
        let mut order: Vec<usize> = (0..n_rows).collect();
        let (mut sums, mut steps) = (vec![0.0_f32; n_outputs], vec![0.0_f32; n_outputs]);
        let mut first_violation = None;
        for _ in 0..N_INNER {
            self.rng.shuffle(&mut order);
            for &i in &order {
                self.products(problem, i, bias as f32, &mut sums);
                for k in 0..n_outputs {
                    let (alpha, mark) = (&mut alphas[i * n_outputs + k], marks[i * n_outputs + k]);
                    let margin = f64::from(sums[k]) * 1f64.copysign(mark);
                    let point = Point { alpha: *alpha, mark: mark.abs(), margin, squared_norm: norms[i] };
                    let moved = rule.step(&mut states[k], point).unwrap_or(*alpha);
                    steps[k] = ((moved - *alpha) * 1f64.copysign(mark)) as f32;
                    *alpha = moved;
                }
                if steps.iter().any(|&step| step != 0.0) {
                    self.add(problem, i, bias as f32, &steps);
                }
            }
            let violation = states.iter_mut().fold(0.0_f64, |largest, state| {
                rule.end_pass(state, true);
                largest.max(rule.violation(state))
            });
            first_violation.get_or_insert(violation);
            if violation <= self.params.eps {
                break;
            }
        }
        first_violation.unwrap_or(0.0)
    }

    /// `xᵢᵀw` for every output.
    #[inline]
    fn products(&self, problem: &Problem<'_>, i: usize, bias: f32, sums: &mut [f32]) {
        let n = self.n_outputs;
        let last = self.weights.len() - n;
        sums.iter_mut().zip(&self.weights[last..]).for_each(|(sum, weight)| *sum = bias * weight);
        for (column, value) in problem.rows.row(i).iter() {
            let weights = &self.weights[column as usize * n..][..n];
            sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += value * weight);
        }
    }

    /// `w ← w + step · xᵢ` for every output.
    #[inline]
    fn add(&mut self, problem: &Problem<'_>, i: usize, bias: f32, steps: &[f32]) {
        let n = self.n_outputs;
        let last = self.weights.len() - n;
        self.weights[last..].iter_mut().zip(steps).for_each(|(weight, step)| *weight += bias * step);
        for (column, value) in problem.rows.row(i).iter() {
            let weights = &mut self.weights[column as usize * n..][..n];
            weights.iter_mut().zip(steps).for_each(|(weight, step)| *weight += value * step);
        }
    }

    /// The model after `n_passes` over all blocks, the last of which met `violation`.
    pub(crate) fn into_model(mut self, n_classes: usize, n_passes: usize, violation: f64) -> LinearModel {
        let bias = self.weights.split_off(self.weights.len() - self.n_outputs);
        let scale = if self.params.intercept { self.params.intercept_scaling } else { 0.0 };
        let is_converged = violation <= self.params.eps;
        let n_features = self.weights.len() / self.n_outputs;
        LinearModel {
            n_features,
            shared: self.weights,
            bias: bias.iter().map(|&b| f64::from(b) * scale).collect(),
            convergence: vec![Convergence { n_passes, is_converged, violation }; self.n_outputs],
            ..LinearModel::zeros(0, n_classes, self.n_outputs, 0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linear::fit;
    use crate::sparse::SparseRows;

    /// Rows of two blocks, and their classes.
    fn blocks() -> Vec<(SparseRows, Vec<u32>)> {
        let mut rng = Random::new(5);
        (0..2)
            .map(|_| {
                let (mut rows, mut classes) = (SparseRows::new(30), Vec::new());
                for _ in 0..60 {
                    let class = rng.below(3) as u32;
                    let noise = 3 + rng.below(27) as u32;
                    rows.push(&[class, noise], &[1.0, 0.8]);
                    classes.push(if rng.below(10) == 0 { 0 } else { class });
                }
                (rows, classes)
            })
            .collect()
    }

    #[test]
    fn blocks_end_where_training_in_memory_ends() {
        let blocks = blocks();
        let (mut all, mut all_classes) = (SparseRows::new(30), Vec::new());
        for (rows, classes) in &blocks {
            all.extend(rows.clone());
            all_classes.extend_from_slice(classes);
        }
        for loss in [Loss::SquaredHinge, Loss::Hinge, Loss::Logistic] {
            let params = LinearParams { loss, eps: 1e-3, ..LinearParams::default() };
            let expected = fit(&Problem::single(&all, &all_classes, 3), &params).unwrap();
            let mut solver = BlockSolver::new(30, 3, &params);
            let mut alphas = vec![vec![0.0; 60 * 3]; 2];
            let mut violation = 0.0_f64;
            for _ in 0..400 {
                violation = 0.0;
                for ((rows, classes), alphas) in blocks.iter().zip(&mut alphas) {
                    violation = violation.max(solver.visit(&Problem::single(rows, classes, 3), alphas).unwrap());
                }
                if violation <= params.eps {
                    break;
                }
            }
            let model = solver.into_model(3, 1, violation);
            for (ours, theirs) in model.shared.iter().zip(&expected.shared) {
                assert!((ours - theirs).abs() < 0.02, "{loss:?}: {ours} {theirs}");
            }
        }
    }
}
