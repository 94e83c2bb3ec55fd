//! Finding the terms of a lexicon among the words of a text.

use hashbrown::HashMap;

use crate::features::hash;
use crate::features::params::{LexiconClass, MAX_TERM_WORDS};

/// Shortest stem before a `*`, in bytes.
const MIN_STEM: usize = 3;

/// A lexicon ready for searching.
#[derive(Debug, Clone)]
pub(super) struct Lexicon {
    /// Name and key of each class.
    classes: Vec<(String, u64)>,
    /// Classes by the key of a whole term.
    terms: HashMap<u64, Vec<u32>, rapidhash::fast::RandomState>,
    /// Classes by the key of a stem, its bytes counting as a word.
    stems: HashMap<u64, Vec<u32>, rapidhash::fast::RandomState>,
    longest_stem: usize,
    salt: u64,
}

impl Lexicon {
    pub(super) fn new(classes: &[LexiconClass], salt: u64) -> Self {
        let named = classes.iter().map(|c| (c.class.clone(), hash::marked(hash::word(c.class.as_bytes(), salt), 0))).collect();
        let mut lexicon = Self { classes: named, terms: HashMap::default(), stems: HashMap::default(), longest_stem: 0, salt };
        for (number, class) in classes.iter().enumerate() {
            class.terms.iter().for_each(|term| lexicon.add(term, number as u32));
        }
        lexicon
    }

    fn add(&mut self, term: &str, class: u32) {
        match term.strip_suffix('*') {
            Some(stem) if !stem.contains(' ') && stem.len() >= MIN_STEM => {
                self.longest_stem = self.longest_stem.max(stem.len());
                self.stems.entry(hash::word(stem.as_bytes(), self.salt)).or_default().push(class);
            }
            _ => {
                let words = term.trim_end_matches('*').split(' ').map(|w| hash::word(w.as_bytes(), self.salt));
                if let Some(key) = words.reduce(hash::append_word) {
                    self.terms.entry(key).or_default().push(class);
                }
            }
        }
    }

    pub(super) fn class(&self, number: usize) -> &str {
        &self.classes[number].0
    }

    /// Calls `found` with each class that has a term beginning at a word, given the word and the keys of it and its followers.
    pub(super) fn at(&self, word: &str, keys: impl Iterator<Item = u64>, mut found: impl FnMut(usize, u64)) {
        let mut emit = |classes: Option<&Vec<u32>>| {
            for &class in classes.into_iter().flatten() {
                found(class as usize, self.classes[class as usize].1);
            }
        };
        let mut sequence = None;
        for key in keys.take(MAX_TERM_WORDS) {
            let key = sequence.map_or(key, |prefix| hash::append_word(prefix, key));
            emit(self.terms.get(&key));
            sequence = Some(key);
        }
        for length in MIN_STEM..=word.len().min(self.longest_stem) {
            if word.is_char_boundary(length) {
                emit(self.stems.get(&hash::word(&word.as_bytes()[..length], self.salt)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_and_stems_are_found() {
        let classes = [
            LexiconClass { class: "a".into(), terms: vec!["third party".into(), "mediat*".into()] },
            LexiconClass { class: "b".into(), terms: vec!["party".into()] },
        ];
        let lexicon = Lexicon::new(&classes, 7);
        let classes_at = |words: &[&str]| {
            let mut found = Vec::new();
            lexicon.at(words[0], words.iter().map(|w| hash::word(w.as_bytes(), 7)), |class, _| found.push(class));
            found
        };
        assert_eq!(classes_at(&["third", "party"]), [0]);
        assert_eq!(classes_at(&["party", "third"]), [1]);
        assert_eq!(classes_at(&["mediators"]), [0]);
        assert!(classes_at(&["media"]).is_empty());
    }
}
