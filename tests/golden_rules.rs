//! Sentence boundaries against the golden rules of pragmatic segmentation, English and others.
//!
//! The data is not part of the repository: `STANCEKIT_DATA` names the folder that holds `sbd_golden_rules/data.csv`, and without it
//! `../shared/data` is looked at. Without the data the test says so and passes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use stancekit::text::sentences_in;

/// Of the 48 English golden rules; pySBD publishes 47.
const REQUIRED: usize = 46;

/// Of the other suites, the share that must not be lost again, in percent.
const REQUIRED_OVERALL_PERCENT: usize = 88;

#[derive(Deserialize)]
struct Row {
    id: String,
    language: String,
    text: String,
    /// A JSON array.
    expected: String,
    /// Whether the expected sentences hold all characters of the text: the others assume a cleaning pass.
    lossless: u8,
    suite: String,
}

fn data_file() -> PathBuf {
    let folder = std::env::var_os("STANCEKIT_DATA").map(PathBuf::from);
    folder.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data")).join("sbd_golden_rules/data.csv")
}

/// Line breaks inside a sentence are ours to keep, so white space is compared as one space.
fn one_spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_right(row: &Row) -> bool {
    let expected: Vec<String> = serde_json::from_str(&row.expected).expect("the expected sentences are a JSON array");
    let found = sentences_in(&row.text, &row.language);
    found.iter().map(|sentence| one_spaced(sentence.of(&row.text))).eq(expected.iter().map(|sentence| one_spaced(sentence)))
}

#[test]
fn golden_rules_are_followed() {
    let file = data_file();
    // Some texts hold carriage returns, unquoted.
    let Ok(mut reader) = csv::ReaderBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_path(&file) else {
        println!("skipped: there is no {}", file.display());
        return;
    };
    let mut scores: BTreeMap<(String, String), (usize, usize)> = BTreeMap::new();
    for row in reader.deserialize().map(|row| row.expect("the table is well formed")).filter(|row: &Row| row.lossless == 1) {
        let right = is_right(&row);
        if !right && row.suite == "golden_rules" {
            println!("{}: {:?}", row.id, row.text);
        }
        let score = scores.entry((row.language, row.suite)).or_default();
        *score = (score.0 + usize::from(right), score.1 + 1);
    }
    println!("language  suite                                right  of");
    for ((language, suite), (right, of)) in &scores {
        println!("{language:8}  {suite:35}  {right:5}  {of}");
    }
    let total = scores.values().fold((0, 0), |sum, score| (sum.0 + score.0, sum.1 + score.1));
    println!("all languages and suites: {} of {}", total.0, total.1);
    let golden = scores[&("en".to_owned(), "golden_rules".to_owned())];
    assert!(golden.0 >= REQUIRED, "{} of {} golden rules, {REQUIRED} are required", golden.0, golden.1);
    assert!(total.0 * 100 >= total.1 * REQUIRED_OVERALL_PERCENT, "{} of {} rows", total.0, total.1);
}
