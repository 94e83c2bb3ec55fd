//! `stance bench`: throughput of every stage on a user's own data and model.

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use clap::{Args, Subcommand};
use rayon::prelude::*;
use stancekit::data::{BatchLimits, Rejects, RowBatch};
use stancekit::encoder::Vectors;
use stancekit::features::Passage;
use stancekit::predict::{Answer, N_TOGETHER, Reading, Scratch, ScratchPool};
use stancekit::text::{WordRule, for_each_word, sentences};
use stancekit::{Model, Predictor};

use super::accuracy::Accuracy;
use super::bench_holders::BenchHolders;
use super::columns::{RowArgs, TableArgs, tell_encoding};
use super::encoder::EncoderArgs;
use super::predict::load_model;
use super::{Common, ExitStatus, RejectArgs, settle};

/// An encoder is timed on so many texts: it is a thousand times slower than the other stages.
const ENCODED_TEXTS: usize = 500;

/// Measure the throughput of every stage on your data and model, or accuracy on benchmark sets.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Bench {
    #[command(subcommand)]
    what: Option<What>,
    /// Table (.csv, .tsv, .jsonl, .parquet; also .gz, .zst) or - for standard input
    data: Option<PathBuf>,
    #[command(flatten)]
    rows: RowArgs,
    /// Model file; the built-in model for diplomatic news by default
    #[arg(long, value_name = "M")]
    model: Option<PathBuf>,
    #[command(flatten)]
    encoder: EncoderArgs,
    /// Repetitions; the median counts
    #[arg(long, value_name = "N", default_value_t = 5)]
    runs: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    rejects: RejectArgs,
}

/// What was measured.
#[derive(Debug, serde::Serialize)]
struct Report {
    n_texts: usize,
    n_bytes: usize,
    runs: usize,
    stages: Vec<Stage>,
    /// Milliseconds from the file to a predictor that is ready; none for the built-in model.
    load_ms: Option<f64>,
    n_features: usize,
    peak_memory_kb: Option<u64>,
}

/// One line of the table.
#[derive(Debug, serde::Serialize)]
struct Stage {
    stage: &'static str,
    n_threads: usize,
    /// Median over the runs.
    seconds: f64,
    texts_per_second: f64,
    mb_per_second: f64,
    /// Rate over that of one thread.
    scaling: Option<f64>,
}

/// What else can be measured.
#[derive(Debug, Subcommand)]
enum What {
    /// Measure how well holders, and sources and cues, are found
    Holders(BenchHolders),
    /// Train on every benchmark set by the automatic rule, and score its test part
    Accuracy(Accuracy),
}

impl Bench {
    pub fn run(&self, common: &Common) -> anyhow::Result<ExitStatus> {
        match &self.what {
            Some(What::Accuracy(accuracy)) => return accuracy.run(common),
            Some(What::Holders(holders)) => return holders.run(),
            None => {}
        }
        let data = self.data.clone().context("no table to measure with; see --help")?;
        let table = TableArgs { data, rows: self.rows.clone() };
        anyhow::ensure!(self.runs > 0, "--runs must be 1 or more");
        let predictor = Predictor::new(load_model(self.model.as_ref())?);
        let mut rejects = self.rejects.open()?;
        let (texts, read) = read(&table, &predictor, &mut rejects)?;
        anyhow::ensure!(!texts.is_empty(), "no row to measure with");
        let passages: Vec<Passage<'_>> = texts.iter().map(|text| text.as_str().into()).collect();
        let mut report = Report {
            n_texts: texts.len(),
            n_bytes: n_bytes(&passages),
            runs: self.runs,
            stages: Vec::new(),
            load_ms: None,
            n_features: predictor.model().meta().n_features,
            peak_memory_kb: None,
        };
        report.add("read the table", 1, read);
        report.add("segment", 1, self.median(|| passages.iter().map(|p| sentences(p.text).len()).sum()));
        report.add("tokenise", 1, self.median(|| passages.iter().map(|p| count_words(p.text)).sum()));
        let vectors = self.encode(&predictor, &passages, &mut report)?;
        let passages: Vec<Passage<'_>> =
            passages.iter().enumerate().map(|(i, &passage)| Passage { vector: vectors.row(i), ..passage }).collect();
        let mut reader = Reader::new(&predictor);
        report.add("features", 1, self.median(|| reader.read(&predictor, &passages)));
        report.add("predict", 1, self.median(|| reader.predict(&predictor, &passages)));
        let mut n_threads = 2;
        while n_threads <= std::thread::available_parallelism().map_or(1, usize::from) {
            report.add("predict", n_threads, self.parallel(&predictor, &passages, n_threads)?);
            n_threads *= 2;
        }
        report.set_scaling();
        if let Some(path) = &self.model {
            let load = || Model::load(path).map_or(0, |model| Predictor::new(model.into()).model().meta().n_features);
            report.load_ms = Some(self.median(load) * 1e3);
        }
        report.peak_memory_kb = peak_memory();
        let text = if self.json { serde_json::to_string_pretty(&report)? + "\n" } else { report.table() };
        super::write_text(None, &text)?;
        settle(&mut rejects)
    }

