//! Flags that say which columns a table's rows are read from, and reading labelled rows by them.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use stancekit::ErrorKind;
use stancekit::data::{BatchLimits, Rejects, Role, RowBatch, Source, TableReader, find_column};
use stancekit::labelled::{Columns, Labelled, LabelledBuilder};
use stancekit::task::Task;

use super::{ReadArgs, progress};

/// A table, and which of its rows are read, and how.
#[derive(Debug, Clone, Args)]
pub struct TableArgs {
    /// Labelled table (.csv, .tsv, .jsonl, .parquet; also .gz, .zst) or - for standard input
    pub data: PathBuf,
    #[command(flatten)]
    pub rows: RowArgs,
}

/// Which rows of a table are read, and how.
#[derive(Debug, Clone, Args)]
pub struct RowArgs {
    #[command(flatten)]
    pub read: ReadArgs,
    /// Column of the text; found by its usual names if not given
    #[arg(long, value_name = "COL")]
    pub text: Option<String>,
    /// Use only rows whose column has this value, as in split=train, or has it not, as in region!=africa; all of several conditions must hold, a,b means either
    #[arg(long = "where", value_name = "COL[!]=VALUE")]
    pub conditions: Vec<String>,
}

/// Says of a table that has been read if it was not UTF-8: the first byte that shows it may stand in the last row.
pub fn tell_encoding(reader: &TableReader) {
    if let Some(notice) = reader.notice() {
        eprintln!("stance: {notice}");
    }
}

/// A condition on a column.
#[derive(Debug, Clone)]
pub struct Condition {
    column: usize,
    values: Vec<String>,
    is_negated: bool,
}

impl TableArgs {
    /// Opens the table.
    pub fn open(&self) -> anyhow::Result<TableReader> {
        let format = self.rows.read.input_format.map(Into::into);
        let source = if self.data.as_os_str() == "-" { Source::stdin(format) } else { Source::file(&self.data, format)? };
        Ok(TableReader::open(&source, &self.rows.read.options())?)
    }

    /// Position of the text column, by flag, by the task, or by its usual names; rows without text in it are refused from now on.
    pub fn text_column(&self, reader: &mut TableReader, task: &Task) -> anyhow::Result<usize> {
        let in_task = task.text.as_deref().filter(|name| reader.columns().iter().any(|c| c == name));
        let wanted = self.rows.text.as_deref().or(in_task);
        let column = find_column(reader.columns(), Role::Text, wanted).map_err(|e| reader.place_columns(e))?;
        reader.expect_text(column);
        Ok(column)
    }

    /// The conditions of `--where`.
    pub fn conditions(&self, columns: &[String]) -> anyhow::Result<Vec<Condition>> {
        let parse = |condition: &String| {
            let (name, values) = condition
                .split_once('=')
                .with_context(|| format!("--where {condition:?}; expected COLUMN=VALUE or COLUMN!=VALUE"))?;
            let (name, is_negated) = name.strip_suffix('!').map_or((name, false), |name| (name, true));
            let column = columns.iter().position(|c| c == name);
            let column =
                column.with_context(|| format!("--where: no column {name:?}; expected one of {}", columns.join(", ")))?;
            Ok(Condition { column, values: values.split(',').map(str::to_owned).collect(), is_negated })
        };
        self.rows.conditions.iter().map(parse).collect()
    }

    /// Reads all labelled rows that meet the conditions.
    pub fn read_labelled(&self, task: &Task, common: &super::Common, rejects: &mut Rejects) -> anyhow::Result<Labelled> {
        self.read_kinds(task, None, common, rejects)
    }

    /// The same, with the values of column `kind` told apart.
    pub fn read_kinds(
        &self,
        task: &Task,
        kind: Option<&str>,
        common: &super::Common,
        rejects: &mut Rejects,
    ) -> anyhow::Result<Labelled> {
        let mut builder = None;
        let columns = self.for_each_row(task, kind, common, rejects, |columns, field| {
            builder.get_or_insert_with(|| LabelledBuilder::new(task, columns.clone())).push(field)
        })?;
        Ok(builder.unwrap_or_else(|| LabelledBuilder::new(task, columns)).finish())
    }

