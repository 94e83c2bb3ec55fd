//! The features of one text from those of its n-grams: each once, with a value for how often it occurs.

use super::blocks::NOTHING;

/// Slots for a text of usual length: 16 KB.
const LEAST_SLOTS: usize = 1 << 12;
/// Slots for each n-gram of a longer text.
const SLOTS_PER_NGRAM: usize = 4;
/// Spreads addresses over the slots: the golden ratio (Knuth 1998, 6.4).
const MIX: u32 = 0x9E37_79B9;

/// A table of slots that lives in the first-level cache for texts of usual length, and that is never cleared: what earlier texts left behind is below `base`.
///
/// Whether an n-gram is new or a repetition is a coin toss that no processor guesses well. So a first pass writes every n-gram to two lists, and goes on
/// in one of them; the second pass counts what is in the second list.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// `base` and the place of a feature in the list, where its home is here.
    slots: Vec<u32>,
    /// Where the places of this text start; never 0.
    base: u32,
    /// The features, each once, in an order that depends on the addresses counted alone.
    features: Vec<u32>,
    /// N-grams whose home was taken, by the same feature or, seldom, by another one.
    repeats: Vec<u32>,
    counts: Vec<u32>,
    /// For each feature the weight of its count.
    weights: Vec<f32>,
}

impl Tally {
    /// Counts `addresses` except [`NOTHING`]: each feature once, with the weight of its count by `tf`, which is 1 for one occurrence.
    #[inline(always)]
    pub(super) fn count(&mut self, addresses: &[u32], tf: impl Fn(u32) -> f32) -> (&[u32], &[f32]) {
        let n = addresses.len();
        // By the text alone, whatever texts came before: homes decide the order.
        let n_slots = (n * SLOTS_PER_NGRAM).next_power_of_two().max(LEAST_SLOTS);
        self.start(n, n_slots);
        let Self { slots, features, repeats, .. } = self;
        let n_features = match slots.first_chunk_mut::<LEAST_SLOTS>() {
            // An array of known length: no index needs a check.
            Some(slots) if n_slots == LEAST_SLOTS => {
                distinct(addresses, self.base, const { shift(LEAST_SLOTS) }, slots, features, repeats)
            }
            _ => distinct(addresses, self.base, shift(n_slots), &mut slots[..n_slots], features, repeats),
        };
        let n_features = self.count_repeats(n, n_slots, n_features, tf);
        (&self.features[..n_features], &self.weights[..n_features])
    }

    /// Counts the n-grams whose home was taken after the first pass, which left `n_features` of `n` in the list; how many there are in the end.
    fn count_repeats(&mut self, n: usize, n_slots: usize, n_features: usize, tf: impl Fn(u32) -> f32) -> usize {
        let Self { slots, base, features, repeats, counts, weights } = self;
        let shift = shift(n_slots);
        let mut end = n_features;
        weights[..=n].fill(1.0);
        counts[..=n].fill(1);
        // What is left out has a place beyond all.
        features[n] = NOTHING;
        for &address in &repeats[..n - n_features] {
            let mut slot = home(address, shift);
            loop {
                if slots[slot] < *base {
                    slots[slot] = *base + end as u32;
                    features[end] = address;
                    end += 1;
                    break;
                }
                let place = (slots[slot] - *base) as usize;
                if features[place] == address {
                    counts[place] += 1;
                    weights[place] = tf(counts[place]);
                    break;
                }
                slot = (slot + 1) & (n_slots - 1);
            }
        }
        end
    }

    /// Makes room for a text of `n` n-grams with so many slots, and voids what is in the slots.
    fn start(&mut self, n: usize, n_slots: usize) {
        // Places of the last text end where those of this one start.
        let next = self.base.checked_add(self.counts.len() as u32 + 1);
        let room = u32::try_from(n + 1).expect("a text has fewer n-grams than 2³²");
        if self.slots.len() < n_slots {
            self.slots.resize(n_slots, 0);
        }
        if self.counts.len() <= n {
            self.counts.resize(n + 1, 0);
            self.weights.resize(n + 1, 0.0);
            self.features.resize(n + 1, NOTHING);
            self.repeats.resize(n, NOTHING);
        }
        self.base = match next.filter(|next| next.checked_add(room).is_some()) {
            Some(next) => next,
            None => {
                self.slots.fill(0);
                1
            }
        };
    }
}

/// How far an address, mixed, is shifted to be one of so many slots.
const fn shift(n_slots: usize) -> u32 {
    32 - n_slots.trailing_zeros()
}

/// The slot that an address wants.
#[inline(always)]
fn home(address: u32, shift: u32) -> usize {
    (address.wrapping_mul(MIX) >> shift) as usize
}

/// The first pass: writes each address whose home is free to `features`, the others to `repeats`, and says how many were the former. Both have room for all.
#[inline(always)]
fn distinct(addresses: &[u32], base: u32, shift: u32, slots: &mut [u32], features: &mut [u32], repeats: &mut [u32]) -> usize {
    let n = addresses.len();
    let (features, repeats) = (&mut features[..n], &mut repeats[..n]);
    // What is left out is taken for a feature that was met before, in the last place, where no other comes.
    slots[home(NOTHING, shift)] = base + n as u32;
    let (mut n_features, mut n_repeats) = (0, 0);
    for &address in addresses {
        let slot = &mut slots[home(address, shift)];
        let is_taken = *slot >= base;
        *slot = if is_taken { *slot } else { base + n_features as u32 };
        features[n_features] = address;
        n_features += usize::from(!is_taken);
        repeats[n_repeats] = address;
        n_repeats += usize::from(is_taken);
    }
    n_features
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn count(tally: &mut Tally, addresses: &[u32]) -> Vec<(u32, f32)> {
        let (features, weights) = tally.count(addresses, |count| count as f32);
        features.iter().copied().zip(weights.iter().copied()).collect()
    }

    /// `n` n-grams, more or less, of about half as many features and of none.
    fn text(n: u32) -> Vec<u32> {
        (0..n).map(|i| i.wrapping_mul(i).wrapping_mul(2654) % (n / 2 + 1) * 3).collect()
    }

    #[test]
    fn every_feature_comes_once_with_the_value_of_its_count() {
        let mut tally = Tally::default();
        for n in [0, 1, 2, 30, 700, 20_000, 5] {
            let mut counts = BTreeMap::new();
            text(n).into_iter().filter(|&a| a != NOTHING).for_each(|a| *counts.entry(a).or_insert(0) += 1);
            let mut hits = count(&mut tally, &text(n));
            hits.sort_unstable_by_key(|hit| hit.0);
            let expected: Vec<(u32, f32)> = counts.into_iter().map(|(a, n)| (a, n as f32)).collect();
            assert_eq!(hits, expected);
        }
    }

    #[test]
    fn the_order_does_not_depend_on_earlier_texts() {
        let alone = count(&mut Tally::default(), &text(900));
        let mut tally = Tally::default();
        count(&mut tally, &text(50_000));
        assert_eq!(count(&mut tally, &text(900)), alone);
        // The last places before the numbers run out, and the first behind.
        tally.base = u32::MAX - 200_000;
        for _ in 0..8 {
            assert_eq!(count(&mut tally, &text(900)), alone);
        }
        assert!(tally.base < 300_000);
    }
}
