//! From decision values to probabilities, fitted on out-of-fold scores.
//!
//! Two maps. *Probabilities* over all classes, which sum to 1:
//!
//!   p_c = exp(a s_c + b_c) / Σ_k exp(a s_k + b_k)
//!
//! vector scaling with one common factor a > 0 (temperature scaling of Guo et al., ICML 2017, with a prior correction b per class); for two classes it is
//! Platt scaling. *Presence* per class, for heads with several labels a text: 1 / (1 + exp(-(a_c s_c + b_c))), Platt (1999) with the target smoothing of
//! Lin, Lin & Weng (2007). Both by Newton's method on the penalised log-likelihood; a tiny penalty keeps separable data finite.
//! Not here: where the out-of-fold scores come from (`train`).

use crate::model::{Calibration, HeadMeta};

const MAX_STEPS: usize = 100;
/// A label less likely than this is no finding, even if it is the likeliest: the none label is given instead.
const LEAST_PRESENCE: f64 = 1.0 / 3.0;
/// Penalty on the distance from (1, 0, …, 0), in units of one observation.
const PENALTY: f64 = 1e-3;

impl Calibration {
    /// Scores are used as they are.
    pub fn none(n_classes: usize) -> Self {
        Self { method: "none".to_owned(), scale: 1.0, bias: vec![0.0; n_classes], presence: Vec::new() }
    }

    /// Fits the map over all classes: `scores` are n × classes, row by row, `classes` the true ones.
    pub fn fit(scores: &[Vec<f64>], classes: &[usize], n_classes: usize) -> Self {
        let mut theta = vec![0.0; n_classes + 1];
        theta[0] = 1.0;
        let mut loss = softmax_loss(scores, classes, &theta);
        for _ in 0..MAX_STEPS {
            let (gradient, hessian) = softmax_derivatives(scores, classes, &theta);
            let step = solve(hessian, gradient);
            let Some((next, next_loss)) = line_search(&theta, &step, loss, |t| softmax_loss(scores, classes, t)) else { break };
            let gain = loss - next_loss;
            (theta, loss) = (next, next_loss);
            if gain < 1e-10 * loss.abs() {
                break;
            }
        }
        Self { method: "out-of-fold".to_owned(), scale: theta[0], bias: theta[1..].to_vec(), presence: Vec::new() }
    }

    /// Probability per class; sums to 1.
    pub fn probabilities(&self, scores: &[f64]) -> Vec<f64> {
        let mut probabilities = Vec::new();
        self.probabilities_into(scores, &mut probabilities);
        probabilities
    }

    /// [`Self::probabilities`] into a buffer.
    pub fn probabilities_into(&self, scores: &[f64], probabilities: &mut Vec<f64>) {
        probabilities.clear();
        probabilities.extend(scores.iter().zip(&self.bias).map(|(s, b)| self.scale * s + b));
        softmax_in_place(probabilities);
    }
}

impl HeadMeta {
    /// The class with the largest probability after the decision offsets; ties go to the first.
    pub fn choose(&self, probabilities: &[f64]) -> usize {
        let value = |c: usize| probabilities[c].max(f64::MIN_POSITIVE).ln() + self.offsets[c];
        (1..probabilities.len()).fold(0, |best, c| if value(c) > value(best) { c } else { best })
    }

    /// Classes that reach their presence threshold, best first; `none` where no other does. Without presence maps, the chosen class alone.
    pub(crate) fn present(&self, scores: &[f64], none: Option<usize>, chosen: usize) -> Vec<(usize, f64)> {
        let presence = &self.calibration.presence;
        if presence.is_empty() {
            return vec![(chosen, self.calibration.probabilities(scores)[chosen])];
        }
        let probability = |c: usize| logistic(presence[c].0 * scores[c] + presence[c].1);
        let mut present: Vec<(usize, f64)> = (0..scores.len())
            .filter(|&c| Some(c) != none && chosen != none.unwrap_or(usize::MAX))
            .map(|c| (c, probability(c)))
            .filter(|&(c, p)| if c == chosen { none.is_none() || p >= LEAST_PRESENCE } else { p >= self.thresholds[c] })
            .collect();
        if present.is_empty() {
            let label = none.unwrap_or(chosen);
            present.push((label, probability(label)));
        }
        present.sort_by(|a, b| (b.0 == chosen).cmp(&(a.0 == chosen)).then(b.1.total_cmp(&a.1)).then(a.0.cmp(&b.0)));
        present
    }
}

