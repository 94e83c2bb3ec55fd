//! Labelled rows, as a task reads them: texts, the classes of each head, and groups.
//!
//! Built row by row from any table; knows nothing of files. Rows that agree on the task's `unit` columns are one text with several labels. Labels are
//! sorted, so that class numbers do not depend on the order of rows.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use crate::encoder::{Encoder, Vectors};
use crate::error::{Error, Result};
use crate::features::Passage;
use crate::random::Random;
use crate::task::Task;

/// Where a task's fields stand in the columns of a table.
#[derive(Debug, Clone)]
pub struct Columns {
    /// The text.
    pub text: usize,
    /// The group, if the task names one.
    pub group: Option<usize>,
    /// Columns that tell texts apart; empty unless the table has all of them.
    unit: Vec<usize>,
    /// Text of the target, and start and end of its mention.
    target: Option<usize>,
    target_text: Option<String>,
    span: Option<(usize, usize)>,
    /// Label column of each head; absent where labels are not needed.
    pub labels: Vec<Option<usize>>,
    /// Column of what each head is given.
    pub givens: Vec<Option<usize>>,
    /// Column whose values [`Labelled::kinds`] tells apart.
    pub kind: Option<usize>,
    names: Vec<String>,
}

/// One labelled case of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// Number of the text.
    pub text: usize,
    /// Class number.
    pub class: usize,
    /// Number of the given label, 0 without one.
    pub given: usize,
}

/// The labels of one head.
#[derive(Debug, Clone, Default)]
pub struct HeadCases {
    /// Label names, sorted.
    pub labels: Vec<String>,
    /// Given label names, sorted; empty where the head is given nothing.
    pub given_labels: Vec<String>,
    /// The cases, in row order.
    pub cases: Vec<Case>,
}

/// Texts with labels.
#[derive(Debug, Clone, Default)]
pub struct Labelled {
    texts: Vec<String>,
    targets: Vec<Option<(usize, usize)>>,
    /// Group number of each text.
    groups: Vec<usize>,
    n_groups: usize,
    /// Value of the kind column of each text; empty without one.
    kinds: Vec<String>,
    heads: Vec<HeadCases>,
    n_rows: usize,
    vectors: Vectors,
}

impl Columns {
    /// Finds the task's columns by name; `text` is the text column's position.
    ///
    /// # Errors
    ///
    /// If a named column is missing; label columns may be missing unless `needs_labels`.
    pub fn find(task: &Task, names: &[String], text: usize, needs_labels: bool) -> Result<Self> {
        let find = |name: &str| {
            names.iter().position(|n| n == name).ok_or_else(|| {
                Error::input("no such column")
                    .in_column(name)
                    .expected(format!("one of {}", names.join(", ")))
                    .help("check the spelling in the task or the flag")
            })
        };
        let label = |column: &str| if needs_labels { find(column).map(Some) } else { Ok(names.iter().position(|n| n == column)) };
        let given = |head: &crate::task::HeadTask| match &head.given {
            // A given head's own label column; at prediction it may be missing, and the predicted label is used.
            Some(name) => match task.head(name) {
                Some(h) => label(task.heads[h].column()),
                None => find(name).map(Some),
            },
            None => Ok(None),
        };
        Ok(Self {
            text,
            group: task
                .group
                .as_deref()
                .map(|g| if needs_labels { find(g).map(Some) } else { Ok(names.iter().position(|n| n == g)) })
                .transpose()?
                .flatten(),
            unit: task.unit.iter().map(|u| names.iter().position(|n| n == u)).collect::<Option<_>>().unwrap_or_default(),
            target: task.target.as_deref().map(find).transpose()?,
            target_text: task.target_text.clone(),
            span: task.target_span.as_ref().map(|(start, end)| Ok::<_, Error>((find(start)?, find(end)?))).transpose()?,
            labels: task.heads.iter().map(|h| label(h.column())).collect::<Result<_>>()?,
            givens: task.heads.iter().map(given).collect::<Result<_>>()?,
            kind: None,
            names: names.to_vec(),
        })
    }

