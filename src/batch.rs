//! Tables through a predictor: rows in, rows out, in order, on all threads.
//!
//! While one batch is labelled, the next is read and the one before is written. A row's output depends on the row alone.

use std::ops::Range;

use rayon::prelude::*;

use crate::data::{Column, ColumnType, Rejects, RowBatch, RowBuffer, RowLayout, TableReader, TableWriter, Value};
use crate::documents::{Documents, answer_document};
use crate::encoder::{Encoder, Vectors};
use crate::error::{Error, Result};
use crate::features::Passage;
use crate::labelled::{Columns, find_mention};
use crate::predict::{Answer, N_TOGETHER, Predictor, Reading, Scratch, ScratchPool};

const CHUNK_ROWS: usize = 256;

/// How rows are labelled.
#[derive(Debug, Clone, Default)]
pub struct BatchOptions {
    /// Use the values of a given head's own column where the input has it, not the predicted ones.
    pub use_given_columns: bool,
    /// Write the probability of every label.
    pub all_probabilities: bool,
    /// Level of prediction sets; with it come the set and a reason for abstaining.
    pub abstain: Option<f64>,
    /// A target for all rows: its first mention in each text is marked.
    pub target: Option<String>,
}

/// Labels a row, given the encoder's vector of its text: answers of all heads, in order.
///
/// # Errors
///
/// If a given value is unknown to the model or a target span lies outside the text.
pub fn answers<'r>(
    predictor: &Predictor,
    columns: &Columns,
    options: &BatchOptions,
    field: impl Fn(usize) -> &'r str,
    vector: &[f32],
    scratch: &mut Scratch,
) -> Result<Vec<Answer>> {
    let passage = passage(columns, options, &field)?;
    predictor.read(Passage { vector, ..passage }, scratch);
    let mut answers = Vec::new();
    answer_heads(predictor, columns, options, field, scratch, |_, _| false, &mut answers)?;
    Ok(answers)
}

/// The vectors of the texts of all rows; empty ones without an encoder.
///
/// # Errors
///
/// As [`Encoder::encode`].
pub fn vectors(encoder: Option<&Encoder>, columns: &Columns, options: &BatchOptions, batch: &RowBatch) -> Result<Vectors> {
    let Some(encoder) = encoder else { return Ok(Vectors::default()) };
    // A row without passage is refused later, with its reason.
    let passage = |row| passage(columns, options, |column| batch.field(row, column)).unwrap_or_else(|_| "".into());
    encoder.encode(&(0..batch.n_rows()).map(passage).collect::<Vec<_>>())
}

/// Text and target mention of a row.
pub(crate) fn passage<'r>(columns: &Columns, options: &BatchOptions, field: impl Fn(usize) -> &'r str) -> Result<Passage<'r>> {
    let text = field(columns.text);
    let target = match &options.target {
        Some(target) => find_mention(text, target),
        None => columns.target_of(&field)?,
    };
    Ok(Passage { text, target, vector: &[] })
}

/// Answers of all heads for the text in `scratch`, in order, each given what it needs; `ready` fills in answers that are there already and says so.
pub(crate) fn answer_heads<'r>(
    predictor: &Predictor,
    columns: &Columns,
    options: &BatchOptions,
    field: impl Fn(usize) -> &'r str,
    scratch: &Scratch,
    ready: impl Fn(usize, &mut Answer) -> bool,
    answers: &mut Vec<Answer>,
) -> Result<()> {
    let task = &predictor.model().meta().task;
    answers.resize_with(task.heads.len(), Answer::default);
    for (head, head_task) in task.heads.iter().enumerate() {
        let given_head = head_task.given.as_ref().and_then(|name| task.head(name));
        let given = match (head_task.given.is_some(), given_head, columns.givens[head]) {
            (false, ..) => None,
            (true, Some(_), Some(column)) if options.use_given_columns => Some(predictor.given(head, field(column).trim())?),
            (true, None, Some(column)) => Some(predictor.given(head, field(column).trim())?),
            (true, Some(other), _) => {
                let label = &predictor.head(other).labels[answers[other].class];
                predictor.given(head, label).ok()
            }
            (true, None, None) => None,
        };
        if !ready(head, &mut answers[head]) {
            predictor.answer_into(head, given, scratch, &mut answers[head]);
        }
    }
    Ok(())
}

/// A table being labelled.
#[derive(Debug)]
pub struct Labeller<'a> {
    /// The model.
    pub predictor: &'a Predictor,
    /// The model's encoder, if it has one.
    pub encoder: Option<&'a Encoder>,
    /// Where the model's columns stand in the table.
    pub columns: &'a Columns,
    /// How rows are labelled.
    pub options: &'a BatchOptions,
}

