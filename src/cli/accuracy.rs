//! `stance bench accuracy`: every benchmark set that is found, trained by the automatic rule and scored once.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use stancekit::batch::BatchOptions;
use stancekit::data::{Rejects, TableOptions};
use stancekit::evaluate::{Interval, Item, N_SAMPLES, Scores, interval_of};
use stancekit::train::{Metric, SearchParams, TrainParams, search, train_logged};
use stancekit::{Model, Predictor, Task};

use super::columns::{RowArgs, TableArgs};
use super::duplicates::near_duplicates_of;
use super::scoring::{HeadItems, score_table};
use super::sets::{Figure, SETS, Set};
use super::{Common, ExitStatus, ReadArgs};

/// Calibration error that no set should pass.
const MOST_CALIBRATION_ERROR: f64 = 0.05;

/// Train on every benchmark set by the automatic rule (that of train --search), and score its test part once.
#[derive(Debug, Args)]
pub struct Accuracy {
    /// Directory with a folder for each set; those that are not there are left out. A folder with a task.toml, train.csv and test.csv is a set too
    #[arg(long, value_name = "DIR", required = true)]
    data: Vec<PathBuf>,
    /// Only these sets
    #[arg(long, value_name = "SETS", value_delimiter = ',')]
    only: Vec<String>,
    /// Write the table as Markdown to this file, and as CSV beside it
    #[arg(long, short, value_name = "F")]
    output: Option<PathBuf>,
    /// Keep the trained models in this directory
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,
}

/// A line of the table.
struct Line {
    set: String,
    what: String,
    figure: &'static str,
    value: f64,
    interval: Interval,
    known: String,
    calibration_error: f64,
    majority: f64,
    single_ngram: Option<f64>,
    n_duplicates: usize,
    n_test: usize,
    seconds: f64,
}

impl Accuracy {
    pub fn run(&self, common: &Common) -> anyhow::Result<ExitStatus> {
        let wanted = |name: &str| self.only.is_empty() || self.only.iter().any(|only| only == name);
        let mut lines = Vec::new();
        for directory in &self.data {
            for set in SETS.iter().filter(|set| wanted(set.name)) {
                let path = directory.join(set.name).join("data.csv");
                if path.is_file() {
                    lines.extend(self.measure(set, &path, common)?);
                }
            }
            let mut folders: Vec<PathBuf> = std::fs::read_dir(directory)
                .with_context(|| format!("cannot read {}", directory.display()))?
                .filter_map(|entry| entry.ok().map(|e| e.path()))
                .filter(|path| {
                    path.join("task.toml").is_file() && path.join("train.csv").is_file() && path.join("test.csv").is_file()
                })
                .collect();
            folders.sort();
            for folder in folders {
                let name = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
                if wanted(&name) {
                    lines.extend(self.measure_folder(&name, &folder, common)?);
                }
            }
        }
        anyhow::ensure!(!lines.is_empty(), "no set found; expected folders such as {}", SETS[0].name);
        let markdown = markdown(&lines);
        super::write_text(None, &markdown)?;
        if let Some(path) = &self.output {
            super::write_text(Some(path), &markdown)?;
            super::write_text(Some(&path.with_extension("csv")), &csv(&lines))?;
        }
        Ok(ExitStatus::Done)
    }

    fn measure(&self, set: &Set, path: &Path, common: &Common) -> anyhow::Result<Vec<Line>> {
        let mut task = Task::single(Some(set.text), set.label, set.given, set.group);
        task.name = set.name.to_owned();
        task.target_span = set.target_span.map(|(start, end)| (start.to_owned(), end.to_owned()));
        let known: Vec<String> = set.known.iter().map(|(who, value)| format!("{value:.1} {who}")).collect();
        let run = Run { name: set.name, train: table(path, &[set.train]), test: table(path, &[set.test]), task };
        run.lines(self, |_| (set.figure, set.what.to_owned(), known.join("; ")), set.figure.metric(), common)
    }

    fn measure_folder(&self, name: &str, folder: &Path, common: &Common) -> anyhow::Result<Vec<Line>> {
        let task = Task::load(folder.join("task.toml"))?;
        let run = Run { name, train: table(&folder.join("train.csv"), &[]), test: table(&folder.join("test.csv"), &[]), task };
        let what = |head: &HeadItems| match head.given_labels.is_empty() {
            true => head.name.clone(),
            false => format!("{}, given what is true", head.name),
        };
        run.lines(self, |head| (Figure::MacroF1, what(head), String::new()), Metric::MacroF1, common)
    }
}

/// One training and its test.
struct Run<'a> {
    name: &'a str,
    train: TableArgs,
    test: TableArgs,
    task: Task,
}

