//! Why a score is as it is: the parts of the features that were found, and the features that matter most.

use std::iter;

use super::{Predictor, Scratch};
use crate::features::Analyzer;
use crate::model::HeadMeta;

/// One n-gram's part in a score.
#[derive(Debug, Clone, PartialEq)]
pub struct Contribution {
    /// The n-gram; where the model holds no names, its number.
    pub ngram: String,
    /// Value in the text, after idf and norm.
    pub value: f64,
    /// Weight times value, for the class asked about.
    pub contribution: f64,
}

impl Predictor {
    /// Each known n-gram's part in the score of `class`, and that of an encoder's vector as a whole, largest first, with the intercept as the last entry;
    /// they add up to the score.
    pub fn explain(&self, head: usize, given: Option<usize>, class: usize, scratch: &Scratch) -> Vec<Contribution> {
        let meta = self.head(head);
        let view = self.model.head(head);
        let (output, sign) = output_of(class, meta);
        let mut weight = self.weights(head, given, output);
        // Single values of a vector mean nothing to people.
        let (mut dense_square, mut dense_sum) = (0.0, 0.0);
        let mut parts = Vec::new();
        for (address, value) in scratch.reading.values() {
            let (i, value, weight) = (self.table.in_model(address, &self.model), f64::from(value), sign * weight(address));
            if self.is_dense(i) {
                dense_square += value.powi(2);
                dense_sum += value * weight;
            } else {
                parts.push(Contribution { ngram: self.name(i), value, contribution: value * weight });
            }
        }
        if let Some(encoder) = self.encoder() {
            let ngram = format!("(encoder {})", encoder.name);
            parts.push(Contribution { ngram, value: dense_square.sqrt(), contribution: dense_sum });
        }
        parts.sort_by(|a, b| b.contribution.abs().total_cmp(&a.contribution.abs()).then_with(|| a.ngram.cmp(&b.ngram)));
        let n = meta.n_outputs;
        let bias = view.bias[output] + given.map_or(0.0, |g| view.bias[(1 + g) * n + output]);
        parts.push(Contribution { ngram: "(intercept)".to_owned(), value: 1.0, contribution: sign * bias });
        parts
    }

    /// The features with the largest weights for `class` of a head, with their weights.
    pub fn strongest(&self, head: usize, given: Option<usize>, class: usize, n: usize) -> Vec<(String, f64)> {
        let (output, sign) = output_of(class, self.head(head));
        let mut weight = self.weights(head, given, output);
        let features = self.table.numbers(&self.model).iter().map(|&(address, i)| (address, i as usize));
        let features = features.filter(|&(_, i)| !self.is_dense(i));
        let mut weights: Vec<(f64, usize)> = features.map(|(address, i)| (sign * weight(address), i)).collect();
        weights.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        weights.into_iter().take(n).map(|(weight, i)| (self.name(i), weight)).collect()
    }

    /// The weight of the feature at an address for one output: what a text would score that holds nothing but this feature, with the value 1.
    fn weights(&self, head: usize, given: Option<usize>, output: usize) -> impl FnMut(u32) -> f64 {
        let scales = &self.head(head).weight_scales;
        let lane = self.lanes[head] + output;
        let (mut shared, mut of_given, mut told) = (vec![0.0; self.n_lanes], vec![0.0; scales.len()], Vec::new());
        move |address| {
            let hits = [(address, 1.0)];
            shared.fill(0.0);
            self.table.add(&hits, 1.0, &self.scales, &mut shared);
            of_given.fill(0.0);
            if let Some(given) = given {
                told.clear();
                self.table.tell(&hits, &mut told);
                self.table.add_given(head, given, iter::once((&told[..], 1.0)), scales, &mut of_given);
            }
            f64::from(shared[lane]) + of_given[output]
        }
    }

    /// The n-gram of feature `i`, or its number where the model holds no names.
    fn name(&self, i: usize) -> String {
        self.model.name(i).map_or_else(|| format!("#{i}"), str::to_owned)
    }

    /// Whether feature `i` is a value of an encoder's vector.
    fn is_dense(&self, i: usize) -> bool {
        let blocks = &self.model.meta().features.blocks;
        blocks.get(self.model.block(i)).is_some_and(|b| b.analyzer == Analyzer::Encoder)
    }
}

/// Output and sign that speak for a class: with two classes and one output, the second class is the positive side.
fn output_of(class: usize, meta: &HeadMeta) -> (usize, f64) {
    match (meta.n_outputs, class) {
        (1, 0) => (0, -1.0),
        (1, _) => (0, 1.0),
        _ => (class, 1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{GivenWeights, Model};

    #[test]
    fn weights_are_those_of_the_file() {
        let predictor = Predictor::new(Model::builtin());
        let model = predictor.model();
        let head = (0..model.meta().heads.len()).find(|&h| model.head(h).given.is_some()).expect("stance is given a topic");
        let meta = predictor.head(head);
        let pairs = model.head(head).given.unwrap();
        let GivenWeights::I16(units) = pairs.weights else { panic!("the model has weights in 16 bits") };
        let (given, output, mut n_pairs) = (2, 1, 0);
        let scale = meta.weight_scales[output];
        let mut weight = predictor.weights(head, Some(given), output);
        let mut seen = vec![false; model.meta().n_features];
        for &(address, i) in predictor.table.numbers(model) {
            let i = i as usize;
            assert_eq!(predictor.table.in_model(address, model), i);
            assert!(!std::mem::replace(&mut seen[i], true));
            let own = pairs.starts[i] as usize..pairs.starts[i + 1] as usize;
            let pair = own.into_iter().find(|&at| usize::from(pairs.ids[at]) == given);
            n_pairs += usize::from(pair.is_some());
            let of_pair = pair.map_or(0.0, |at| f32::from(units[at * meta.n_outputs + output]) * scale);
            let shared = model.shared_weight(i, predictor.lanes[head] + output, scale);
            assert_eq!(weight(address), f64::from(shared) + f64::from(of_pair), "feature {i}");
        }
        assert!(seen.into_iter().all(|seen| seen) && n_pairs > 100);
    }
}
