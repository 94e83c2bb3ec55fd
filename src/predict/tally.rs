//! The features of one text from those of its n-grams: each once, with a value for how often it occurs.

use super::blocks::NOTHING;

/// Slots for a text of usual length: 16 KB.
const LEAST_BITS: u32 = 12;
/// Slots for each n-gram of a longer text.
const SLOTS_PER_NGRAM: usize = 4;

/// A table of slots that lives in the first-level cache for texts of usual length, and that is never cleared: what earlier texts left behind is below `base`.
///
/// Whether an n-gram is new or a repetition is a coin toss that no processor guesses well. So a first pass writes every n-gram to two lists, and goes on
/// in one of them; the second pass counts what is in the second list.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// `base` and the place of a feature among the hits, where its home is here.
    slots: Vec<u32>,
    /// Where the places of this text start; never 0.
    base: u32,
    /// N-grams whose home was taken, by the same feature or, seldom, by another one.
    repeats: Vec<u32>,
    counts: Vec<u32>,
}

impl Tally {
    /// Adds each of `addresses` except [`NOTHING`] once to `hits`, with the idf of `idf` times the weight of its count by `tf`, which is 1 for one occurrence. The order
    /// depends on these addresses alone.
    #[inline(always)]
    pub(super) fn count(
        &mut self,
        addresses: &[u32],
        idf: impl Fn(u32) -> f32,
        tf: impl Fn(u32) -> f32,
        hits: &mut Vec<(u32, f32)>,
    ) {
        let n = addresses.len();
        // By the text alone, whatever texts came before: homes decide the order of hits.
        let bits = (n * SLOTS_PER_NGRAM).next_power_of_two().trailing_zeros().max(LEAST_BITS);
        self.start(n, bits);
        let base = self.base;
        let home = |address: u32| (address.wrapping_mul(0x9E37_79B9) >> (32 - bits)) as usize;
        let slots = &mut self.slots[..1 << bits];
        let repeats = &mut self.repeats[..n];
        let first = hits.len();
        hits.resize(first + n + 1, (NOTHING, 0.0));
        let hits_here = &mut hits[first..];
        // What is left out is taken for a feature that was met before, in the last place, where no other comes.
        slots[home(NOTHING)] = base + n as u32;
        let (mut n_hits, mut n_repeats) = (0, 0);
        for &address in addresses {
            let slot = &mut slots[home(address)];
            let is_taken = *slot >= base;
            *slot = if is_taken { *slot } else { base + n_hits as u32 };
            hits_here[n_hits] = (address, idf(address));
            n_hits += usize::from(!is_taken);
            repeats[n_repeats] = address;
            n_repeats += usize::from(is_taken);
        }
        hits_here[n] = (NOTHING, 0.0);
        let counts = &mut self.counts[..=n];
        if n_repeats > 0 {
            counts.fill(1);
        }
        for &address in &repeats[..n_repeats] {
            let mut slot = home(address);
            loop {
                let place = slots[slot].wrapping_sub(base) as usize;
                if slots[slot] < base {
                    slots[slot] = base + n_hits as u32;
                    hits_here[n_hits] = (address, idf(address));
                    n_hits += 1;
                    break;
                }
                if hits_here[place].0 == address {
                    counts[place] += 1;
                    hits_here[place].1 = idf(address) * tf(counts[place]);
                    break;
                }
                slot = (slot + 1) & (slots.len() - 1);
            }
        }
        hits.truncate(first + n_hits);
    }

    /// Makes room for a text of `n` n-grams, and voids what is in the slots.
    fn start(&mut self, n: usize, bits: u32) {
        // Places of the last text end where those of this one start.
        let next = self.base.checked_add(self.counts.len() as u32 + 1);
        let room = u32::try_from(n + 1).expect("a text has fewer n-grams than 2³²");
        if self.slots.len() < 1 << bits {
            self.slots.resize(1 << bits, 0);
        }
        if self.counts.len() <= n {
            self.counts.resize(n + 1, 0);
            self.repeats.resize(n, 0);
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn count(tally: &mut Tally, addresses: &[u32]) -> Vec<(u32, f32)> {
        let mut hits = vec![(7, 0.5)];
        tally.count(addresses, |address| (address % 10) as f32, |count| count as f32, &mut hits);
        assert_eq!(hits[0], (7, 0.5));
        hits.split_off(1)
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
            let expected: Vec<(u32, f32)> = counts.into_iter().map(|(a, n)| (a, (a % 10) as f32 * n as f32)).collect();
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
