//! From an n-gram's key to its feature number: a compact, immutable table.
//!
//! Features are numbered in ascending order of their keys. The top bits of a key choose a bucket, about four features wide; `starts` says where it
//! begins. One byte per feature, the tag, holds the next eight bits of its key; eight tags are compared at once. Only where a tag fits are the key's
//! low 32 bits (kept by the caller beside the weights) compared. This is the form that is stored, and that training uses; prediction makes
//! tables of its own from it.
//!
//! The arrays are stored in the model file as they are, little-endian, and checked on loading by [`IndexView::validate`].

use std::ops::Range;

use crate::error::{Error, Result};

/// Features per bucket, on average, at most.
const BUCKET_WIDTH: usize = 4;
const MAX_BITS: u32 = 24;
const TAG_BITS: u32 = 8;
/// Bytes behind the last tag, so that eight tags can always be read.
pub(crate) const TAG_PADDING: usize = 8;
const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Owned arrays of the table.
#[derive(Debug, Clone)]
pub(crate) struct KeyIndex {
    pub(crate) starts: Vec<u32>,
    pub(crate) tags: Vec<u8>,
}

/// Borrowed arrays of the table, from memory or from a model file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IndexView<'a> {
    starts: &'a [u32],
    tags: &'a [u8],
    bits: u32,
}

impl KeyIndex {
    /// The table over `keys`, which ascend without repetition.
    ///
    /// # Errors
    ///
    /// If two keys cannot be told apart by the bits that the table keeps.
    pub(crate) fn build(keys: &[u64]) -> Result<Self> {
        let n_buckets = keys.len().div_ceil(BUCKET_WIDTH).next_power_of_two().max(2);
        let bits = n_buckets.trailing_zeros().min(MAX_BITS);
        let mut starts = vec![0_u32; (1 << bits) + 1];
        let mut tags: Vec<u8> = keys.iter().map(|&key| tag(key, bits)).collect();
        tags.resize(keys.len() + TAG_PADDING, 0);
        for &key in keys {
            starts[bucket(key, bits) + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let twins = keys.windows(2).find(|w| bucket(w[0], bits) == bucket(w[1], bits) && tags_and_checks_equal(w[0], w[1], bits));
        if let Some(twins) = twins {
            return Err(Error::new(crate::ErrorKind::Input, "two n-grams share a key")
                .found(format!("{:#x} and {:#x}", twins[0], twins[1]))
                .help("drop one with other n-gram lengths or min_df"));
        }
        Ok(Self { starts, tags })
    }

    pub(crate) fn view(&self) -> IndexView<'_> {
        IndexView { starts: &self.starts, tags: &self.tags, bits: (self.starts.len() - 1).trailing_zeros() }
    }
}

impl<'a> IndexView<'a> {
    /// Checks arrays from outside for `n_features`.
    ///
    /// # Errors
    ///
    /// If a later lookup could leave the arrays.
    pub(crate) fn validate(starts: &'a [u32], tags: &'a [u8], n_features: usize) -> Result<Self> {
        let n_buckets = starts.len().saturating_sub(1);
        let is_sound = n_buckets.is_power_of_two()
            && (2..=1 << MAX_BITS).contains(&n_buckets)
            && starts[0] == 0
            && starts.last().is_some_and(|&last| last as usize == n_features)
            && tags.len() == n_features + TAG_PADDING
            && starts.windows(2).all(|w| w[0] <= w[1]);
        if !is_sound {
            return Err(Error::model("the feature index is inconsistent").help("copy the file again, or train it again"));
        }
        Ok(Self::of_valid(starts, tags))
    }

    /// The view of arrays that [`Self::validate`] has accepted; takes no time.
    #[inline(always)]
    pub(crate) fn of_valid(starts: &'a [u32], tags: &'a [u8]) -> Self {
        Self { starts, tags, bits: (starts.len() - 1).trailing_zeros() }
    }

    /// The feature with this key; `check(i)` gives the low 32 bits of feature `i`'s key.
    #[inline(always)]
    pub(crate) fn get(&self, key: u64, check: impl Fn(usize) -> u32) -> Option<usize> {
        let bucket = bucket(key, self.bits);
        let (mut at, end) = (self.starts[bucket] as usize, self.starts[bucket + 1] as usize);
        let wanted = u64::from(tag(key, self.bits)) * LOW;
        while at < end {
            let tags = u64::from_le_bytes(self.tags[at..at + 8].try_into().expect("eight bytes"));
            let differing = tags ^ wanted;
            // A zero byte of `differing` is an equal tag; a byte above one may be marked too, which `check` sorts out.
            let mut equal = differing.wrapping_sub(LOW) & !differing & HIGH;
            if end - at < 8 {
                equal &= (1 << ((end - at) * 8)) - 1;
            }
            while equal != 0 {
                let i = at + equal.trailing_zeros() as usize / 8;
                if check(i) == key as u32 {
                    return Some(i);
                }
                equal &= equal - 1;
            }
            at += 8;
        }
        None
    }

