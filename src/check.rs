//! What may be wrong with labelled data: labels unknown or rare, texts labelled twice in different ways, near-duplicates across splits.
//!
//! Looks and reports; changes nothing. Near-duplicates are texts of different groups whose sets of lower-case words have a Jaccard index of at least
//! [`NEAR`]; candidates share one of their rarest words, so that the cost stays far below that of all pairs.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::{HashMap, HashSet};

use crate::evaluate::{Interval, cohen_kappa, krippendorff_alpha_with_interval};
use crate::text::{WordRule, for_each_word, lower_into};

/// Jaccard index from which two texts count as near-duplicates.
pub const NEAR: f64 = 0.6;
/// Texts of fewer words are compared for equality only.
const LEAST_WORDS: usize = 4;

/// One labelled text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedRow {
    /// Line in the file.
    pub line: u64,
    /// The text.
    pub text: String,
    /// Group, such as the article; rows of one group may resemble each other.
    pub group: String,
    /// Split; empty without one.
    pub split: String,
    /// Labels by head.
    pub labels: Vec<String>,
}

/// Two rows by their position, and how alike they are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// First row.
    pub first: usize,
    /// Second row.
    pub second: usize,
    /// Jaccard index of their words.
    pub jaccard: f64,
}

/// Texts of different groups that are alike, in order of their rows.
pub fn near_duplicates(rows: &[CheckedRow]) -> Vec<Pair> {
    let sets: Vec<Vec<u32>> = word_sets(rows);
    let mut frequency: HashMap<u32, u32> = HashMap::new();
    sets.iter().flatten().for_each(|&word| *frequency.entry(word).or_default() += 1);
    let mut by_word: HashMap<u32, Vec<usize>> = HashMap::new();
    let mut pairs = Vec::new();
    for (second, set) in sets.iter().enumerate() {
        // Sets of Jaccard index J share at least J of the larger one: one of the rarest 1 - J share of words must be common to both.
        let mut rarest: Vec<u32> = set.clone();
        rarest.sort_by_key(|word| (frequency[word], *word));
        rarest.truncate(set.len() - (set.len() as f64 * NEAR).ceil() as usize + 1);
        let candidates: BTreeSet<usize> = rarest.iter().filter_map(|word| by_word.get(word)).flatten().copied().collect();
        for first in candidates.into_iter().filter(|&first| rows[first].group != rows[second].group) {
            let jaccard = jaccard(&sets[first], set);
            if jaccard >= NEAR {
                pairs.push(Pair { first, second, jaccard });
            }
        }
        rarest.into_iter().for_each(|word| by_word.entry(word).or_default().push(second));
    }
    pairs
}

/// Rows with the same text and different labels of head `head`; rows of one group with the same text may have several labels.
pub fn conflicts(rows: &[CheckedRow], head: usize) -> Vec<(usize, usize)> {
    let mut first_of: HashMap<&str, usize> = HashMap::new();
    let mut conflicts = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        match first_of.get(row.text.as_str()) {
            Some(&first) if rows[first].group != row.group && rows[first].labels[head] != row.labels[head] => {
                conflicts.push((first, i))
            }
            Some(_) => {}
            None => {
                first_of.insert(&row.text, i);
            }
        }
    }
    conflicts
}

/// Groups that stand in more than one split.
pub fn groups_across_splits(rows: &[CheckedRow]) -> Vec<&str> {
    let mut splits: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    rows.iter().for_each(|row| {
        splits.entry(&row.group).or_default().insert(&row.split);
    });
    splits.into_iter().filter(|(_, s)| s.len() > 1).map(|(group, _)| group).collect()
}

/// Number of rows of each combination of labels.
pub fn label_counts(rows: &[CheckedRow]) -> BTreeMap<Vec<&str>, usize> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(row.labels.iter().map(String::as_str).collect()).or_default() += 1;
    }
    counts
}

/// Share of word 4-grams that occur once.
pub fn unique_four_grams(rows: &[CheckedRow]) -> f64 {
    let mut counts: HashMap<[u32; 4], u32> = HashMap::new();
    let mut ids = HashMap::new();
    let mut seen = HashSet::new();
    for row in rows.iter().filter(|row| seen.insert((&row.group, &row.text))) {
        let words = words(&row.text, &mut ids);
        words.windows(4).for_each(|w| *counts.entry([w[0], w[1], w[2], w[3]]).or_default() += 1);
    }
    let total: u32 = counts.values().sum();
    counts.values().filter(|&&n| n == 1).count() as f64 / f64::from(total.max(1))
}

