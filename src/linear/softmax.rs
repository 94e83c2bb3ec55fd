//! L2-regularised multinomial logistic regression (softmax, maximum entropy), dual, by exact block coordinate descent.
//!
//!   min_w  1/2 Σ_y ‖w_y‖² - Σ_i C_i log p_i(y_i),   p_i(y) = exp(w_yᵀx_i) / Σ_z exp(w_zᵀx_i)
//!
//! solved as
//!
//!   min_α  1/2 Σ_y ‖w_y(α)‖² + Σ_i Σ_y α_iy log α_iy,   w_y(α) = Σ_i (C_i [y = y_i] - α_iy) x_i,   α_iy ≥ 0,   Σ_y α_iy = C_i
//!
//! Given: rows x_i (sparse), one class y_i each, costs C_i > 0, tolerance eps, seed.
//! Result: w and bias; stops when (‖x_i‖² + 4 / C_i) · max_y |change of α_iy| ≤ eps for every row of a pass, or after max_iter passes, and says
//! which. For two classes at p = 1/2 this bounds the gradient, as the stopping rule of `logistic.rs` does; the solution has α_iy = C_i p_i(y).
//! The bias is a column and regularised. Deterministic for a fixed seed; one thread.
//! See Algorithm 8 of Yu, Huang & Lin, "Dual coordinate descent methods for logistic regression and maximum entropy models", MLJ 2011. They
//! move two α of a row at a time; here all K move at once to the exact minimum. With a = ‖x_i‖² and s_y = w_yᵀx_i + a α_iy, its conditions
//!
//!   a t_y + log t_y = s_y + λ,   Σ_y t_y = C_i
//!
//! give t_y = ω(s_y + λ + log a) / a with Wright's function ω(z) + log ω(z) = z, increasing and convex in λ: Newton's method for the one
//! unknown λ, started where Σ t_y ≥ C_i, falls to the solution without fail.

use super::design::Design;
use super::lanes::{LaneWeights, Scalar, axpy, dot};
use super::sweep::{Block, MAX_LANES};
use super::train::{DOUBLE_PRECISION_BELOW, regulariser, source, unpack};
use super::{ClassWeights, Convergence, LinearModel, LinearParams, Problem, Targets};
use crate::error::{Error, Result};
use crate::random::Random;

/// Learns a softmax classifier: one output for each class, also if there are two; scores are log-probabilities up to a common constant.
///
/// Class weights apply to all rows of their class. [`LinearParams::loss`] and [`LinearParams::shrinking`] are ignored.
///
/// # Errors
///
/// If a parameter or the problem is not legal, or if rows have any number of classes.
pub fn fit_softmax(problem: &Problem<'_>, params: &LinearParams) -> Result<LinearModel> {
    let (classes, costs) = costs(problem, params)?;
    let design = Design::build(&source(problem, params), params.seed)?;
    let task = Task { problem, params, design: &design, classes, costs };
    Ok(if params.eps < DOUBLE_PRECISION_BELOW { task.fit_in::<f64>() } else { task.fit_in::<f32>() })
}

/// The primal objective of `model`, which [`fit_softmax`] minimises.
///
/// # Errors
///
/// As [`fit_softmax`].
pub fn softmax_objective(model: &LinearModel, problem: &Problem<'_>, params: &LinearParams) -> Result<f64> {
    let (classes, costs) = costs(problem, params)?;
    let mut sum: f64 = regulariser(model, params).iter().sum();
    let mut scores = vec![0.0; model.n_outputs];
    for (i, row) in problem.rows.iter().enumerate() {
        model.scores_into(row, problem.given.map(|(values, _)| values[i]), &mut scores);
        let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let log_total = scores.iter().map(|score| (score - max).exp()).sum::<f64>().ln() + max;
        sum += costs[i] * (log_total - scores[classes[i] as usize]);
    }
    Ok(sum)
}

/// Checks everything; the class and the cost of each row.
fn costs<'a>(problem: &Problem<'a>, params: &LinearParams) -> Result<(&'a [u32], Vec<f64>)> {
    params.validate()?;
    problem.validate()?;
    let Targets::Single(classes) = problem.targets else {
        return Err(Error::labels("softmax needs one class for each row").help("use one-vs-rest outputs for rows with several"));
    };
    let counts = problem.class_counts()?;
    let n_present = counts.iter().filter(|&&count| count > 0.0).count() as f64;
    let total: f64 = counts.iter().sum();
    let factors: Vec<f64> = match &params.class_weights {
        ClassWeights::None => vec![1.0; problem.n_classes],
        ClassWeights::Balanced => counts.iter().map(|count| total / (n_present * count.max(f64::MIN_POSITIVE))).collect(),
        ClassWeights::Given(weights) if weights.len() == problem.n_classes => weights.clone(),
        ClassWeights::Given(weights) => {
            return Err(Error::parameter("class weights do not match the classes")
                .expected(problem.n_classes.to_string())
                .found(weights.len().to_string()));
        }
    };
    let cost = |(i, &class): (usize, &u32)| params.c * factors[class as usize] * problem.sample_weight(i);
    Ok((classes, classes.iter().enumerate().map(cost).collect()))
}