    /// Whether two rows are labels of one text: the task names unit columns and the rows agree on them.
    pub fn is_same_text<'r>(&self, a: impl Fn(usize) -> &'r str, b: impl Fn(usize) -> &'r str) -> bool {
        !self.unit.is_empty() && self.unit.iter().all(|&column| a(column) == b(column))
    }

    /// The target mention of a row in bytes of its text.
    ///
    /// # Errors
    ///
    /// If the span columns hold no span of the text.
    pub fn target_of<'r>(&self, field: impl Fn(usize) -> &'r str) -> Result<Option<(usize, usize)>> {
        let text = field(self.text);
        if let Some((start, end)) = self.span {
            let position = |column: usize| {
                field(column).trim().parse::<usize>().map_err(|_| {
                    Error::input("not a position in the text")
                        .in_column(&self.names[column])
                        .expected("a whole number")
                        .found(format!("{:?}", field(column)))
                })
            };
            return byte_span(text, position(start)?, position(end)?).map(Some).ok_or_else(|| {
                Error::input("the target span is not within the text")
                    .in_column(&self.names[start])
                    .expected(format!("start < end <= {}", text.chars().count()))
                    .found(format!("{},{}", field(start), field(end)))
            });
        }
        let target = self.target.map(field).or(self.target_text.as_deref());
        Ok(target.and_then(|target| find_mention(text, target)))
    }
}

/// Byte range of a span in code points.
fn byte_span(text: &str, start: usize, end: usize) -> Option<(usize, usize)> {
    let mut offsets = text.char_indices().map(|(i, _)| i).chain([text.len()]);
    let first = offsets.nth(start)?;
    let last = offsets.nth(end.checked_sub(start + 1)?)?;
    Some((first, last))
}

/// First mention of `target` in `text`, case ignored for ASCII.
pub(crate) fn find_mention(text: &str, target: &str) -> Option<(usize, usize)> {
    let (text_lower, target_lower) = (text.to_ascii_lowercase(), target.trim().to_ascii_lowercase());
    if target_lower.is_empty() {
        return None;
    }
    text_lower.find(&target_lower).map(|start| (start, start + target_lower.len()))
}

/// Collects rows.
#[derive(Debug)]
pub struct LabelledBuilder {
    columns: Columns,
    is_multiple: Vec<bool>,
    data: Labelled,
    units: HashMap<String, usize>,
    groups: HashMap<String, usize>,
    /// Per head: label, given label and text of each row, by name.
    rows: Vec<Vec<(String, String, usize)>>,
}

impl LabelledBuilder {
    /// Nothing collected yet.
    pub fn new(task: &Task, columns: Columns) -> Self {
        let n = task.heads.len();
        Self {
            columns,
            is_multiple: task.heads.iter().map(|h| h.multiple).collect(),
            data: Labelled::default(),
            units: HashMap::new(),
            groups: HashMap::new(),
            rows: vec![Vec::new(); n],
        }
    }

    /// Adds a row, given its fields by column.
    ///
    /// # Errors
    ///
    /// If a label is empty or the target span is wrong; the row is not added then.
    pub fn push<'r>(&mut self, field: impl Fn(usize) -> &'r str) -> Result<()> {
        for (column, name) in self.columns.labels.iter().flatten().map(|&c| (c, &self.columns.names[c])) {
            if field(column).trim().is_empty() {
                return Err(Error::labels("the label is empty")
                    .in_column(name)
                    .expected("a label")
                    .help("fill it in or remove the row"));
            }
        }
        let target = self.columns.target_of(&field)?;
        let text = self.text_number(&field, target);
        for (head, label) in self.columns.labels.iter().enumerate() {
            let Some(label) = label else { continue };
            let given = self.columns.givens[head].map_or("", |g| field(g).trim());
            self.rows[head].push((field(*label).trim().to_owned(), given.to_owned(), text));
        }
        self.data.n_rows += 1;
        Ok(())
    }

    fn text_number<'r>(&mut self, field: &impl Fn(usize) -> &'r str, target: Option<(usize, usize)>) -> usize {
        let number = self.data.texts.len();
        if !self.columns.unit.is_empty() {
            let unit = self.columns.unit.iter().map(|&c| field(c)).collect::<Vec<_>>().join("\u{1f}");
            let known = *self.units.entry(unit).or_insert(number);
            if known < number {
                return known;
            }
        }
        let next = self.data.n_groups;
        let group = match self.columns.group {
            Some(column) => *self.groups.entry_ref(field(column)).or_insert(next),
            None => next,
        };
        self.data.n_groups = self.data.n_groups.max(group + 1);
        self.data.texts.push(field(self.columns.text).to_owned());
        self.data.targets.push(target);
        self.data.groups.push(group);
        if let Some(kind) = self.columns.kind {
            self.data.kinds.push(field(kind).to_owned());
        }
        number
    }

    /// The collected data, with labels numbered in sorted order.
    pub fn finish(mut self) -> Labelled {
        for (head, rows) in self.rows.into_iter().enumerate() {
            let is_given = self.columns.givens[head].is_some();
            let labels = sorted(rows.iter().map(|r| &r.0));
            let given_labels = if is_given { sorted(rows.iter().map(|r| &r.1)) } else { Vec::new() };
            let mut cases: Vec<Case> = rows
                .iter()
                .map(|(label, given, text)| Case {
                    text: *text,
                    class: labels.binary_search(label).expect("collected above"),
                    given: given_labels.binary_search(given).unwrap_or(0),
                })
                .collect();
            if self.is_multiple[head] {
                cases.sort_by_key(|c| (c.text, c.class));
                cases.dedup();
            }
            self.data.heads.push(HeadCases { labels, given_labels, cases });
        }
        self.data
    }
}

