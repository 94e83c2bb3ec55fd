//! Counts how often each key occurs in one text, without a sort and without clearing between texts.

/// Slots of a new counter: texts of usual length fill an eighth of them.
const FIRST_SLOTS: usize = 2048;

/// An open-addressing table that lives in the first-level cache for texts of usual length; entries of earlier texts are told by their stamp.
///
/// Whether an n-gram is new or a repetition is a coin toss that no processor guesses well, so both cases run through the same instructions; only
/// two keys that want the same slot, which a sparse table makes rare, branch off.
#[derive(Debug)]
pub(crate) struct Counter {
    slots: Vec<Slot>,
    stamp: u32,
    /// The distinct keys of this text in order of first occurrence, with their counts; behind them, leftovers.
    counts: Vec<(u64, u32)>,
    n: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    stamp: u32,
    /// Position in `counts`.
    at: u32,
}

impl Default for Counter {
    fn default() -> Self {
        Self { slots: vec![Slot::default(); FIRST_SLOTS], stamp: 0, counts: vec![(0, 0); FIRST_SLOTS / FILL + 1], n: 0 }
    }
}

/// The table grows when one slot in so many is taken.
const FILL: usize = 3;

impl Counter {
    /// Forgets everything, in constant time.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.n = 0;
        self.stamp = self.stamp.wrapping_add(1);
        if self.stamp == 0 {
            self.slots.fill(Slot::default());
            self.stamp = 1;
        }
    }

    /// Counts one occurrence of `key`.
    #[inline(always)]
    pub(crate) fn add(&mut self, key: u64) {
        if self.n + 1 >= self.counts.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut slot = home(key) & mask;
        // The place of a new key; one that is known already leaves it to the next.
        self.counts[self.n] = (key, 0);
        loop {
            let Slot { stamp, at } = self.slots[slot];
            let is_new = stamp != self.stamp;
            let at = if is_new { self.n } else { at as usize };
            if self.counts[at].0 != key {
                slot = (slot + 1) & mask;
                continue;
            }
            self.slots[slot] = Slot { stamp: self.stamp, at: at as u32 };
            self.counts[at].1 += 1;
            self.n += usize::from(is_new);
            return;
        }
    }

    /// Distinct keys and counts, by first occurrence.
    #[inline]
    pub(crate) fn counts(&self) -> &[(u64, u32)] {
        &self.counts[..self.n]
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let size = self.slots.len() * 4;
        self.slots.clear();
        self.slots.resize(size, Slot::default());
        self.counts.resize(size / FILL + 1, (0, 0));
        self.stamp = 1;
        let mask = size - 1;
        for (at, (key, _)) in self.counts[..self.n].iter().enumerate() {
            let mut slot = home(*key) & mask;
            while self.slots[slot].stamp == 1 {
                slot = (slot + 1) & mask;
            }
            self.slots[slot] = Slot { stamp: 1, at: at as u32 };
        }
    }
}

/// Where the search for a key starts, before the mask.
#[inline(always)]
fn home(key: u64) -> usize {
    (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_equal_those_of_a_hash_map() {
        let mut counter = Counter::default();
        for round in 0..5_u64 {
            counter.clear();
            let mut expected = std::collections::BTreeMap::new();
            for i in 0..3000_u64 {
                let key = (i * i + round) % 1009;
                counter.add(key);
                *expected.entry(key).or_insert(0) += 1;
            }
            let mut counts = counter.counts().to_vec();
            counts.sort_unstable();
            assert_eq!(counts, expected.into_iter().collect::<Vec<_>>());
        }
    }
}
