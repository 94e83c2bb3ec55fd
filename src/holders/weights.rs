//! Weights of facts: what the tagger, the ranker and the guess of the mode are made of.
//!
//! A fact is a row of words such as `after=said` or `verb=say + 2`: a name and one value or more. It is known by the key of the row, which is made from the keys of its words, so
//! that asking for the weights of a fact writes no text. Only training needs its letters: facts are then numbered by an [`Interner`], and the model file keeps
//! them as text, from which [`key_of`] makes the same key again.

use std::hash::{BuildHasherDefault, Hasher};

use hashbrown::HashMap;

/// Odd constants from the binary digits of e and π.
const START: u64 = 0xB7E1_5162_8AED_2A6B;
const STEP: u64 = 0x243F_6A88_85A3_08D3;
/// Between the values of a fact as text. No token holds it, since tokens other than names hold no space.
const JOINT: &str = " + ";

/// A word of a fact: its key, and its letters for those who read facts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Word<'a> {
    key: u64,
    text: &'a str,
}

impl PartialEq for Word<'_> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<'a> Word<'a> {
    /// Any word; O(bytes).
    #[inline]
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { key: word_key(text.as_bytes()), text }
    }

    /// A word whose key is known.
    #[inline]
    pub(crate) fn known(key: u64, text: &'a str) -> Self {
        Self { key, text }
    }

    /// The letters.
    pub(crate) fn text(self) -> &'a str {
        self.text
    }

    /// The key, for [`Self::known`].
    pub(crate) fn key(self) -> u64 {
        self.key
    }
}

/// A word of the source text, its key made by the compiler.
macro_rules! word {
    ($text:expr) => {
        const { $crate::holders::weights::Word::new($text) }
    };
}
pub(crate) use word;

/// A list of words of the source text.
pub(crate) const fn words<const N: usize>(texts: [&'static str; N]) -> [Word<'static>; N] {
    let mut words = [Word::new(""); N];
    let mut i = 0;
    while i < N {
        words[i] = Word::new(texts[i]);
        i += 1;
    }
    words
}

/// A 64 × 64 → 128-bit product, folded: every input bit reaches every output bit.
#[inline(always)]
const fn fold(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    product as u64 ^ (product >> 64) as u64
}

#[inline]
const fn word_key(bytes: &[u8]) -> u64 {
    let mut key = START.wrapping_mul(bytes.len() as u64 | 1 << 32);
    let mut rest = bytes;
    while let Some((head, tail)) = rest.split_first_chunk::<8>() {
        key = fold(key ^ u64::from_le_bytes(*head), STEP);
        rest = tail;
    }
    let (mut last, mut i) = (0, 0);
    while i < rest.len() {
        last |= (rest[i] as u64) << (8 * i);
        i += 1;
    }
    fold(key ^ last, STEP ^ key.rotate_left(32))
}

/// Key of a row of words one longer than that of `row`.
#[inline(always)]
pub(crate) const fn append(row: u64, next: u64) -> u64 {
    fold(row ^ START, next ^ STEP.rotate_left(17))
}

/// Key of a fact; inlined, so that the compiler makes the part of the key that is known to it.
#[inline(always)]
fn row_key(words: &[Word<'_>]) -> u64 {
    words.iter().fold(0, |row, word| append(row, word.key))
}

/// The values of a fact from their text. Thousands of times when a model is opened: a search by windows beats the library's, which prepares itself for
/// long texts.
fn split_values(values: &str) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(values.as_bytes());
    std::iter::from_fn(move || {
        let bytes = rest?;
        let at = bytes.windows(JOINT.len()).position(|window| window == JOINT.as_bytes());
        rest = at.map(|at| &bytes[at + JOINT.len()..]);
        Some(&bytes[..at.unwrap_or(bytes.len())])
    })
}

/// Key of the values of a fact alone, from their text: of one word its own, of two [`pair_key`].
pub(crate) fn values_key(values: &str) -> u64 {
    let mut values = split_values(values).map(word_key);
    let first = values.next().unwrap_or_default();
    values.next().map_or(first, |second| pair_key(first, second))
}

/// Key of two words side by side.
#[inline]
pub(crate) fn pair_key(a: u64, b: u64) -> u64 {
    append(append(0, a), b)
}

/// Key of a fact from its text.
fn key_of(fact: &str) -> u64 {
    let (name, values) = fact.split_once('=').unwrap_or((fact, ""));
    split_values(values).fold(append(0, word_key(name.as_bytes())), |row, value| append(row, word_key(value)))
}

/// Takes facts: adds up their weights, or numbers them.
pub(crate) trait Facts {
    /// A fact: its name, then one value or more.
    fn add(&mut self, words: &[Word<'_>]);
}

/// A number as a word; large ones share one.
#[inline]
pub(crate) fn small(n: usize) -> Word<'static> {
    const WORDS: [Word<'_>; 7] = words(["0", "1", "2", "3", "4", "5", "6+"]);
    WORDS[n.min(6)]
}

/// "yes" or "no".
#[inline]
pub(crate) fn yes_no(is_so: bool) -> Word<'static> {
    if is_so { word!("yes") } else { word!("no") }
}

/// Keys are hashes already.
#[derive(Debug, Default, Clone)]
pub(crate) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are numbers");
    }
    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

/// A table by key.
pub(crate) type ByKey<V> = HashMap<u64, V, BuildHasherDefault<KeyHasher>>;

/// Numbers facts in the order in which they are first seen.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    ids: ByKey<u32>,
    names: Vec<Box<str>>,
    counts: Vec<u32>,
}

