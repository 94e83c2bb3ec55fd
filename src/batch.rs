//! Tables through a predictor: rows in, rows out, in order, on all threads.
//!
//! While one batch is labelled the next is read. A row's output depends on the row alone.

use std::io::Write;

use rayon::prelude::*;

use crate::data::{Output, Rejects, RowBatch, TableReader, TableWriter, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::features::Passage;
use crate::labelled::{Columns, find_mention};
use crate::predict::{Answer, Predictor, Scratch};

const BATCH_ROWS: usize = 1 << 13;
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

/// Labels a row: answers of all heads, in order.
pub fn answers<'r>(
    predictor: &Predictor,
    columns: &Columns,
    options: &BatchOptions,
    field: impl Fn(usize) -> &'r str,
    scratch: &mut Scratch,
) -> Result<Vec<Answer>> {
    let text = field(columns.text);
    let target = match &options.target {
        Some(target) => find_mention(text, target),
        None => columns.target_of(&field)?,
    };
    predictor.read(Passage { text, target }, scratch);
    let task = &predictor.model().meta().task;
    let mut answers: Vec<Answer> = Vec::with_capacity(task.heads.len());
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
        answers.push(predictor.answer(head, given, scratch));
    }
    Ok(answers)
}

/// A table being labelled.
#[derive(Debug)]
pub struct Labeller<'a> {
    /// The model.
    pub predictor: &'a Predictor,
    /// Where the model's columns stand in the table.
    pub columns: &'a Columns,
    /// How rows are labelled.
    pub options: &'a BatchOptions,
}

/// Labels every row of a table: the input's columns, then `predicted_HEAD` and `predicted_HEAD_probability` for each head. Gives the number of rows written.
///
/// # Errors
///
/// If reading or writing fails. Rows that cannot be labelled go to `rejects`.
pub fn label_table(
    labeller: &Labeller<'_>,
    reader: &mut TableReader,
    writer: &mut TableWriter,
    output: &mut Output,
    rejects: &mut Rejects,
    progress: &dyn Fn(u64),
) -> Result<u64> {
    let (mut current, mut next) = (RowBatch::default(), RowBatch::default());
    let mut n_written = 0;
    reader.read_batch(&mut current, BATCH_ROWS, rejects)?;
    let path = reader.path().clone();
    let n_columns = reader.columns().len();
    let mut bytes = Vec::new();
    while !current.is_empty() {
        let (labelled, read) = rayon::join(
            || label_batch(labeller, &current, n_columns, writer),
            || reader.read_batch(&mut next, BATCH_ROWS, rejects),
        );
        read?;
        for chunk in labelled {
            n_written += chunk.n_rows;
            if writer.is_by_row() {
                write(output, &chunk.bytes)?;
            }
            for (row, answers) in chunk.answers {
                let values = row_values(&current, row, n_columns, labeller, &answers);
                writer.write_row(&values, &mut bytes)?;
            }
            for error in chunk.refused {
                rejects.add(error.in_file(&path))?;
            }
        }
        write(output, &bytes)?;
        bytes.clear();
        progress(n_written);
        std::mem::swap(&mut current, &mut next);
    }
    Ok(n_written)
}

fn write(output: &mut Output, bytes: &[u8]) -> Result<()> {
    output.write_all(bytes).map_err(|e| Error::new(ErrorKind::Io, "cannot write").caused_by(e))
}

/// Names of the output columns.
pub fn output_columns(input: &[String], predictor: &Predictor, options: &BatchOptions) -> Vec<String> {
    let mut names = input.to_vec();
    for head in &predictor.model().meta().heads {
        names.push(format!("predicted_{}", head.name));
        names.push(format!("predicted_{}_probability", head.name));
        if options.all_probabilities {
            names.extend(head.labels.iter().map(|l| format!("p_{}_{l}", head.name)));
        }
        if options.abstain.is_some() {
            names.push(format!("predicted_{}_set", head.name));
            names.push(format!("predicted_{}_abstained", head.name));
        }
    }
    names
}

