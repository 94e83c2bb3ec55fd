//! The fast side of a model: from a text to scores, probabilities and labels, by tables that are made of the model's arrays once.
//!
//! [`Model`] is what is stored, [`Predictor`] what is fast: immutable, shared by all threads. A [`Scratch`] per thread holds every buffer, and the steady
//! state allocates nothing. One text costs a few passes over its n-grams: keys as the words are read, all index look-ups, counts, and for each
//! known n-gram a record with its idf and the weights of all heads. Each pass does one thing to all n-grams without branches that depend on them, so
//! that the processor overlaps their loads. Words met before bring the numbers of their character n-grams along. Nothing depends on other texts: a row
//! alone and in any batch gives the same bits.

mod blocks;
mod explain;
mod given;
mod scratch;
mod slots;
mod table;
mod tally;

use std::sync::Arc;

use crate::calibrate::Judged;
use crate::error::{Error, Result};
use crate::features::{Analyzer, EncoderId, Extractor, Passage, TfidfParams, WordCache, tf, weigh_block};
use crate::model::{HeadMeta, Model};
use blocks::NOTHING;
pub use explain::Contribution;
use scratch::NewWord;
pub use scratch::{Reading, Scratch, ScratchPool};
pub(crate) use table::check_size;
use table::{FeatureTable, Found};

/// Texts that are read together at most: enough look-ups to keep memory busy, and few enough that their buffers stay in the cache.
pub const N_TOGETHER: usize = 8;
/// Counts up to here have their tf weight in a table.
const TF_TABLE: usize = 64;

/// A model laid out for prediction.
#[derive(Debug, Clone)]
pub struct Predictor {
    model: Arc<Model>,
    table: Arc<FeatureTable>,
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
    /// Position in an encoder's vector and address of each value that the model knows.
    dense: Vec<(usize, u32)>,
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
#[derive(Debug, Default, Clone, PartialEq)]
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

impl Predictor {
    /// Prepares a model for prediction; takes milliseconds for a million features.
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
        let extractor = Extractor::of_format(&meta.features, meta.format);
        let table = Arc::new(FeatureTable::new(&model));
        let dense = dense_features(&extractor, &table);
        Self { table, extractor, tf_tables, lanes, n_lanes, counts_as_known, scales, dense, model }
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
        let is_chars = |block: &TfidfParams| block.analyzer == Analyzer::CharWb;
        let words = self.model.meta().features.blocks.iter().map(|b| is_chars(b).then(WordCache::default)).collect();
        Scratch { words, ..Scratch::default() }
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
        let mut reading = std::mem::take(&mut scratch.reading);
        self.read_all(&[passage], scratch, std::slice::from_mut(&mut reading));
        scratch.reading = reading;
    }

