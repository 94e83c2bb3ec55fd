//! Checks of `datasets/diplomacy`: labels, offsets, counts, repetition, split.

use std::collections::{BTreeMap, BTreeSet};

use stancekit::check::{CheckedRow, near_duplicates, unique_four_grams};

const MODES: [&str; 5] = ["direct", "indirect", "mixed", "author", ""];
const STANCES: [&str; 3] = ["favor", "against", "neutral"];
/// Articles by later drafting passes are for training alone, so that test scores can be compared over the versions.
const LAST_WRITER_OF_TEST: &str = "w16";

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
fn every_topic_has_enough_statements_of_every_stance() {
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (_, row) in all() {
        *counts.entry((row["topic"].clone(), row["stance"].clone())).or_default() += 1;
    }
    let topics: BTreeSet<&str> = counts.keys().map(|(topic, _)| topic.as_str()).filter(|t| *t != "other").collect();
    assert_eq!(topics.len(), 17);
    for topic in topics {
        let of_stance = STANCES.map(|stance| counts.get(&(topic.to_owned(), stance.to_owned())).copied().unwrap_or(0));
        assert!(of_stance.iter().all(|&n| n >= 30) && of_stance.iter().sum::<usize>() >= 120, "{topic}: {of_stance:?}");
    }
}

#[test]
fn the_spread_is_the_planned_one() {
    let rows = all();
    let mut sentences: BTreeMap<(&str, &str), bool> = BTreeMap::new();
    let mut articles: BTreeMap<&str, (&str, &str, usize, &str)> = BTreeMap::new();
    for (split, row) in &rows {
        let is_neutral = sentences.entry((&row["article"], &row["index"])).or_insert(true);
        *is_neutral &= row["stance"] == "neutral";
        let index: usize = row["index"].parse().unwrap();
        let article = articles.entry(&row["article"]).or_insert((split, &row["region"], 0, &row["writer"]));
        article.2 = article.2.max(index + 1);
    }
    assert!(articles.len() >= 400 && sentences.len() >= 3600, "{} articles, {} sentences", articles.len(), sentences.len());
    for (article, (_, _, n, _)) in &articles {
        assert!((7..=13).contains(n), "{article}: {n} sentences with the headline");
    }
    let share = |n: usize, of: usize| n as f64 / of as f64;
    let takes_no_position = share(sentences.values().filter(|neutral| **neutral).count(), sentences.len());
    assert!((0.3..=0.4).contains(&takes_no_position), "{takes_no_position}");
    let of_region = |region: &str| articles.values().filter(|a| a.1 == region).count();
    assert!(share(of_region("south-asia"), articles.len()) <= 1.0 / 3.0);
    let regions: BTreeSet<&str> = articles.values().map(|a| a.1).collect();
    assert_eq!(regions.len(), 7, "{regions:?}");
    for region in regions {
        let of_region = articles.values().filter(|a| a.1 == region && a.3 <= LAST_WRITER_OF_TEST).count();
        let tested = articles.values().filter(|a| a.1 == region && a.0 == "test").count();
        let share = share(tested, of_region);
        assert!((0.17..=0.23).contains(&share), "{region}: {share} of the articles are in the test split");
    }
}

#[test]
fn the_codebook_has_four_examples_of_every_topic() {
    let codebook = include_str!("../datasets/diplomacy/CODEBOOK.md");
    let task: stancekit::Task = include_str!("../datasets/diplomacy/task.toml").parse().unwrap();
    for topic in task.propositions.keys() {
        let section = codebook.split(&format!("\n**{topic}** ")).nth(1).unwrap_or_else(|| panic!("no section on {topic}"));
        let examples = section.lines().skip(1).take_while(|line| line.starts_with("- ")).count();
        assert!(examples >= 4, "{topic}: {examples} examples");
    }
}

/// `second-labelling.csv`: the labels of a second labeller who had not seen the first, beside the first ones, before any was changed.
#[test]
fn two_blind_labellings_agree() {
    let sentences: BTreeSet<(String, String)> =
        all().into_iter().map(|(_, row)| (row["article"].clone(), row["index"].clone())).collect();
    let rows = rows("second-labelling");
    let labelled: BTreeSet<(String, String)> = rows.iter().map(|row| (row["article"].clone(), row["index"].clone())).collect();
    assert!(labelled.len() >= 400 && labelled.is_subset(&sentences), "{}", labelled.len());
    for question in ["topic", "stance"] {
        let answers = |row: &BTreeMap<String, String>| {
            [format!("first_{question}"), format!("second_{question}")].map(|column| row[&column].clone()).to_vec()
        };
        let units: Vec<Vec<String>> =
            rows.iter().map(answers).filter(|unit| unit.iter().all(|label| !label.is_empty())).collect();
        let kappa = stancekit::check::agreement(&units, 10, 1).kappas[0].2;
        assert!(kappa >= 0.85, "{question}: {kappa}");
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
