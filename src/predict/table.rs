//! The features of a model as prediction reads them: where the feature of a key is, and in the same place its idf and the weights of all heads.

use std::ops::Range;
use std::sync::OnceLock;

use rayon::prelude::*;

use super::blocks::{Blocks, Filler, Foresight, NOTHING, Table, check};
use super::given::{Pairs, n_telling, n_words};
use super::slots::{MOST_WORDS, Slots};
use crate::error::{Error, Result};
use crate::features::index::IndexView;
use crate::model::{Model, RECORD_IDF, WeightKind};

/// Share of the places of the blocks that are taken.
const FILL: f32 = 0.6;
/// No feature has the place.
const NOBODY: u32 = u32::MAX;
/// Features per unit of parallel work when the tables are filled; the result does not depend on it.
const PIECE: usize = 1 << 14;
/// Sums that stay in registers.
const MAX_LANES: usize = 16;
/// Sums that are formed side by side where there is one lane, since each addition waits for the one before.
const N_PARTS: usize = 4;

/// Look-ups and records; immutable.
///
/// The features that texts ask for most have places of their own. They are a thirtieth of a large model's features, and most of what a text asks for; what is
/// not among them is looked up in blocks afterwards, all of it together.
#[derive(Debug)]
pub(super) struct FeatureTable {
    places: Places,
    /// Per feature: idf, then the weights, as f32 or two i16 to a word, then what it tells of the weights that depend on what a head is given.
    records: Blocks,
    /// Words of a record.
    stride: usize,
    kind: WeightKind,
    /// First of the words that tell of these.
    first_told: usize,
    /// These weights, of each head that has some.
    given: Vec<Option<Pairs>>,
    /// Address and number of each feature, by address; made when first asked for.
    numbers: OnceLock<Vec<(u32, u32)>>,
}

#[derive(Debug)]
enum Places {
    Tables {
        frequent: Option<Frequent>,
        others: Table,
    },
    /// Hashed features: the top bits of a key are its rank, from which its address follows.
    Shift(u32),
}

/// The features that have a place of their own.
#[derive(Debug)]
struct Frequent {
    slots: Slots,
    /// The feature in each place, or [`NOBODY`].
    owners: Vec<u32>,
}

/// Buffers of a look-up.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Keys that are not among the frequent ones, and their positions.
    rare: Vec<u64>,
    positions: Vec<u32>,
    heads: Vec<u32>,
}