/// Agreement of annotators on one question.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreement {
    /// Cohen's kappa of each pair of annotators, by their positions.
    pub kappas: Vec<(usize, usize, f64)>,
    /// Krippendorff's alpha, nominal.
    pub alpha: f64,
    /// Its 95 % interval by bootstrap over units.
    pub interval: Interval,
}

/// Agreement of the annotators whose labels are the columns of `units`; an empty label is a missing one.
pub fn agreement(units: &[Vec<String>], n_samples: usize, seed: u64) -> Agreement {
    let n_annotators = units.first().map_or(0, Vec::len);
    let mut kappas = Vec::new();
    for a in 0..n_annotators {
        for b in a + 1..n_annotators {
            let both: Vec<&Vec<String>> = units.iter().filter(|u| !u[a].is_empty() && !u[b].is_empty()).collect();
            let of = |annotator: usize| both.iter().map(|u| u[annotator].as_str()).collect::<Vec<_>>();
            kappas.push((a, b, cohen_kappa(&of(a), &of(b))));
        }
    }
    let given: Vec<Vec<&str>> = units.iter().map(|u| u.iter().map(String::as_str).filter(|l| !l.is_empty()).collect()).collect();
    let (alpha, interval) = krippendorff_alpha_with_interval(&given, n_samples, seed);
    Agreement { kappas, alpha, interval }
}

fn words(text: &str, ids: &mut HashMap<String, u32>) -> Vec<u32> {
    let mut lowered = String::new();
    lower_into(text, &mut lowered);
    let mut words = Vec::new();
    for_each_word(&lowered, WordRule::Unicode, |word, _| {
        let next = ids.len() as u32;
        words.push(*ids.entry_ref(word).or_insert(next));
    });
    words
}

/// Sorted sets of word numbers; short texts stand for themselves by one number of their own.
fn word_sets(rows: &[CheckedRow]) -> Vec<Vec<u32>> {
    let mut ids = HashMap::new();
    rows.iter()
        .map(|row| {
            let mut set = words(&row.text, &mut ids);
            set.sort_unstable();
            set.dedup();
            if set.len() < LEAST_WORDS {
                let next = ids.len() as u32;
                set = vec![*ids.entry(format!("\0{}", row.text)).or_insert(next)];
            }
            set
        })
        .collect()
}

fn jaccard(a: &[u32], b: &[u32]) -> f64 {
    let (mut i, mut j, mut common) = (0, 0, 0);
    while i < a.len() && j < b.len() {
        match a[i].cmp(&b[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                common += 1;
                i += 1;
                j += 1;
            }
        }
    }
    f64::from(common) / (a.len() + b.len() - common as usize) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(group: &str, split: &str, text: &str, label: &str) -> CheckedRow {
        CheckedRow { line: 1, text: text.into(), group: group.into(), split: split.into(), labels: vec![label.into()] }
    }

    #[test]
    fn near_duplicates_equal_those_of_all_pairs() {
        let words = ["talks", "river", "the", "a", "truce", "minister", "said", "no", "dam", "aid"];
        let mut random = crate::random::Random::new(3);
        let rows: Vec<CheckedRow> = (0..120)
            .map(|i| {
                let text: Vec<&str> = (0..6).map(|_| words[random.below(words.len())]).collect();
                row(&i.to_string(), "", &text.join(" "), "x")
            })
            .collect();
        let sets = word_sets(&rows);
        let mut expected = Vec::new();
        for second in 0..rows.len() {
            expected
                .extend((0..second).filter(|&first| jaccard(&sets[first], &sets[second]) >= NEAR).map(|first| (first, second)));
        }
        assert_eq!(near_duplicates(&rows).iter().map(|p| (p.first, p.second)).collect::<Vec<_>>(), expected);
        assert!(!expected.is_empty());
    }

    #[test]
    fn the_same_text_with_another_label_is_a_conflict() {
        let rows = [row("a", "", "no deal", "x"), row("b", "", "no deal", "y"), row("a", "", "no deal", "z")];
        assert_eq!(conflicts(&rows, 0), [(0, 1)]);
    }

    #[test]
    fn groups_in_two_splits_are_found() {
        let rows = [row("a", "train", "x", ""), row("a", "test", "y", ""), row("b", "test", "z", "")];
        assert_eq!(groups_across_splits(&rows), ["a"]);
    }
}