/// Slope and intercept of Platt's map for one class.
pub fn fit_presence(scores: &[f64], is_present: &[bool]) -> (f64, f64) {
    let n_positive = is_present.iter().filter(|&&p| p).count() as f64;
    let n_negative = is_present.len() as f64 - n_positive;
    let (high, low) = ((n_positive + 1.0) / (n_positive + 2.0), 1.0 / (n_negative + 2.0));
    let loss = |t: &[f64]| -> f64 {
        let data: f64 = scores
            .iter()
            .zip(is_present)
            .map(|(s, &p)| {
                let z = t[0] * s + t[1];
                let target = if p { high } else { low };
                softplus(z) - target * z
            })
            .sum();
        data + PENALTY * (t[0] - 1.0).powi(2)
    };
    let mut theta = vec![1.0, (high / (1.0 - high)).ln().min(0.0)];
    let mut current = loss(&theta);
    for _ in 0..MAX_STEPS {
        let mut gradient = vec![2.0 * PENALTY * (theta[0] - 1.0), 0.0];
        let mut hessian = vec![vec![2.0 * PENALTY, 0.0], vec![0.0, 1e-12]];
        for (s, &p) in scores.iter().zip(is_present) {
            let probability = logistic(theta[0] * s + theta[1]);
            let error = probability - if p { high } else { low };
            let curvature = probability * (1.0 - probability);
            gradient[0] += error * s;
            gradient[1] += error;
            hessian[0][0] += curvature * s * s;
            hessian[0][1] += curvature * s;
            hessian[1][0] += curvature * s;
            hessian[1][1] += curvature;
        }
        let step = solve(hessian, gradient);
        let Some((next, next_loss)) = line_search(&theta, &step, current, loss) else { break };
        let gain = current - next_loss;
        (theta, current) = (next, next_loss);
        if gain < 1e-10 * current.abs() {
            break;
        }
    }
    (theta[0], theta[1])
}

pub(crate) fn softmax(mut values: Vec<f64>) -> Vec<f64> {
    softmax_in_place(&mut values);
    values
}

fn softmax_in_place(values: &mut [f64]) {
    let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    values.iter_mut().for_each(|v| *v = (*v - max).exp());
    let sum: f64 = values.iter().sum();
    values.iter_mut().for_each(|v| *v /= sum);
}

pub(crate) fn logistic(z: f64) -> f64 {
    if z >= 0.0 { 1.0 / (1.0 + (-z).exp()) } else { z.exp() / (1.0 + z.exp()) }
}

fn softplus(z: f64) -> f64 {
    z.max(0.0) + (-z.abs()).exp().ln_1p()
}

fn map(scores: &[f64], theta: &[f64]) -> Vec<f64> {
    softmax(scores.iter().zip(&theta[1..]).map(|(s, b)| theta[0] * s + b).collect())
}

fn softmax_loss(scores: &[Vec<f64>], classes: &[usize], theta: &[f64]) -> f64 {
    let data: f64 = scores.iter().zip(classes).map(|(s, &c)| -map(s, theta)[c].max(1e-300).ln()).sum();
    let distance: f64 = (theta[0] - 1.0).powi(2) + theta[1..].iter().map(|b| b * b).sum::<f64>();
    // A negative factor would turn the scores round: it is never wanted.
    if theta[0] <= 0.0 { f64::INFINITY } else { data + PENALTY * distance }
}

