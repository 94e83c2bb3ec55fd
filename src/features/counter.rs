//! Counts how often each key occurs in one text, without a sort and without clearing between texts.

/// Slots of a new counter: 8 KB, and texts of usual length fill a quarter of them.
const FIRST_SLOTS: usize = 2048;
/// The table grows when one slot in so many is taken.
const FILL: usize = 2;
/// The slot of a key that has none yet.
const NO_SLOT: u32 = u32::MAX;

/// An open-addressing table that lives in the first-level cache for texts of usual length.
///
/// A slot holds a place in the list of keys, and the list says which slot is its own, so that leftovers of earlier texts are recognised and nothing is ever
/// cleared (a sparse set: Briggs & Torczon 1993). Whether an n-gram is new or a repetition is a coin toss that no processor guesses well, so
/// both cases run through the same instructions; only two keys that want the same slot branch off.
#[derive(Debug)]
pub(crate) struct Counter<K> {
    slots: Vec<u32>,
    /// The distinct keys of this text in order of first occurrence; behind them, leftovers.
    counts: Vec<Count<K>>,
    n: usize,
}

/// A key with its count.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Count<K> {
    pub(crate) key: K,
    pub(crate) count: u32,
    slot: u32,
}

/// What is counted: n-gram keys or feature numbers.
pub(crate) trait CountKey: Copy + Default + Eq {
    /// Where the search for a key starts, before the mask.
    fn home(self) -> usize;
}

impl CountKey for u64 {
    #[inline(always)]
    fn home(self) -> usize {
        (self.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize
    }
}

impl CountKey for u32 {
    #[inline(always)]
    fn home(self) -> usize {
        u64::from(self).home()
    }
}

impl<K: CountKey> Default for Counter<K> {
    fn default() -> Self {
        Self { slots: vec![0; FIRST_SLOTS], counts: vec![Count::default(); FIRST_SLOTS / FILL + 1], n: 0 }
    }
}

impl<K: CountKey> Counter<K> {
    /// Forgets everything, in constant time.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.n = 0;
    }

    /// Counts one occurrence of `key`.
    #[inline(always)]
    pub(crate) fn add(&mut self, key: K) {
        if self.n + 1 >= self.counts.len() {
            self.grow();
        }
        self.n = count_one(&mut self.slots, &mut self.counts, self.n, key);
    }

    /// Distinct keys with their counts, by first occurrence.
    #[inline]
    pub(crate) fn counts(&self) -> &[Count<K>] {
        &self.counts[..self.n]
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let size = self.slots.len() * 4;
        self.slots = vec![0; size];
        self.counts.resize(size / FILL + 1, Count::default());
        let mask = size - 1;
        for at in 0..self.n {
            let is_free =
                |slot: usize, slots: &[u32]| self.counts[slots[slot] as usize].slot != slot as u32 || slots[slot] as usize >= at;
            let mut slot = self.counts[at].key.home() & mask;
            while !is_free(slot, &self.slots) {
                slot = (slot + 1) & mask;
            }
            self.slots[slot] = at as u32;
            self.counts[at].slot = slot as u32;
        }
    }
}

/// Counts one occurrence of a key among the `n` that `counts` begins with; how many there are then. There is room for one more in `counts`, and `slots` is a
/// power of two of which some are free.
#[inline(always)]
fn count_one<K: CountKey>(slots: &mut [u32], counts: &mut [Count<K>], n: usize, key: K) -> usize {
    let mask = slots.len() - 1;
    let mut slot = key.home() & mask;
    // The place of a new key; one that is known already leaves it to the next.
    counts[n] = Count { key, count: 0, slot: NO_SLOT };
    loop {
        let at = (slots[slot] as usize).min(n);
        let is_taken = counts[at].slot == slot as u32;
        if is_taken && counts[at].key != key {
            slot = (slot + 1) & mask;
            continue;
        }
        let at = if is_taken { at } else { n };
        slots[slot] = at as u32;
        counts[at].slot = slot as u32;
        counts[at].count += 1;
        return n + usize::from(!is_taken);
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
            for i in 0..6000_u64 {
                let key = (i * i + round) % 5009;
                counter.add(key);
                *expected.entry(key).or_insert(0) += 1;
            }
            let mut counts: Vec<(u64, u32)> = counter.counts().iter().map(|c| (c.key, c.count)).collect();
            counts.sort_unstable();
            assert_eq!(counts, expected.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn leftovers_of_a_longer_text_do_not_count() {
        let mut counter = Counter::default();
        (0..600_u32).for_each(|key| counter.add(key));
        counter.clear();
        [7, 9, 7].into_iter().for_each(|key: u32| counter.add(key));
        assert_eq!(counter.counts().iter().map(|c| (c.key, c.count)).collect::<Vec<_>>(), [(7, 2), (9, 1)]);
    }
}