/// Writes down the numbers of facts.
pub(crate) struct Numbering<'i> {
    pub(crate) interner: &'i mut Interner,
    pub(crate) ids: &'i mut Vec<u32>,
}

impl Facts for Numbering<'_> {
    fn add(&mut self, words: &[Word<'_>]) {
        self.ids.push(self.interner.id(words));
    }
}

impl Interner {
    fn id(&mut self, words: &[Word<'_>]) -> u32 {
        let id = *self.ids.entry(row_key(words)).or_insert_with(|| {
            let values: Vec<&str> = words[1..].iter().map(|word| word.text).collect();
            self.names.push(format!("{}={}", words[0].text, values.join(JOINT)).into());
            self.counts.push(0);
            self.names.len() as u32 - 1
        });
        self.counts[id as usize] += 1;
        id
    }

    /// Number of facts.
    pub(crate) fn len(&self) -> usize {
        self.counts.len()
    }

    /// How often a fact was seen.
    pub(crate) fn count(&self, id: u32) -> u32 {
        self.counts[id as usize]
    }

    /// All facts by number.
    pub(crate) fn names(self) -> Vec<Box<str>> {
        self.names
    }
}

/// Learnt weights with the facts as text, as a model file holds them.
#[derive(Debug, Clone, Default)]
pub(crate) struct NamedWeights {
    n_outputs: usize,
    /// Facts as text, sorted.
    pub(crate) names: Vec<Box<str>>,
    /// Weights of each fact, in the order of the names.
    rows: Vec<f32>,
}

impl NamedWeights {
    /// Weights by fact; facts whose weights are all smaller than `least` are left out, the others sorted by name.
    pub(crate) fn new(names: Vec<Box<str>>, rows: &[f32], n_outputs: usize, least: f32) -> Self {
        let mut kept: Vec<(Box<str>, &[f32])> =
            names.into_iter().zip(rows.chunks_exact(n_outputs)).filter(|(_, row)| row.iter().any(|w| w.abs() > least)).collect();
        kept.sort_by(|a, b| a.0.cmp(&b.0));
        let rows = kept.iter().flat_map(|(_, row)| row.iter().copied()).collect();
        Self { n_outputs, names: kept.into_iter().map(|(name, _)| name).collect(), rows }
    }