/// A run of labelled rows.
#[derive(Default)]
struct Chunk {
    buffer: RowBuffer,
    refused: Vec<Error>,
}

impl Labeller<'_> {
    /// Labels every row: the input's columns, then `predicted_HEAD` and `predicted_HEAD_probability` for each head. Gives the number of rows written.
    ///
    /// # Errors
    ///
    /// If reading or writing fails. Rows that cannot be labelled go to `rejects`.
    pub fn label_table(
        &self,
        reader: &mut TableReader,
        writer: &mut TableWriter,
        rejects: &mut Rejects,
        progress: &dyn Fn(u64),
    ) -> Result<u64> {
        let (mut current, mut next) = (RowBatch::new(), RowBatch::new());
        let mut documents = Documents::new(self.predictor, self.columns);
        let path = reader.source().path().to_path_buf();
        let layout = writer.layout();
        let scratches = ScratchPool::new(self.predictor);
        let mut n_written = 0;
        let (mut labelled, mut failure): (Vec<Chunk>, Option<Error>) = (Vec::new(), None);
        let mut has_rows = documents.read_batch(reader, &mut current, rejects)?;
        while has_rows {
            let ranges = documents.ranges(&current);
            let (chunks, (read, written)) = rayon::join(
                || self.label_batch(&current, &ranges, &layout, &scratches),
                || {
                    rayon::join(
                        || documents.read_batch(reader, &mut next, rejects),
                        || labelled.iter_mut().try_for_each(|chunk| writer.write_buffer(&mut chunk.buffer)),
                    )
                },
            );
            written?;
            labelled = chunks?;
            n_written += labelled.iter().map(|chunk| chunk.buffer.n_rows() as u64).sum::<u64>();
            let mut refused = labelled.iter_mut().flat_map(|chunk| chunk.refused.drain(..));
            let added = refused.try_for_each(|error| rejects.add(error.in_file(&path)));
            progress(n_written);
            std::mem::swap(&mut current, &mut next);
            match added.and(read) {
                Ok(is_read) => has_rows = is_read,
                Err(error) => {
                    // What is labelled already is not lost.
                    failure = Some(error);
                    break;
                }
            }
        }
        labelled.iter_mut().try_for_each(|chunk| writer.write_buffer(&mut chunk.buffer))?;
        failure.map_or(Ok(n_written), Err)
    }

    fn label_batch(
        &self,
        batch: &RowBatch,
        documents: &[Range<usize>],
        layout: &RowLayout,
        scratches: &ScratchPool<'_>,
    ) -> Result<Vec<Chunk>> {
        let vectors = vectors(self.encoder, self.columns, self.options, batch)?;
        let with_vectors = (batch, &vectors);
        if documents.len() < batch.n_rows() {
            let label = |documents: &[Range<usize>]| scratches.with(|s| self.label_documents(with_vectors, documents, layout, s));
            return Ok(chunks_of(documents).into_par_iter().map(label).collect());
        }
        let chunks = (0..batch.n_rows().div_ceil(CHUNK_ROWS))
            .into_par_iter()
            .map(|number| {
                let rows = number * CHUNK_ROWS..((number + 1) * CHUNK_ROWS).min(batch.n_rows());
                scratches.with(|scratch| self.label_rows(with_vectors, rows, layout, scratch))
            })
            .collect();
        Ok(chunks)
    }

    fn label_rows(
        &self,
        (batch, vectors): (&RowBatch, &Vectors),
        rows: Range<usize>,
        layout: &RowLayout,
        scratch: &mut Scratch,
    ) -> Chunk {
        let (mut chunk, mut answers) = (Chunk::default(), Vec::new());
        // Buffers of one run of rows, used for all of them.
        let mut readings: Vec<Reading> = (0..N_TOGETHER).map(|_| Reading::default()).collect();
        let (mut passages, mut with_passage) = (Vec::with_capacity(N_TOGETHER), Vec::with_capacity(N_TOGETHER));
        for first in rows.clone().step_by(N_TOGETHER) {
            let run = first..rows.end.min(first + N_TOGETHER);
            passages.clear();
            for row in run.clone() {
                // Which of them is the row's passage, if it has one.
                with_passage.push(passage(self.columns, self.options, |column| batch.field(row, column)).map(|passage| {
                    passages.push(Passage { vector: vectors.row(row), ..passage });
                    passages.len() - 1
                }));
            }
            self.predictor.read_all(&passages, scratch, &mut readings);
            for (row, passage) in run.zip(with_passage.drain(..)) {
                let answered = passage.and_then(|passage| {
                    scratch.exchange(&mut readings[passage]);
                    let field = |column| batch.field(row, column);
                    answer_heads(self.predictor, self.columns, self.options, field, scratch, |_, _| false, &mut answers)
                });
                match answered {
                    Ok(()) => self.push_row(batch, row, &answers, scratch, layout, &mut chunk.buffer),
                    Err(error) => chunk.refused.push(error.on_line(batch.line(row))),
                }
            }
        }
        chunk
    }

    fn label_documents(
        &self,
        (batch, vectors): (&RowBatch, &Vectors),
        documents: &[Range<usize>],
        layout: &RowLayout,
        scratch: &mut Scratch,
    ) -> Chunk {
        let mut chunk = Chunk::default();
        let mut readings = Vec::new();
        for rows in documents {
            let answered = answer_document(
                self.predictor,
                self.columns,
                self.options,
                (batch, vectors),
                rows.clone(),
                scratch,
                &mut readings,
            );
            for (row, answered) in rows.clone().zip(answered) {
                match answered {
                    Ok((text, answers)) => {
                        scratch.exchange(&mut readings[text]);
                        self.push_row(batch, row, &answers, scratch, layout, &mut chunk.buffer);
                        scratch.exchange(&mut readings[text]);
                    }
                    Err(error) => chunk.refused.push(error.on_line(batch.line(row))),
                }
            }
        }
        chunk
    }

    fn push_row(
        &self,
        batch: &RowBatch,
        row: usize,
        answers: &[Answer],
        scratch: &Scratch,
        layout: &RowLayout,
        buffer: &mut RowBuffer,
    ) {
        let mut sets: Vec<(String, &str)> = Vec::new();
        if let Some(alpha) = self.options.abstain {
            sets.extend(answers.iter().enumerate().map(|(head, answer)| self.prediction_set(head, answer, alpha, scratch)));
        }
        let mut values: Vec<Value<'_>> = Vec::with_capacity(layout.columns().len());
        values.extend(batch.row(row).map(Value::Text));
        for (head, answer) in answers.iter().enumerate() {
            values.push(Value::Text(&self.predictor.head(head).labels[answer.class]));
            values.push(probability(answer.probability()));
            if self.options.all_probabilities {
                values.extend(answer.probabilities.iter().map(|&p| probability(p)));
            }
            if let Some((names, reason)) = sets.get(head) {
                values.extend([Value::Text(names), Value::Text(reason)]);
            }
        }
        layout.push_row(buffer, values);
    }

    /// Names in the prediction set of a head, and the reason for abstaining.
    fn prediction_set(&self, head: usize, answer: &Answer, alpha: f64, scratch: &Scratch) -> (String, &'static str) {
        let set = self.predictor.prediction_set(head, answer, alpha);
        let names: Vec<&str> = set.iter().map(|&c| self.predictor.head(head).labels[c].as_str()).collect();
        (names.join(" "), self.predictor.abstention(scratch, &set).map_or("", |a| a.as_str()))
    }
}

