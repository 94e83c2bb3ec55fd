//! The tagger's weights laid out for speed: those of words and of pairs of words in one row each.
//!
//! A word speaks for the label of its own token and for those of two tokens on either side, a pair of words for both of its own. As facts they would be seven look-ups a
//! token, each likely to miss the processor's cache; a row holds the weights of all places side by side, so that there are two.

use crate::holders::tokens::Token;
use crate::holders::weights::{ByKey, Slots, Weights, Word, pair_key, values_key, word};

/// Facts of one word, with the token that they speak for, counted from the word's.
pub(crate) const OF_WORD: [(Word<'_>, isize); 5] =
    [(Word::new("w"), 0), (Word::new("w-1"), 1), (Word::new("w+1"), -1), (Word::new("w-2"), 2), (Word::new("w+2"), -2)];
/// Facts of two words side by side, counted from the second.
pub(crate) const OF_PAIR: [(Word<'_>, isize); 2] = [(Word::new("w-1w"), 0), (Word::new("ww+1"), -1)];

/// Weights of words and pairs of words.
#[derive(Debug, Clone)]
pub(crate) struct Emissions {
    words: Rows,
    pairs: Rows,
    /// All other facts, in a small table of their own that stays in the cache.
    pub(crate) others: Weights,
}

/// A row of weights by key: for each place the weights of all labels.
#[derive(Debug, Clone)]
struct Rows {
    slots: Slots,
    places: Vec<isize>,
    n_labels: usize,
}

/// Rows as they are gathered from facts.
struct Gathered {
    facts: &'static [(Word<'static>, isize)],
    places: ByKey<usize>,
    keys: Vec<u64>,
    rows: Vec<f32>,
    n_labels: usize,
}

impl Gathered {
    fn new(facts: &'static [(Word<'static>, isize)], n_labels: usize) -> Self {
        Self { facts, places: ByKey::default(), keys: Vec::new(), rows: Vec::new(), n_labels }
    }

    /// Takes the weights of the fact `name=values`, if it is one of these.
    fn take(&mut self, name: &str, values: &str, weights: &[f32]) -> bool {
        let Some(role) = self.facts.iter().position(|(word, _)| word.text() == name) else { return false };
        let (key, width) = (values_key(values), self.facts.len() * self.n_labels);
        let row = *self.places.entry(key).or_insert_with(|| {
            self.keys.push(key);
            self.rows.resize(self.rows.len() + width, 0.0);
            self.rows.len() - width
        });
        self.rows[row + role * self.n_labels..][..self.n_labels].copy_from_slice(weights);
        true
    }

    fn finish(self) -> Rows {
        let slots = Slots::new(&self.keys, &self.rows, self.facts.len() * self.n_labels);
        Rows { slots, places: self.facts.iter().map(|(_, place)| *place).collect(), n_labels: self.n_labels }
    }
}

impl Rows {
    /// Adds the row of a key to the sums of the tokens around token `at`.
    #[inline]
    fn add(&self, key: u64, at: isize, sums: &mut [f32]) {
        let Some(row) = self.slots.row(key) else { return };
        for (&place, weights) in self.places.iter().zip(row.chunks_exact(self.n_labels)) {
            let start = usize::try_from(at + place).ok().map(|token| token * self.n_labels);
            if let Some(sums) = start.and_then(|start| sums.get_mut(start..start + self.n_labels)) {
                sums.iter_mut().zip(weights).for_each(|(sum, bits)| *sum += f32::from_bits(*bits));
            }
        }
    }
}

impl Emissions {
    /// Lays out the weights of a tagger, from facts given as text.
    pub(crate) fn new<'f>(facts: impl Iterator<Item = (&'f str, &'f [f32])>, n_labels: usize) -> Self {
        let (mut words, mut pairs) = (Gathered::new(&OF_WORD, n_labels), Gathered::new(&OF_PAIR, n_labels));
        let others = facts.filter(|(fact, weights)| {
            let Some((name, values)) = fact.split_once('=') else { return true };
            !words.take(name, values, weights) && !pairs.take(name, values, weights)
        });
        let others = Weights::new(others, n_labels);
        Self { words: words.finish(), pairs: pairs.finish(), others }
    }

    /// Adds the weights of all words, and of those beyond both ends, to `sums`, one per token and label.
    pub(crate) fn add(&self, tokens: &[Token<'_>], sums: &mut [f32]) {
        let n = tokens.len() as isize;
        let key = |at: isize| usize::try_from(at).ok().and_then(|at| tokens.get(at)).map_or(word!("#"), Token::word).key();
        // All rows are fetched at once, before the first is used.
        let marks = (0..n)
            .fold(0, |marks, at| marks ^ self.words.slots.peek(key(at)) ^ self.pairs.slots.peek(pair_key(key(at - 1), key(at))));
        std::hint::black_box(marks);
        let mut before = word!("#").key();
        for at in -2..n + 2 {
            let key = key(at);
            self.words.add(key, at, sums);
            if (0..=n).contains(&at) {
                self.pairs.add(pair_key(before, key), at, sums);
            }
            before = key;
        }
    }
}
