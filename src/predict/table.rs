//! The features of a model as prediction reads them: where the feature of a key is, and in the same place its idf and the weights of all heads.

use rayon::prelude::*;

use super::blocks::{Blocks, Filler, Foresight, LEAST_FILL, NOTHING, Table};
use super::given::{Pairs, n_telling, n_words};
use crate::error::{Error, Result};
use crate::features::index::IndexView;
use crate::model::{Model, RECORD_IDF, WeightKind};

/// Features that are kept together at most, so that they stay in the second-level cache.
const N_FREQUENT: usize = 10 << 10;
/// Shares of the places taken among these, and among the others, which are many.
const FILL: (f32, f32) = (LEAST_FILL, 0.6);
/// Frequent features are a table of their own where they are one in so many at most. They leave gaps among the others, whose numbers must follow each other within a
/// block: were there more, the others would not find room near their homes.
const LEAST_PER_FREQUENT: usize = 6;
/// An idf is told from others by so many of its top bits when the most frequent features are chosen: two decimal digits.
const IDF_BITS: u32 = 16;
/// An idf is 1 at least, and below 16 for as many texts as there may be.
const N_RARITIES: usize = 4 << (IDF_BITS - 9);
/// Features per unit of parallel work when the tables are filled; the result does not depend on it.
const PIECE: usize = 1 << 14;
/// Sums that stay in registers.
const MAX_LANES: usize = 16;
/// Sums that are formed side by side where there is one lane, since each addition waits for the one before.
const N_PARTS: usize = 4;

/// Look-ups and records; immutable.
///
/// The features that most texts hold are a table of their own. They are a fiftieth of a large model's features, and two thirds of what a text asks for; what is
/// not among them is looked up afterwards, all of it together.
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
}

