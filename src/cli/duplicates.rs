//! Texts that stand nearly the same in training and test data.

use std::collections::BTreeSet;

use stancekit::check::{CheckedRow, near_duplicates};
use stancekit::labelled::Labelled;

/// Numbers of the texts of `test` that have a near-duplicate in `train`.
pub fn near_duplicates_of(test: &Labelled, train: &Labelled) -> BTreeSet<usize> {
    let rows = |data: &Labelled, part: &str| -> Vec<CheckedRow> {
        let row = |text: &str| CheckedRow {
            line: 0,
            text: text.to_owned(),
            // One group for each part: texts of the same part are not compared.
            group: part.to_owned(),
            split: part.to_owned(),
            labels: Vec::new(),
        };
        data.passages().iter().map(|passage| row(passage.text)).collect()
    };
    let mut both = rows(train, "train");
    let n_train = both.len();
    both.extend(rows(test, "test"));
    near_duplicates(&both).into_iter().map(|pair| pair.second - n_train).collect()
}