    /// The weights of a fact given as text; O(log facts).
    pub(crate) fn get(&self, fact: &str) -> Option<&[f32]> {
        let at = self.names.binary_search_by(|name| (**name).cmp(fact)).ok()? * self.n_outputs;
        Some(&self.rows[at..at + self.n_outputs])
    }

    /// All facts with their weights.
    pub(crate) fn facts(&self) -> impl Iterator<Item = (&str, &[f32])> {
        self.names.iter().map(|name| &**name).zip(self.rows.chunks_exact(self.n_outputs.max(1)))
    }
}

/// Weights per fact and output, by key alone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Weights {
    slots: Slots,
}

/// The weights by key, for speed: open addressing, at most half full, key and weights of a fact side by side.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slots {
    /// For each slot the upper half of the key, then the bits of the weights; 0 for an empty one.
    slots: Vec<u32>,
    /// Number of slots less one; slots are a power of two.
    mask: usize,
    /// Numbers per slot: a power of two, so that no slot lies across two cache lines without need.
    stride: usize,
}

impl Slots {
    /// Weights by key; no key twice.
    pub(crate) fn new(keys: &[u64], rows: &[f32], n_outputs: usize) -> Self {
        let n_slots = (keys.len() * 2).next_power_of_two();
        let stride = (n_outputs + 1).next_power_of_two();
        let mut table = Self { slots: vec![0; n_slots * stride], mask: n_slots - 1, stride };
        for (key, row) in keys.iter().zip(rows.chunks_exact(n_outputs.max(1))) {
            let mut at = *key as usize & table.mask;
            while table.slots[at * stride] != 0 {
                at = (at + 1) & table.mask;
            }
            let slot = &mut table.slots[at * stride..][..=n_outputs];
            slot[0] = mark(*key);
            slot[1..].iter_mut().zip(row).for_each(|(bits, weight)| *bits = weight.to_bits());
        }
        table
    }

    /// The mark at the first place of a key: fetches it into the cache.
    #[inline]
    pub(crate) fn peek(&self, key: u64) -> u32 {
        self.slots.get((key as usize & self.mask) * self.stride).copied().unwrap_or(0)
    }

    /// The weights of a key as bits, and zeros up to the end of its slot.
    #[inline]
    pub(crate) fn row(&self, key: u64) -> Option<&[u32]> {
        match self.stride {
            4 => self.get::<4>(key).map(|slot| &slot[1..]),
            8 => self.get::<8>(key).map(|slot| &slot[1..]),
            16 => self.get::<16>(key).map(|slot| &slot[1..]),
            _ => self.get::<32>(key).map(|slot| &slot[1..]),
        }
    }

    /// Mark and weights of a key.
    #[inline]
    fn get<const STRIDE: usize>(&self, key: u64) -> Option<&[u32; STRIDE]> {
        let mut at = key as usize & self.mask;
        loop {
            let slot = self.slots.get(at * STRIDE..)?.first_chunk::<STRIDE>()?;
            match slot[0] {
                found if found == mark(key) => return Some(slot),
                0 => return None,
                _ => at = (at + 1) & self.mask,
            }
        }
    }
}

/// What tells the facts of one slot apart; never 0.
#[inline]
fn mark(key: u64) -> u32 {
    (key >> 32) as u32 | 1
}

