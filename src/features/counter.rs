//! Counts how often each key occurs in one text, without a sort and without clearing between texts.

/// An open-addressing table that lives in the first-level cache for texts of usual length; entries of earlier texts are told by their stamp.
#[derive(Debug)]
pub(crate) struct Counter {
    slots: Vec<Slot>,
    stamp: u32,
    /// The distinct keys of this text in order of first occurrence, with their counts.
    counts: Vec<(u64, u32)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    stamp: u32,
    /// Position in `counts`.
    at: u32,
}

impl Default for Counter {
    fn default() -> Self {
        Self { slots: vec![Slot::default(); 256], stamp: 0, counts: Vec::new() }
    }
}

impl Counter {
    /// Forgets everything, in constant time.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.counts.clear();
        self.stamp = self.stamp.wrapping_add(1);
        if self.stamp == 0 {
            self.slots.fill(Slot::default());
            self.stamp = 1;
        }
    }

    /// Counts one occurrence of `key`.
    #[inline]
    pub(crate) fn add(&mut self, key: u64) {
        if self.counts.len() * 2 >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut slot = (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize & mask;
        loop {
            let Slot { stamp, at } = self.slots[slot];
            if stamp != self.stamp {
                self.slots[slot] = Slot { stamp: self.stamp, at: self.counts.len() as u32 };
                self.counts.push((key, 1));
                return;
            }
            if self.counts[at as usize].0 == key {
                self.counts[at as usize].1 += 1;
                return;
            }
            slot = (slot + 1) & mask;
        }
    }

    /// Distinct keys and counts, by first occurrence.
    #[inline]
    pub(crate) fn counts(&self) -> &[(u64, u32)] {
        &self.counts
    }

    #[cold]
    fn grow(&mut self) {
        let size = self.slots.len() * 4;
        self.slots.clear();
        self.slots.resize(size, Slot::default());
        let counts = std::mem::take(&mut self.counts);
        self.stamp = 1;
        let mask = size - 1;
        for (at, (key, _)) in counts.iter().enumerate() {
            let mut slot = (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize & mask;
            while self.slots[slot].stamp == 1 {
                slot = (slot + 1) & mask;
            }
            self.slots[slot] = Slot { stamp: 1, at: at as u32 };
        }
        self.counts = counts;
    }
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
