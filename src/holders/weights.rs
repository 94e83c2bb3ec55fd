//! Weights of named facts: what the tagger, the ranker and the guess of the mode are made of.
//!
//! A fact is a short text such as `after=said`; it is known by the hash of its bytes, so that asking for its weights builds no table key. While a model is trained,
//! facts are numbered by an [`Interner`].

use std::hash::{BuildHasherDefault, Hasher};

use hashbrown::HashMap;

use crate::features::hash;

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

type ByKey = HashMap<u64, u32, BuildHasherDefault<KeyHasher>>;

/// Writes facts one by one, reusing one buffer.
pub(crate) struct Facts<'e> {
    buffer: String,
    emit: &'e mut dyn FnMut(&str),
}

impl<'e> Facts<'e> {
    /// Facts that go to `emit`.
    pub(crate) fn new(emit: &'e mut dyn FnMut(&str)) -> Self {
        Self { buffer: String::with_capacity(64), emit }
    }

    /// The fact `name=value`.
    pub(crate) fn add(&mut self, name: &str, value: &str) {
        self.buffer.clear();
        self.buffer.push_str(name);
        self.buffer.push('=');
        self.buffer.push_str(value);
        (self.emit)(&self.buffer);
    }

    /// The fact `name=a,b`.
    pub(crate) fn pair(&mut self, name: &str, a: &str, b: &str) {
        self.buffer.clear();
        for part in [name, "=", a, ",", b] {
            self.buffer.push_str(part);
        }
        (self.emit)(&self.buffer);
    }
}

/// A number as a word; large ones share one.
pub(crate) fn small(n: usize) -> &'static str {
    const WORDS: [&str; 7] = ["0", "1", "2", "3", "4", "5", "6+"];
    WORDS[n.min(6)]
}

/// Numbers facts in the order in which they are first seen.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    ids: HashMap<Box<str>, u32, rapidhash::fast::RandomState>,
    counts: Vec<u32>,
}

impl Interner {
    /// The number of a fact.
    pub(crate) fn id(&mut self, fact: &str) -> u32 {
        if let Some(&id) = self.ids.get(fact) {
            self.counts[id as usize] += 1;
            return id;
        }
        let id = self.counts.len() as u32;
        self.ids.insert(fact.into(), id);
        self.counts.push(1);
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
        let mut names = vec![Box::<str>::default(); self.counts.len()];
        for (name, id) in self.ids {
            names[id as usize] = name;
        }
        names
    }
}

/// Weights per fact and output.
#[derive(Debug, Clone, Default)]
pub(crate) struct Weights {
    pub(crate) n_outputs: usize,
    pub(crate) names: Vec<Box<str>>,
    pub(crate) rows: Vec<f32>,
    places: ByKey,
}

impl Weights {
    /// Weights by fact; facts whose weights are all smaller than `least` are left out, the others sorted by name.
    pub(crate) fn new(names: Vec<Box<str>>, rows: &[f32], n_outputs: usize, least: f32) -> Self {
        let mut kept: Vec<(Box<str>, &[f32])> =
            names.into_iter().zip(rows.chunks_exact(n_outputs)).filter(|(_, row)| row.iter().any(|w| w.abs() > least)).collect();
        kept.sort_by(|a, b| a.0.cmp(&b.0));
        let mut weights = Self { n_outputs, ..Self::default() };
        for (name, row) in kept {
            weights.places.insert(hash::word(name.as_bytes(), 0), weights.names.len() as u32);
            weights.names.push(name);
            weights.rows.extend_from_slice(row);
        }
        weights
    }

    /// The weights of a fact.
    #[inline]
    pub(crate) fn get(&self, fact: &str) -> Option<&[f32]> {
        let at = *self.places.get(&hash::word(fact.as_bytes(), 0))? as usize * self.n_outputs;
        Some(&self.rows[at..at + self.n_outputs])
    }

    /// Adds the weights of a fact to `sums`.
    #[inline]
    pub(crate) fn add_to(&self, fact: &str, sums: &mut [f32]) {
        if let Some(row) = self.get(fact) {
            sums.iter_mut().zip(row).for_each(|(sum, weight)| *sum += weight);
        }
    }
}
