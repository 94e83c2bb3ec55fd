//! The best single n-gram: the least that a classifier of words must beat.
//!
//! One word or pair of words decides: a text that holds it is of one class, all others of another. Learnt from the training labels by the most right
//! answers, so that a score near it says that a keyword search would have done.

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

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
        let mut holding: HashMap<String, Vec<u32>> = HashMap::new();
        for (text, class) in texts {
            totals[class] += 1;
            let mut of_text = ngrams(text);
            of_text.sort_unstable();
            of_text.dedup();
            for ngram in of_text {
                holding.entry(ngram).or_insert_with(|| vec![0; n_classes])[class] += 1;
            }
        }
        let rule = |ngram: &String, counts: &[u32]| {
            let (present, n_present) = largest(counts.iter().map(|&n| n as usize));
            let (absent, n_absent) = largest(totals.iter().zip(counts).map(|(total, &n)| total - n as usize));
            (n_present + n_absent, Self { ngram: ngram.clone(), present, absent })
        };
        let mut best: Option<(usize, Self)> = None;
        let mut ranked: Vec<(&String, &Vec<u32>)> = holding.iter().collect();
        ranked.sort_unstable();
        for (ngram, counts) in ranked {
            let next = rule(ngram, counts);
            if best.as_ref().is_none_or(|best| next.0 > best.0) {
                best = Some(next);
            }
        }
        best.map(|(_, rule)| rule)
    }

    /// The class that the rule gives a text.
    pub fn class(&self, text: &str) -> usize {
        if ngrams(text).contains(&self.ngram) { self.present } else { self.absent }
    }
}

/// The first of the largest numbers.
fn largest(numbers: impl Iterator<Item = usize>) -> (usize, usize) {
    numbers.enumerate().fold((0, 0), |best, next| if next.1 > best.1 { next } else { best })
}

fn ngrams(text: &str) -> Vec<String> {
    let mut lowered = String::new();
    lower_into(text, &mut lowered);
    let (mut ngrams, mut last) = (Vec::new(), String::new());
    for_each_word(&lowered, WordRule::Unicode, |word, _| {
        if !last.is_empty() {
            ngrams.push(format!("{last} {word}"));
        }
        ngrams.push(word.to_owned());
        last = word.to_owned();
    });
    ngrams
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