impl FeatureTable {
    /// The features of a model.
    pub(super) fn new(model: &Model) -> Self {
        let (meta, stored) = (model.meta(), model.records());
        let (first_told, kind, n_features) = (meta.stride - RECORD_IDF, meta.weights, meta.n_features);
        let mut stride = first_told;
        let mut given = Vec::with_capacity(meta.heads.len());
        for (head, meta) in meta.heads.iter().enumerate() {
            let pairs = model.head(head).given.map(|view| Pairs::new(view, meta.n_outputs, meta.given_labels.len(), stride));
            stride = pairs.as_ref().map_or(stride, Pairs::end);
            given.push(pairs);
        }
        let views: Vec<_> =
            given.iter().enumerate().filter_map(|(head, pairs)| pairs.as_ref().zip(model.head(head).given)).collect();
        let write = |i: usize, record: &mut [u32]| {
            record[..first_told].copy_from_slice(&stored[i * meta.stride + RECORD_IDF..(i + 1) * meta.stride]);
            views.iter().for_each(|(pairs, view)| pairs.tell(*view, i, record));
        };
        let Some(index) = model.index() else {
            let records = Blocks::without_keys(stride, n_features, write);
            let places = Places::Shift(64 - u32::from(meta.features.hash_bits.unwrap_or(1)));
            return Self { places, records, stride, kind, first_told, given, numbers: OnceLock::new() };
        };
        // Without anything given a record is as it is stored, and needs no copy.
        let push = |filler: &mut Filler<'_>, buffer: &mut [u32], i: usize, top: u64| {
            let stored = &stored[i * meta.stride..(i + 1) * meta.stride];
            if stride == first_told {
                return filler.push(top, stored[0], &stored[RECORD_IDF..]);
            }
            write(i, buffer);
            filler.push(top, stored[0], buffer);
        };
        let slots = Slots::new(stride, n_features, index.n_bucket_bits());
        let mut records = Blocks::new(stride, n_features, slots.map_or(stride, Slots::end));
        let frequent = slots.map(|slots| {
            let owner = |slot| owner(stored, meta.stride, index.with_top(slot, slots.bits));
            let owners: Vec<u32> = (0..slots.n()).into_par_iter().map(owner).collect();
            let (reserved, mut buffer) = (records.reserved(), vec![0; stride]);
            for (slot, &i) in owners.iter().enumerate().filter(|(_, owner)| **owner != NOBODY) {
                let at = slots.address(slot) as usize;
                write(i as usize, &mut buffer);
                reserved[at - 1] = check(stored[i as usize * meta.stride]);
                reserved[at..at + stride].copy_from_slice(&buffer);
            }
            Frequent { slots, owners }
        });
        let n_others = n_features - frequent.as_ref().map_or(0, Frequent::n);
        let has_place = |feature| frequent.as_ref().is_some_and(|frequent| frequent.has(feature, index.n_top_bits()));
        let mut others = records.start_table(n_others, FILL, index.n_top_bits());
        let firsts = firsts(index, n_features, &records, &others, has_place);
        let starts: Vec<u64> = firsts.iter().map(|first| first.1).collect();
        let features = |i: usize| index.tops(firsts[i].0..firsts.get(i + 1).map_or(n_features, |next| next.0));
        records.fill(&mut others, &starts, |i, filler| {
            let mut buffer = vec![0; stride];
            for feature in features(i).filter(|&feature| !has_place(feature)) {
                push(filler, &mut buffer, feature.0, feature.1);
            }
        });
        Self { places: Places::Tables { frequent, others }, records, stride, kind, first_told, given, numbers: OnceLock::new() }
    }

    /// Copies what the records of `hits` tell of the weights that depend on what is given to the end of `told`.
    #[inline(always)]
    pub(super) fn tell(&self, hits: &[(u32, f32)], told: &mut Vec<u32>) {
        if self.first_told < self.stride {
            told.reserve(hits.len() * (self.stride - self.first_told));
            // Word by word: these are two or three.
            let words = self.records.words();
            let told_by = |address: u32| &words[address as usize..][self.first_told..self.stride];
            hits.iter().flat_map(|&(address, _)| told_by(address)).for_each(|&word| told.push(word));
        }
    }

    /// What was told, hit by hit.
    pub(super) fn told_of<'t>(&self, told: &'t [u32]) -> impl Iterator<Item = &'t [u32]> {
        told.chunks_exact((self.stride - self.first_told).max(1))
    }

    /// Adds value times weights for given label `given` of every hit, which comes with what was told of it, to the outputs of head `head`.
    pub(super) fn add_given<'t>(
        &self,
        head: usize,
        given: usize,
        hits: impl Iterator<Item = (&'t [u32], f32)>,
        scales: &[f32],
        outputs: &mut [f64],
    ) {
        if let Some(pairs) = &self.given[head] {
            pairs.add(given, hits, self.first_told, scales, outputs);
        }
    }

    /// The number that a feature of this address has in the model, the one that the table was made of.
    pub(super) fn in_model(&self, address: u32, model: &Model) -> usize {
        let numbers = self.numbers(model);
        numbers[numbers.partition_point(|&(other, _)| other < address)].1 as usize
    }

    /// Address and number of each feature, by address. Looking them up takes no part in prediction, so that records need no numbers.
    pub(super) fn numbers(&self, model: &Model) -> &[(u32, u32)] {
        self.numbers.get_or_init(|| {
            let stride = model.meta().stride;
            let Some(index) = model.index() else {
                return (0..model.meta().n_features as u32).map(|i| ((i + 1) * self.stride as u32, i)).collect();
            };
            // What stands between the top bits and the low ones is not asked for.
            let key = |i: usize, top: u64| top << (64 - index.n_top_bits()) | u64::from(model.records()[i * stride]);
            let keys: Vec<u64> = index.tops(0..model.meta().n_features).map(|(i, top)| key(i, top)).collect();
            let (mut found, mut addresses) = (Found::default(), Vec::new());
            self.find(&keys, &mut found, &mut addresses);
            let mut numbers: Vec<(u32, u32)> =
                addresses.into_iter().zip(0..).filter(|(address, _)| *address != NOTHING).collect();
            numbers.sort_unstable();
            numbers
        })
    }

    /// Writes the address of the feature of each key, [`NOTHING`] where there is none, to `addresses`.
    #[inline(always)]
    pub(super) fn find(&self, keys: &[u64], found: &mut Found, addresses: &mut Vec<u32>) {
        addresses.clear();
        match &self.places {
            Places::Shift(shift) => {
                addresses.extend(keys.iter().map(|key| ((key >> shift) as u32 + 1) * self.stride as u32));
            }
            Places::Tables { frequent, others } => {
                addresses.resize(keys.len(), NOTHING);
                match frequent {
                    Some(frequent) => self.find_in_both(frequent.slots, others, keys, found, addresses),
                    None => self.find_others(others, keys, &mut found.heads, addresses.iter_mut()),
                }
            }
        }
    }

    #[inline(always)]
    fn find_in_both(&self, slots: Slots, others: &Table, keys: &[u64], found: &mut Found, addresses: &mut [u32]) {
        let Found { rare, positions, heads } = found;
        if rare.len() < keys.len() {
            rare.resize(keys.len(), 0);
            positions.resize(keys.len(), 0);
        }
        let (rare, positions, words) = (&mut rare[..keys.len()], &mut positions[..keys.len()], self.records.words());
        let mut n_rare = 0;
        for (position, (&key, address)) in keys.iter().zip(&mut *addresses).enumerate() {
            // Every key is written and those that are rare are kept: no branch on what was found.
            *address = slots.find(words, key, NOTHING);
            rare[n_rare] = key;
            positions[n_rare] = position as u32;
            n_rare += usize::from(*address == NOTHING);
        }
        let mut positions = positions[..n_rare].iter();
        self.records.find_each_far(others, &rare[..n_rare], heads, |address| {
            let position = *positions.next().expect("as many as keys") as usize;
            addresses[position] = address;
        });
    }

    #[inline(never)]
    fn find_others<'a>(
        &self,
        others: &Table,
        keys: &[u64],
        heads: &mut Vec<u32>,
        mut addresses: impl Iterator<Item = &'a mut u32>,
    ) {
        self.records.find_each_far(others, keys, heads, |address| *addresses.next().expect("as many as keys") = address);
    }

    /// Appends each feature with its idf times its weight.
    #[inline(always)]
    pub(super) fn push_hits(&self, features: &[u32], weights: &[f32], hits: &mut Vec<(u32, f32)>) {
        let words = self.records.words();
        let idf = |address: u32| f32::from_bits(words[address as usize]);
        hits.extend(features.iter().zip(weights).map(|(&address, weight)| (address, idf(address) * weight)));
    }

    /// Adds value times weights of every hit to `sums`, one per lane, times `scale` and the lane's own. Within a lane hits are added in a fixed order.
    #[inline(always)]
    pub(super) fn add(&self, hits: &[(u32, f32)], scale: f32, scales: &[f32], sums: &mut [f32]) {
        if self.kind == WeightKind::F32 && sums.len() == 1 {
            sums[0] += self.sum_of_one(hits) * (scale * scales[0]);
            return;
        }
        for (at, lanes) in (0..).step_by(MAX_LANES).zip(sums.chunks_mut(MAX_LANES)) {
            let mut parts = [0.0; MAX_LANES];
            let parts = &mut parts[..lanes.len()];
            match (self.kind, lanes.len()) {
                (WeightKind::F32, 1..=4) => self.add_f32::<4>(hits, at, parts),
                (WeightKind::F32, 5..=8) => self.add_f32::<8>(hits, at, parts),
                (WeightKind::F32, _) => self.add_f32::<MAX_LANES>(hits, at, parts),
                (WeightKind::I16, _) => self.add_i16(hits, at, parts),
            }
            for ((lane, part), own) in lanes.iter_mut().zip(parts).zip(&scales[at..]) {
                *lane += *part * (scale * own);
            }
        }
    }

    #[inline(always)]
    fn sum_of_one(&self, hits: &[(u32, f32)]) -> f32 {
        let words = &self.records.words()[1..];
        let (chunks, rest) = hits.as_chunks::<N_PARTS>();
        let mut parts = [0.0_f32; N_PARTS];
        let add = |parts: &mut [f32; N_PARTS], hits: &[(u32, f32)]| {
            parts.iter_mut().zip(hits).for_each(|(part, &(i, value))| *part += value * f32::from_bits(words[i as usize]));
        };
        chunks.iter().for_each(|chunk| add(&mut parts, chunk));
        add(&mut parts, rest);
        (parts[0] + parts[1]) + (parts[2] + parts[3])
    }

    /// The lanes from `at` on, at most `L` of them, without scales. They are kept apart until the end, in registers.
    #[inline]
    fn add_f32<const L: usize>(&self, hits: &[(u32, f32)], at: usize, lanes: &mut [f32]) {
        let n = lanes.len();
        let mut parts = [0.0_f32; L];
        let words = self.records.words();
        for &(i, value) in hits {
            let weights = &words[i as usize..][1 + at..1 + at + n];
            match <&[u32; L]>::try_from(weights) {
                Ok(weights) => add_weighed(&mut parts, weights, value),
                Err(_) => add_weighed(&mut parts, weights, value),
            }
        }
        lanes.copy_from_slice(&parts[..n]);
    }

    /// The same of weights in 16 bits, two to a word.
    #[inline]
    fn add_i16(&self, hits: &[(u32, f32)], at: usize, lanes: &mut [f32]) {
        let n = lanes.len();
        let mut parts = [0.0_f32; MAX_LANES];
        // Two to a word, the first of which is the idf.
        let halves: &[i16] = bytemuck::cast_slice(self.records.words());
        for &(i, value) in hits {
            let weights = &halves[2 * i as usize..][2 + at..2 + at + n];
            match <&[i16; MAX_LANES]>::try_from(weights) {
                Ok(weights) => add_scaled(&mut parts, weights, value),
                Err(_) => add_scaled(&mut parts, weights, value),
            }
        }
        lanes.copy_from_slice(&parts[..n]);
    }
}