    /// Reads several texts, each as [`Self::read`] reads it, into as many readings, to be put into the scratch by [`Scratch::exchange`]. This takes less time
    /// a text: look-ups wait for memory, and those of up to [`N_TOGETHER`] texts wait together.
    ///
    /// # Panics
    ///
    /// As [`Self::read`], and if there are fewer readings than texts.
    pub fn read_all(&self, passages: &[Passage<'_>], scratch: &mut Scratch, readings: &mut [Reading]) {
        if scratch.words.len() != self.extractor.n_blocks() {
            *scratch = self.scratch();
        }
        let readings = &mut readings[..passages.len()];
        readings.iter_mut().for_each(|reading| reading.start(self.n_lanes));
        for (passages, readings) in passages.chunks(N_TOGETHER).zip(readings.chunks_mut(N_TOGETHER)) {
            for block in 0..self.extractor.n_blocks() {
                if !self.extractor.dense_keys(block).is_empty() {
                    passages.iter().zip(&mut *readings).for_each(|(p, reading)| self.add_vector(block, p.vector, reading));
                    continue;
                }
                if scratch.words[block].is_some() {
                    self.find_chars(block, passages, scratch);
                } else {
                    self.find_ngrams(block, passages, scratch);
                }
                self.add_block(block, scratch, readings);
            }
        }
    }

    /// Number of distinct known n-grams of the text read last; 0 means that the model has nothing to go by.
    pub fn n_known(&self, scratch: &Scratch) -> usize {
        scratch.reading.n_known
    }

    /// Finds the n-grams of the texts.
    fn find_ngrams(&self, block: usize, passages: &[Passage<'_>], scratch: &mut Scratch) {
        let Scratch { ngrams, keys, found, addresses, ends, .. } = scratch;
        keys.clear();
        ends.clear();
        for &passage in passages {
            self.extractor.push_keys(block, passage, ngrams, keys);
            ends.push(keys.len());
        }
        self.table.find(keys, found, addresses);
    }

    /// Finds the known character n-grams of the texts, word by word: first all words in the cache, then the n-grams of those that it does not have.
    fn find_chars(&self, block: usize, passages: &[Passage<'_>], scratch: &mut Scratch) {
        let Scratch { ngrams, keys, found, addresses, ends, words, ranges, word_ends, new_words, .. } = scratch;
        let Some(words) = &mut words[block] else { return };
        words.make_room();
        keys.clear();
        ranges.clear();
        word_ends.clear();
        new_words.clear();
        for &passage in passages {
            self.extractor.padded_words(block, passage, ngrams, |mut word| {
                let packed = word.packed();
                let range = packed.and_then(|packed| words.find(packed));
                if range.is_none() {
                    word.keys(|key| keys.push(key));
                    new_words.push(NewWord { at: ranges.len(), packed, end: keys.len() });
                }
                ranges.push(range.unwrap_or_default());
            });
            word_ends.push(ranges.len());
        }
        self.table.find(keys, found, addresses);
        let mut start = 0;
        for &NewWord { at, packed, end } in &*new_words {
            let of_word = addresses[start..end].iter().copied().filter(|&address| address != NOTHING);
            ranges[at] = words.insert(packed, of_word);
            start = end;
        }
        addresses.clear();
        ends.clear();
        let mut start = 0;
        for &end in &*word_ends {
            ranges[start..end].iter().for_each(|range| addresses.extend_from_slice(words.numbers(range)));
            ends.push(addresses.len());
            start = end;
        }
    }

    /// Counts and weighs the known features of a block, text by text, and adds their weights.
    fn add_block(&self, block: usize, scratch: &mut Scratch, readings: &mut [Reading]) {
        let params = &self.model.meta().features.blocks[block];
        let table = &self.tf_tables[block];
        let Scratch { addresses, ends, tally, .. } = scratch;
        let tf = |count: u32| table.get(count as usize).copied().unwrap_or_else(|| tf(params, count));
        let mut start = 0;
        for (reading, &end) in readings.iter_mut().zip(&*ends) {
            let first = reading.hits.len();
            let (features, weights) = tally.count(&addresses[start..end], tf);
            self.table.push_hits(features, weights, &mut reading.hits);
            start = end;
            if self.counts_as_known[block] {
                reading.n_known += reading.hits.len() - first;
            }
            self.add_hits(block, first, reading);
        }
    }

    /// Adds the weights of an encoder's vector; kept out of the way of n-grams.
    #[inline(never)]
    fn add_vector(&self, block: usize, vector: &[f32], reading: &mut Reading) {
        let n_values = self.extractor.dense_keys(block).len();
        assert_eq!(vector.len(), n_values, "the passage must carry the vector of the model's encoder");
        let first = reading.hits.len();
        if self.counts_as_known[block] {
            reading.n_known += self.dense.len();
        }
        reading.hits.extend(self.dense.iter().map(|&(d, i)| (i, vector[d])));
        self.add_hits(block, first, reading);
    }

    /// Finds what brings the hits of a block, those from `first` on, to its norm, and adds their weights.
    #[inline(always)]
    fn add_hits(&self, block: usize, first: usize, reading: &mut Reading) {
        let params = &self.model.meta().features.blocks[block];
        let hits = &reading.hits[first..];
        let scale = weigh_block(params, hits);
        reading.blocks.push((reading.hits.len(), scale));
        self.table.add(hits, scale, &self.scales, &mut reading.shared);
        self.table.tell(hits, &mut reading.told);
    }

    /// Raw decision values of a head for the text read last, one per output, given label `given` where the head has one.
    pub fn outputs_into(&self, head: usize, given: Option<usize>, scratch: &Scratch, outputs: &mut Vec<f64>) {
        let meta = self.head(head);
        let view = self.model.head(head);
        let n = meta.n_outputs;
        outputs.clear();
        let shared = &scratch.reading.shared[self.lanes[head]..self.lanes[head] + n];
        outputs.extend(shared.iter().zip(view.bias).map(|(&s, b)| f64::from(s) + b));
        let (Some(_), Some(g)) = (view.given, given) else { return };
        for (k, output) in outputs.iter_mut().enumerate() {
            *output += view.bias[(1 + g) * n + k];
        }
        let told = self.table.told_of(&scratch.reading.told);
        let hits = told.zip(scratch.reading.values().map(|(_, value)| value));
        self.table.add_given(head, g, hits, &meta.weight_scales, outputs);
    }

    /// Decision value of a head per class for the text read last, given label `given` where the head has one.
    pub fn scores(&self, head: usize, given: Option<usize>, scratch: &Scratch) -> Vec<f64> {
        let mut scores = Vec::new();
        self.scores_into(head, given, scratch, &mut scores);
        scores
    }

    fn scores_into(&self, head: usize, given: Option<usize>, scratch: &Scratch, scores: &mut Vec<f64>) {
        self.outputs_into(head, given, scratch, scores);
        if let ([score], 2) = (&scores[..], self.head(head).labels.len()) {
            let score = *score;
            scores.clear();
            scores.extend([-score, score]);
        }
    }

    /// The head's answer for the text read last, taken alone.
    pub fn answer(&self, head: usize, given: Option<usize>, scratch: &Scratch) -> Answer {
        let mut answer = Answer::default();
        self.answer_into(head, given, scratch, &mut answer);
        answer
    }

    /// [`Self::answer`] into an answer that exists; allocates nothing once it has its size.
    pub fn answer_into(&self, head: usize, given: Option<usize>, scratch: &Scratch, answer: &mut Answer) {
        self.scores_into(head, given, scratch, &mut answer.scores);
        let meta = self.head(head);
        meta.calibration.judge_alone_into(&answer.scores, &mut answer.evidence, &mut answer.probabilities);
        answer.class = meta.choose(&answer.probabilities);
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
        self.model.meta().heads.iter().any(|head| !head.calibration.context.is_empty())
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
            _ if scratch.reading.n_known == 0 => Some(Abstention::NoKnownFeatures),
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
}

/// One score per class from one decision value per output.
pub(crate) fn class_scores(outputs: &[f64], n_classes: usize) -> Vec<f64> {
    match outputs {
        [score] if n_classes == 2 => vec![-score, *score],
        scores => scores.to_vec(),
    }
}

fn dense_features(extractor: &Extractor, table: &FeatureTable) -> Vec<(usize, u32)> {
    let keys: Vec<u64> = (0..extractor.n_blocks()).flat_map(|block| extractor.dense_keys(block)).copied().collect();
    let mut found = Found::default();
    let mut addresses = Vec::new();
    table.find(&keys, &mut found, &mut addresses);
    addresses.into_iter().enumerate().filter(|&(_, address)| address != NOTHING).collect()
}

fn tf_table(params: &TfidfParams) -> [f32; TF_TABLE] {
    std::array::from_fn(|count| tf(params, count as u32))
}
