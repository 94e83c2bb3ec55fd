//! Rows that belong to one article, labelled together.
//!
//! A model trained with context judges a text among the other texts of its group. [`Documents`] reads a table group by group, so that no group is cut at
//! the end of a batch; [`answer_document`] labels the rows of one. Rows that agree on the task's unit columns are one text. Without context, or without
//! the group's column, every row is a document of its own, and its answers are those of [`answers`](crate::batch::answers).

use std::ops::Range;

use crate::batch::{BatchOptions, answer_heads, passage};
use crate::data::{BatchLimits, Rejects, RowBatch, TableReader};
use crate::encoder::Vectors;
use crate::error::Result;
use crate::features::Passage;
use crate::labelled::Columns;
use crate::predict::{Answer, Predictor, Reading, Scratch};

/// Longest document, in rows; a longer one is cut, so that memory stays bounded.
const MAX_ROWS: usize = 4096;

/// A table read in batches that end where a document ends.
#[derive(Debug)]
pub struct Documents {
    /// Column of the group; none where every row stands alone.
    group: Option<usize>,
    limits: BatchLimits,
    fresh: RowBatch,
    carried: RowBatch,
    has_ended: bool,
}

impl Documents {
    /// Reads documents as this model needs them.
    pub fn new(predictor: &Predictor, columns: &Columns) -> Self {
        let group = columns.group.filter(|_| predictor.knows_context());
        Self::of_groups(group, BatchLimits::default())
    }

    fn of_groups(group: Option<usize>, limits: BatchLimits) -> Self {
        Self { group, limits, fresh: RowBatch::new(), carried: RowBatch::new(), has_ended: false }
    }

    /// Fills `batch` with the next whole documents; false at the end of the table.
    ///
    /// # Errors
    ///
    /// As [`TableReader::read_batch`].
    pub fn read_batch(&mut self, reader: &mut TableReader, batch: &mut RowBatch, rejects: &mut Rejects) -> Result<bool> {
        let Some(group) = self.group else { return reader.read_batch(batch, self.limits, rejects) };
        std::mem::swap(batch, &mut self.carried);
        self.carried.clear();
        while !self.has_ended {
            self.has_ended = !reader.read_batch(&mut self.fresh, self.limits, rejects)?;
            if self.has_ended {
                break;
            }
            batch.append(&mut self.fresh, 0);
            let last = documents(batch, Some(group)).last().map_or(0, |d| d.start);
            if last > 0 {
                self.carried.append(batch, last);
                break;
            }
        }
        Ok(batch.n_rows() > 0)
    }

    /// Row ranges of the documents of a batch, in order.
    pub fn ranges(&self, batch: &RowBatch) -> Vec<Range<usize>> {
        documents(batch, self.group)
    }
}

/// Runs of rows with the same group; single rows without one.
fn documents(batch: &RowBatch, group: Option<usize>) -> Vec<Range<usize>> {
    let Some(group) = group else { return (0..batch.n_rows()).map(|row| row..row + 1).collect() };
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for row in 0..batch.n_rows() {
        match ranges.last_mut() {
            Some(last) if last.len() < MAX_ROWS && batch.field(last.start, group) == batch.field(row, group) => {
                last.end = row + 1
            }
            _ => ranges.push(row..row + 1),
        }
    }
    ranges
}

/// Labels the rows of one document, whose vectors come with the batch: for each row the number of its text in the document and the answers of all heads, or
/// why it has none. What was read of the texts is left in `readings`.
pub fn answer_document(
    predictor: &Predictor,
    columns: &Columns,
    options: &BatchOptions,
    (batch, vectors): (&RowBatch, &Vectors),
    rows: Range<usize>,
    scratch: &mut Scratch,
    readings: &mut Vec<Reading>,
) -> Vec<Result<(usize, Vec<Answer>)>> {
    let texts = read_texts(predictor, columns, options, (batch, vectors), rows.clone(), scratch, readings);
    let n_texts = texts.iter().flatten().max().map_or(0, |last| last + 1);
    let judged = judge_together(predictor, scratch, &mut readings[..n_texts]);
    let answer_row = |(row, text): (usize, Result<usize>)| {
        let text = text?;
        let ready =
            |head: usize, answer: &mut Answer| judged[head].as_ref().map(|answers| answer.clone_from(&answers[text])).is_some();
        let mut answers = Vec::new();
        scratch.exchange(&mut readings[text]);
        let answered = answer_heads(predictor, columns, options, |c| batch.field(row, c), scratch, ready, &mut answers);
        scratch.exchange(&mut readings[text]);
        answered.map(|()| (text, answers))
    };
    rows.zip(texts).map(answer_row).collect()
}