/// Checks that the addresses of 32 bits reach the weights of a model.
///
/// # Errors
///
/// If the tables of prediction could take more than 2³² words.
pub(crate) fn check_size(model: &Model) -> Result<()> {
    let meta = model.meta();
    let with_given = || meta.heads.iter().enumerate().filter_map(|(h, head)| Some((head, model.head(h).given?)));
    let told: usize = with_given().map(|(head, _)| n_telling(head.given_labels.len())).sum();
    let is_hashed = meta.features.hash_bits.is_some();
    let n_reserved = if is_hashed { 0 } else { MOST_WORDS as u128 };
    let n_words_of_tables = Blocks::n_words(meta.stride - RECORD_IDF + told, meta.n_features, !is_hashed);
    check_n_words(n_reserved + n_words_of_tables, is_hashed)?;
    with_given().try_for_each(|(head, pairs)| check_n_words(n_words(pairs, head.n_outputs), is_hashed))
}

fn check_n_words(n_words: u128, is_hashed: bool) -> Result<()> {
    const MOST: u128 = 1 << 32;
    if n_words <= MOST {
        return Ok(());
    }
    Err(Error::model("the model is too large for prediction")
        .expected(format!("at most {MOST} weights in its tables"))
        .found(format!("up to {n_words}"))
        .help(if is_hashed { "train it with fewer --hash-bits" } else { "train it with --min-df or --max-features" }))
}