impl Weights {
    /// Weights of facts given as text, each once.
    pub(crate) fn new<'f>(facts: impl Iterator<Item = (&'f str, &'f [f32])>, n_outputs: usize) -> Self {
        let (mut keys, mut rows) = (Vec::new(), Vec::new());
        for (fact, row) in facts {
            keys.push(key_of(fact));
            rows.extend_from_slice(row);
        }
        Self { slots: Slots::new(&keys, &rows, n_outputs) }
    }

    /// Adds the weights of keys to `sums`, one per output.
    fn add_all(&self, keys: &[u64], sums: &mut [f32]) {
        match self.slots.stride {
            2 => self.add_slots::<2>(keys, sums),
            4 => self.add_slots::<4>(keys, sums),
            8 => self.add_slots::<8>(keys, sums),
            _ => {}
        }
    }

    fn add_slots<const STRIDE: usize>(&self, keys: &[u64], sums: &mut [f32]) {
        let mut marks = [0; BATCH];
        // All first places are fetched before any is looked at: the memory answers many requests at once, but a wrong guess of what it will answer ends that.
        for (mark, key) in marks.iter_mut().zip(keys) {
            *mark = self.slots.slots.get((*key as usize & self.slots.mask) * STRIDE).copied().unwrap_or(0);
        }
        for (_, &key) in marks.iter().zip(keys).filter(|(mark, _)| **mark != 0) {
            if let Some(slot) = self.slots.get::<STRIDE>(key) {
                sums.iter_mut().zip(&slot[1..]).for_each(|(sum, bits)| *sum += f32::from_bits(*bits));
            }
        }
    }
}

/// Facts that are looked up together.
const BATCH: usize = 32;

/// Adds up the weights of facts.
pub(crate) struct Sums<'w> {
    weights: &'w Weights,
    sums: &'w mut [f32],
    /// Facts still to be looked up.
    keys: [u64; BATCH],
    n_keys: usize,
}

impl<'w> Sums<'w> {
    /// Sums that begin with what is in `sums`, one per output.
    #[inline]
    pub(crate) fn new(weights: &'w Weights, sums: &'w mut [f32]) -> Self {
        Self { weights, sums, keys: [0; BATCH], n_keys: 0 }
    }

    /// Adds what is still to be looked up.
    #[inline]
    pub(crate) fn finish(&mut self) {
        self.weights.add_all(&self.keys[..self.n_keys], self.sums);
        self.n_keys = 0;
    }
}

impl Facts for Sums<'_> {
    #[inline(always)]
    fn add(&mut self, words: &[Word<'_>]) {
        if self.n_keys == BATCH {
            self.finish();
        }
        self.keys[self.n_keys] = row_key(words);
        self.n_keys += 1;
    }
}

/// The sum of the weights of facts of one output.
#[inline]
pub(crate) fn sum(weights: &Weights, describe: impl FnOnce(&mut Sums<'_>)) -> f32 {
    let mut sums = [0.0];
    let mut facts = Sums::new(weights, &mut sums);
    describe(&mut facts);
    facts.finish();
    sums[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_and_its_text_have_one_key() {
        for (words, text) in [
            (vec![word!("after"), Word::new("said")], "after=said"),
            (vec![word!("ww+1"), Word::new("+"), Word::new("=")], "ww+1=+ + ="),
            (vec![word!("tagged"), word!("")], "tagged="),
            (vec![word!("hows"), word!("own"), word!("near"), word!("party")], "hows=own + near + party"),
        ] {
            let (mut interner, mut ids) = (Interner::default(), Vec::new());
            Numbering { interner: &mut interner, ids: &mut ids }.add(&words);
            assert_eq!(interner.names()[0].as_ref(), text);
            assert_eq!(row_key(&words), key_of(text), "{text}");
        }
    }

    #[test]
    fn weights_are_found_by_key_and_by_text() {
        let names: Vec<Box<str>> = (0..1000).map(|i| format!("n={i}").into()).collect();
        let rows: Vec<f32> = (1..=2000).map(|i| i as f32).collect();
        let named = NamedWeights::new(names, &rows, 2, 0.0);
        let weights = Weights::new(named.facts(), 2);
        let mut sums = [0.0; 2];
        let mut facts = Sums::new(&weights, &mut sums);
        facts.add(&[word!("n"), Word::new("7")]);
        facts.add(&[word!("n"), Word::new("1000")]);
        facts.finish();
        assert_eq!(sums, [15.0, 16.0]);
        assert_eq!(named.get("n=7"), Some(&[15.0, 16.0][..]));
    }
}
