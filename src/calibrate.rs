//! From decision values to probabilities, fitted on out-of-fold scores.
//!
//! Two maps. *Probabilities* over all classes, which sum to 1:
//!
//!   p_c = exp(a s_c + b_c) / Σ_k exp(a s_k + b_k)
//!
//! vector scaling with one common factor a > 0 (temperature scaling of Guo et al., ICML 2017, with a prior correction b per class); for two classes it is
//! Platt scaling. *Presence* per class, for heads with several labels a text: 1 / (1 + exp(-(a_c s_c + b_c))), Platt (1999) with the target smoothing of
//! Lin, Lin & Weng (2007). Both by Newton's method on the penalised log-likelihood; a tiny penalty keeps separable data finite.
//!
//! A text of an article does not stand alone: its neighbours are mostly about the same question. Where the model was trained with context, a text
//! that comes with others of its group is judged by
//!
//!   z_c = a s_c + b_c + w₁ p_c(previous) + w₂ p_c(next) + w₃ mean p_c(all others) + w₄ p_c(first)
//!
//! with p of the first map, that is by the neighbours' words alone, and w fitted as the rest; a form of stacking (Wolpert 1992). A second round, with weights of its own,
//! takes p from the first. A text alone is judged by the first map. Not here: where the out-of-fold scores come from (`train`).

use crate::model::{Calibration, ContextMap, HeadMeta};

/// Rounds of judging by the neighbours; a third changes next to nothing.
const ROUNDS: usize = 2;
/// What the neighbours bring: previous, next, all others, first.
pub(crate) const N_NEIGHBOURS: usize = 4;

const MAX_STEPS: usize = 100;
/// A label less likely than this is no finding, even if it is the likeliest: the none label is given instead.
const LEAST_PRESENCE: f64 = 1.0 / 3.0;
/// Penalty on the distance from (1, 0, …, 0), in units of one observation.
const PENALTY: f64 = 1e-3;

/// What a head makes of one text.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// Per class: the score itself or, where the model knows context, the log-odds of the class. Presence maps read it.
    pub evidence: Vec<f64>,
    /// Per class; sums to 1.
    pub probabilities: Vec<f64>,
}

impl Calibration {
    /// Scores are used as they are.
    pub fn none(n_classes: usize) -> Self {
        Self { method: "none".to_owned(), scale: 1.0, bias: vec![0.0; n_classes], presence: Vec::new(), context: Vec::new() }
    }

    /// Fits the map over all classes: `scores` are n × classes, row by row, `classes` the true ones.
    pub fn fit(scores: &[Vec<f64>], classes: &[usize], n_classes: usize) -> Self {
        let cases: Vec<[&[f64]; 1]> = scores.iter().map(|s| [s.as_slice()]).collect();
        let (factors, bias) = fit_softmax_map(&cases, classes, n_classes);
        Self { method: "out-of-fold".to_owned(), scale: factors[0], bias, presence: Vec::new(), context: Vec::new() }
    }

    /// Fits the maps for texts among others: `scores` row by row, `cases` pairs of a row and a true class, `documents` the rows of each group in order.
    pub(crate) fn fit_context(&mut self, scores: &[Vec<f64>], cases: &[(usize, usize)], documents: &[Vec<usize>]) {
        let documents: Vec<&Vec<usize>> = documents.iter().filter(|d| d.len() > 1).collect();
        let mut probabilities: Vec<Vec<f64>> = scores.iter().map(|s| self.probabilities(s)).collect();
        for _ in 0..ROUNDS {
            let mut neighbours: Vec<[Vec<f64>; N_NEIGHBOURS]> = vec![Default::default(); scores.len()];
            for document in &documents {
                let of_document: Vec<Vec<f64>> = document.iter().map(|&row| probabilities[row].clone()).collect();
                document.iter().enumerate().for_each(|(place, &row)| neighbours[row] = neighbours_of(place, &of_document));
            }
            let Some(map) = ContextMap::fit(scores, cases, &neighbours, self.bias.len()) else { return };
            for &row in documents.iter().copied().flatten() {
                probabilities[row] = map.probabilities(&scores[row], &neighbours[row]);
            }
            self.context.push(map);
        }
    }

    /// Probability per class of a text alone; sums to 1.
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

    /// Judges a text alone, into buffers: evidence as in [`Judged`], and probabilities.
    pub fn judge_alone_into(&self, scores: &[f64], evidence: &mut Vec<f64>, probabilities: &mut Vec<f64>) {
        self.probabilities_into(scores, probabilities);
        evidence.clear();
        if self.context.is_empty() {
            evidence.extend_from_slice(scores);
        } else {
            evidence.extend(probabilities.iter().map(|&p| log_odds(p)));
        }
    }

