//! Decision offsets: what is added to each class's log-probability before the best is taken, so that a chosen score is highest.
//!
//! The likeliest class is the best choice for accuracy alone; F1 of rare classes wants them named sooner. Offsets are tuned on held-out
//! probabilities by coordinate ascent over a fixed grid, one class at a time; ties go to the smaller offset, and a class moves only where the score
//! grows. Not here: what the score is ([`Metric`]), where the probabilities come from.

use serde::{Deserialize, Serialize};

use crate::error::Result;

/// Steps of the grid to either side of zero.
const STEPS: i32 = 8;
/// Width of a step, in log-probability.
const STEP: f64 = 0.125;
const ROUNDS: usize = 3;

/// A score to be maximised.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Mean F1 over all classes.
    #[default]
    MacroF1,
    /// Share of right labels.
    Accuracy,
    /// Mean F1 over these labels.
    MeanF1(Vec<String>),
}

/// A metric whose labels are numbers of classes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Goal {
    Accuracy,
    /// Mean F1 over these classes.
    MeanF1(Vec<usize>),
}

impl Metric {
    /// The metric for a head, whose labels `class` knows by name.
    pub(super) fn goal(&self, n_classes: usize, class: impl Fn(&str) -> Result<usize>) -> Result<Goal> {
        Ok(match self {
            Self::MacroF1 => Goal::MeanF1((0..n_classes).collect()),
            Self::Accuracy => Goal::Accuracy,
            Self::MeanF1(names) => Goal::MeanF1(names.iter().map(|name| class(name)).collect::<Result<_>>()?),
        })
    }
}

/// Counts from which every goal can be computed.
struct Tally {
    hits: Vec<f64>,
    predicted: Vec<f64>,
    gold: Vec<f64>,
}

impl Tally {
    fn new(gold: &[usize], predicted: impl Iterator<Item = usize>, n_classes: usize) -> Self {
        let mut tally = Self { hits: vec![0.0; n_classes], predicted: vec![0.0; n_classes], gold: vec![0.0; n_classes] };
        for (&gold, predicted) in gold.iter().zip(predicted) {
            tally.gold[gold] += 1.0;
            tally.predicted[predicted] += 1.0;
            tally.hits[predicted] += f64::from(gold == predicted);
        }
        tally
    }

    fn score(&self, goal: &Goal) -> f64 {
        match goal {
            Goal::Accuracy => self.hits.iter().sum::<f64>() / self.gold.iter().sum::<f64>().max(1.0),
            Goal::MeanF1(classes) => {
                let f1 = |c: usize| {
                    let total = self.gold[c] + self.predicted[c];
                    if total > 0.0 { 2.0 * self.hits[c] / total } else { 0.0 }
                };
                classes.iter().map(|&c| f1(c)).sum::<f64>() / classes.len().max(1) as f64
            }
        }
    }
}

/// Score of choosing by log-probability plus offset.
pub(super) fn score(log_probabilities: &[&[f64]], gold: &[usize], offsets: &[f64], goal: &Goal) -> f64 {
    Tally::new(gold, log_probabilities.iter().map(|row| best(row, offsets, None).0), offsets.len()).score(goal)
}

/// The offsets with the best score.
pub(super) fn tune(log_probabilities: &[&[f64]], gold: &[usize], n_classes: usize, goal: &Goal) -> Vec<f64> {
    let mut offsets = vec![0.0; n_classes];
    let mut reached = score(log_probabilities, gold, &offsets, goal);
    for _ in 0..ROUNDS {
        let before = reached;
        for class in 0..n_classes {
            // Whatever the class's own offset, its rivals' best stays the same.
            let rivals: Vec<(usize, f64)> = log_probabilities.iter().map(|row| best(row, &offsets, Some(class))).collect();
            let mut steps: Vec<i32> = (-STEPS..=STEPS).collect();
            steps.sort_by_key(|step| (step.abs(), *step));
            for offset in steps.into_iter().map(|step| f64::from(step) * STEP) {
                let chosen = |(row, &(rival, value)): (&&[f64], &(usize, f64))| {
                    let own = row[class] + offset;
                    if own > value || (own == value && class < rival) { class } else { rival }
                };
                let here = Tally::new(gold, log_probabilities.iter().zip(&rivals).map(chosen), n_classes).score(goal);
                if here > reached + 1e-12 {
                    (reached, offsets[class]) = (here, offset);
                }
            }
        }
        if reached <= before {
            break;
        }
    }
    offsets
}

/// Score with offsets tuned on the other folds each: what tuned offsets are worth on rows that they were not tuned on.
pub(super) fn nested_score(log_probabilities: &[&[f64]], gold: &[usize], folds: &[usize], n_classes: usize, goal: &Goal) -> f64 {
    let n_folds = folds.iter().max().map_or(0, |last| last + 1);
    let mut predicted = vec![0; gold.len()];
    for fold in 0..n_folds {
        let (own, others): (Vec<usize>, Vec<usize>) = (0..gold.len()).partition(|&i| folds[i] == fold);
        let rows: Vec<&[f64]> = others.iter().map(|&i| log_probabilities[i]).collect();
        let offsets = tune(&rows, &others.iter().map(|&i| gold[i]).collect::<Vec<_>>(), n_classes, goal);
        own.into_iter().for_each(|i| predicted[i] = best(log_probabilities[i], &offsets, None).0);
    }
    Tally::new(gold, predicted.into_iter(), n_classes).score(goal)
}

/// The best class but `without`, the first of equals, and its value.
fn best(row: &[f64], offsets: &[f64], without: Option<usize>) -> (usize, f64) {
    let values = row.iter().zip(offsets).map(|(p, o)| p + o).enumerate().filter(|(c, _)| Some(*c) != without);
    values.fold((0, f64::NEG_INFINITY), |best, (c, value)| if value > best.1 { (c, value) } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rare_class_is_named_sooner_for_its_f1_but_not_for_accuracy() {
        // One case in ten is of class 1, which is never the likeliest, but likelier where it holds.
        let rows: Vec<Vec<f64>> = (0..100).map(|i| if i % 10 == 0 { vec![0.6_f64, 0.4] } else { vec![0.9, 0.1] }).collect();
        let rows: Vec<Vec<f64>> = rows.iter().map(|row| row.iter().map(|p| p.ln()).collect()).collect();
        let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
        let gold: Vec<usize> = (0..100).map(|i| usize::from(i % 10 == 0)).collect();
        let goal = Goal::MeanF1(vec![0, 1]);
        let offsets = tune(&rows, &gold, 2, &goal);
        assert_eq!(score(&rows, &gold, &offsets, &goal), 1.0);
        assert_eq!(nested_score(&rows, &gold, &(0..100).map(|i| i / 20).collect::<Vec<_>>(), 2, &goal), 1.0);
        assert_eq!(tune(&rows[1..10], &gold[1..10], 2, &Goal::Accuracy), [0.0, 0.0]);
    }
}
