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
use crate::predict::{Answer, Predictor, Scratch};

/// Longest document, in rows; a longer one is cut, so that memory stays bounded.
const MAX_ROWS: usize = 4096;

/// A table read in batches that end where a document ends.
#[derive(Debug)]
pub struct Documents {
    /// Column of the group; none where every row stands alone.
    group: Option<usize>,
    fresh: RowBatch,
    carried: RowBatch,
    has_ended: bool,
}

/// The buffers of one thread: one scratch per text of the longest document so far.
#[derive(Debug, Default)]
pub struct DocumentScratch {
    texts: Vec<Scratch>,
}

impl Documents {
    /// Reads documents as this model needs them.
    pub fn new(predictor: &Predictor, columns: &Columns) -> Self {
        let group = columns.group.filter(|_| predictor.knows_context());
        Self { group, fresh: RowBatch::new(), carried: RowBatch::new(), has_ended: false }
    }

    /// Fills `batch` with the next whole documents; false at the end of the table.
    ///
    /// # Errors
    ///
    /// As [`TableReader::read_batch`].
    pub fn read_batch(&mut self, reader: &mut TableReader, batch: &mut RowBatch, rejects: &mut Rejects) -> Result<bool> {
        let Some(group) = self.group else { return reader.read_batch(batch, BatchLimits::default(), rejects) };
        std::mem::swap(batch, &mut self.carried);
        self.carried.clear();
        while !self.has_ended {
            self.has_ended = !reader.read_batch(&mut self.fresh, BatchLimits::default(), rejects)?;
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

impl DocumentScratch {
    /// What was read of a text of the last document.
    pub fn text(&self, number: usize) -> &Scratch {
        &self.texts[number]
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

/// Labels the rows of one document, whose vectors come with the batch: for each row the number of its text in the document and the answers of all heads, or why it has none.
pub fn answer_document(
    predictor: &Predictor,
    columns: &Columns,
    options: &BatchOptions,
    (batch, vectors): (&RowBatch, &Vectors),
    rows: Range<usize>,
    scratch: &mut DocumentScratch,
) -> Vec<Result<(usize, Vec<Answer>)>> {
    let texts = read_texts(predictor, columns, options, (batch, vectors), rows.clone(), scratch);
    let n_texts = texts.iter().flatten().max().map_or(0, |last| last + 1);
    let judged = judge_together(predictor, &scratch.texts[..n_texts]);
    let answer_row = |(row, text): (usize, Result<usize>)| {
        let text = text?;
        let field = |column| batch.field(row, column);
        let ready = |head: usize| judged[head].as_ref().map(|answers| answers[text].clone());
        answer_heads(predictor, columns, options, field, &scratch.texts[text], ready).map(|answers| (text, answers))
    };
    rows.zip(texts).map(answer_row).collect()
}

/// Reads every text of the document into a scratch of its own; gives each row's text.
fn read_texts(
    predictor: &Predictor,
    columns: &Columns,
    options: &BatchOptions,
    (batch, vectors): (&RowBatch, &Vectors),
    rows: Range<usize>,
    scratch: &mut DocumentScratch,
) -> Vec<Result<usize>> {
    let mut texts: Vec<Result<usize>> = Vec::with_capacity(rows.len());
    let mut n_texts = 0;
    for row in rows {
        if let Some(Ok(last)) = texts.last()
            && columns.is_same_text(|c| batch.field(row - 1, c), |c| batch.field(row, c))
        {
            texts.push(Ok(*last));
            continue;
        }
        let field = |column| batch.field(row, column);
        texts.push(passage(columns, options, field).map(|passage| {
            if scratch.texts.len() == n_texts {
                scratch.texts.push(predictor.scratch());
            }
            predictor.read(Passage { vector: vectors.row(row), ..passage }, &mut scratch.texts[n_texts]);
            n_texts += 1;
            n_texts - 1
        }));
    }
    texts
}

/// For each head that knows context, its answers for all texts; none for the others.
pub(crate) fn judge_together(predictor: &Predictor, texts: &[Scratch]) -> Vec<Option<Vec<Answer>>> {
    let heads = 0..predictor.model().meta().heads.len();
    heads
        .map(|head| {
            predictor.head(head).calibration.context.as_ref().filter(|_| texts.len() > 1)?;
            let scores: Vec<Vec<f64>> = texts.iter().map(|text| predictor.scores(head, None, text)).collect();
            Some(predictor.answer_together(head, scores))
        })
        .collect()
}