    /// Judges the texts of one group, in order, from their scores.
    pub fn judge(&self, document: &[&[f64]]) -> Vec<Judged> {
        let mut probabilities: Vec<Vec<f64>> = document.iter().map(|scores| self.probabilities(scores)).collect();
        if self.context.is_empty() {
            let judged = |(scores, probabilities): (&&[f64], Vec<f64>)| Judged { evidence: scores.to_vec(), probabilities };
            return document.iter().zip(probabilities).map(judged).collect();
        }
        for map in self.context.iter().filter(|_| document.len() > 1) {
            let judged = |place: usize| map.probabilities(document[place], &neighbours_of(place, &probabilities));
            probabilities = (0..document.len()).map(judged).collect();
        }
        let judged =
            |probabilities: Vec<f64>| Judged { evidence: probabilities.iter().map(|&p| log_odds(p)).collect(), probabilities };
        probabilities.into_iter().map(judged).collect()
    }
}

impl ContextMap {
    /// Fits one map to the cases whose text has neighbours; none where there are none.
    fn fit(
        scores: &[Vec<f64>],
        cases: &[(usize, usize)],
        neighbours: &[[Vec<f64>; N_NEIGHBOURS]],
        n_classes: usize,
    ) -> Option<Self> {
        let in_company = cases.iter().filter(|&&(row, _)| !neighbours[row][0].is_empty());
        let parts = |row: usize| {
            let [previous, next, others, first] = &neighbours[row];
            [scores[row].as_slice(), previous, next, others, first]
        };
        let (rows, classes): (Vec<_>, Vec<_>) = in_company.map(|&(row, class)| (parts(row), class)).unzip();
        if rows.is_empty() {
            return None;
        }
        let (factors, bias) = fit_softmax_map(&rows, &classes, n_classes);
        Some(Self { scale: factors[0], neighbours: factors[1..].to_vec(), bias })
    }

    fn probabilities(&self, scores: &[f64], neighbours: &[Vec<f64>; N_NEIGHBOURS]) -> Vec<f64> {
        let value = |(c, score): (usize, &f64)| {
            let company: f64 = self.neighbours.iter().zip(neighbours).map(|(w, p)| w * p[c]).sum();
            self.scale * score + self.bias[c] + company
        };
        softmax(scores.iter().enumerate().map(value).collect())
    }
}

/// Probabilities of the previous text, the next, all others on average, and the first; zeros where there is none.
fn neighbours_of(place: usize, alone: &[Vec<f64>]) -> [Vec<f64>; N_NEIGHBOURS] {
    let nobody = vec![0.0; alone[place].len()];
    let at = |place: Option<usize>| place.and_then(|p| alone.get(p)).unwrap_or(&nobody).clone();
    let mut others = nobody.clone();
    for (_, p) in alone.iter().enumerate().filter(|(other, _)| *other != place) {
        others.iter_mut().zip(p).for_each(|(sum, p)| *sum += p);
    }
    others.iter_mut().for_each(|sum| *sum /= (alone.len() - 1).max(1) as f64);
    [at(place.checked_sub(1)), at(Some(place + 1)), others, at((place > 0).then_some(0))]
}

impl HeadMeta {
    /// The class with the largest probability after the decision offsets; ties go to the first.
    pub fn choose(&self, probabilities: &[f64]) -> usize {
        let value = |c: usize| probabilities[c].max(f64::MIN_POSITIVE).ln() + self.offsets[c];
        (1..probabilities.len()).fold(0, |best, c| if value(c) > value(best) { c } else { best })
    }

