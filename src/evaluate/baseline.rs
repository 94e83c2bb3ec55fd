//! The best single n-gram: the least that a classifier of words must beat.
//!
//! One word or pair of words decides: a text that holds it is of one class, all others of another. Learnt from the training labels by the most right
//! answers, so that a score near it says that a keyword search would have done.

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::features::{Counter, hash};
use crate::text::{WordRule, for_each_word, lower_into};

/// A rule of one n-gram.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SingleNgram {
    /// One word or two, in lower case, with a space between.
    pub ngram: String,
    /// Class of texts that hold it.
    pub present: usize,
    /// Class of all others.
    pub absent: usize,
}

impl SingleNgram {
    /// The rule with the most right answers on `texts`, of classes below `n_classes`; ties go to the alphabetically first. None without texts.
    pub fn learn<'t>(texts: impl Iterator<Item = (&'t str, usize)>, n_classes: usize) -> Option<Self> {
        let mut totals = vec![0_usize; n_classes];
        // Where an n-gram's numbers of texts per class are, and the text that held it first: n-grams are told apart by their keys, and only the best have names.
        let mut places: HashMap<u64, usize, rapidhash::fast::RandomState> = HashMap::default();
        let (mut holding, mut first): (Vec<u32>, Vec<&str>) = Default::default();
        let (mut lowered, mut counter) = (String::new(), Counter::<u64>::default());
        for (text, class) in texts {
            totals[class] += 1;
            counter.clear();
            for_each_ngram(text, &mut lowered, |key, _, _| counter.add(key));
            for count in counter.counts() {
                let place = *places.entry(count.key).or_insert(first.len());
                if place == first.len() {
                    first.push(text);
                    holding.resize(holding.len() + n_classes, 0);
                }
                holding[place * n_classes + class] += 1;
            }
        }
        let rule = |counts: &[u32]| {
            let (present, n_present) = largest(counts.iter().map(|&n| n as usize));
            let (absent, n_absent) = largest(totals.iter().zip(counts).map(|(total, &n)| total - n as usize));
            (n_present + n_absent, present, absent)
        };
        let rules = || holding.chunks_exact(n_classes).map(rule);
        let most = rules().map(|rule| rule.0).max()?;
        let best = rules().enumerate().filter(|(_, rule)| rule.0 == most).flat_map(|(place, (_, present, absent))| {
            let mut names = Vec::new();
            for_each_ngram(first[place], &mut String::new(), |key, before, word| {
                if places[&key] == place {
                    names.push(before.map_or_else(|| word.to_owned(), |before| format!("{before} {word}")));
                }
            });
            names.into_iter().map(move |ngram| Self { ngram, present, absent })
        });
        best.min_by(|a, b| a.ngram.cmp(&b.ngram))
    }

    /// The class that the rule gives a text.
    pub fn class(&self, text: &str) -> usize {
        let mut is_held = false;
        for_each_ngram(text, &mut String::new(), |_, before, word| {
            is_held |= match (before, self.ngram.split_once(' ')) {
                (None, None) => word == self.ngram,
                (Some(before), Some((first, second))) => before == first && word == second,
                _ => false,
            };
        });
        if is_held { self.present } else { self.absent }
    }
}

/// The first of the largest numbers.
fn largest(numbers: impl Iterator<Item = usize>) -> (usize, usize) {
    numbers.enumerate().fold((0, 0), |best, next| if next.1 > best.1 { next } else { best })
}

/// Calls `f` with the key of every word and pair of words: the word before it, for a pair, and the word, both in lower case.
fn for_each_ngram(text: &str, lowered: &mut String, mut f: impl FnMut(u64, Option<&str>, &str)) {
    lowered.clear();
    lower_into(text, lowered);
    let lowered = &*lowered;
    let mut last: Option<(u64, usize, usize)> = None;
    for_each_word(lowered, WordRule::Unicode, |word, start| {
        let key = hash::word(word.as_bytes(), 0);
        if let Some((before, from, to)) = last {
            f(hash::append_word(before, key), Some(&lowered[from..to]), word);
        }
        f(key, None, word);
        last = Some((key, start, start + word.len()));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_telling_pair_of_words_is_found() {
        let texts =
            [("they rule out talks", 0), ("we Rule Out aid", 0), ("they rule and talk", 1), ("out of talks", 1), ("aid", 1)];
        let rule = SingleNgram::learn(texts.into_iter(), 2).unwrap();
        assert_eq!(rule, SingleNgram { ngram: "rule out".into(), present: 0, absent: 1 });
        assert_eq!((rule.class("Rule out!"), rule.class("out rule")), (0, 1));
        assert_eq!(SingleNgram::learn(std::iter::empty(), 2), None);
    }
}