impl Labelled {
    /// The texts.
    pub fn passages(&self) -> Vec<Passage<'_>> {
        let passage = |(i, text)| Passage { text, target: self.targets[i], vector: self.vectors.row(i) };
        self.texts.iter().map(String::as_str).enumerate().map(passage).collect()
    }

    /// Gives every text its vector; without an encoder, none.
    ///
    /// # Errors
    ///
    /// As [`Encoder::encode`].
    pub fn encode(&mut self, encoder: Option<&Encoder>) -> Result<()> {
        self.vectors = encoder.map(|encoder| encoder.encode(&self.passages())).transpose()?.unwrap_or_default();
        Ok(())
    }

    /// The cases of each head, in the order of the task.
    pub fn heads(&self) -> &[HeadCases] {
        &self.heads
    }

    /// Group number of each text.
    pub fn groups(&self) -> &[usize] {
        &self.groups
    }

    /// Values of the kind column, sorted, and the position of each text's value among them; both empty without such a column.
    pub fn kinds(&self) -> (Vec<String>, Vec<usize>) {
        let values = sorted(self.kinds.iter());
        let place = |kind: &String| values.binary_search(kind).expect("collected above");
        let places = self.kinds.iter().map(place).collect();
        (values, places)
    }

    /// Number of groups; of texts, where there is no group column.
    pub fn n_groups(&self) -> usize {
        self.n_groups
    }

    /// Number of rows read.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Number of different texts.
    pub fn n_texts(&self) -> usize {
        self.texts.len()
    }

    /// Fingerprint of texts, labels and groups in order, as hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        let mut hash = 0_u64;
        let mut add = |bytes: &[u8]| hash = rapidhash::v3::rapidhash_v3(&[&hash.to_le_bytes(), bytes].concat());
        for ((text, group), target) in self.texts.iter().zip(&self.groups).zip(&self.targets) {
            add(text.as_bytes());
            add(format!("{group} {target:?}").as_bytes());
        }
        for head in &self.heads {
            add(head.labels.join("\u{1f}").as_bytes());
            add(head.given_labels.join("\u{1f}").as_bytes());
            for case in &head.cases {
                add(format!("{} {} {}", case.text, case.class, case.given).as_bytes());
            }
        }
        format!("{hash:016x}")
    }

    /// Fold of each text: groups stay whole, folds are of about equal size, the same seed gives the same folds.
    ///
    /// # Errors
    ///
    /// If there are fewer groups than folds, or fewer than two folds.
    pub fn folds(&self, n_folds: usize, seed: u64) -> Result<Vec<usize>> {
        if n_folds < 2 {
            return Err(Error::parameter("too few folds").expected("at least 2").found(n_folds.to_string()));
        }
        if self.n_groups < n_folds {
            return Err(Error::labels("too few groups to cross-validate")
                .expected(format!("at least {n_folds} groups for {n_folds} folds"))
                .found(format!("{} groups", self.n_groups))
                .help("use fewer folds, or a group column with more values"));
        }
        let mut sizes = vec![0_usize; self.n_groups];
        self.groups.iter().for_each(|&g| sizes[g] += 1);
        let mut order: Vec<usize> = (0..self.n_groups).collect();
        Random::new(seed).shuffle(&mut order);
        order.sort_by_key(|&g| std::cmp::Reverse(sizes[g]));
        let mut loads = vec![0_usize; n_folds];
        let mut fold_of = vec![0; self.n_groups];
        for group in order {
            let fold = (0..n_folds).min_by_key(|&f| loads[f]).unwrap_or(0);
            fold_of[group] = fold;
            loads[fold] += sizes[group];
        }
        Ok(self.groups.iter().map(|&g| fold_of[g]).collect())
    }

    /// Checks that there is something to learn for every head.
    ///
    /// # Errors
    ///
    /// One class only, or fewer rows than classes.
    pub fn check_trainable(&self, task: &Task) -> Result<()> {
        if self.n_rows == 0 {
            return Err(Error::labels("no labelled row").expected("a header and at least two rows with different labels"));
        }
        for (head, cases) in task.heads.iter().zip(&self.heads) {
            if cases.labels.len() < 2 {
                return Err(Error::labels("one class only")
                    .in_column(head.column())
                    .expected("at least two labels")
                    .found(cases.labels.join(", "))
                    .help("check that this is the label column"));
            }
            if cases.cases.len() < 2 * cases.labels.len() {
                return Err(Error::labels("too few rows for the number of classes")
                    .in_column(head.column())
                    .expected(format!("at least {} rows for {} labels", 2 * cases.labels.len(), cases.labels.len()))
                    .found(format!("{} rows", cases.cases.len()))
                    .help("check that this is the label column, or label more rows"));
            }
        }
        Ok(())
    }

    /// Number of cases per label of a head.
    pub fn counts(&self, head: usize) -> BTreeMap<&str, usize> {
        let head = &self.heads[head];
        let mut counts: BTreeMap<&str, usize> = head.labels.iter().map(|l| (l.as_str(), 0)).collect();
        for case in &head.cases {
            *counts.entry(&head.labels[case.class]).or_default() += 1;
        }
        counts
    }
}