/// Runs of whole documents, each of about [`CHUNK_ROWS`] rows.
fn chunks_of(documents: &[Range<usize>]) -> Vec<&[Range<usize>]> {
    documents.chunk_by(|a, b| a.start / CHUNK_ROWS == b.start / CHUNK_ROWS).collect()
}

/// A probability as it is written: six digits after the point say more than was measured.
pub fn probability(p: f64) -> Value<'static> {
    Value::Number((p * 1e6).round() / 1e6)
}

/// The output's columns.
///
/// # Errors
///
/// If a column of the input has the name of one that is added: no reader could tell them apart.
pub fn output_columns(input: &[String], predictor: &Predictor, options: &BatchOptions) -> Result<Vec<Column>> {
    let mut columns: Vec<Column> = input.iter().map(Column::text).collect();
    for head in &predictor.model().meta().heads {
        columns.push(Column::text(format!("predicted_{}", head.name)));
        columns.push(Column::new(format!("predicted_{}_probability", head.name), ColumnType::Number));
        if options.all_probabilities {
            columns.extend(head.labels.iter().map(|l| Column::new(format!("p_{}_{l}", head.name), ColumnType::Number)));
        }
        if options.abstain.is_some() {
            columns.push(Column::text(format!("predicted_{}_set", head.name)));
            columns.push(Column::text(format!("predicted_{}_abstained", head.name)));
        }
    }
    if let Some(taken) = columns[input.len()..].iter().find(|column| input.contains(&column.name)) {
        return Err(Error::input("the input has a column of the name that the labels would get")
            .in_column(&taken.name)
            .help("rename it, or take it out"));
    }
    Ok(columns)
}
