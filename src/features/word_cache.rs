//! What a word's character n-grams came to, remembered: texts repeat their words, and a word's n-grams depend on the word alone.
//!
//! A direct-mapped table from words of up to 15 bytes, compared whole, to the numbers of their known n-grams in order. It is bounded: a word takes the
//! place of the one before it, and when the list of numbers is full, everything is forgotten. Answers never depend on what is remembered.

/// Words remembered at most.
const N_WORDS: usize = 1 << 15;
/// N-grams remembered at most: with the words five megabytes, of which the busy part stays in the cache.
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
    /// The numbers of a word, if it is remembered.
    #[inline(always)]
    pub(crate) fn get(&self, word: [u64; 2]) -> Option<&[u32]> {
        let entry = self.entries[place(word)];
        (entry.word == word).then(|| &self.numbers[entry.start as usize..entry.end as usize])
    }

    /// Remembers the numbers of a word.
    pub(crate) fn insert(&mut self, word: [u64; 2], numbers: &[u32]) {
        if self.numbers.len() + numbers.len() > N_NUMBERS {
            self.entries.fill(Entry::default());
            self.numbers.clear();
        }
        let start = self.numbers.len() as u32;
        self.numbers.extend_from_slice(numbers);
        self.entries[place(word)] = Entry { word, start, end: self.numbers.len() as u32 };
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
            cache.insert(word(i), &numbers(i));
            assert_eq!(cache.get(word(i)), Some(&numbers(i)[..]));
        }
        let n_remembered = (1..60_000).filter(|&i| cache.get(word(i)).is_some_and(|found| found == numbers(i))).count();
        let n_wrong = (1..60_000).filter(|&i| cache.get(word(i)).is_some_and(|found| found != numbers(i))).count();
        assert!(n_remembered > 100 && n_wrong == 0, "{n_remembered} {n_wrong}");
    }
}