/// Where the pieces start by which the table of those features that have no place of their own is filled: feature and top bits of its key. They depend on the
/// features alone.
fn firsts(
    index: IndexView<'_>,
    n_features: usize,
    records: &Blocks,
    table: &Table,
    has_place: impl Fn((usize, u64)) -> bool + Sync,
) -> Vec<(usize, u64)> {
    let behind = |due: usize| {
        let mut others = index.tops(due..n_features).filter(|&feature| !has_place(feature)).peekable();
        let mut foresight = Foresight::from(others.peek()?.1, table, records);
        others.find(|&(_, top)| foresight.is_first(top, table))
    };
    let mut firsts: Vec<(usize, u64)> = index.tops(0..n_features.min(1)).collect();
    firsts.par_extend((1..n_features.div_ceil(PIECE)).into_par_iter().filter_map(|piece| behind(piece * PIECE)));
    // Where features crowd, several pieces end up at one place, or pass each other.
    firsts.sort_unstable();
    // Nor does a piece start before another one in a file whose keys are out of order.
    let mut last = None;
    firsts.retain(|&(_, top)| {
        let is_behind = last.is_none_or(|last| top > last);
        last = if is_behind { Some(top) } else { last };
        is_behind
    });
    firsts
}

/// The most frequent of the features that want one place: the one with the smallest idf. None where another one could be taken for it.
fn owner(stored: &[u32], stride: usize, features: Range<usize>) -> u32 {
    let record = |i: usize| &stored[i * stride..(i + 1) * stride];
    // Numbers from 0 up are ordered as their bits.
    let Some(first) = features.clone().min_by_key(|&i| record(i)[RECORD_IDF]) else { return NOBODY };
    let has_twin = features.into_iter().any(|i| i != first && check(record(i)[0]) == check(record(first)[0]));
    if has_twin { NOBODY } else { first as u32 }
}