/// Reads every text of the document; gives each row's text.
fn read_texts(
    predictor: &Predictor,
    columns: &Columns,
    options: &BatchOptions,
    (batch, vectors): (&RowBatch, &Vectors),
    rows: Range<usize>,
    scratch: &mut Scratch,
    readings: &mut Vec<Reading>,
) -> Vec<Result<usize>> {
    let mut texts: Vec<Result<usize>> = Vec::with_capacity(rows.len());
    let mut passages = Vec::new();
    for row in rows {
        if let Some(Ok(last)) = texts.last()
            && columns.is_same_text(|c| batch.field(row - 1, c), |c| batch.field(row, c))
        {
            texts.push(Ok(*last));
            continue;
        }
        texts.push(passage(columns, options, |column| batch.field(row, column)).map(|passage| {
            passages.push(Passage { vector: vectors.row(row), ..passage });
            passages.len() - 1
        }));
    }
    if readings.len() < passages.len() {
        readings.resize_with(passages.len(), Reading::default);
    }
    predictor.read_all(&passages, scratch, readings);
    texts
}

/// For each head that knows context, its answers for all texts; none for the others.
fn judge_together(predictor: &Predictor, scratch: &mut Scratch, readings: &mut [Reading]) -> Vec<Option<Vec<Answer>>> {
    let heads = 0..predictor.model().meta().heads.len();
    let mut judge = |head: usize| {
        predictor.head(head).calibration.context.first().filter(|_| readings.len() > 1)?;
        Some(predictor.answer_together(head, scores_of(predictor, head, scratch, readings)))
    };
    heads.map(&mut judge).collect()
}

/// Decision values of a head that is given nothing, for each reading.
pub(crate) fn scores_of(predictor: &Predictor, head: usize, scratch: &mut Scratch, readings: &mut [Reading]) -> Vec<Vec<f64>> {
    let mut scores = |reading: &mut Reading| {
        scratch.exchange(reading);
        let scores = predictor.scores(head, None, scratch);
        scratch.exchange(reading);
        scores
    };
    readings.iter_mut().map(&mut scores).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Source, TableOptions};

    #[test]
    fn no_document_is_cut_at_the_end_of_a_batch() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rows.csv");
        let groups: Vec<usize> = (0..40).flat_map(|group| vec![group; 1 + group * 7 % 6]).collect();
        let lines: String = groups.iter().enumerate().map(|(row, group)| format!("{group},{row}\n")).collect();
        std::fs::write(&path, format!("group,row\n{lines}")).unwrap();
        for max_rows in [1, 2, 3, 5, 1000] {
            let mut reader = TableReader::open(&Source::file(&path, None).unwrap(), &TableOptions::default()).unwrap();
            let mut documents = Documents::of_groups(Some(0), BatchLimits { max_rows, ..BatchLimits::default() });
            let (mut batch, mut rejects) = (RowBatch::new(), Rejects::new());
            let mut read: Vec<(usize, usize)> = Vec::new();
            let mut n_documents = 0;
            while documents.read_batch(&mut reader, &mut batch, &mut rejects).unwrap() {
                n_documents += documents.ranges(&batch).len();
                read.extend(
                    (0..batch.n_rows())
                        .map(|r| (batch.field(r, 0).parse::<usize>().unwrap(), batch.field(r, 1).parse().unwrap())),
                );
            }
            assert_eq!(read, groups.iter().copied().enumerate().map(|(row, group)| (group, row)).collect::<Vec<_>>());
            assert_eq!(n_documents, 40, "batches of {max_rows}");
        }
    }
}
