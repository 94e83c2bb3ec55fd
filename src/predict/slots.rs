//! The features that texts ask for most, each in a place of its own: the top bits of a key say which, and one comparison says whether the key is there.
//!
//! Of the features that want the same place the most frequent one has it; the others are in blocks. What most n-grams of a text find is so
//! found in a dozen instructions, in memory that stays in the second-level cache.

use super::blocks::check;

/// Places at most, as a power of two.
const MOST_BITS: u32 = 15;
/// Words of all places at most: two megabytes.
pub(super) const MOST_WORDS: usize = 1 << 19;
/// There are so many features for a place, or more.
const LEAST_PER_PLACE: usize = 2;

/// How places lie among the words of the tables: each has the check of its feature and behind it the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slots {
    /// How many top bits of a key choose its place.
    pub(super) bits: u32,
    /// Words of a place. So many stand before the first place, for the feature that there is not; narrow places lie within one cache line each.
    width: usize,
}

impl Slots {
    /// Places for the most frequent of `n_features` with records of `stride` words; `key_bits` top bits of keys are known at most. None where there are few
    /// features.
    pub(super) fn new(stride: usize, n_features: usize, key_bits: u32) -> Option<Self> {
        let width = if stride < 16 { (1 + stride).next_power_of_two() } else { (1 + stride).next_multiple_of(16) };
        let n = (n_features / LEAST_PER_PLACE).min(MOST_WORDS / width).max(1);
        let bits = n.ilog2().min(key_bits).min(MOST_BITS);
        (bits > 0).then_some(Self { bits, width })
    }

    /// Number of places.
    pub(super) fn n(self) -> usize {
        1 << self.bits
    }

    /// The word behind the last place.
    pub(super) fn end(self) -> usize {
        (1 + self.n()) * self.width
    }

    /// The place that a key wants.
    #[inline(always)]
    pub(super) fn of_key(self, key: u64) -> usize {
        (key >> (64 - self.bits)) as usize
    }

    /// The address of the feature in a place.
    #[inline(always)]
    pub(super) fn address(self, slot: usize) -> u32 {
        ((1 + slot) * self.width + 1) as u32
    }

    /// The address of a key in `words`, or `otherwise`.
    #[inline(always)]
    pub(super) fn find(self, words: &[u32], key: u64, otherwise: u32) -> u32 {
        let address = self.address(self.of_key(key));
        if words[address as usize - 1] == check(key as u32) { address } else { otherwise }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_in_its_place_and_no_other_key_is() {
        for stride in [1, 2, 3, 7, 8, 15, 16, 40] {
            let slots = Slots::new(stride, 3000, 14).unwrap();
            assert!(slots.n() <= 1500 && slots.n() > 700);
            let mut words = vec![0; slots.end()];
            let key = |i: u64| i << (64 - slots.bits) | (i * 7) << 1;
            for i in (0..slots.n() as u64).step_by(2) {
                let address = slots.address(slots.of_key(key(i))) as usize;
                assert!(words[address - 1] == 0 && address + stride <= slots.end());
                words[address - 1] = check(key(i) as u32);
                words[address..address + stride].fill(1);
            }
            for i in 0..slots.n() as u64 {
                let wanted = if i % 2 == 0 { slots.address(i as usize) } else { 9 };
                assert_eq!(slots.find(&words, key(i), 9), wanted);
                assert_eq!(slots.find(&words, key(i) ^ 2, 9), 9);
            }
        }
    }

    #[test]
    fn few_features_and_wide_records_have_no_places() {
        assert_eq!(Slots::new(2, 3, 14), None);
        assert_eq!(Slots::new(MOST_WORDS, 1 << 20, 14), None);
        assert!(Slots::new(100, 1 << 20, 20).unwrap().end() <= MOST_WORDS + 112);
    }
}
