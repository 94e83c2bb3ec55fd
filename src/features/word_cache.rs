//! The features of a word's character n-grams, remembered from text to text.
//!
//! Most words of a text have been seen before, and the n-grams of a word depend on it alone. So the table keeps the numbers of a word's known n-grams, side by
//! side: a load or two instead of one look-up an n-gram. Its size is bounded: a word takes the place of the one before it, and when the
//! list of numbers is full, everything is forgotten. Answers never depend on what is remembered.

use std::ops::Range;

/// Words remembered at most.
const N_WORDS: usize = 1 << 15;
/// When so many n-grams are remembered, everything is forgotten before the next texts: with the words five megabytes, of which the busy part stays in the cache.
const N_NUMBERS: usize = 1 << 20;

/// The table of one block and one thread.
#[derive(Debug)]
pub(crate) struct WordCache {
    entries: Vec<Entry>,
    numbers: Vec<u32>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    /// The word as packed; zero, which no word is, where there is none.
    word: [u64; 2],
    start: u32,
    end: u32,
}

impl Default for WordCache {
    fn default() -> Self {
        Self { entries: vec![Entry::default(); N_WORDS], numbers: Vec::with_capacity(N_NUMBERS) }
    }
}

impl WordCache {
    /// Forgets everything where the list is full; ranges from before are void.
    pub(crate) fn make_room(&mut self) {
        if self.numbers.len() > N_NUMBERS {
            self.clear();
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.entries.fill(Entry::default());
        self.numbers.clear();
        self.numbers.shrink_to(2 * N_NUMBERS);
    }

    /// Where the numbers of a word are, if it is remembered.
    #[inline(always)]
    pub(crate) fn find(&self, word: [u64; 2]) -> Option<Range<u32>> {
        let entry = self.entries[place(word)];
        (entry.word == word).then_some(entry.start..entry.end)
    }

    /// Takes the numbers of a word; remembers them where it has a packed form.
    pub(crate) fn insert(&mut self, word: Option<[u64; 2]>, numbers: impl Iterator<Item = u32>) -> Range<u32> {
        let start = self.numbers.len() as u32;
        self.numbers.extend(numbers);
        let end = self.numbers.len() as u32;
        if let Some(word) = word {
            self.entries[place(word)] = Entry { word, start, end };
        }
        start..end
    }

    /// The numbers in a range given since [`Self::make_room`].
    #[inline(always)]
    pub(crate) fn numbers(&self, range: &Range<u32>) -> &[u32] {
        &self.numbers[range.start as usize..range.end as usize]
    }
}

#[inline(always)]
fn place(word: [u64; 2]) -> usize {
    let mixed = (word[0] ^ word[1].rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> (64 - N_WORDS.trailing_zeros())) as usize
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
        let found = |i: u64| cache.find(word(i)).map(|range| cache.numbers(&range) == numbers(i));
        let n_remembered = (1..60_000).filter(|&i| found(i) == Some(true)).count();
        let n_wrong = (1..60_000).filter(|&i| found(i) == Some(false)).count();
        assert!(n_remembered > 100 && n_wrong == 0, "{n_remembered} {n_wrong}");
    }

    #[test]
    fn a_word_without_packed_form_has_its_numbers_all_the_same() {
        let mut cache = WordCache::default();
        let range = cache.insert(None, [1, 2].into_iter());
        assert_eq!(cache.numbers(&range), [1, 2]);
    }
}
