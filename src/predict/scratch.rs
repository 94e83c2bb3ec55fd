//! What a thread works with: the buffers of reading, and what was read of a text.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::Predictor;
use super::table::Found;
use super::tally::Tally;
use crate::features::{NgramScratch, WordCache};

/// The buffers of one thread; made by [`Predictor::scratch`].
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) ngrams: NgramScratch,
    pub(super) keys: Vec<u64>,
    pub(super) found: Found,
    /// Addresses of the n-grams of the texts, in their order, repetitions included.
    pub(super) addresses: Vec<u32>,
    /// End of each text in `addresses` and in `ranges`.
    pub(super) ends: Vec<usize>,
    pub(super) word_ends: Vec<usize>,
    pub(super) tally: Tally,
    /// Per block of character n-grams.
    pub(super) words: Vec<Option<WordCache>>,
    /// Where the cache has the features of each word of the texts.
    pub(super) ranges: Vec<Range<u32>>,
    pub(super) new_words: Vec<NewWord>,
    /// What was read of one text, which answers are about.
    pub(super) reading: Reading,
}

/// A word of the texts that the cache does not have.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewWord {
    /// Its position among all words.
    pub(super) at: usize,
    pub(super) packed: Option<[u64; 2]>,
    /// End of its keys.
    pub(super) end: usize,
}

/// What was read of one text, to be answered about later.
#[derive(Debug, Default)]
pub struct Reading {
    /// Addresses of the known features of the text with their values before their block's norm, block by block.
    pub(super) hits: Vec<(u32, f32)>,
    /// Where the hits of each block end, and the factor that brings them to its norm.
    pub(super) blocks: Vec<(usize, f32)>,
    /// For each hit what its record tells of the weights that depend on what is given.
    pub(super) told: Vec<u32>,
    /// Shared scores of all heads, without intercepts.
    pub(super) shared: Vec<f32>,
    /// Distinct known n-grams: of words, where the model counts words.
    pub(super) n_known: usize,
}

impl Reading {
    pub(super) fn start(&mut self, n_lanes: usize) {
        self.hits.clear();
        self.told.clear();
        self.blocks.clear();
        self.shared.clear();
        self.shared.resize(n_lanes, 0.0);
        self.n_known = 0;
    }

    /// Addresses of the known features with their values.
    pub(super) fn values(&self) -> impl Iterator<Item = (u32, f32)> {
        let mut start = 0;
        self.blocks.iter().flat_map(move |&(end, scale)| {
            let hits = &self.hits[start..end];
            start = end;
            hits.iter().map(move |&(address, value)| (address, value * scale))
        })
    }
}

impl Scratch {
    /// Exchanges what answers are about for another reading, in constant time.
    pub fn exchange(&mut self, reading: &mut Reading) {
        std::mem::swap(&mut self.reading, reading);
    }
}

/// Scratches that are not in use: work that is cut into pieces keeps what a scratch has learnt of the words, whichever thread takes the next piece.
#[derive(Debug)]
pub struct ScratchPool<'a> {
    predictor: &'a Predictor,
    idle: Mutex<Vec<Scratch>>,
}

impl<'a> ScratchPool<'a> {
    /// No scratch yet; there will be as many as threads.
    pub fn new(predictor: &'a Predictor) -> Self {
        Self { predictor, idle: Mutex::new(Vec::new()) }
    }

    /// Lends a scratch to `work`.
    pub fn with<T>(&self, work: impl FnOnce(&mut Scratch) -> T) -> T {
        // A panic elsewhere leaves a list of scratches that are as good as any.
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let scratch = idle().pop();
        let mut scratch = scratch.unwrap_or_else(|| self.predictor.scratch());
        let result = work(&mut scratch);
        idle().push(scratch);
        result
    }
}