struct Task<'a> {
    problem: &'a Problem<'a>,
    params: &'a LinearParams,
    design: &'a Design,
    classes: &'a [u32],
    costs: Vec<f64>,
}

impl Task<'_> {
    fn fit_in<S: Scalar>(&self) -> LinearModel {
        match self.problem.n_classes {
            2 => self.fit_lanes::<S, 2>(),
            3..=4 => self.fit_lanes::<S, 4>(),
            5..=8 => self.fit_lanes::<S, 8>(),
            _ => self.fit_lanes::<S, MAX_LANES>(),
        }
    }

    fn fit_lanes<S: Scalar, const L: usize>(&self) -> LinearModel {
        let n_classes = self.problem.n_classes;
        let mut ascent = Ascent::<S, L>::start(self);
        let mut convergence = Convergence { n_passes: 0, is_converged: false, violation: f64::INFINITY };
        let (mut order, mut rng) = (Vec::new(), Random::new(self.params.seed));
        while !convergence.is_converged && convergence.n_passes < self.params.max_iter {
            self.design.shuffle(&mut order, &mut rng);
            convergence.violation = order.iter().map(|&p| ascent.visit(self, p as usize)).fold(0.0, f64::max);
            convergence.n_passes += 1;
            convergence.is_converged = convergence.violation <= self.params.eps;
        }
        let mut betas = vec![0.0; self.costs.len() * n_classes];
        for (&row, of_row) in self.design.rows().iter().zip(ascent.betas.chunks_exact(n_classes)) {
            let into = &mut betas[row as usize * n_classes..][..n_classes];
            into.iter_mut().zip(of_row).for_each(|(into, &beta)| *into = beta as f32);
        }
        let mut model = LinearModel::zeros(self.design.n_features(), n_classes, n_classes, self.design.n_givens());
        unpack(self.design, &ascent.into_blocks(n_classes), betas, &mut model);
        model.convergence = vec![convergence; n_classes];
        model
    }
}

/// The dual variables and weights while they move.
struct Ascent<S, const L: usize> {
    /// Classes beyond one block's lanes go on in the next.
    weights: Vec<LaneWeights<S, L>>,
    /// C_i [y = y_i] - α_iy, by position and class.
    betas: Vec<f64>,
    scores: Vec<f64>,
    moved: Vec<f64>,
}

impl<S: Scalar, const L: usize> Ascent<S, L> {
    /// All α in their own class: every weight is zero.
    fn start(task: &Task<'_>) -> Self {
        let n_classes = task.problem.n_classes;
        Self {
            weights: (0..n_classes.div_ceil(L)).map(|_| LaneWeights::zeros(task.design.n_slots())).collect(),
            betas: vec![0.0; task.costs.len() * n_classes],
            scores: vec![0.0; n_classes],
            moved: vec![0.0; n_classes],
        }
    }

    /// Moves the dual variables of the row at position `p` to their minimum; returns how far it was from it.
    fn visit(&mut self, task: &Task<'_>, p: usize) -> f64 {
        let n_classes = self.scores.len();
        let i = task.design.rows()[p] as usize;
        let (cost, own) = (task.costs[i], task.classes[i] as usize);
        let (squared_norm, lone_norm) = (task.design.squared_norms[p], task.design.lone_norms[p]);
        if cost == 0.0 || squared_norm == 0.0 {
            return 0.0;
        }
        let row = task.design.row(p);
        let betas = &mut self.betas[p * n_classes..][..n_classes];
        for (weights, scores) in self.weights.iter().zip(self.scores.chunks_mut(L)) {
            let products = dot(row, weights.slots());
            scores.iter_mut().zip(products).for_each(|(score, product)| *score = product.to_f64());
        }
        // From w_yᵀx to s_y = w_yᵀx + a α_y, with the part of w_y that only this row has.
        for (y, (score, &beta)) in self.scores.iter_mut().zip(&*betas).enumerate() {
            let alpha = if y == own { cost - beta } else { -beta };
            *score += lone_norm * beta + squared_norm * alpha;
        }
        split_cost(&self.scores, squared_norm, cost, &mut self.moved);
        let mut largest = 0.0f64;
        for (y, (beta, moved)) in betas.iter_mut().zip(&mut self.moved).enumerate() {
            let next = if y == own { cost - *moved } else { -*moved };
            *moved = next - *beta;
            *beta = next;
            largest = largest.max(moved.abs());
        }
        for (weights, moved) in self.weights.iter_mut().zip(self.moved.chunks(L)) {
            let steps: [f64; L] = std::array::from_fn(|l| moved.get(l).copied().unwrap_or(0.0));
            axpy(&steps, task.design.given_factor, row, weights.slots_mut());
        }
        largest * (squared_norm + 4.0 / cost)
    }

