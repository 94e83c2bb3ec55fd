//! A model on a labelled table: one item per label, with what the reference rules and the prediction sets say of it.

use std::collections::BTreeMap;
use std::ops::Range;

use stancekit::batch::{BatchOptions, vectors};
use stancekit::data::{Rejects, RowBatch};
use stancekit::documents::{Documents, answer_document};
use stancekit::encoder::{Encoder, Vectors};
use stancekit::evaluate::{Item, pair_labels};
use stancekit::labelled::Columns;
use stancekit::predict::{Answer, Reading, Scratch};
use stancekit::{Error, Predictor};

use super::Common;
use super::columns::{TableArgs, TargetArgs, tell_encoding};

/// The evaluated items of one head.
pub struct HeadItems {
    pub name: String,
    pub labels: Vec<String>,
    pub given_labels: Vec<String>,
    pub items: Vec<Item>,
    /// What the rule of a single n-gram says of the same cases; empty where the model has none.
    pub single: Vec<Item>,
    /// Prediction sets, where a level was asked for.
    pub sets: Vec<SetItem>,
}

/// The prediction set of one case.
pub struct SetItem {
    pub gold: usize,
    /// Whether the set holds the true label.
    pub is_covered: bool,
    pub n_labels: usize,
    pub is_abstained: bool,
}

/// Items of every head given the true values, and of all heads together with nothing given. The model comes with its encoder, if it has one.
pub fn score_table(
    (predictor, encoder): (&Predictor, Option<&Encoder>),
    table: &TableArgs,
    target: Option<&TargetArgs>,
    options: &BatchOptions,
    common: &Common,
    rejects: &mut Rejects,
) -> anyhow::Result<(Vec<HeadItems>, Vec<Item>)> {
    let mut task = predictor.model().meta().task.clone();
    target.map_or(Ok(()), |target| target.overrule_trained(&mut task))?;
    let mut reader = table.open()?;
    let text = table.text_column(&mut reader, &task)?;
    let columns = Columns::find(&task, reader.columns(), text, true).map_err(|e| reader.place_columns(e))?;
    let conditions = table.conditions(reader.columns())?;
    let mut scoring = Scoring::new(predictor, &columns, options);
    let mut documents = Documents::new(predictor, &columns);
    let mut scratch = predictor.scratch();
    let mut batch = RowBatch::new();
    let bar = super::progress::spinner(common, "rows scored");
    while documents.read_batch(&mut reader, &mut batch, rejects)? {
        batch.retain(|batch, row| conditions.iter().all(|c| c.holds(batch, row)));
        let vectors = vectors(encoder, &columns, &scoring.options, &batch)?;
        for rows in documents.ranges(&batch) {
            for error in scoring.add((&batch, &vectors), rows, &mut scratch) {
                rejects.add(error.in_file(reader.source().path()))?;
            }
        }
        bar.inc(batch.n_rows() as u64);
    }
    let Scoring { heads, joint, .. } = scoring;
    bar.finish_and_clear();
    tell_encoding(&reader);
    anyhow::ensure!(heads.iter().all(|h| !h.items.is_empty()), "no row to score; check the labels and --where");
    Ok((heads, joint))
}

/// Collects the items of all heads, document by document.
struct Scoring<'a> {
    predictor: &'a Predictor,
    columns: &'a Columns,
    options: BatchOptions,
    heads: Vec<HeadItems>,
    /// One item per row: class 1 where all heads are right together.
    joint: Vec<Item>,
    groups: BTreeMap<String, usize>,
    has_chain: bool,
    readings: Vec<Reading>,
}

/// The labels of one row: true classes, answers given the true values, and the text that they are about.
struct LabelledRow {
    row: usize,
    text: usize,
    gold: Vec<usize>,
    givens: Vec<usize>,
    answers: Vec<Answer>,
}

impl<'a> Scoring<'a> {
    fn new(predictor: &'a Predictor, columns: &'a Columns, options: &BatchOptions) -> Self {
        let meta = predictor.model().meta();
        let task = &meta.task;
        let has_chain = task.heads.iter().any(|h| h.given.as_ref().is_some_and(|g| task.head(g).is_some()));
        let head = |h: &stancekit::model::HeadMeta| HeadItems {
            name: h.name.clone(),
            labels: h.labels.clone(),
            given_labels: h.given_labels.clone(),
            items: Vec::new(),
            single: Vec::new(),
            sets: Vec::new(),
        };
        let options = BatchOptions { use_given_columns: true, ..options.clone() };
        let heads = meta.heads.iter().map(head).collect();
        Self { predictor, columns, options, heads, joint: Vec::new(), groups: BTreeMap::new(), has_chain, readings: Vec::new() }
    }