impl Frequent {
    /// Number of features that have a place.
    fn n(&self) -> usize {
        self.owners.iter().filter(|owner| **owner != NOBODY).count()
    }

    /// Whether a feature, with `n_bits` top bits of its key, has a place.
    #[inline(always)]
    fn has(&self, (feature, top): (usize, u64), n_bits: u32) -> bool {
        self.owners[(top >> (n_bits - self.slots.bits)) as usize] == feature as u32
    }
}

#[inline(always)]
fn add_weighed(parts: &mut [f32], weights: &[u32], value: f32) {
    for (part, &weight) in parts.iter_mut().zip(weights) {
        *part += value * f32::from_bits(weight);
    }
}

#[inline(always)]
fn add_scaled(parts: &mut [f32], weights: &[i16], value: f32) {
    for (part, &weight) in parts.iter_mut().zip(weights) {
        *part += value * f32::from(weight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_beyond_the_reach_of_addresses_is_refused() {
        let hashed = |stride| check_n_words(Blocks::n_words(stride, 1 << 28, false), true);
        assert!(hashed(15).is_ok());
        // The record of the feature that there is not comes first.
        let error = hashed(16).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Model);
        assert!(error.to_string().contains("found up to 4294967312; train it with fewer --hash-bits"), "{error}");
        let with_keys = |n_features| check_n_words(Blocks::n_words(2, n_features, true), false);
        assert!(with_keys(100_000_000).is_ok());
        assert!(with_keys(300_000_000).unwrap_err().to_string().contains("--min-df"));
    }
}