    /// The vectors of all passages, where the model has an encoder; timed on some of them, without a cache.
    fn encode(&self, predictor: &Predictor, passages: &[Passage<'_>], report: &mut Report) -> anyhow::Result<Vectors> {
        let Some(encoder) = self.encoder.for_model(predictor.encoder())? else { return Ok(Vectors::default()) };
        let sample = &passages[..passages.len().min(ENCODED_TEXTS)];
        let uncached = self.encoder.without_cache().for_model(predictor.encoder())?;
        let seconds = self.median(|| uncached.as_ref().map_or(0, |e| usize::from(e.encode(sample).is_ok())));
        report.add_sample("encode", rayon::current_num_threads(), seconds, (sample.len(), n_bytes(sample)));
        Ok(encoder.encode(passages)?)
    }

    /// Median seconds of predicting on so many threads.
    fn parallel(&self, predictor: &Predictor, passages: &[Passage<'_>], n_threads: usize) -> anyhow::Result<f64> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build()?;
        let scratches = ScratchPool::new(predictor);
        let of_chunk = |chunk: &[Passage<'_>]| {
            scratches.with(|scratch| {
                let mut reader = Reader::with(std::mem::take(scratch));
                let sum = reader.predict(predictor, chunk);
                *scratch = reader.scratch;
                sum
            })
        };
        Ok(self.median(|| pool.install(|| passages.par_chunks(256).map(of_chunk).sum())))
    }

    /// Median seconds of a run; the result keeps the work from being optimised away.
    fn median(&self, mut work: impl FnMut() -> usize) -> f64 {
        let mut seconds: Vec<f64> = (0..self.runs)
            .map(|_| {
                let start = Instant::now();
                black_box(work());
                start.elapsed().as_secs_f64()
            })
            .collect();
        seconds.sort_by(f64::total_cmp);
        seconds[seconds.len() / 2]
    }
}

/// All texts, and the seconds that reading took.
fn read(table: &TableArgs, predictor: &Predictor, rejects: &mut Rejects) -> anyhow::Result<(Vec<String>, f64)> {
    let start = Instant::now();
    let mut reader = table.open()?;
    let column = table.text_column(&mut reader, &predictor.model().meta().task)?;
    let conditions = table.conditions(reader.columns())?;
    let (mut batch, mut texts) = (RowBatch::new(), Vec::new());
    while reader.read_batch(&mut batch, BatchLimits::default(), rejects)? {
        let rows = (0..batch.n_rows()).filter(|&row| conditions.iter().all(|c| c.holds(&batch, row)));
        texts.extend(rows.map(|row| batch.field(row, column).to_owned()));
    }
    let seconds = start.elapsed().as_secs_f64();
    tell_encoding(&reader);
    Ok((texts, seconds))
}

fn n_bytes(passages: &[Passage<'_>]) -> usize {
    passages.iter().map(|p| p.text.len()).sum()
}

fn count_words(text: &str) -> usize {
    let mut n = 0;
    for_each_word(text, WordRule::Unicode, |_, _| n += 1);
    n
}

/// Buffers of one thread.
struct Reader {
    scratch: Scratch,
    readings: Vec<Reading>,
    answers: Vec<Answer>,
}

impl Reader {
    fn new(predictor: &Predictor) -> Self {
        Self::with(predictor.scratch())
    }

    fn with(scratch: Scratch) -> Self {
        let readings = (0..N_TOGETHER).map(|_| Reading::default()).collect();
        Self { scratch, readings, answers: Vec::new() }
    }

    /// Everything but the answers; the number of known n-grams.
    fn read(&mut self, predictor: &Predictor, passages: &[Passage<'_>]) -> usize {
        self.for_each(predictor, passages, |scratch, _| predictor.n_known(scratch))
    }

    /// The classes of all heads, each given the one before where it is given one; their sum.
    fn predict(&mut self, predictor: &Predictor, passages: &[Passage<'_>]) -> usize {
        let task = &predictor.model().meta().task;
        self.answers.resize_with(task.heads.len(), Answer::default);
        self.for_each(predictor, passages, |scratch, answers| {
            for (head, head_task) in task.heads.iter().enumerate() {
                let other = head_task.given.as_ref().and_then(|name| task.head(name));
                let given = other.and_then(|o| predictor.given(head, &predictor.head(o).labels[answers[o].class]).ok());
                predictor.answer_into(head, given, scratch, &mut answers[head]);
            }
            answers.iter().map(|answer| answer.class).sum()
        })
    }

    fn for_each(
        &mut self,
        predictor: &Predictor,
        passages: &[Passage<'_>],
        mut f: impl FnMut(&Scratch, &mut [Answer]) -> usize,
    ) -> usize {
        let mut sum = 0;
        for passages in passages.chunks(N_TOGETHER) {
            predictor.read_all(passages, &mut self.scratch, &mut self.readings);
            for reading in &mut self.readings[..passages.len()] {
                self.scratch.exchange(reading);
                sum += f(&self.scratch, &mut self.answers);
                self.scratch.exchange(reading);
            }
        }
        sum
    }
}

impl Report {
    fn add(&mut self, stage: &'static str, n_threads: usize, seconds: f64) {
        self.add_sample(stage, n_threads, seconds, (self.n_texts, self.n_bytes));
    }

    /// A stage that ran on so many texts of so many bytes.
    fn add_sample(&mut self, stage: &'static str, n_threads: usize, seconds: f64, (n_texts, n_bytes): (usize, usize)) {
        let texts_per_second = n_texts as f64 / seconds;
        let mb_per_second = n_bytes as f64 / 1e6 / seconds;
        self.stages.push(Stage { stage, n_threads, seconds, texts_per_second, mb_per_second, scaling: None });
    }

    /// Compares the stages on several threads with the same on one.
    fn set_scaling(&mut self) {
        let singles: Vec<(&str, f64)> = self.stages.iter().filter(|s| s.n_threads == 1).map(|s| (s.stage, s.seconds)).collect();
        for stage in self.stages.iter_mut().filter(|s| s.n_threads > 1) {
            stage.scaling = singles.iter().find(|s| s.0 == stage.stage).map(|s| s.1 / stage.seconds);
        }
    }

    fn table(&self) -> String {
        let mb = self.n_bytes as f64 / 1e6;
        let mut table = format!("{} texts, {mb:.1} MB; median of {} runs\n", self.n_texts, self.runs);
        table += &format!("{:<28}{:>14}{:>12}\n", "stage", "texts/s", "MB/s");
        for stage in &self.stages {
            let threads = if stage.n_threads == 1 { "1 thread".to_owned() } else { format!("{} threads", stage.n_threads) };
            let name = format!("{}, {threads}", stage.stage);
            let scaling = stage.scaling.map_or_else(String::new, |s| format!("  {s:.2} times one thread"));
            table += &format!("{name:<28}{:>14.0}{:>12.1}{scaling}\n", stage.texts_per_second, stage.mb_per_second);
        }
        if let Some(ms) = self.load_ms {
            table += &format!("load the model: {ms:.2} ms, {} features\n", self.n_features);
        }
        if let Some(peak) = self.peak_memory_kb {
            table += &format!("peak memory of this run: {:.0} MB\n", peak as f64 / 1024.0);
        }
        table
    }
}

/// Peak resident memory in KB, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
