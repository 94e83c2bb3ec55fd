//! The features of a word's character n-grams, remembered from text to text.
//!
//! Most words of a text have been seen before, and the n-grams of a word depend on it alone. So the table keeps the numbers of a word's known n-grams, side by
//! side: a load or two instead of one look-up an n-gram. Its size is bounded: two words share a set, where a new one takes the place of the
//! one met longer ago, and when the list of numbers is full, the words that were not met a second time are forgotten. Answers never depend on what is remembered.

use std::ops::Range;

/// Sets of words where many texts are read.
const N_SETS: usize = 1 << 14;
/// Sets of words for a chunk of texts after which all is forgotten.
const N_SETS_OF_CHUNK: usize = 1 << 13;
/// Words of a set.
const WAYS: usize = 2;
/// When so many n-grams are remembered, room is made before the next texts: with the words five megabytes, of which the busy part stays in the cache.
const N_NUMBERS: usize = 1 << 20;

/// The table of one block and one thread.
#[derive(Debug)]
pub(crate) struct WordCache {
    /// In a set the word met last comes first.
    sets: Vec<[Entry; WAYS]>,
    numbers: Vec<u32>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    /// The word as packed; zero, which no word is, where there is none.
    word: [u64; 2],
    start: u32,
    n_numbers: u16,
    /// Whether the word has been met since it came in, or since room was made.
    is_known: bool,
}

impl Entry {
    #[inline(always)]
    fn range(&self) -> Range<u32> {
        self.start..self.start + u32::from(self.n_numbers)
    }
}

impl Default for WordCache {
    fn default() -> Self {
        Self::with_sets(N_SETS)
    }
}

impl WordCache {
    /// A small table, that is soon cleared.
    pub(crate) fn of_chunk() -> Self {
        Self::with_sets(N_SETS_OF_CHUNK)
    }

    fn with_sets(n: usize) -> Self {
        Self { sets: vec![Default::default(); n], numbers: Vec::with_capacity(N_NUMBERS) }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.sets.fill(Default::default());
        self.numbers.clear();
        self.numbers.shrink_to(2 * N_NUMBERS);
    }

    /// Forgets what was not met again, where the list is full; ranges from before are void.
    pub(crate) fn make_room(&mut self) {
        if self.numbers.len() > N_NUMBERS {
            self.forget();
        }
    }

    #[cold]
    fn forget(&mut self) {
        let all = std::mem::replace(&mut self.numbers, Vec::with_capacity(N_NUMBERS));
        for entry in self.sets.as_flattened_mut() {
            // Never more than half, so that the next time is not near.
            if entry.is_known && self.numbers.len() < N_NUMBERS / 2 {
                let start = self.numbers.len() as u32;
                let range = entry.range();
                self.numbers.extend_from_slice(&all[range.start as usize..range.end as usize]);
                *entry = Entry { start, is_known: false, ..*entry };
            } else {
                *entry = Entry::default();
            }
        }
    }

    /// Where the numbers of a word are, if it is remembered.
    #[inline(always)]
    pub(crate) fn find(&mut self, word: [u64; 2]) -> Option<Range<u32>> {
        let place = self.place(word);
        let set = &mut self.sets[place];
        if set[0].word != word {
            if set[1].word != word {
                return None;
            }
            set.swap(0, 1);
        }
        set[0].is_known = true;
        Some(set[0].range())
    }

    /// Takes the numbers of a word; remembers them where it has a packed form.
    pub(crate) fn insert(&mut self, word: Option<[u64; 2]>, numbers: impl Iterator<Item = u32>) -> Range<u32> {
        let start = self.numbers.len() as u32;
        self.numbers.extend(numbers);
        let end = self.numbers.len() as u32;
        if let (Some(word), Ok(n_numbers)) = (word, u16::try_from(end - start)) {
            let place = self.place(word);
            let set = &mut self.sets[place];
            // Met twice before it came in, a word does not take both places.
            if set[0].word != word {
                set[1] = set[0];
            }
            set[0] = Entry { word, start, n_numbers, is_known: false };
        }
        start..end
    }

    /// The numbers in a range given since [`Self::make_room`].
    #[inline(always)]
    pub(crate) fn numbers(&self, range: &Range<u32>) -> &[u32] {
        &self.numbers[range.start as usize..range.end as usize]
    }

    /// The set that a word may be in.
    #[inline(always)]
    fn place(&self, word: [u64; 2]) -> usize {
        let mixed = (word[0] ^ word[1].rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (((mixed >> 32) * self.sets.len() as u64) >> 32) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_comes_back_or_is_forgotten_but_never_changes() {
        let mut cache = WordCache::default();
        let numbers = |i: u64| vec![i as u32; 40];
        let word = |i: u64| [i.wrapping_mul(0x1234_5678_9ABC_DEF1), i];
        for i in 1..60_000 {
            cache.make_room();
            let range = cache.insert(Some(word(i)), numbers(i).into_iter());
            assert_eq!(cache.find(word(i)), Some(range.clone()));
            assert_eq!(cache.numbers(&range), numbers(i));
        }
        let (mut n_remembered, mut n_wrong) = (0, 0);
        for i in 1..60_000 {
            let Some(range) = cache.find(word(i)) else { continue };
            n_remembered += 1;
            n_wrong += usize::from(cache.numbers(&range) != numbers(i));
        }
        assert!(n_remembered > 100 && n_wrong == 0, "{n_remembered} {n_wrong}");
    }

    #[test]
    fn a_word_that_is_met_again_outlives_those_that_are_not() {
        let mut cache = WordCache::of_chunk();
        let word = |i: u64| [i, 1 << 56];
        let mut n_forgotten = 0;
        for i in 2..400_000 {
            cache.make_room();
            if cache.find(word(1)).is_none() {
                n_forgotten += 1;
                cache.insert(Some(word(1)), 0..3);
            }
            cache.insert(Some(word(i)), 0..4);
            let range = cache.find(word(1)).expect("met last in its set");
            assert_eq!(cache.numbers(&range), [0, 1, 2]);
        }
        assert_eq!(n_forgotten, 1, "only before it came in");
    }

    #[test]
    fn a_word_without_packed_form_has_its_numbers_all_the_same() {
        let mut cache = WordCache::default();
        let range = cache.insert(None, [1, 2].into_iter());
        assert_eq!(cache.numbers(&range), [1, 2]);
    }
}
