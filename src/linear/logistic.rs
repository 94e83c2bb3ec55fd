//! L2-regularised logistic regression, dual, by coordinate descent.
//!
//!   min_w  1/2 wᵀw + Σ_i C_i log(1 + exp(-y_i wᵀx_i)),   y_i ∈ {-1, +1}
//!
//! solved as
//!
//!   min_α  1/2 αᵀQα + Σ_i α_i log α_i + (C_i - α_i) log(C_i - α_i),   0 ≤ α_i ≤ C_i,   Q_ij = y_i y_j x_iᵀx_j
//!
//! Given: rows x_i (sparse), labels y_i, costs C_i > 0, tolerance eps.
//! Result: α and w = Σ_i α_i y_i x_i; stops when no gradient met during a pass exceeds eps in size (LIBLINEAR's rule), or after max_iter
//! passes, and says which.
//! Each α_i is found by Newton's method on α_i or on C_i - α_i, whichever ends in the smaller half, where the method converges; its own
//! tolerance tightens from 1e-2 as the outer passes need fewer Newton steps.
//! The bias is a column and regularised. Deterministic for a fixed seed.
//! LIBLINEAR starts from α_i = min(0.001 C_i, 1e-8) and the w of these; here w starts from exactly 0 and only Newton's method from that α_i.
//! See Algorithm 5 of Yu, Huang & Lin, "Dual coordinate descent methods for logistic regression and maximum entropy models", MLJ 2011.

use super::sweep::{Point, Rule, Verdict};

/// The rule of the logistic loss.
#[derive(Debug, Clone, Copy)]
pub(super) struct LogisticRule {
    pub(super) eps: f64,
}

/// Largest gradient of the pass, and how exactly the sub-problems are solved.
#[derive(Debug, Clone)]
pub(super) struct LogisticState {
    max_gradient: f64,
    violation: f64,
    n_newton: usize,
    n_rows: usize,
    inner_eps: f64,
}

/// First tolerance of the sub-problems.
const INNER_EPS: f64 = 1e-2;
/// Their tightest tolerance, unless eps is tighter still.
const INNER_EPS_MIN: f64 = 1e-8;
const MAX_NEWTON: usize = 100;
/// Factor applied to a variable that a Newton step would carry below zero (ξ in the paper).
const RETREAT: f64 = 0.1;

impl Rule for LogisticRule {
    type State = LogisticState;

    fn start(&self, n_rows: usize) -> LogisticState {
        LogisticState { max_gradient: 0.0, violation: f64::INFINITY, n_newton: 0, n_rows, inner_eps: INNER_EPS }
    }

    fn mark(&self, cost: f64) -> f64 {
        cost
    }

    #[inline(always)]
    fn step(&self, state: &mut LogisticState, point: Point) -> Option<f64> {
        let Point { alpha, mark: cost, margin, squared_norm: a } = point;
        // Solve for α, or for C - α with the margin's sign turned: the one that ends below C/2.
        let is_upper = 0.5 * a * (cost - 2.0 * alpha) + margin < 0.0;
        let (old, slope) = if is_upper { (cost - alpha, -margin) } else { (alpha, margin) };
        let mut z = if old > 0.0 { old } else { (0.001 * cost).min(1e-8) };
        if cost - z < 0.5 * cost {
            z *= 0.1;
        }
        let gradient_at = |z: f64| a * (z - old) + slope + (z / (cost - z)).ln();
        let mut gradient = gradient_at(z);
        state.max_gradient = state.max_gradient.max(gradient.abs());
        let mut n_newton = 0;
        while n_newton <= MAX_NEWTON && gradient.abs() >= state.inner_eps {
            let curvature = a + cost / ((cost - z) * z);
            let next = z - gradient / curvature;
            z = if next <= 0.0 { z * RETREAT } else { next };
            gradient = gradient_at(z);
            n_newton += 1;
        }
        state.n_newton += n_newton;
        Some(match (n_newton, is_upper) {
            (0, _) => alpha,
            (_, true) => cost - z,
            (_, false) => z,
        })
    }

    fn end_pass(&self, state: &mut LogisticState, _is_complete: bool) -> Verdict {
        state.violation = state.max_gradient;
        if state.violation < self.eps {
            return Verdict::Stop;
        }
        if state.n_newton <= state.n_rows / 10 {
            state.inner_eps = (0.1 * state.inner_eps).max(INNER_EPS_MIN.min(self.eps));
        }
        (state.max_gradient, state.n_newton) = (0.0, 0);
        Verdict::Continue
    }

    fn violation(&self, state: &LogisticState) -> f64 {
        state.violation
    }
}