#[derive(Debug)]
enum Places {
    Tables {
        /// Numbered by themselves.
        frequent: Table,
        /// Numbered as in the model.
        others: Table,
        /// The model's number of each frequent feature.
        frequent_in_model: Vec<u32>,
    },
    /// Hashed features: the top bits of a key are its rank, from which its address follows.
    Shift(u32),
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
            return Self { places, records, stride, kind, first_told, given };
        };
        // Without anything given a record is as it is stored, and needs no copy.
        let push = |filler: &mut Filler<'_>, buffer: &mut [u32], number: u32, i: usize, top: u64| {
            let stored = &stored[i * meta.stride..(i + 1) * meta.stride];
            if stride == first_told {
                return filler.push(number, top, stored[0], &stored[RECORD_IDF..]);
            }
            write(i, buffer);
            filler.push(number, top, stored[0], buffer);
        };
        let (limit, n_frequent) = most_frequent(stored, meta.stride);
        let record = |i: usize| &stored[i * meta.stride..(i + 1) * meta.stride];
        let is_frequent = |i: usize| rarity(record(i)) < limit;
        let mut records = Blocks::new(stride, n_features);

        let mut others = records.start_table(n_features - n_frequent, FILL.1, index.n_top_bits());
        let firsts = firsts(index, n_features, &records, &others, is_frequent);
        let starts: Vec<u64> = firsts.iter().map(|first| first.1).collect();
        let features = |i: usize| index.tops(firsts[i].0..firsts.get(i + 1).map_or(n_features, |next| next.0));
        let are_frequent: Vec<Vec<(usize, u64)>> = records.fill(&mut others, &starts, |i, filler| {
            let (mut are_frequent, mut buffer) = (Vec::new(), vec![0; stride]);
            for (feature, top) in features(i) {
                if is_frequent(feature) {
                    are_frequent.push((feature, top));
                } else {
                    push(filler, &mut buffer, feature as u32, feature, top);
                }
            }
            are_frequent
        });

        let are_frequent = are_frequent.concat();
        let mut frequent = records.start_table(n_frequent, FILL.0, index.n_top_bits());
        let start = are_frequent.first().map(|&(_, top)| top);
        records.fill(&mut frequent, start.as_slice(), |_, filler| {
            let mut buffer = vec![0; stride];
            for (rank, &(i, top)) in (0..).zip(&are_frequent) {
                push(filler, &mut buffer, rank, i, top);
            }
        });
        let frequent_in_model = are_frequent.iter().map(|&(i, _)| i as u32).collect();
        Self { places: Places::Tables { frequent, others, frequent_in_model }, records, stride, kind, first_told, given }
    }

    /// Copies what the records of `hits` tell of the weights that depend on what is given to the end of `told`.
    #[inline(always)]
    pub(super) fn tell(&self, hits: &[(u32, f32)], told: &mut Vec<u32>) {
        if self.first_told < self.stride {
            told.reserve(hits.len() * (self.stride - self.first_told));
            // Word by word: these are two or three.
            let words = hits.iter().flat_map(|&(address, _)| self.records.record(address, self.first_told..self.stride));
            words.for_each(|&word| told.push(word));
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

    /// The model's number of a feature.
    pub(super) fn in_model(&self, address: u32) -> usize {
        let number = self.records.number(address);
        match &self.places {
            Places::Tables { frequent, frequent_in_model, .. } if frequent.holds(&self.records, address) => {
                frequent_in_model[number] as usize
            }
            _ => number,
        }
    }

    /// The addresses of all features, in any order.
    pub(super) fn addresses(&self) -> impl Iterator<Item = u32> {
        self.records.addresses()
    }

    /// Writes the address of the feature of each key, [`NOTHING`] where there is none, to `addresses`.
    #[inline(always)]
    pub(super) fn find(&self, keys: &[u64], found: &mut Found, addresses: &mut Vec<u32>) {
        addresses.clear();
        match &self.places {
            Places::Shift(shift) => {
                addresses.extend(keys.iter().map(|key| ((key >> shift) as u32 + 1) * self.stride as u32));
            }
            Places::Tables { frequent, others, .. } => {
                addresses.resize(keys.len(), NOTHING);
                self.find_in_tables(frequent, others, keys, found, addresses);
            }
        }
    }

    #[inline(always)]
    fn find_in_tables(&self, frequent: &Table, others: &Table, keys: &[u64], found: &mut Found, addresses: &mut [u32]) {
        let Found { rare, positions, heads } = found;
        if rare.len() < keys.len() {
            rare.resize(keys.len(), 0);
            positions.resize(keys.len(), 0);
        }
        let (rare, positions) = (&mut rare[..keys.len()], &mut positions[..keys.len()]);
        let (mut position, mut n_rare) = (0, 0);
        self.records.find_each(frequent, keys, |address| {
            // Every key is written and those that are rare are kept: no branch on what was found.
            addresses[position] = address;
            rare[n_rare] = keys[position];
            positions[n_rare] = position as u32;
            n_rare += usize::from(address == NOTHING);
            position += 1;
        });
        let mut positions = positions[..n_rare].iter();
        self.records.find_each_far(others, &rare[..n_rare], heads, |address| {
            let position = *positions.next().expect("as many as keys") as usize;
            addresses[position] = address;
        });
    }

    /// Writes the idf of each feature to `idfs`.
    #[inline(always)]
    pub(super) fn idfs(&self, addresses: &[u32], idfs: &mut Vec<f32>) {
        idfs.clear();
        idfs.reserve(addresses.len());
        self.records.word_of_each(addresses.iter().copied(), 0, |word| idfs.push(f32::from_bits(word)));
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
        let mut parts = [0.0_f32; N_PARTS];
        let mut values = hits.iter().map(|hit| hit.1).enumerate();
        self.records.word_of_each(hits.iter().map(|hit| hit.0), 1, |weight| {
            let (n, value) = values.next().expect("as many as hits");
            parts[n % N_PARTS] += value * f32::from_bits(weight);
        });
        (parts[0] + parts[1]) + (parts[2] + parts[3])
    }

    /// The lanes from `at` on, at most `L` of them, without scales. They are kept apart until the end, in registers.
    #[inline]
    fn add_f32<const L: usize>(&self, hits: &[(u32, f32)], at: usize, lanes: &mut [f32]) {
        let n = lanes.len();
        let mut parts = [0.0_f32; L];
        for &(i, value) in hits {
            let weights = self.records.record(i, 1 + at..1 + at + n);
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
        for &(i, value) in hits {
            let weights: &[i16] = &bytemuck::cast_slice(self.records.record(i, 1..self.stride))[at..at + n];
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
    check_n_words(Blocks::n_words(meta.stride - RECORD_IDF + told, meta.n_features, !is_hashed), is_hashed)?;
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

/// Where the pieces start by which the table of those features that are not frequent is filled: feature and top bits of its key. They depend on the
/// features alone.
fn firsts(
    index: IndexView<'_>,
    n_features: usize,
    records: &Blocks,
    table: &Table,
    is_frequent: impl Fn(usize) -> bool + Sync,
) -> Vec<(usize, u64)> {
    let behind = |due: usize| {
        let mut others = index.tops(due..n_features).filter(|(i, _)| !is_frequent(*i)).peekable();
        let mut foresight = Foresight::from(others.peek()?.1, table, records);
        others.find(|&(i, top)| foresight.is_first(i as u32, top, table))
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

/// The idf of a stored record as a small number: the rarer a feature, the larger.
#[inline(always)]
fn rarity(record: &[u32]) -> usize {
    const LEAST: u32 = 1.0_f32.to_bits() >> (32 - IDF_BITS);
    ((record[RECORD_IDF] >> (32 - IDF_BITS)).saturating_sub(LEAST) as usize).min(N_RARITIES - 1)
}

/// The limit below which rarity is that of a frequent feature, and the number of these.
fn most_frequent(stored: &[u32], stride: usize) -> (usize, usize) {
    let count = |mut histogram: Vec<usize>, records: &[u32]| {
        records.chunks_exact(stride).for_each(|record| histogram[rarity(record)] += 1);
        histogram
    };
    let add = |mut a: Vec<usize>, b: Vec<usize>| {
        a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        a
    };
    let none = || vec![0; N_RARITIES];
    let histogram = stored.par_chunks(stride * PIECE * 8).fold(none, count).reduce(none, add);
    let (n_features, mut n) = (stored.len() / stride, 0);
    for (rarity, n_here) in histogram.into_iter().enumerate() {
        if n + n_here > N_FREQUENT {
            return if n * LEAST_PER_FREQUENT > n_features { (0, 0) } else { (rarity, n) };
        }
        n += n_here;
    }
    (N_RARITIES, n)
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

    #[test]
    fn frequent_features_are_apart_only_among_many_others() {
        let records = |n: usize| -> Vec<u32> {
            let idf = |i: usize| if i < 5000 { 2.0_f32 } else { 8.0 };
            (0..n).flat_map(|i| [0, idf(i).to_bits(), 0]).collect()
        };
        assert_eq!(most_frequent(&records(9000), 3), (N_RARITIES, 9000));
        assert_eq!(most_frequent(&records(20_000), 3), (0, 0));
        assert_eq!(most_frequent(&records(40_000), 3).1, 5000);
    }
}
