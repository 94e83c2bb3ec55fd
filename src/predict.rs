//! The fast side of a model: from a text to scores, probabilities and labels, reading the model's arrays in place.
//!
//! [`Model`] is what is stored, [`Predictor`] what is fast: immutable, shared by all threads. A [`Scratch`] per thread holds every buffer, and the steady
//! state allocates nothing. One text costs one pass over its n-grams: keys as the words are read, one index look-up per n-gram, and for each
//! known one a record with its idf and the weights of all heads. Nothing depends on other texts, so that a row alone and in any batch gives the same bits.

use std::sync::Arc;

use crate::calibrate::Judged;
use crate::error::{Error, Result};
use crate::features::index::IndexView;
use crate::features::{Analyzer, Counter, EncoderId, Extractor, NgramScratch, Passage, TfidfParams, tf, weigh_block};
use crate::model::{GivenView, GivenWeights, HeadMeta, HeadView, Model, RECORD_IDF, RECORD_WEIGHTS, WeightKind};

/// Counts up to here have their tf weight in a table.
const TF_TABLE: usize = 64;

/// A model laid out for prediction.
#[derive(Debug, Clone)]
pub struct Predictor {
    model: Arc<Model>,
    extractor: Extractor,
    /// tf weight by count, per block.
    tf_tables: Vec<[f32; TF_TABLE]>,
    /// First lane of each head.
    lanes: Vec<usize>,
    n_lanes: usize,
    /// Blocks whose n-grams show that the model knows something of a text: those of words, or all where there is none of words. Gibberish shares
    /// characters with everything.
    counts_as_known: Vec<bool>,
    /// Per lane.
    scales: Vec<f32>,
    /// Position in an encoder's vector and feature of each value that the model knows.
    dense: Vec<(usize, u32)>,
}

/// The buffers of one thread; made by [`Predictor::scratch`].
#[derive(Debug, Default)]
pub struct Scratch {
    ngrams: NgramScratch,
    keys: Vec<u64>,
    counter: Counter,
    /// Known features of the text with their values, block by block.
    hits: Vec<(u32, f32)>,
    /// Shared scores of all heads, without intercepts.
    shared: Vec<f32>,
    block: Vec<f32>,
    /// Distinct known n-grams: of words, where the model counts words.
    n_known: usize,
}

/// Why no label is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Abstention {
    /// The model knows no word of the text.
    NoKnownFeatures,
    /// Several labels are plausible at the chosen level.
    Ambiguous,
    /// No label is.
    LowConfidence,
}

impl Abstention {
    /// The reason as it stands in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoKnownFeatures => "no_known_features",
            Self::Ambiguous => "ambiguous",
            Self::LowConfidence => "low_confidence",
        }
    }
}

/// What one head says of one text.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The chosen class.
    pub class: usize,
    /// Decision value per class: the larger, the likelier.
    pub scores: Vec<f64>,
    /// What presence is judged by, per class: the scores or, where the model knows context, the log-odds.
    pub evidence: Vec<f64>,
    /// Probability per class; sums to 1.
    pub probabilities: Vec<f64>,
}

