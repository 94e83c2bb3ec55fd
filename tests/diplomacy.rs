//! Checks of `datasets/diplomacy`: labels, offsets, counts, repetition, split.

use std::collections::{BTreeMap, BTreeSet};

use stancekit::check::{CheckedRow, near_duplicates, unique_four_grams};

const MODES: [&str; 5] = ["direct", "indirect", "mixed", "author", ""];
const STANCES: [&str; 3] = ["favor", "against", "neutral"];

fn rows(split: &str) -> Vec<BTreeMap<String, String>> {
    let path = format!("{}/datasets/diplomacy/{split}.csv", env!("CARGO_MANIFEST_DIR"));
    csv::Reader::from_path(path).unwrap().deserialize().collect::<Result<_, _>>().unwrap()
}

fn all() -> Vec<(&'static str, BTreeMap<String, String>)> {
    ["train", "test"].into_iter().flat_map(|split| rows(split).into_iter().map(move |row| (split, row))).collect()
}

#[test]
fn labels_are_known() {
    let task: stancekit::Task = include_str!("../datasets/diplomacy/task.toml").parse().unwrap();
    for (_, row) in all() {
        let (topic, stance) = (row["topic"].as_str(), row["stance"].as_str());
        assert!(topic == "other" || task.propositions.contains_key(topic), "{row:?}");
        assert!(STANCES.contains(&stance) && MODES.contains(&row["mode"].as_str()), "{row:?}");
        assert!(topic != "other" || (stance == "neutral" && row["holder"].is_empty()), "{row:?}");
    }
}

#[test]
fn offsets_lie_in_the_sentence_and_name_something() {
    for (_, row) in all() {
        if row["holder_start"].is_empty() {
            continue;
        }
        let points: Vec<char> = row["text"].chars().collect();
        let (start, end): (usize, usize) = (row["holder_start"].parse().unwrap(), row["holder_end"].parse().unwrap());
        assert!(start < end && end <= points.len() && !row["holder"].is_empty(), "{row:?}");
        assert!(!points[start].is_whitespace() && !points[end - 1].is_whitespace(), "{row:?}");
    }
}

#[test]
fn every_topic_has_every_stance() {
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (_, row) in all() {
        *counts.entry((row["topic"].clone(), row["stance"].clone())).or_default() += 1;
    }
    let topics: BTreeSet<&str> = counts.keys().map(|(topic, _)| topic.as_str()).filter(|t| *t != "other").collect();
    assert_eq!(topics.len(), 17);
    for topic in topics {
        for stance in STANCES {
            let n = counts.get(&(topic.to_owned(), stance.to_owned())).copied().unwrap_or(0);
            assert!(n >= 8, "{topic} {stance}: {n}");
        }
    }
}

#[test]
fn sentences_do_not_repeat_each_other() {
    let checked: Vec<CheckedRow> = all()
        .into_iter()
        .map(|(split, row)| CheckedRow {
            line: 0,
            text: row["text"].clone(),
            group: row["article"].clone(),
            split: split.to_owned(),
            labels: vec![row["topic"].clone()],
        })
        .collect();
    assert_eq!(near_duplicates(&checked), []);
    assert!(unique_four_grams(&checked) >= 0.9);
}

#[test]
fn no_article_is_in_both_splits() {
    let articles = |split| rows(split).into_iter().map(|row| row["article"].clone()).collect::<BTreeSet<_>>();
    assert!(articles("train").is_disjoint(&articles("test")));
}

#[test]
fn sentences_of_an_article_stand_together_and_in_order() {
    for split in ["train", "test"] {
        let mut seen = BTreeSet::new();
        let mut last = (String::new(), 0_usize);
        for row in rows(split) {
            let index: usize = row["index"].parse().unwrap();
            if row["article"] != last.0 {
                assert!(seen.insert(row["article"].clone()) && index == 0, "{row:?}");
            } else {
                assert!(index == last.1 || index == last.1 + 1, "{row:?}");
            }
            last = (row["article"].clone(), index);
        }
    }
}
