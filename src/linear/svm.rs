//! L2-regularised linear support vector machines with hinge (L1) or squared hinge (L2) loss, dual, by coordinate descent with shrinking.
//!
//!   min_w  1/2 wᵀw + Σ_i C_i max(0, 1 - y_i wᵀx_i)^p,   y_i ∈ {-1, +1},   p = 1 or 2
//!
//! solved as
//!
//!   min_α  1/2 αᵀ(Q + D)α - Σ_i α_i,   0 ≤ α_i ≤ U_i,   Q_ij = y_i y_j x_iᵀx_j
//!
//!   hinge:          U_i = C_i,  D_ii = 0
//!   squared hinge:  U_i = ∞,    D_ii = 1 / (2 C_i)
//!
//! Given: rows x_i (sparse), labels y_i, costs C_i > 0, tolerance eps.
//! Result: α and w = Σ_i α_i y_i x_i; stops when the largest and the smallest projected gradient over all rows differ by no more than eps and
//! neither exceeds eps in size (LIBLINEAR's rule), or after max_iter passes, and says which.
//! Rows whose α_i sits at a bound with a gradient beyond the last pass's extremes are left out (shrunk) until the rest has converged.
//! The bias is a column and regularised. Deterministic for a fixed seed.
//! See Algorithm 3 of Hsieh et al., "A Dual Coordinate Descent Method for Large-scale Linear SVM", ICML 2008.

use super::sweep::{Point, Rule, Verdict};

/// The rule of both losses.
#[derive(Debug, Clone, Copy)]
pub(super) struct SvmRule {
    pub(super) is_squared: bool,
    pub(super) is_shrinking: bool,
    pub(super) eps: f64,
}

/// Extremes of the projected gradient: in this pass, and the bounds for shrinking from the last one.
#[derive(Debug, Clone)]
pub(super) struct SvmState {
    max: f64,
    min: f64,
    max_bound: f64,
    min_bound: f64,
    violation: f64,
}

/// Smaller projected gradients move nothing, as in LIBLINEAR.
const NEGLIGIBLE: f64 = 1e-12;

impl Rule for SvmRule {
    type State = SvmState;

    fn start(&self, _n_rows: usize) -> SvmState {
        SvmState {
            max: f64::NEG_INFINITY,
            min: f64::INFINITY,
            max_bound: f64::INFINITY,
            min_bound: f64::NEG_INFINITY,
            violation: f64::INFINITY,
        }
    }

    /// D_ii of the squared hinge, U_i of the hinge.
    fn mark(&self, cost: f64) -> f64 {
        if self.is_squared { 0.5 / cost } else { cost }
    }

    #[inline(always)]
    fn step(&self, state: &mut SvmState, point: Point) -> Option<f64> {
        let Point { alpha, mark, margin, squared_norm } = point;
        let (diagonal, bound) = if self.is_squared { (mark, f64::INFINITY) } else { (0.0, mark) };
        let gradient = margin - 1.0 + alpha * diagonal;
        let projected = if alpha == 0.0 {
            if gradient > state.max_bound {
                return None;
            }
            gradient.min(0.0)
        } else if alpha == bound {
            if gradient < state.min_bound {
                return None;
            }
            gradient.max(0.0)
        } else {
            gradient
        };
        state.max = state.max.max(projected);
        state.min = state.min.min(projected);
        if projected.abs() <= NEGLIGIBLE {
            return Some(alpha);
        }
        Some((alpha - gradient / (squared_norm + diagonal)).max(0.0).min(bound))
    }

    fn end_pass(&self, state: &mut SvmState, is_complete: bool) -> Verdict {
        let (max, min) = (state.max, state.min);
        let fresh = self.start(0);
        // No row took part: nothing violates anything.
        state.violation = if max < min { 0.0 } else { (max - min).max(max.abs()).max(min.abs()) };
        (state.max, state.min) = (fresh.max, fresh.min);
        if state.violation <= self.eps {
            (state.max_bound, state.min_bound) = (fresh.max_bound, fresh.min_bound);
            return if is_complete { Verdict::Stop } else { Verdict::Reactivate };
        }
        if self.is_shrinking {
            state.max_bound = if max <= 0.0 { fresh.max_bound } else { max };
            state.min_bound = if min >= 0.0 { fresh.min_bound } else { min };
        }
        Verdict::Continue
    }

    fn violation(&self, state: &SvmState) -> f64 {
        state.violation
    }
}