    /// Classes that reach their presence threshold, best first; `none` where no other does. Without presence maps, the chosen class alone.
    pub(crate) fn present(
        &self,
        evidence: &[f64],
        probabilities: &[f64],
        none: Option<usize>,
        chosen: usize,
    ) -> Vec<(usize, f64)> {
        let presence = &self.calibration.presence;
        if presence.is_empty() {
            return vec![(chosen, probabilities[chosen])];
        }
        let probability = |c: usize| logistic(presence[c].0 * evidence[c] + presence[c].1);
        let mut present: Vec<(usize, f64)> = (0..evidence.len())
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

/// Log-odds of a probability, kept finite.
fn log_odds(p: f64) -> f64 {
    let p = p.clamp(1e-12, 1.0 - 1e-12);
    (p / (1.0 - p)).ln()
}

/// Fits p_c = softmax(Σ_k a_k v_kc + b_c) to cases of K value vectors each, the first of them scores; gives factors and biases.
fn fit_softmax_map<const K: usize>(cases: &[[&[f64]; K]], classes: &[usize], n_classes: usize) -> (Vec<f64>, Vec<f64>) {
    let mut theta = vec![0.0; K + n_classes];
    theta[0] = 1.0;
    let mut loss = softmax_loss(cases, classes, &theta);
    for _ in 0..MAX_STEPS {
        let (gradient, hessian) = softmax_derivatives(cases, classes, &theta);
        let step = solve(hessian, gradient);
        let Some((next, next_loss)) = line_search(&theta, &step, loss, |t| softmax_loss(cases, classes, t)) else { break };
        let gain = loss - next_loss;
        (theta, loss) = (next, next_loss);
        if gain < 1e-10 * loss.abs() {
            break;
        }
    }
    let bias = theta.split_off(K);
    (theta, bias)
}

fn map<const K: usize>(case: &[&[f64]; K], theta: &[f64]) -> Vec<f64> {
    let (factors, bias) = theta.split_at(K);
    softmax((0..bias.len()).map(|c| factors.iter().zip(case).map(|(a, v)| a * v[c]).sum::<f64>() + bias[c]).collect())
}

fn softmax_loss<const K: usize>(cases: &[[&[f64]; K]], classes: &[usize], theta: &[f64]) -> f64 {
    let data: f64 = cases.iter().zip(classes).map(|(case, &c)| -map(case, theta)[c].max(1e-300).ln()).sum();
    let distance: f64 = (theta[0] - 1.0).powi(2) + theta[1..].iter().map(|b| b * b).sum::<f64>();
    // A negative factor would turn the scores round: it is never wanted.
    if theta[0] <= 0.0 { f64::INFINITY } else { data + PENALTY * distance }
}

fn softmax_derivatives<const K: usize>(cases: &[[&[f64]; K]], classes: &[usize], theta: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
    let n = theta.len();
    let mut gradient: Vec<f64> = theta.iter().enumerate().map(|(i, t)| 2.0 * PENALTY * (t - f64::from(i == 0))).collect();
    let mut hessian = vec![vec![0.0; n]; n];
    (0..n).for_each(|i| hessian[i][i] = 2.0 * PENALTY);
    for (case, &class) in cases.iter().zip(classes) {
        let p = map(case, theta);
        let means: [f64; K] = case.map(|v| p.iter().zip(v).map(|(p, v)| p * v).sum());
        for (k, v) in case.iter().enumerate() {
            gradient[k] += means[k] - v[class];
            for (l, u) in case.iter().enumerate() {
                let product: f64 = p.iter().zip(*v).zip(*u).map(|((p, v), u)| p * v * u).sum();
                hessian[k][l] += product - means[k] * means[l];
            }
            for (c, p) in p.iter().enumerate() {
                let mixed = p * (v[c] - means[k]);
                hessian[k][K + c] += mixed;
                hessian[K + c][k] += mixed;
            }
        }
        for c in 0..p.len() {
            gradient[K + c] += p[c] - f64::from(c == class);
            for d in 0..p.len() {
                hessian[K + c][K + d] += p[c] * (f64::from(c == d) - p[d]);
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
    fn company_helps_where_neighbours_agree() {
        // The scores say nothing; all texts of a document are of one class, and half of them say which.
        let mut random = crate::random::Random::new(5);
        let (mut scores, mut cases, mut documents) = (Vec::new(), Vec::new(), Vec::new());
        for document in 0..80 {
            let class = document % 2;
            let rows: Vec<usize> = (0..6).map(|i| scores.len() + i).collect();
            for &row in &rows {
                let strength = if random.below(2) == 0 { 2.0 } else { 0.0 };
                scores.push(if class == 0 { vec![strength, 0.0] } else { vec![0.0, strength] });
                cases.push((row, class));
            }
            documents.push(rows);
        }
        let (flat, classes): (Vec<Vec<f64>>, Vec<usize>) = cases.iter().map(|&(row, class)| (scores[row].clone(), class)).unzip();
        let mut calibration = Calibration::fit(&flat, &classes, 2);
        calibration.fit_context(&scores, &cases, &documents);
        let document: [&[f64]; 3] = [&[0.0, 0.0], &[2.0, 0.0], &[0.0, 0.0]];
        let judged = calibration.judge(&document);
        assert!(judged[0].probabilities[0] > 0.8 && judged[2].probabilities[0] > 0.8, "{judged:?}");
        assert!((calibration.judge(&document[..1])[0].probabilities[0] - 0.5).abs() < 0.05);
    }

    #[test]
    fn separable_scores_stay_finite() {
        let (a, b) = fit_presence(&[-1.0, -0.9, 0.8, 1.0], &[false, false, true, true]);
        assert!(a.is_finite() && b.is_finite());
        let calibration = Calibration::fit(&[vec![1.0, -1.0], vec![-1.0, 1.0]], &[0, 1], 2);
        assert!(calibration.scale.is_finite());
    }
}