impl Answer {
    /// Probability of the chosen class.
    pub fn probability(&self) -> f64 {
        self.probabilities[self.class]
    }
}

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
    /// Prepares a model for prediction; takes microseconds.
    pub fn new(model: Arc<Model>) -> Self {
        let meta = model.meta();
        let (lanes, n_lanes) = model.lanes();
        let tf_tables = meta.features.blocks.iter().map(tf_table).collect();
        let scales = meta.heads.iter().flat_map(|h| h.weight_scales.iter().copied()).collect();
        // Every text has a vector, even gibberish, so that it shows no knowledge where there is anything else.
        let kinds = meta.features.blocks.iter().map(|b| match b.analyzer {
            Analyzer::Word => 2,
            Analyzer::Encoder => 0,
            _ => 1,
        });
        let most = kinds.clone().max();
        let counts_as_known = kinds.map(|kind| Some(kind) == most).collect();
        let extractor = Extractor::new(&meta.features);
        let dense = dense_features(&extractor, &model);
        Self { extractor, tf_tables, lanes, n_lanes, counts_as_known, scales, dense, model }
    }

    /// The model.
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// Metadata of head `head`.
    pub fn head(&self, head: usize) -> &HeadMeta {
        &self.model.meta().heads[head]
    }

    /// Fresh buffers for one thread.
    pub fn scratch(&self) -> Scratch {
        Scratch { shared: vec![0.0; self.n_lanes], block: vec![0.0; self.n_lanes], ..Scratch::default() }
    }

    /// The encoder whose vector every passage must carry; none for a model of n-grams alone.
    pub fn encoder(&self) -> Option<&EncoderId> {
        self.model.meta().features.encoder()
    }

    /// Reads a text: known n-grams, their values, and the shared scores of all heads. The other methods answer from the scratch.
    ///
    /// # Panics
    ///
    /// If the model needs an encoder's vector and the passage carries none of its length ([`crate::encoder::Encoder::for_model`] makes them).
    pub fn read(&self, passage: Passage<'_>, scratch: &mut Scratch) {
        let index = self.model.index();
        let records = self.model.records();
        scratch.hits.clear();
        scratch.shared.fill(0.0);
        scratch.n_known = 0;
        for block in 0..self.extractor.n_blocks() {
            let n_values = self.extractor.dense_keys(block).len();
            if n_values > 0 {
                assert_eq!(passage.vector.len(), n_values, "the passage must carry the vector of the model's encoder");
                self.add_vector(block, passage.vector, records, scratch);
                continue;
            }
            scratch.keys.clear();
            let keys = &mut scratch.keys;
            self.extractor.keys(block, passage, &mut scratch.ngrams, |key| keys.push(key));
            self.look_up(index, records, scratch);
            self.add_block(block, records, scratch);
        }
    }

    /// Number of distinct known n-grams of the text read last; 0 means that the model has nothing to go by.
    pub fn n_known(&self, scratch: &Scratch) -> usize {
        scratch.n_known
    }

    /// Counts the known features among the keys.
    #[inline]
    fn look_up(&self, index: Option<IndexView<'_>>, records: &[u32], scratch: &mut Scratch) {
        let Scratch { keys, counter, .. } = scratch;
        counter.clear();
        let stride = self.model.meta().stride;
        match index {
            Some(index) => {
                for &key in keys.iter() {
                    if let Some(i) = index.get(key, |i| records[i * stride]) {
                        counter.add(i as u64);
                    }
                }
            }
            None => {
                let shift = 64 - self.model.meta().features.hash_bits.unwrap_or(1);
                keys.iter().for_each(|key| counter.add(key >> shift));
            }
        }
    }

    /// Weighs the counted features of a block and adds their weights.
    #[inline]
    fn add_block(&self, block: usize, records: &[u32], scratch: &mut Scratch) {
        let meta = self.model.meta();
        let params = &meta.features.blocks[block];
        let table = &self.tf_tables[block];
        let first = scratch.hits.len();
        if self.counts_as_known[block] {
            scratch.n_known += scratch.counter.counts().len();
        }
        for &(i, count) in scratch.counter.counts() {
            let record = i as usize * meta.stride;
            let weight = table.get(count as usize).copied().unwrap_or_else(|| tf(params, count));
            scratch.hits.push((i as u32, weight * f32::from_bits(records[record + RECORD_IDF])));
        }
        self.add_hits(block, first, records, scratch);
    }

    /// Adds the weights of an encoder's vector.
    fn add_vector(&self, block: usize, vector: &[f32], records: &[u32], scratch: &mut Scratch) {
        let first = scratch.hits.len();
        if self.counts_as_known[block] {
            scratch.n_known += self.dense.len();
        }
        scratch.hits.extend(self.dense.iter().map(|&(d, i)| (i, vector[d])));
        self.add_hits(block, first, records, scratch);
    }

    /// Brings the hits of a block, those from `first` on, to its norm and adds their weights.
    #[inline(always)]
    fn add_hits(&self, block: usize, first: usize, records: &[u32], scratch: &mut Scratch) {
        let meta = self.model.meta();
        let params = &meta.features.blocks[block];
        let hits = &mut scratch.hits[first..];
        let scale = weigh_block(params, hits.iter().map(|h| h.1));
        scratch.block.fill(0.0);
        for (i, value) in hits.iter_mut() {
            *value *= scale;
            let record = &records[*i as usize * meta.stride + RECORD_WEIGHTS..(*i as usize + 1) * meta.stride];
            match meta.weights {
                WeightKind::F32 => add_scaled(&mut scratch.block, bytemuck::cast_slice(record), *value),
                WeightKind::I16 => add_scaled_i16(&mut scratch.block, bytemuck::cast_slice(record), *value),
            }
        }
        for ((total, part), scale) in scratch.shared.iter_mut().zip(&scratch.block).zip(&self.scales) {
            *total += part * scale;
        }
    }

    /// Raw decision values of a head for the text read last, one per output, given label `given` where the head has one.
    pub fn outputs_into(&self, head: usize, given: Option<usize>, scratch: &Scratch, outputs: &mut Vec<f64>) {
        let meta = self.head(head);
        let view = self.model.head(head);
        let n = meta.n_outputs;
        outputs.clear();
        let shared = &scratch.shared[self.lanes[head]..self.lanes[head] + n];
        outputs.extend(shared.iter().zip(view.bias).map(|(&s, b)| f64::from(s) + b));
        let (Some(pairs), Some(g)) = (view.given, given) else { return };
        for (k, output) in outputs.iter_mut().enumerate() {
            *output += view.bias[(1 + g) * n + k];
        }
        for &(i, value) in &scratch.hits {
            if let Some(at) = find_pair(pairs, i as usize, g) {
                for (k, output) in outputs.iter_mut().enumerate() {
                    *output += f64::from(value) * f64::from(pair_weight(pairs, at * n + k, meta.weight_scales[k]));
                }
            }
        }
    }

    /// Decision value of a head per class for the text read last, given label `given` where the head has one.
    pub fn scores(&self, head: usize, given: Option<usize>, scratch: &Scratch) -> Vec<f64> {
        let mut outputs = Vec::new();
        self.outputs_into(head, given, scratch, &mut outputs);
        class_scores(&outputs, self.head(head).labels.len())
    }

    /// The head's answer for the text read last, taken alone.
    pub fn answer(&self, head: usize, given: Option<usize>, scratch: &Scratch) -> Answer {
        self.answer_together(head, vec![self.scores(head, given, scratch)]).remove(0)
    }

    /// The head's answers for all texts of one group, in order, from their scores.
    pub fn answer_together(&self, head: usize, scores: Vec<Vec<f64>>) -> Vec<Answer> {
        let meta = self.head(head);
        let document: Vec<&[f64]> = scores.iter().map(Vec::as_slice).collect();
        let judged = meta.calibration.judge(&document);
        let answer = |(judged, scores): (Judged, Vec<f64>)| {
            let class = meta.choose(&judged.probabilities);
            Answer { class, scores, evidence: judged.evidence, probabilities: judged.probabilities }
        };
        judged.into_iter().zip(scores).map(answer).collect()
    }

    /// Whether some head lets the other texts of a group speak for a text's label.
    pub fn knows_context(&self) -> bool {
        self.model.meta().heads.iter().any(|head| head.calibration.context.is_some())
    }

    /// Labels that cannot be ruled out at level `alpha`: class-conditional (Mondrian) conformal prediction (Vovk, Gammerman & Shafer 2005). Label c is in the set
    /// where the share of held-out cases of c at least as strange, (1 + #{s_i ≥ s_c}) / (1 + n_c) with s = 1 - p, exceeds `alpha`; so that each class is
    /// covered with probability 1 - alpha.
    pub fn prediction_set(&self, head: usize, answer: &Answer, alpha: f64) -> Vec<usize> {
        let p_value = |c: usize| {
            let reference = self.model.nonconformity(head, c);
            let strangeness = (1.0 - answer.probabilities[c]) as f32;
            let below = reference.partition_point(|&s| s < strangeness);
            (1 + reference.len() - below) as f64 / (1 + reference.len()) as f64
        };
        (0..answer.probabilities.len()).filter(|&c| p_value(c) > alpha).collect()
    }

    /// Why the text read last should get no label at level `alpha`, or none.
    pub fn abstention(&self, scratch: &Scratch, set: &[usize]) -> Option<Abstention> {
        match set.len() {
            _ if scratch.n_known == 0 => Some(Abstention::NoKnownFeatures),
            0 => Some(Abstention::LowConfidence),
            1 => None,
            _ => Some(Abstention::Ambiguous),
        }
    }

    /// Classes that a text has by a head with several labels per text, with presence probability, best first; the none label where no other reaches its threshold.
    pub fn present(&self, head: usize, answer: &Answer) -> Vec<(usize, f64)> {
        let meta = self.head(head);
        let none = self.model.meta().task.heads[head].none.as_ref().and_then(|none| meta.labels.iter().position(|l| l == none));
        meta.present(&answer.evidence, &answer.probabilities, none, answer.class)
    }

    /// Number of the label `name` of what head `head` is given.
    ///
    /// # Errors
    ///
    /// If the model was not trained with this label.
    pub fn given(&self, head: usize, name: &str) -> Result<usize> {
        let meta = self.head(head);
        meta.given_labels.binary_search_by(|l| l.as_str().cmp(name)).map_err(|_| {
            Error::labels(format!("unknown value for what head {:?} is given", meta.name))
                .expected(format!("one of {}", meta.given_labels.join(", ")))
                .found(format!("{name:?}"))
        })
    }

    /// Each known n-gram's part in the score of `class`, and that of an encoder's vector as a whole, largest first, with the intercept as the last entry; they add up to the score.
    pub fn explain(&self, head: usize, given: Option<usize>, class: usize, scratch: &Scratch) -> Vec<Contribution> {
        let meta = self.head(head);
        let view = self.model.head(head);
        let (output, sign) = output_of(class, meta);
        let is_dense = |hit: &(u32, f32)| self.is_dense(hit.0 as usize);
        let mut parts: Vec<Contribution> = scratch
            .hits
            .iter()
            .filter(|hit| !is_dense(hit))
            .map(|&(i, value)| {
                let weight = sign * self.weight(head, given, output, i as usize, view);
                let ngram = self.model.name(i as usize).map_or_else(|| format!("#{i}"), str::to_owned);
                Contribution { ngram, value: f64::from(value), contribution: f64::from(value) * weight }
            })
            .collect();
        if let Some(encoder) = self.encoder() {
            // Single values of a vector mean nothing to people.
            let values = scratch.hits.iter().filter(|hit| is_dense(hit));
            let part = |&(i, value): &(u32, f32)| f64::from(value) * sign * self.weight(head, given, output, i as usize, view);
            parts.push(Contribution {
                ngram: format!("(encoder {})", encoder.name),
                value: values.clone().map(|hit| f64::from(hit.1).powi(2)).sum::<f64>().sqrt(),
                contribution: values.map(part).sum(),
            });
        }
        parts.sort_by(|a, b| b.contribution.abs().total_cmp(&a.contribution.abs()).then_with(|| a.ngram.cmp(&b.ngram)));
        let n = meta.n_outputs;
        let bias = view.bias[output] + given.map_or(0.0, |g| view.bias[(1 + g) * n + output]);
        parts.push(Contribution { ngram: "(intercept)".to_owned(), value: 1.0, contribution: sign * bias });
        parts
    }

    /// Whether feature `i` is a value of an encoder's vector.
    fn is_dense(&self, i: usize) -> bool {
        let blocks = &self.model.meta().features.blocks;
        blocks.get(self.model.block(i)).is_some_and(|b| b.analyzer == Analyzer::Encoder)
    }

    fn weight(&self, head: usize, given: Option<usize>, output: usize, feature: usize, view: HeadView<'_>) -> f64 {
        let meta = self.head(head);
        let scale = meta.weight_scales[output];
        let shared = self.model.shared_weight(feature, self.lanes[head] + output, scale);
        let pair = match (view.given, given) {
            (Some(pairs), Some(g)) => {
                find_pair(pairs, feature, g).map_or(0.0, |at| pair_weight(pairs, at * meta.n_outputs + output, scale))
            }
            _ => 0.0,
        };
        f64::from(shared) + f64::from(pair)
    }

    /// The features with the largest weights for `class` of a head, with their weights.
    pub fn strongest(&self, head: usize, given: Option<usize>, class: usize, n: usize) -> Vec<(String, f64)> {
        let meta = self.head(head);
        let view = self.model.head(head);
        let (output, sign) = output_of(class, meta);
        let features = (0..self.model.meta().n_features).filter(|&i| !self.is_dense(i));
        let mut weights: Vec<(f64, usize)> = features.map(|i| (sign * self.weight(head, given, output, i, view), i)).collect();
        weights.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let name = |i: usize| self.model.name(i).map_or_else(|| format!("#{i}"), str::to_owned);
        weights.into_iter().take(n).map(|(weight, i)| (name(i), weight)).collect()
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

/// One score per class from one decision value per output.
pub(crate) fn class_scores(outputs: &[f64], n_classes: usize) -> Vec<f64> {
    match outputs {
        [score] if n_classes == 2 => vec![-score, *score],
        scores => scores.to_vec(),
    }
}

fn dense_features(extractor: &Extractor, model: &Model) -> Vec<(usize, u32)> {
    let Some(index) = model.index() else { return Vec::new() };
    let (records, stride) = (model.records(), model.meta().stride);
    let feature = |key: u64| index.get(key, |i| records[i * stride]).map(|i| i as u32);
    let keys = (0..extractor.n_blocks()).flat_map(|block| extractor.dense_keys(block)).enumerate();
    keys.filter_map(|(d, &key)| Some((d, feature(key)?))).collect()
}

#[inline(always)]
fn add_scaled(sums: &mut [f32], weights: &[f32], value: f32) {
    for (sum, weight) in sums.iter_mut().zip(weights) {
        *sum += value * weight;
    }
}

#[inline(always)]
fn add_scaled_i16(sums: &mut [f32], weights: &[i16], value: f32) {
    for (sum, &weight) in sums.iter_mut().zip(weights) {
        *sum += value * f32::from(weight);
    }
}

fn tf_table(params: &TfidfParams) -> [f32; TF_TABLE] {
    std::array::from_fn(|count| tf(params, count as u32))
}

#[inline]
fn find_pair(pairs: GivenView<'_>, feature: usize, given: usize) -> Option<usize> {
    let (start, end) = (pairs.starts[feature] as usize, pairs.starts[feature + 1] as usize);
    pairs.ids[start..end].iter().position(|&id| usize::from(id) == given).map(|at| start + at)
}

#[inline]
fn pair_weight(pairs: GivenView<'_>, at: usize, scale: f32) -> f32 {
    match pairs.weights {
        GivenWeights::F32(weights) => weights[at],
        GivenWeights::I16(weights) => f32::from(weights[at]) * scale,
    }
}
