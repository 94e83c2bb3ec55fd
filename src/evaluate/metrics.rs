//! Scores of predicted against true labels.
//!
//! linfa's confusion matrix is not used: in version 0.8 it swaps precision and recall for some argument types, its macro-F1 is the harmonic mean of macro
//! averages, and a class never predicted gives NaN. Here F1 of class c is 2 TP / (2 TP + FP + FN), 0 where it has no true positive, and macro-F1 the mean over
//! the classes that occur in truth or prediction, as in scikit-learn.

use serde::Serialize;

/// Confidence bins of the calibration error.
const BINS: usize = 15;
/// Least probability in log-loss, so that one sure mistake does not make it infinite.
const LEAST_PROBABILITY: f64 = 1e-15;

/// One labelled item with what was predicted for it.
///
/// A text with several labels gives one item per label, true and predicted ones paired by [`pair_labels`]; a label without partner is paired with "nothing",
/// the number of classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// True class, or the number of classes where a predicted label has no true one.
    pub gold: usize,
    /// Predicted class, or the number of classes where a true label was missed.
    pub predicted: usize,
    /// Probability that was given to the true class.
    pub gold_probability: f64,
    /// Probability that was given to the predicted class.
    pub confidence: f64,
    /// Number of the group (article) that the item belongs to.
    pub group: usize,
    /// Number of the given label (topic), or 0.
    pub given: usize,
}

/// Counts of (true, predicted) classes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConfusionMatrix {
    n_classes: usize,
    /// Row: true class; column: predicted; the last of either stands for nothing.
    counts: Vec<f64>,
}

/// Precision, recall and F1 of one class.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct ClassScores {
    /// TP / (TP + FP); 0 where the class is never predicted.
    pub precision: f64,
    /// TP / (TP + FN); 0 where the class never occurs.
    pub recall: f64,
    /// 2 TP / (2 TP + FP + FN).
    pub f1: f64,
    /// Number of items of the class.
    pub support: f64,
}

/// All scores of a set of items.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scores {
    /// Share of right predictions.
    pub accuracy: f64,
    /// Mean F1 over the classes that occur.
    pub macro_f1: f64,
    /// Mean F1 over the named classes, such as favor and against; NaN where none are named.
    pub mean_f1: f64,
    /// Mean of -ln p(true class).
    pub log_loss: f64,
    /// Expected calibration error of the predicted class, 15 bins of equal width.
    pub calibration_error: f64,
    /// Per class.
    pub classes: Vec<ClassScores>,
}

impl ConfusionMatrix {
    /// Counts items, each `weights[i]` times.
    pub fn new(items: &[Item], weights: &[f64], n_classes: usize) -> Self {
        let width = n_classes + 1;
        let mut counts = vec![0.0; width * width];
        for (item, weight) in items.iter().zip(weights) {
            counts[item.gold * width + item.predicted] += weight;
        }
        Self { n_classes, counts }
    }

    /// Number of items of true class `gold` that were predicted as `predicted`.
    pub fn get(&self, gold: usize, predicted: usize) -> f64 {
        self.counts[gold * (self.n_classes + 1) + predicted]
    }

    /// Share of the true labels that were predicted.
    pub fn accuracy(&self) -> f64 {
        let n = self.n_classes;
        let right: f64 = (0..n).map(|c| self.get(c, c)).sum();
        ratio(right, self.counts[..n * (n + 1)].iter().sum())
    }

    /// Scores of one class.
    pub fn class(&self, c: usize) -> ClassScores {
        let hits = self.get(c, c);
        let support: f64 = (0..=self.n_classes).map(|p| self.get(c, p)).sum();
        let predicted: f64 = (0..=self.n_classes).map(|g| self.get(g, c)).sum();
        ClassScores {
            precision: ratio(hits, predicted),
            recall: ratio(hits, support),
            f1: ratio(2.0 * hits, support + predicted),
            support,
        }
    }

    /// Whether the class occurs in truth or prediction.
    fn occurs(&self, c: usize) -> bool {
        (0..=self.n_classes).any(|o| self.get(c, o) > 0.0 || self.get(o, c) > 0.0)
    }
}

impl Scores {
    /// Scores of items, each counted `weights[i]` times; `mean_of` are the classes of [`Scores::mean_f1`].
    pub fn new(items: &[Item], weights: &[f64], n_classes: usize, mean_of: &[usize]) -> Self {
        let matrix = ConfusionMatrix::new(items, weights, n_classes);
        let classes: Vec<ClassScores> = (0..n_classes).map(|c| matrix.class(c)).collect();
        let occurring: Vec<f64> = (0..n_classes).filter(|&c| matrix.occurs(c)).map(|c| classes[c].f1).collect();
        let named: Vec<f64> = mean_of.iter().map(|&c| classes[c].f1).collect();
        let labelled = || items.iter().zip(weights).filter(|(i, _)| i.gold < n_classes);
        let total: f64 = labelled().map(|(_, w)| w).sum();
        let loss: f64 = labelled().map(|(i, w)| -w * i.gold_probability.max(LEAST_PROBABILITY).ln()).sum();
        Self {
            accuracy: matrix.accuracy(),
            macro_f1: mean(&occurring),
            mean_f1: if named.is_empty() { f64::NAN } else { mean(&named) },
            log_loss: ratio(loss, total),
            calibration_error: calibration_error(items, weights, n_classes),
            classes,
        }
    }
}

