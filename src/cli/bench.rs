//! `stance bench`: throughput of every stage on a user's own data and model.

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use rayon::prelude::*;
use stancekit::data::{BatchLimits, Rejects, RowBatch};
use stancekit::encoder::Vectors;
use stancekit::features::Passage;
use stancekit::text::{WordRule, for_each_word, sentences};
use stancekit::{Model, Predictor};

use super::columns::TableArgs;
use super::encoder::EncoderArgs;
use super::predict::load_model;
use super::{Common, ExitStatus};

/// An encoder is timed on so many texts: it is a thousand times slower than the other stages.
const ENCODED_TEXTS: usize = 500;

/// Measure the throughput of every stage on your data and model.
#[derive(Debug, Args)]
pub struct Bench {
    #[command(flatten)]
    table: TableArgs,
    /// Model file; the built-in model for diplomatic news by default
    #[arg(long, value_name = "M")]
    model: Option<PathBuf>,
    #[command(flatten)]
    encoder: EncoderArgs,
    /// Repetitions; the median counts
    #[arg(long, value_name = "N", default_value_t = 5)]
    runs: usize,
}

impl Bench {
    pub fn run(&self, _: &Common) -> anyhow::Result<ExitStatus> {
        anyhow::ensure!(self.runs > 0, "--runs must be 1 or more");
        let predictor = Predictor::new(load_model(self.model.as_ref())?);
        let (texts, read) = self.read(&predictor)?;
        anyhow::ensure!(!texts.is_empty(), "no row to measure with");
        let passages: Vec<Passage<'_>> = texts.iter().map(|text| Passage::from(text.as_str())).collect();
        let mut table = format!("{} texts, {:.1} MB; median of {} runs\n", texts.len(), n_bytes(&passages) / 1e6, self.runs);
        table += &format!("{:<28}{:>14}{:>12}\n", "stage", "texts/s", "MB/s");
        let mut line = |stage: &str, texts: &[Passage<'_>], seconds: f64| {
            table += &format!("{stage:<28}{:>14.0}{:>12.1}\n", texts.len() as f64 / seconds, n_bytes(texts) / 1e6 / seconds);
        };
        line("read the table", &passages, read);
        line("segment, 1 thread", &passages, self.median(|| passages.iter().map(|p| sentences(p.text).len()).sum()));
        line("tokenise, 1 thread", &passages, self.median(|| passages.iter().map(|p| count_words(p.text)).sum()));
        let vectors = match self.encoder.for_model(predictor.encoder())? {
            Some(encoder) => {
                let sample = &passages[..passages.len().min(ENCODED_TEXTS)];
                let uncached = self.encoder.without_cache().for_model(predictor.encoder())?;
                let seconds = self.median(|| uncached.as_ref().map_or(0, |e| usize::from(e.encode(sample).is_ok())));
                line("encode, all threads", sample, seconds);
                encoder.encode(&passages)?
            }
            None => Vectors::default(),
        };
        let passages: Vec<Passage<'_>> =
            passages.iter().enumerate().map(|(i, &passage)| Passage { vector: vectors.row(i), ..passage }).collect();
        let single = self.median(|| {
            let mut scratch = predictor.scratch();
            passages.iter().map(|&p| predict(&predictor, p, &mut scratch)).sum()
        });
        line("predict, 1 thread", &passages, single);
        let mut threads = 2;
        let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
        while threads <= n_cores {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
            let seconds = self.median(|| {
                pool.install(|| {
                    let of_chunk = |scratch: &mut _, chunk: &[Passage<'_>]| {
                        chunk.iter().map(|&p| predict(&predictor, p, scratch)).sum::<usize>()
                    };
                    passages.par_chunks(256).map_init(|| predictor.scratch(), |scratch, chunk| of_chunk(scratch, chunk)).sum()
                })
            });
            line(&format!("predict, {threads} threads"), &passages, seconds);
            threads *= 2;
        }
        if let Some(path) = &self.model {
            let seconds = self.median(|| Model::load(path).map_or(0, |m| m.meta().n_features));
            table += &format!("load the model: {:.2} ms, {} features\n", seconds * 1e3, predictor.model().meta().n_features);
        }
        if let Some(peak) = peak_memory() {
            table += &format!("peak memory of this run: {:.0} MB\n", peak as f64 / 1024.0);
        }
        super::write_text(None, &table)?;
        Ok(ExitStatus::Done)
    }

    /// All texts, and the seconds that reading took.
    fn read(&self, predictor: &Predictor) -> anyhow::Result<(Vec<String>, f64)> {
        let start = Instant::now();
        let mut reader = self.table.open()?;
        let column = self.table.text_column(&reader, &predictor.model().meta().task)?;
        let conditions = self.table.conditions(reader.columns())?;
        let (mut batch, mut texts, mut rejects) = (RowBatch::new(), Vec::new(), Rejects::new());
        while reader.read_batch(&mut batch, BatchLimits::default(), &mut rejects)? {
            let rows = (0..batch.n_rows()).filter(|&row| conditions.iter().all(|c| c.holds(&batch, row)));
            texts.extend(rows.map(|row| batch.field(row, column).to_owned()));
        }
        Ok((texts, start.elapsed().as_secs_f64()))
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

fn n_bytes(texts: &[Passage<'_>]) -> f64 {
    texts.iter().map(|p| p.text.len()).sum::<usize>() as f64
}

fn count_words(text: &str) -> usize {
    let mut n = 0;
    for_each_word(text, WordRule::Unicode, |_, _| n += 1);
    n
}

/// The classes of all heads, each given the one before where it is given one.
fn predict(predictor: &Predictor, passage: Passage<'_>, scratch: &mut stancekit::predict::Scratch) -> usize {
    predictor.read(passage, scratch);
    let task = &predictor.model().meta().task;
    let mut classes: Vec<usize> = Vec::with_capacity(task.heads.len());
    for (head, head_task) in task.heads.iter().enumerate() {
        let other = head_task.given.as_ref().and_then(|name| task.head(name));
        let given = other.and_then(|o| predictor.given(head, &predictor.head(o).labels[classes[o]]).ok());
        classes.push(predictor.answer(head, given, scratch).class);
    }
    classes.iter().sum()
}

/// Peak resident memory in KB, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