    /// Each of `features`, in order, with the top bits of its key that the table keeps.
    #[inline(always)]
    pub(crate) fn tops(&self, features: Range<usize>) -> impl Iterator<Item = (usize, u64)> {
        let first = self.starts.partition_point(|&start| start as usize <= features.start).saturating_sub(1);
        let (mut bucket, starts) = (first, self.starts);
        features.map(move |i| {
            // A bucket ends after any number of features, which no processor guesses: no branch, but behind an empty bucket.
            bucket += usize::from(i >= starts[bucket + 1] as usize);
            while i >= starts[bucket + 1] as usize {
                bucket += 1;
            }
            (i, (bucket as u64) << TAG_BITS | u64::from(self.tags[i]))
        })
    }

    /// The features whose keys have these top bits, at most [`Self::n_bucket_bits`] of them.
    #[inline(always)]
    pub(crate) fn with_top(&self, top: usize, bits: u32) -> Range<usize> {
        let shift = self.bits - bits;
        self.starts[top << shift] as usize..self.starts[(top + 1) << shift] as usize
    }

    /// How many top bits of its key choose a feature's bucket.
    pub(crate) fn n_bucket_bits(&self) -> u32 {
        self.bits
    }

    /// How many bits [`Self::tops`] gives.
    pub(crate) fn n_top_bits(&self) -> u32 {
        self.bits + TAG_BITS
    }
}

#[inline(always)]
fn bucket(key: u64, bits: u32) -> usize {
    (key >> (64 - bits)) as usize
}

#[inline(always)]
fn tag(key: u64, bits: u32) -> u8 {
    (key >> (56 - bits)) as u8
}

fn tags_and_checks_equal(a: u64, b: u64, bits: u32) -> bool {
    tag(a, bits) == tag(b, bits) && a as u32 == b as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scattered(n: u64) -> Vec<u64> {
        let mut keys: Vec<u64> = (1..=n).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn every_key_finds_itself_and_no_other_key_does() {
        for n in [0, 1, 2, 7, 100, 5000] {
            let keys = scattered(n);
            let index = KeyIndex::build(&keys).unwrap();
            let view = IndexView::validate(&index.starts, &index.tags, keys.len()).unwrap();
            for (i, &key) in keys.iter().enumerate() {
                assert_eq!(view.get(key, |j| keys[j] as u32), Some(i));
                assert_eq!(view.get(key ^ 1, |j| keys[j] as u32), None);
            }
        }
    }

    #[test]
    fn top_bits_are_those_of_the_keys() {
        let keys = scattered(3000);
        let index = KeyIndex::build(&keys).unwrap();
        let n_bits = index.view().n_top_bits();
        for features in [0..3000, 0..0, 17..18, 1234..2999, 3000..3000] {
            let tops: Vec<(usize, u64)> = index.view().tops(features.clone()).collect();
            assert_eq!(tops, features.map(|i| (i, keys[i] >> (64 - n_bits))).collect::<Vec<_>>());
        }
        for bits in [1, 3, index.view().n_bucket_bits()] {
            for top in [0, 1, (1 << bits) - 1] {
                let features: Vec<usize> = (0..keys.len()).filter(|&i| keys[i] >> (64 - bits) == top).collect();
                assert_eq!(index.view().with_top(top as usize, bits).collect::<Vec<_>>(), features);
            }
        }
    }

    #[test]
    fn crowded_buckets_are_searched_to_their_end() {
        let keys: Vec<u64> = (0..100).map(|i| (i << 20) | i).collect();
        let index = KeyIndex::build(&keys).unwrap();
        for (i, &key) in keys.iter().enumerate() {
            assert_eq!(index.view().get(key, |j| keys[j] as u32), Some(i));
        }
    }

    #[test]
    fn keys_that_cannot_be_told_apart_are_refused() {
        assert!(KeyIndex::build(&[1 << 33, 1 << 34]).is_err());
    }

    #[test]
    fn damaged_arrays_are_refused() {
        let index = KeyIndex::build(&scattered(20)).unwrap();
        assert!(IndexView::validate(&index.starts[1..], &index.tags, 20).is_err());
        assert!(IndexView::validate(&index.starts, &index.tags[1..], 20).is_err());
        let mut starts = index.starts.clone();
        starts[3] = u32::MAX;
        assert!(IndexView::validate(&starts, &index.tags, 20).is_err());
    }
}