/// Confidence, accuracy and weight of each bin of a reliability diagram, lowest confidence first.
pub fn reliability(items: &[Item], weights: &[f64], n_classes: usize) -> Vec<(f64, f64, f64)> {
    let mut bins = vec![(0.0, 0.0, 0.0); BINS];
    for (item, weight) in items.iter().zip(weights).filter(|(i, _)| i.predicted < n_classes) {
        let bin = &mut bins[((item.confidence * BINS as f64) as usize).min(BINS - 1)];
        bin.0 += weight * item.confidence;
        bin.1 += weight * f64::from(item.gold == item.predicted);
        bin.2 += weight;
    }
    bins.into_iter().map(|(confidence, right, n)| (ratio(confidence, n), ratio(right, n), n)).collect()
}

/// Pairs the true labels of a text with the predicted ones: equal labels first, the rest in order, what is left over with nothing. Counts of hits, misses and
/// false alarms per class do not depend on how unequal labels are paired. `predicted` comes with probabilities, `gold_probability` gives those of true labels.
pub fn pair_labels(
    gold: &[usize],
    predicted: &[(usize, f64)],
    n_classes: usize,
    gold_probability: impl Fn(usize) -> f64,
    (group, given): (usize, usize),
) -> Vec<Item> {
    let hits = predicted.iter().filter(|(p, _)| gold.contains(p)).map(|&(p, confidence)| (p, p, confidence));
    let mut missed = gold.iter().filter(|g| !predicted.iter().any(|(p, _)| p == *g));
    let mut alarms = predicted.iter().filter(|(p, _)| !gold.contains(p));
    let rest = std::iter::from_fn(|| match (missed.next(), alarms.next()) {
        (None, None) => None,
        (gold, alarm) => {
            let &(predicted, confidence) = alarm.unwrap_or(&(n_classes, 0.0));
            Some((gold.copied().unwrap_or(n_classes), predicted, confidence))
        }
    });
    let item = |(gold, predicted, confidence): (usize, usize, f64)| Item {
        gold,
        predicted,
        gold_probability: if gold < n_classes { gold_probability(gold) } else { 1.0 },
        confidence,
        group,
        given,
    };
    hits.chain(rest).map(item).collect()
}

fn calibration_error(items: &[Item], weights: &[f64], n_classes: usize) -> f64 {
    let bins = reliability(items, weights, n_classes);
    let total: f64 = bins.iter().map(|bin| bin.2).sum();
    bins.iter().map(|(confidence, accuracy, n)| ratio(n * (confidence - accuracy).abs(), total)).sum()
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

fn mean(values: &[f64]) -> f64 {
    ratio(values.iter().sum(), values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(gold: usize, predicted: usize, confidence: f64) -> Item {
        let gold_probability = if gold == predicted { confidence } else { 1.0 - confidence };
        Item { gold, predicted, gold_probability, confidence, group: 0, given: 0 }
    }

    #[test]
    fn scores_equal_a_hand_count() {
        // truth 0 0 0 1 1, predicted 0 0 1 1 0: class 0 has TP 2, FP 1, FN 1; class 1 has TP 1, FP 1, FN 1.
        let items = [item(0, 0, 0.9), item(0, 0, 0.9), item(0, 1, 0.6), item(1, 1, 0.6), item(1, 0, 0.6)];
        let scores = Scores::new(&items, &[1.0; 5], 3, &[0, 1]);
        assert!((scores.accuracy - 0.6).abs() < 1e-12);
        assert!((scores.classes[0].f1 - 4.0 / 6.0).abs() < 1e-12);
        assert!((scores.macro_f1 - (4.0 / 6.0 + 0.5) / 2.0).abs() < 1e-12);
        assert_eq!(scores.macro_f1, scores.mean_f1);
    }

    #[test]
    fn label_sets_are_counted_label_by_label() {
        // Truth {0, 1} and {2}, predicted {1} and {2, 0}: class 0 has a miss and a false alarm, classes 1 and 2 are right.
        let mut items = pair_labels(&[0, 1], &[(1, 0.9)], 3, |_| 0.5, (0, 0));
        items.extend(pair_labels(&[2], &[(2, 0.8), (0, 0.6)], 3, |_| 0.5, (1, 0)));
        let scores = Scores::new(&items, &vec![1.0; items.len()], 3, &[]);
        assert_eq!(scores.classes.iter().map(|c| c.f1).collect::<Vec<_>>(), [0.0, 1.0, 1.0]);
        assert!((scores.accuracy - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(scores.classes[0].support, 1.0);
    }

    #[test]
    fn a_class_never_predicted_has_zero_not_nan() {
        let scores = Scores::new(&[item(1, 0, 0.5)], &[1.0], 2, &[]);
        assert_eq!(scores.classes[1].f1, 0.0);
        assert!(scores.mean_f1.is_nan());
    }

    #[test]
    fn calibration_error_is_the_weighted_gap() {
        // Ten items at confidence 0.9, seven right: gap 0.2.
        let items: Vec<Item> = (0..10).map(|i| item(0, usize::from(i >= 7), 0.9)).collect();
        assert!((Scores::new(&items, &[1.0; 10], 2, &[]).calibration_error - 0.2).abs() < 1e-9);
    }
}