impl Run<'_> {
    fn lines(
        &self,
        args: &Accuracy,
        about: impl Fn(&HeadItems) -> (Figure, String, String),
        metric: Metric,
        common: &Common,
    ) -> anyhow::Result<Vec<Line>> {
        let start = Instant::now();
        let mut rejects = Rejects::new();
        let train = self.train.read_labelled(&self.task, common, &mut rejects)?;
        let test = self.test.read_labelled(&self.task, common, &mut rejects)?;
        let n_duplicates = near_duplicates_of(&test, &train).len();
        let n_test = test.n_texts();
        if !common.quiet {
            eprintln!(
                "stance: {}: {} training and {n_test} test texts, {n_duplicates} of these near-duplicates of training texts",
                self.name,
                train.n_texts()
            );
        }
        let mut params = TrainParams::default();
        if self.task.has_target() {
            params.features.blocks.push(stancekit::features::TfidfParams::target());
        }
        let bar = super::progress::spinner(common, "choosing settings");
        let (chosen, tried) = search(&self.task, &train, &params, &SearchParams { metric, ..SearchParams::default() })?;
        let log = tried.iter().map(|c| serde_json::to_string(c).unwrap_or_default()).collect();
        let model = train_logged(&self.task, &train, &chosen, log, rejects.n() as usize)?;
        bar.finish_and_clear();
        let seconds = start.elapsed().as_secs_f64();
        if let Some(directory) = &args.models {
            std::fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
            model.save(directory.join(format!("{}.stance", self.name)))?;
        }
        let heads = self.score(model, common)?;
        Ok(heads.iter().map(|head| line(self.name, head, about(head), n_duplicates, n_test, seconds)).collect())
    }

    fn score(&self, model: Model, common: &Common) -> anyhow::Result<Vec<HeadItems>> {
        let predictor = Predictor::new(model.into());
        Ok(score_table((&predictor, None), &self.test, None, &BatchOptions::default(), common, &mut Rejects::new())?.0)
    }
}

fn line(
    name: &str,
    head: &HeadItems,
    (figure, what, known): (Figure, String, String),
    n_duplicates: usize,
    n_test: usize,
    seconds: f64,
) -> Line {
    let value = |items: &[Item], weights: &[f64]| figure.value(items, weights, &head.labels);
    let plain = |items: &[Item]| value(items, &vec![1.0; items.len()]);
    Line {
        set: name.to_owned(),
        what,
        figure: figure.name(),
        value: plain(&head.items),
        interval: interval_of(&head.items, N_SAMPLES, 1, value),
        known,
        calibration_error: Scores::new(&head.items, &vec![1.0; head.items.len()], head.labels.len(), &[]).calibration_error,
        majority: plain(&majority(&head.items, head.labels.len(), !head.given_labels.is_empty())),
        single_ngram: (!head.single.is_empty()).then(|| plain(&head.single)),
        n_duplicates,
        n_test,
        seconds,
    }
}

/// The items as the most frequent label would have it, of all or of those with the same given value.
fn majority(items: &[Item], n_classes: usize, by_given: bool) -> Vec<Item> {
    let place = |item: &Item| if by_given { item.given } else { 0 };
    let n_places = items.iter().map(|i| place(i) + 1).max().unwrap_or(0);
    let mut counts = vec![vec![0_usize; n_classes + 1]; n_places];
    items.iter().for_each(|i| counts[place(i)][i.gold] += 1);
    let best = |counts: &[usize]| (0..n_classes).rev().max_by_key(|&c| counts[c]).unwrap_or(0);
    items.iter().map(|i| Item { predicted: best(&counts[place(i)]), ..i.clone() }).collect()
}

fn table(path: &Path, conditions: &[&str]) -> TableArgs {
    let read = ReadArgs { input_format: None, encoding: None, max_row_bytes: TableOptions::default().max_row_bytes };
    let conditions = conditions.iter().map(|c| (*c).to_owned()).collect();
    TableArgs { data: path.to_owned(), rows: RowArgs { read, text: None, conditions } }
}

fn markdown(lines: &[Line]) -> String {
    let mut text = String::from(
        "| set | asked | figure | stancekit | others | calibration error | majority | best single n-gram | near-duplicates | seconds |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    for l in lines {
        let single = l.single_ngram.map_or("–".to_owned(), |s| format!("{:.1}", 100.0 * s));
        let known = if l.known.is_empty() { "–" } else { &l.known };
        let over = if l.calibration_error > MOST_CALIBRATION_ERROR { " (!)" } else { "" };
        text += &format!(
            "| {} | {} | {} | **{:.1}** [{:.1}, {:.1}] | {known} | {:.3}{over} | {:.1} | {single} | {} of {} | {:.0} |\n",
            l.set,
            l.what,
            l.figure,
            100.0 * l.value,
            100.0 * l.interval.low,
            100.0 * l.interval.high,
            l.calibration_error,
            100.0 * l.majority,
            l.n_duplicates,
            l.n_test,
            l.seconds
        );
    }
    text
}

fn csv(lines: &[Line]) -> String {
    let mut text = String::from(
        "set,asked,figure,value,low,high,others,calibration_error,majority,best_single_ngram,near_duplicates,test_texts,seconds\n",
    );
    for l in lines {
        let quoted = |field: &str| format!("\"{}\"", field.replace('"', "\"\""));
        let single = l.single_ngram.map_or(String::new(), |s| format!("{s:.4}"));
        text += &format!(
            "{},{},{},{:.4},{:.4},{:.4},{},{:.4},{:.4},{single},{},{},{:.1}\n",
            l.set,
            quoted(&l.what),
            quoted(l.figure),
            l.value,
            l.interval.low,
            l.interval.high,
            quoted(&l.known),
            l.calibration_error,
            l.majority,
            l.n_duplicates,
            l.n_test,
            l.seconds
        );
    }
    text
}