    /// Calls `push` with every labelled row that meets the conditions; rows that it refuses go to `rejects`.
    pub fn for_each_row(
        &self,
        task: &Task,
        kind: Option<&str>,
        common: &super::Common,
        rejects: &mut Rejects,
        mut push: impl for<'r> FnMut(&Columns, &'r dyn Fn(usize) -> &'r str) -> stancekit::Result<()>,
    ) -> anyhow::Result<Columns> {
        let mut reader = self.open()?;
        let text = self.text_column(&mut reader, task)?;
        let mut columns = Columns::find(task, reader.columns(), text, true).map_err(|e| reader.place_columns(e))?;
        columns.kind = kind.map(|name| position(reader.columns(), name)).transpose()?;
        let conditions = self.conditions(reader.columns())?;
        let mut batch = RowBatch::new();
        let bar = progress::spinner(common, "rows read");
        while reader.read_batch(&mut batch, BatchLimits::default(), rejects)? {
            for row in 0..batch.n_rows() {
                if conditions.iter().all(|c| c.holds(&batch, row))
                    && let Err(error) = push(&columns, &|column| batch.field(row, column))
                {
                    // A full disk is no fault of the row.
                    anyhow::ensure!(error.kind() != ErrorKind::Io, error);
                    rejects.add(error.on_line(batch.line(row)).in_file(reader.source().path()))?;
                }
            }
            bar.inc(batch.n_rows() as u64);
        }
        bar.finish_and_clear();
        tell_encoding(&reader);
        Ok(columns)
    }
}

fn position(columns: &[String], name: &str) -> anyhow::Result<usize> {
    let found = columns.iter().position(|c| c == name);
    found.with_context(|| format!("no column {name:?}; expected one of {}", columns.join(", ")))
}

impl Condition {
    /// Whether a row meets the condition.
    pub fn holds(&self, batch: &RowBatch, row: usize) -> bool {
        self.values.iter().any(|value| value == batch.field(row, self.column)) != self.is_negated
    }
}

/// The task of a run: a file, or flags.
#[derive(Debug, Clone, Args)]
pub struct TaskArgs {
    /// Task file; needs no other column flag
    #[arg(long, value_name = "F", conflicts_with_all = ["label", "given", "group"])]
    pub task: Option<PathBuf>,
    /// Column of the labels
    #[arg(long, value_name = "COL")]
    pub label: Option<String>,
    /// Column whose value is known when the label is predicted, such as a target
    #[arg(long, value_name = "COL", requires = "label")]
    pub given: Option<String>,
    /// Column whose equal values belong together, such as an article: cross-validation keeps them whole
    #[arg(long, value_name = "COL", requires = "label")]
    pub group: Option<String>,
    #[command(flatten)]
    pub target: TargetArgs,
}

/// What the labels are about, where it is mentioned in the text.
#[derive(Debug, Clone, Args)]
pub struct TargetArgs {
    /// Columns of start and end (code points, end exclusive) of the mention that the label is about
    #[arg(long, value_name = "START,END", value_delimiter = ',', num_args = 1)]
    pub target_span: Vec<String>,
    /// Column of the target whose first mention in the text is marked
    #[arg(long, value_name = "COL", conflicts_with = "target_span")]
    pub target_column: Option<String>,
    /// Mark the first mention of this target in every text
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["target_span", "target_column"])]
    pub target: Option<String>,
}

impl TargetArgs {
    fn are_given(&self) -> bool {
        !self.target_span.is_empty() || self.target_column.is_some() || self.target.is_some()
    }

    /// As [`Self::overrule`], for the task of a model: one that was trained without targets has no use for them.
    pub fn overrule_trained(&self, task: &mut Task) -> anyhow::Result<()> {
        anyhow::ensure!(
            !self.are_given() || task.has_target(),
            "the model was not trained on targets; leave out --target, --target-column and --target-span, or train it with one of them"
        );
        self.overrule(task)
    }

    /// Puts the flags in the place of what the task says of the target; leaves it alone where there is none.
    pub fn overrule(&self, task: &mut Task) -> anyhow::Result<()> {
        if !self.are_given() {
            return Ok(());
        }
        task.target_span = match self.target_span.as_slice() {
            [] => None,
            [start, end] => Some((start.clone(), end.clone())),
            _ => anyhow::bail!("--target-span needs two columns; expected START,END"),
        };
        task.target = self.target_column.clone();
        task.target_text = self.target.clone();
        Ok(())
    }
}

impl TaskArgs {
    /// Whether a task file or a column of labels is named.
    pub fn names_columns(&self) -> bool {
        self.task.is_some() || self.label.is_some() || self.given.is_some() || self.group.is_some()
    }

    /// The task that the flags describe; a `task.toml` beside the data is used where none is named.
    pub fn task(&self, data: &Path, text: Option<&str>) -> anyhow::Result<Task> {
        let beside = data.with_file_name("task.toml");
        let mut task = match (&self.task, &self.label) {
            (Some(path), _) => Task::load(path)?,
            (None, Some(label)) => Task::single(text, label, self.given.as_deref(), self.group.as_deref()),
            (None, None) if beside.is_file() => Task::load(beside)?,
            (None, None) => anyhow::bail!("no task; name the label column with --label COL, or a task file with --task F"),
        };
        self.target.overrule(&mut task)?;
        Ok(task)
    }
}
