//! The command line: one file per command, each thin over the library.
//!
//! Data goes to standard output or `--output`, everything else to standard error. Status 0: done; 1: done, but rows were refused or a stated threshold failed;
//! 2: could not be done. A closed pipe is not an error.

mod accuracy;
mod bench;
mod bench_holders;
mod check;
mod classify;
mod columns;
mod duplicates;
mod encoder;
mod evaluate;
mod explain;
mod holders;
mod inspect;
mod manual;
mod matrix;
mod predict;
mod progress;
mod scoring;
mod sets;
mod train;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use stancekit::data::{Format, Output, Rejects, TableOptions};

/// So many refused rows are told of; all of them go to `--rejects`.
const SHOWN_REJECTS: usize = 10;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// Everything was done.
    Done,
    /// Done, but rows were refused or a threshold failed.
    Incomplete,
}

/// Reads news articles and says who stands where on what.
#[derive(Debug, Parser)]
#[command(name = "stance", version, about, max_term_width = 110, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Threads to use; all cores by default
    #[arg(long, global = true, value_name = "N")]
    threads: Option<usize>,
    /// Print no progress and no summaries
    #[arg(long, short, global = true)]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say who stands where on what in articles
    Classify(classify::Classify),
    /// Train a model from labelled rows
    Train(train::Train),
    /// Label the rows of a table
    Predict(predict::Predict),
    /// Score a model on labelled rows, or cross-validate
    Evaluate(evaluate::Evaluate),
    /// Look for what is wrong in labelled data
    Check(check::Check),
    /// Show which words spoke for and against
    Explain(explain::Explain),
    /// Show what is in a model file
    Inspect(inspect::Inspect),
    /// Train the model of holders from labelled articles
    TrainHolders(holders::TrainHolders),
    /// Measure the throughput of every stage, or accuracy on benchmark sets
    Bench(bench::Bench),
    /// Print shell completions
    Completions(manual::Completions),
    /// Print the manual page
    Man,
}

/// Flags of commands that read rows and may refuse some.
#[derive(Debug, Clone, Args)]
pub struct RejectArgs {
    /// Write refused rows to this CSV: file, line, column, reason
    #[arg(long, value_name = "F")]
    rejects: Option<PathBuf>,
    /// Stop at the first bad row
    #[arg(long)]
    strict: bool,
}

/// How tables are read.
#[derive(Debug, Clone, Args)]
pub struct ReadArgs {
    /// What the input holds, if its name does not say so
    #[arg(long, value_name = "FORMAT")]
    pub input_format: Option<InputFormat>,
    /// Encoding of the input; detected by default
    #[arg(long, value_name = "NAME")]
    pub encoding: Option<String>,
    /// Refuse longer rows
    #[arg(long, value_name = "N", default_value_t = TableOptions::default().max_row_bytes, value_parser = row_bytes)]
    pub max_row_bytes: usize,
}

impl ReadArgs {
    /// The library's form of these flags.
    pub fn options(&self) -> TableOptions {
        TableOptions { encoding: self.encoding.clone(), max_row_bytes: self.max_row_bytes, ..TableOptions::default() }
    }
}

/// What an input holds, where its name does not say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InputFormat {
    Txt,
    Md,
    Html,
    Csv,
    Tsv,
    Jsonl,
    Parquet,
}

impl From<InputFormat> for Format {
    fn from(format: InputFormat) -> Self {
        match format {
            InputFormat::Txt => Self::Text,
            InputFormat::Md => Self::Markdown,
            InputFormat::Html => Self::Html,
            InputFormat::Csv => Self::Csv,
            InputFormat::Tsv => Self::Tsv,
            InputFormat::Jsonl => Self::Jsonl,
            InputFormat::Parquet => Self::Parquet,
        }
    }
}

/// Formats of written tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RowFormat {
    Csv,
    Jsonl,
    Parquet,
}

impl From<RowFormat> for Format {
    fn from(format: RowFormat) -> Self {
        match format {
            RowFormat::Csv => Self::Csv,
            RowFormat::Jsonl => Self::Jsonl,
            RowFormat::Parquet => Self::Parquet,
        }
    }
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(ExitStatus::Done) => ExitCode::SUCCESS,
        Ok(ExitStatus::Incomplete) => ExitCode::from(1),
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stance: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<ExitStatus> {
    if let Some(threads) = cli.common.threads {
        anyhow::ensure!(threads > 0, "--threads must be 1 or more");
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().context("cannot start the threads")?;
    }
    match &cli.command {
        Command::Classify(command) => command.run(&cli.common),
        Command::Train(command) => command.run(&cli.common),
        Command::Predict(command) => command.run(&cli.common),
        Command::Evaluate(command) => command.run(&cli.common),
        Command::Check(command) => command.run(&cli.common),
        Command::Explain(command) => command.run(),
        Command::Inspect(command) => command.run(),
        Command::Bench(command) => command.run(&cli.common),
        Command::TrainHolders(command) => command.run(&cli.common),
        Command::Completions(command) => command.run(),
        Command::Man => manual::man(),
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
            || cause.downcast_ref::<stancekit::Error>().is_some_and(stancekit::Error::is_broken_pipe)
    })
}

impl RejectArgs {
    /// Opens the table of refused rows beside `output`, which would replace it if both were one file.
    fn open_beside(&self, output: Option<&Path>) -> anyhow::Result<Rejects> {
        if let Some(path) = self.rejects.as_deref().filter(|&path| Some(path) == output && path != Path::new("-")) {
            anyhow::bail!("--rejects and --output name the same file, {}; give each its own", path.display());
        }
        self.open()
    }

    fn open(&self) -> anyhow::Result<Rejects> {
        let rejects = Rejects::new().strict(self.strict);
        Ok(match &self.rejects {
            Some(path) => rejects.write_to(Output::create(Some(path))?)?,
            None => rejects,
        })
    }
}

fn row_bytes(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&n| n > 0).ok_or_else(|| "expected a whole number, 1 or more".to_owned())
}

/// Tells of refused rows and gives the status they call for.
fn settle(rejects: &mut Rejects) -> anyhow::Result<ExitStatus> {
    rejects.finish()?;
    if rejects.n() == 0 {
        return Ok(ExitStatus::Done);
    }
    for error in rejects.first().iter().take(SHOWN_REJECTS) {
        eprintln!("stance: refused: {error}");
    }
    let n_more = rejects.n().saturating_sub(SHOWN_REJECTS as u64);
    let more = if n_more > 0 { format!(", {n_more} not shown (list them with --rejects F)") } else { String::new() };
    eprintln!("stance: {} refused{more}", count(rejects.n(), "row"));
    Ok(ExitStatus::Incomplete)
}

/// "1 row", "2 rows".
fn count(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// Writes text to standard output or a file.
fn write_text(path: Option<&Path>, text: &str) -> anyhow::Result<()> {
    let mut output = Output::create(path)?;
    output.write_bytes(text.as_bytes())?;
    Ok(output.finish()?)
}