/// One value of each output column, to tell types.
pub fn output_sample(n_input: usize, predictor: &Predictor, options: &BatchOptions) -> Vec<Value<'static>> {
    let mut sample = vec![Value::Text(""); n_input];
    for head in &predictor.model().meta().heads {
        sample.extend([Value::Text(""), Value::Number(0.0)]);
        if options.all_probabilities {
            sample.extend(head.labels.iter().map(|_| Value::Number(0.0)));
        }
        if options.abstain.is_some() {
            sample.extend([Value::Text(""), Value::Text("")]);
        }
    }
    sample
}

/// What a run of rows gives: formatted bytes, or answers for a writer that cannot format row by row.
#[derive(Default)]
struct Chunk {
    n_rows: u64,
    bytes: Vec<u8>,
    answers: Vec<(usize, Vec<(Answer, Option<AbstainedSet>)>)>,
    refused: Vec<Error>,
}

/// A prediction set by label names, and the reason for abstaining.
type AbstainedSet = (String, &'static str);

fn label_batch(labeller: &Labeller<'_>, batch: &RowBatch, n_columns: usize, writer: &TableWriter) -> Vec<Chunk> {
    let Labeller { predictor, columns, options } = *labeller;
    let n_chunks = batch.n_rows().div_ceil(CHUNK_ROWS);
    (0..n_chunks)
        .into_par_iter()
        .map_init(
            || predictor.scratch(),
            |scratch, chunk| {
                let rows = chunk * CHUNK_ROWS..((chunk + 1) * CHUNK_ROWS).min(batch.n_rows());
                let mut result = Chunk::default();
                for row in rows {
                    match answers(predictor, columns, options, |c| batch.field(row, c), scratch) {
                        Ok(answers) => {
                            let answers = with_sets(predictor, answers, options, scratch);
                            result.n_rows += 1;
                            if writer.is_by_row() {
                                let values = row_values(batch, row, n_columns, labeller, &answers);
                                writer.format_row(&values, &mut result.bytes);
                            } else {
                                result.answers.push((row, answers));
                            }
                        }
                        Err(error) => result.refused.push(error.on_line(batch.line(row))),
                    }
                }
                result
            },
        )
        .collect()
}

fn with_sets(predictor: &Predictor, answers: Vec<Answer>, options: &BatchOptions, scratch: &Scratch) -> Vec<(Answer, Option<AbstainedSet>)> {
    let with_set = |(head, answer): (usize, Answer)| {
        let set = options.abstain.map(|alpha| {
            let set = predictor.prediction_set(head, &answer, alpha);
            let names: Vec<&str> = set.iter().map(|&c| predictor.head(head).labels[c].as_str()).collect();
            (names.join(" "), predictor.abstention(scratch, &set).map_or("", |a| a.as_str()))
        });
        (answer, set)
    };
    answers.into_iter().enumerate().map(with_set).collect()
}

fn row_values<'a>(
    batch: &'a RowBatch,
    row: usize,
    n_columns: usize,
    labeller: &Labeller<'a>,
    answers: &'a [(Answer, Option<AbstainedSet>)],
) -> Vec<Value<'a>> {
    let mut values: Vec<Value<'a>> = (0..n_columns).map(|c| Value::Text(batch.field(row, c))).collect();
    for (head, (answer, set)) in answers.iter().enumerate() {
        values.push(Value::Text(&labeller.predictor.head(head).labels[answer.class]));
        values.push(Value::Number(answer.probability()));
        if labeller.options.all_probabilities {
            values.extend(answer.probabilities.iter().map(|&p| Value::Number(p)));
        }
        if let Some((names, reason)) = set {
            values.extend([Value::Text(names), Value::Text(reason)]);
        }
    }
    values
}