    fn into_blocks(self, n_classes: usize) -> Vec<Block<S>> {
        let block = |(at, weights): (usize, LaneWeights<S, L>)| Block {
            weights: weights.slots().as_flattened().to_vec(),
            stride: L,
            outputs: (0..L).map(|l| (l, at * L + l)).filter(|&(_, k)| k < n_classes).collect(),
        };
        self.weights.into_iter().enumerate().map(block).collect()
    }
}

const MAX_NEWTON: usize = 100;
/// The parts may miss the cost by this share of it before they are scaled to fit.
const SHARE_TOLERANCE: f64 = 1e-10;

/// Finds t_y > 0 with a t_y + log t_y = s_y + λ for some λ and Σ t_y = `cost`.
fn split_cost(scores: &[f64], a: f64, cost: f64, parts: &mut [f64]) {
    let log_a = a.ln();
    // Here the part of the best score alone is the whole cost; all parts together are at least that.
    let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut lambda = cost.ln() + a * cost - best;
    let mut total = 0.0;
    for _ in 0..MAX_NEWTON {
        let mut slope = 0.0;
        total = 0.0;
        for (part, score) in parts.iter_mut().zip(scores) {
            *part = wright_omega(score + lambda + log_a) / a;
            total += *part;
            slope += *part / (1.0 + a * *part);
        }
        let excess = total - cost;
        if excess <= SHARE_TOLERANCE * cost {
            break;
        }
        lambda -= excess / slope;
    }
    parts.iter_mut().for_each(|part| *part *= cost / total);
}

/// ω > 0 with ω + log ω = z; the iteration of Fritsch, Shafer & Crowley (CACM 1973, Algorithm 443), which gains four digits for one.
fn wright_omega(z: f64) -> f64 {
    if z < -30.0 {
        // ω = exp(z - ω), and ω is below the rounding of z.
        return z.exp();
    }
    let mut w = if z > 1.0 { z - z.ln() } else { (z - (z - 1.0) * 0.5 * f64::from(z > -1.0)).exp().min(1.0) };
    for _ in 0..3 {
        let rest = z - w - w.ln();
        let one = 1.0 + w;
        let q = 2.0 * one * (one + rest * (2.0 / 3.0));
        let change = rest / one * (q - rest) / (q - 2.0 * rest);
        w *= 1.0 + change;
        if change.abs() < 1e-5 {
            break;
        }
    }
    w
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sparse::SparseRows;

    #[test]
    fn omega_solves_its_equation() {
        for step in -4000..=4000 {
            let z = f64::from(step) / 40.0;
            let w = wright_omega(z);
            assert!((w + w.ln() - z).abs() <= 1e-13 * z.abs().max(1.0) + 1e-12, "{z}: {w}");
        }
    }

    #[test]
    fn the_parts_of_the_cost_meet_their_conditions() {
        for (scores, a, cost) in [(vec![1.0, -2.0, 0.5], 1.5, 0.7), (vec![40.0, -40.0], 2.0, 100.0), (vec![0.0; 20], 1e-6, 1e-3)]
        {
            let mut parts = vec![0.0; scores.len()];
            split_cost(&scores, a, cost, &mut parts);
            let lambda = |y: usize| a * parts[y] + parts[y].ln() - scores[y];
            assert!((parts.iter().sum::<f64>() - cost).abs() < 1e-12 * cost);
            (1..scores.len()).for_each(|y| assert!((lambda(y) - lambda(0)).abs() < 1e-8, "{parts:?}"));
        }
    }

    #[test]
    fn more_classes_than_lanes_are_learned() {
        let mut rows = SparseRows::new(20);
        let classes: Vec<u32> = (0..40).map(|i| i % 20).collect();
        classes.iter().for_each(|&class| rows.push(&[class], &[1.0]));
        let problem = Problem::single(&rows, &classes, 20);
        let params = LinearParams { c: 10.0, eps: 1e-6, ..LinearParams::default() };
        let model = fit_softmax(&problem, &params).unwrap();
        assert!(model.convergence[0].is_converged);
        assert_eq!(model.predict_classes(&rows, None), classes);
    }

    #[test]
    fn at_the_optimum_the_gradient_is_zero() {
        // The derivative of the objective along each weight, by central differences.
        let mut rows = SparseRows::new(3);
        rows.push(&[0, 1], &[1.0, 0.5]);
        rows.push(&[1, 2], &[1.0, -0.5]);
        rows.push(&[0, 2], &[0.3, 1.0]);
        rows.push(&[0, 1, 2], &[0.3, 0.2, 0.1]);
        let problem = Problem::single(&rows, &[0, 1, 2, 1], 3);
        let params = LinearParams { eps: 1e-9, ..LinearParams::default() };
        let model = fit_softmax(&problem, &params).unwrap();
        for at in 0..model.shared.len() {
            let objective_with = |change: f32| {
                let mut other = model.clone();
                other.shared[at] += change;
                softmax_objective(&other, &problem, &params).unwrap()
            };
            let slope = (objective_with(1e-2) - objective_with(-1e-2)) / 2e-2;
            assert!(slope.abs() < 1e-4, "weight {at}: {slope}");
        }
    }
}