fn softmax_derivatives(scores: &[Vec<f64>], classes: &[usize], theta: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
    let n = theta.len();
    let mut gradient: Vec<f64> = theta.iter().enumerate().map(|(i, t)| 2.0 * PENALTY * (t - f64::from(i == 0))).collect();
    let mut hessian = vec![vec![0.0; n]; n];
    (0..n).for_each(|i| hessian[i][i] = 2.0 * PENALTY);
    for (s, &class) in scores.iter().zip(classes) {
        let p = map(s, theta);
        let mean: f64 = p.iter().zip(s).map(|(p, s)| p * s).sum();
        gradient[0] += mean - s[class];
        hessian[0][0] += p.iter().zip(s).map(|(p, s)| p * s * s).sum::<f64>() - mean * mean;
        for c in 0..n - 1 {
            gradient[c + 1] += p[c] - f64::from(c == class);
            let mixed = p[c] * (s[c] - mean);
            hessian[0][c + 1] += mixed;
            hessian[c + 1][0] += mixed;
            for d in 0..n - 1 {
                hessian[c + 1][d + 1] += p[c] * (f64::from(c == d) - p[d]);
            }
        }
    }
    (gradient, hessian)
}

/// Halves the step until the loss falls; `None` where it does not.
fn line_search(theta: &[f64], step: &[f64], loss: f64, f: impl Fn(&[f64]) -> f64) -> Option<(Vec<f64>, f64)> {
    (0..30)
        .map(|halvings| 0.5_f64.powi(halvings))
        .map(|factor| theta.iter().zip(step).map(|(t, s)| t - factor * s).collect::<Vec<_>>())
        .map(|next| (f(&next), next))
        .find(|(next_loss, _)| *next_loss < loss)
        .map(|(next_loss, next)| (next, next_loss))
}

/// Solves a small symmetric positive definite system by Gaussian elimination with row pivoting.
fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for i in 0..n {
        let pivot = (i..n).max_by(|&x, &y| a[x][i].abs().total_cmp(&a[y][i].abs())).unwrap_or(i);
        a.swap(i, pivot);
        b.swap(i, pivot);
        if a[i][i].abs() < 1e-300 {
            continue;
        }
        for row in i + 1..n {
            let factor = a[row][i] / a[i][i];
            let (above, below) = a.split_at_mut(row);
            below[0].iter_mut().zip(&above[i]).skip(i).for_each(|(below, above)| *below -= factor * above);
            b[row] -= factor * b[i];
        }
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|j| a[i][j] * b[j]).sum();
        b[i] = if a[i][i].abs() < 1e-300 { 0.0 } else { (b[i] - known) / a[i][i] };
    }
    b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_sum_to_one() {
        let calibration = Calibration::none(3);
        let p = calibration.probabilities(&[700.0, -3.0, 0.1]);
        assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn overconfident_scores_are_cooled() {
        // Two classes, scores of ±4, right three times in four: the honest probability is 0.75.
        let scores: Vec<Vec<f64>> = (0..400).map(|i| if i % 2 == 0 { vec![4.0, -4.0] } else { vec![-4.0, 4.0] }).collect();
        let classes: Vec<usize> = (0..400).map(|i| if i % 8 < 6 { i % 2 } else { 1 - i % 2 }).collect();
        let p = Calibration::fit(&scores, &classes, 2).probabilities(&scores[0]);
        assert!((p[0] - 0.75).abs() < 0.01, "{p:?}");
    }

    #[test]
    fn presence_meets_the_base_rate() {
        let scores: Vec<f64> = (0..1000).map(|i| f64::from(i % 10) / 10.0).collect();
        let present: Vec<bool> = (0..1000).map(|i| i % 10 >= 7).collect();
        let (a, b) = fit_presence(&scores, &present);
        let mean: f64 = scores.iter().map(|s| logistic(a * s + b)).sum::<f64>() / 1000.0;
        assert!((mean - 0.3).abs() < 0.01, "{mean}");
    }

    #[test]
    fn separable_scores_stay_finite() {
        let (a, b) = fit_presence(&[-1.0, -0.9, 0.8, 1.0], &[false, false, true, true]);
        assert!(a.is_finite() && b.is_finite());
        let calibration = Calibration::fit(&[vec![1.0, -1.0], vec![-1.0, 1.0]], &[0, 1], 2);
        assert!(calibration.scale.is_finite());
    }
}