fn sorted<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut names: Vec<&String> = names.collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labelled(task: &str, rows: &[[&str; 5]]) -> Labelled {
        let task: Task = task.parse().unwrap();
        let names: Vec<String> = ["article", "index", "text", "topic", "stance"].map(String::from).to_vec();
        let mut builder = LabelledBuilder::new(&task, Columns::find(&task, &names, 2, true).unwrap());
        rows.iter().for_each(|row| builder.push(|c| row[c]).unwrap());
        builder.finish()
    }

    const TASK: &str = "group = 'article'\nunit = ['article', 'index']\n[[head]]\nname = 'topic'\nmultiple = true\n[[head]]\nname = 'stance'\ngiven = 'topic'\n";
    const ROWS: [[&str; 5]; 4] = [
        ["a", "1", "both", "trade", "favor"],
        ["a", "1", "both", "aid", "against"],
        ["b", "1", "one", "aid", "favor"],
        ["b", "2", "two", "trade", "favor"],
    ];

    #[test]
    fn rows_of_one_unit_are_one_text() {
        let data = labelled(TASK, &ROWS);
        assert_eq!((data.n_texts(), data.n_rows(), data.n_groups()), (3, 4, 2));
        assert_eq!(data.heads()[0].cases.len(), 4);
        assert_eq!(data.heads()[1].given_labels, ["aid", "trade"]);
        assert_eq!(data.heads()[1].cases[1], Case { text: 0, class: 0, given: 0 });
    }

    #[test]
    fn folds_keep_groups_whole() {
        let data = labelled(TASK, &ROWS);
        let folds = data.folds(2, 1).unwrap();
        assert_eq!(folds[1], folds[2]);
        assert_ne!(folds[0], folds[1]);
        assert!(data.folds(3, 1).is_err());
    }

    #[test]
    fn one_class_only_is_refused() {
        let task: Task = TASK.parse().unwrap();
        let data = labelled(TASK, &ROWS[2..3]);
        assert!(data.check_trainable(&task).unwrap_err().to_string().contains("one class only"));
    }

    #[test]
    fn a_span_counts_code_points() {
        assert_eq!(byte_span("né en", 3, 5), Some((4, 6)));
        assert_eq!(byte_span("né", 1, 3), None);
        assert_eq!(byte_span("né", 1, 1), None);
    }
}