    /// Adds the rows of one document; gives the rows that cannot be scored, and why.
    fn add(&mut self, (batch, vectors): (&RowBatch, &Vectors), rows: Range<usize>, scratch: &mut Scratch) -> Vec<Error> {
        let Self { predictor, columns, options, readings, .. } = self;
        let answered = answer_document(predictor, columns, options, (batch, vectors), rows.clone(), scratch, readings);
        let mut errors = Vec::new();
        let mut labelled = Vec::new();
        for (row, answered) in rows.clone().zip(answered) {
            match answered.and_then(|answered| self.labels(row, answered, |c| batch.field(row, c))) {
                Ok(row) => labelled.push(row),
                Err(error) => errors.push(error.on_line(batch.line(row))),
            }
        }
        let next = self.groups.len();
        let key =
            self.columns.group.map_or_else(|| batch.line(rows.start).to_string(), |g| batch.field(rows.start, g).to_owned());
        let group = *self.groups.entry(key).or_insert(next);
        for of_text in labelled.chunk_by(|a, b| a.text == b.text) {
            self.add_text(of_text, group);
        }
        for row in &labelled {
            scratch.exchange(&mut self.readings[row.text]);
            self.add_references(row, batch.field(row.row, self.columns.text), group, scratch);
            scratch.exchange(&mut self.readings[row.text]);
        }
        errors
    }

    fn labels<'r>(
        &self,
        row: usize,
        (text, answers): (usize, Vec<Answer>),
        field: impl Fn(usize) -> &'r str,
    ) -> Result<LabelledRow, Error> {
        let gold = gold_classes(self.columns, &self.heads, &field)?;
        let given = |(head, column): (usize, &Option<usize>)| {
            column.and_then(|c| self.predictor.given(head, field(c).trim()).ok()).unwrap_or(0)
        };
        Ok(LabelledRow { row, text, gold, givens: self.columns.givens.iter().enumerate().map(given).collect(), answers })
    }

    /// The single n-gram's answer and the prediction set of one row.
    fn add_references(&mut self, row: &LabelledRow, text: &str, group: usize, scratch: &Scratch) {
        for (h, head) in self.heads.iter_mut().enumerate() {
            let (gold, given) = (row.gold[h], row.givens[h]);
            if let Some(rule) = &self.predictor.head(h).single_ngram {
                let item = Item { gold, predicted: rule.class(text), gold_probability: 1.0, confidence: 1.0, group, given };
                head.single.push(item);
            }
            if let Some(alpha) = self.options.abstain {
                let set = self.predictor.prediction_set(h, &row.answers[h], alpha);
                let is_abstained = self.predictor.abstention(scratch, &set).is_some();
                head.sets.push(SetItem { gold, is_covered: set.contains(&gold), n_labels: set.len(), is_abstained });
            }
        }
    }

    fn add_text(&mut self, rows: &[LabelledRow], group: usize) {
        let task = &self.predictor.model().meta().task;
        let mut is_right = vec![true; rows.len()];
        for (h, head) in self.heads.iter_mut().enumerate() {
            let n_classes = head.labels.len();
            let predicted = |row: &LabelledRow| self.predictor.present(h, &row.answers[h]);
            let units: Vec<&[LabelledRow]> = if task.heads[h].multiple { vec![rows] } else { rows.chunks(1).collect() };
            for unit in units {
                let mut gold: Vec<usize> = unit.iter().map(|row| row.gold[h]).collect();
                gold.sort_unstable();
                gold.dedup();
                let probability = |class: usize| unit[0].answers[h].probabilities[class];
                head.items.extend(pair_labels(&gold, &predicted(&unit[0]), n_classes, probability, (group, unit[0].givens[h])));
            }
            for (row, is_right) in rows.iter().zip(&mut is_right) {
                *is_right &= predicted(row).iter().any(|&(class, _)| class == row.gold[h]);
            }
        }
        if self.has_chain {
            let item = |&is_right: &bool| Item {
                gold: 1,
                predicted: usize::from(is_right),
                gold_probability: 1.0,
                confidence: 1.0,
                group,
                given: 0,
            };
            self.joint.extend(is_right.iter().map(item));
        }
    }
}

fn gold_classes<'r>(columns: &Columns, heads: &[HeadItems], field: impl Fn(usize) -> &'r str) -> Result<Vec<usize>, Error> {
    let of_head = |(head, column): (&HeadItems, &Option<usize>)| {
        let label = column.map_or("", |c| field(c).trim());
        head.labels.binary_search_by(|l| l.as_str().cmp(label)).map_err(|_| {
            Error::labels("the model does not know this label")
                .in_column(&head.name)
                .expected(format!("one of {}", head.labels.join(", ")))
                .found(format!("{label:?}"))
        })
    };
    heads.iter().zip(&columns.labels).map(of_head).collect()
}
