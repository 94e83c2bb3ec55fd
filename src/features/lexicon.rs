//! Finding the terms of a lexicon among the words of a text.

use hashbrown::HashMap;

use crate::features::hash::{self, WordKeys};
use crate::features::params::LexiconClass;
use crate::text::tokenize::{WordRule, for_each_word};

/// Shortest stem before a `*`, in bytes.
const MIN_STEM: usize = 2;

/// A lexicon ready for searching.
#[derive(Debug, Clone)]
pub(super) struct Lexicon {
    /// Name and key of each class.
    classes: Vec<(String, u64)>,
    /// Terms by the key of their first word.
    by_word: HashMap<u64, Vec<Term>, rapidhash::fast::RandomState>,
    /// Terms that begin with a stem, by its key.
    by_stem: HashMap<u64, Vec<Term>, rapidhash::fast::RandomState>,
    longest_stem: usize,
    word_keys: WordKeys,
}

/// The rest of a term, after its first word.
#[derive(Debug, Clone)]
struct Term {
    class: u32,
    rest: Vec<Pattern>,
}

/// What a word of a term matches.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    /// This word.
    Word(String),
    /// Any word that begins so.
    Stem(String),
}

impl Pattern {
    fn matches(&self, word: &str) -> bool {
        match self {
            Self::Word(wanted) => word == wanted,
            Self::Stem(stem) => word.starts_with(stem.as_str()),
        }
    }
}

impl Lexicon {
    pub(super) fn new(classes: &[LexiconClass], rule: WordRule, word_keys: WordKeys) -> Self {
        let named = classes.iter().map(|c| (c.class.clone(), hash::marked(word_keys.key(c.class.as_bytes()), 0))).collect();
        let mut lexicon =
            Self { classes: named, by_word: HashMap::default(), by_stem: HashMap::default(), longest_stem: 0, word_keys };
        for (number, class) in classes.iter().enumerate() {
            class.terms.iter().for_each(|term| lexicon.add(&patterns(term, rule), number as u32));
        }
        lexicon
    }

    fn add(&mut self, patterns: &[Pattern], class: u32) {
        let Some((first, rest)) = patterns.split_first() else { return };
        let term = Term { class, rest: rest.to_vec() };
        match first {
            Pattern::Word(word) => self.by_word.entry(self.word_keys.key(word.as_bytes())).or_default().push(term),
            Pattern::Stem(stem) => {
                self.longest_stem = self.longest_stem.max(stem.len());
                self.by_stem.entry(self.word_keys.key(stem.as_bytes())).or_default().push(term);
            }
        }
    }

    pub(super) fn class(&self, number: usize) -> &str {
        &self.classes[number].0
    }

    /// Calls `found` with number and key of each class that has a term beginning with `word`, whose key is `key`; `following(i)` is the i-th word after it.
    pub(super) fn at<'w>(
        &self,
        (word, key): (&str, u64),
        following: impl Fn(usize) -> Option<&'w str>,
        mut found: impl FnMut(usize, u64),
    ) {
        let mut emit = |terms: Option<&Vec<Term>>| {
            for term in terms.into_iter().flatten() {
                let is_here = |(i, pattern): (usize, &Pattern)| following(i).is_some_and(|word| pattern.matches(word));
                if term.rest.iter().enumerate().all(is_here) {
                    found(term.class as usize, self.classes[term.class as usize].1);
                }
            }
        };
        emit(self.by_word.get(&key));
        for length in MIN_STEM..=word.len().min(self.longest_stem) {
            if word.is_char_boundary(length) {
                emit(self.by_stem.get(&self.word_keys.key(&word.as_bytes()[..length])));
            }
        }
    }
}

/// The words of a term as the tokeniser cuts texts; `*` at the end of a word stands for any ending, unless the stem is too short to mean anything.
fn patterns(term: &str, rule: WordRule) -> Vec<Pattern> {
    let mut patterns = Vec::new();
    for piece in term.split(' ') {
        for_each_word(piece, rule, |word, _| patterns.push(Pattern::Word(word.to_owned())));
        if piece.ends_with('*')
            && let Some(Pattern::Word(last)) = patterns.last()
            && last.len() >= MIN_STEM
        {
            let stem = Pattern::Stem(last.clone());
            patterns.pop();
            patterns.push(stem);
        }
    }
    patterns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes_at(lexicon: &Lexicon, words: &[&str]) -> Vec<usize> {
        let mut found = Vec::new();
        let first = (words[0], WordKeys::new(7, 2).key(words[0].as_bytes()));
        lexicon.at(first, |i| words.get(i + 1).copied(), |class, _| found.push(class));
        found
    }

    #[test]
    fn terms_and_stems_are_found() {
        let terms = |terms: &[&str]| terms.iter().map(|t| (*t).to_owned()).collect();
        let classes = [
            LexiconClass { class: "a".into(), terms: terms(&["third party", "mediat*", "no-fly zone"]) },
            LexiconClass { class: "b".into(), terms: terms(&["party", "rul* out", "wash* its hand* of"]) },
        ];
        let lexicon = Lexicon::new(&classes, WordRule::Unicode, WordKeys::new(7, 2));
        assert_eq!(classes_at(&lexicon, &["third", "party"]), [0]);
        assert_eq!(classes_at(&lexicon, &["party", "third"]), [1]);
        assert_eq!(classes_at(&lexicon, &["mediators"]), [0]);
        assert_eq!(classes_at(&lexicon, &["ruled", "out"]), [1]);
        assert_eq!(classes_at(&lexicon, &["washed", "its", "hands", "of"]), [1]);
        assert_eq!(classes_at(&lexicon, &["no-fly", "zone"]), [0]);
        assert!(classes_at(&lexicon, &["media"]).is_empty());
        assert!(classes_at(&lexicon, &["ruled"]).is_empty());
    }
}
