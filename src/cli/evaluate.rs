//! `stance evaluate`: scores with intervals, of a model on labelled rows or by cross-validation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use stancekit::batch::BatchOptions;
use stancekit::data::Rejects;
use stancekit::encoder::Encoder;
use stancekit::evaluate::{ClassScores, Interval, Item, N_SAMPLES, Scores, binomial_interval, bootstrap, compare};
use stancekit::model::HeadMeta;
use stancekit::plot::{self, Curve};
use stancekit::train::{FoldScores, TrainParams, cross_validate, cross_validate_folds, learning_curve};
use stancekit::{Predictor, Task};

use super::columns::{RowArgs, TableArgs, TaskArgs};
use super::duplicates::near_duplicates_of;
use super::encoder::EncoderArgs;
use super::predict::load_model;
use super::scoring::{HeadItems, score_table};
use super::train::SettingArgs;
use super::{Common, ExitStatus, RejectArgs, settle};

/// Shares of the groups that a learning curve is measured at.
const SHARES: [f64; 6] = [0.05, 0.1, 0.2, 0.4, 0.7, 1.0];
/// Folds of the cross-validation that left-out values are compared with.
const LEAVE_OUT_FOLDS: usize = 5;

/// Score a model on labelled rows, or cross-validate.
#[derive(Debug, Args)]
pub struct Evaluate {
    #[command(flatten)]
    table: TableArgs,
    /// Model file; the built-in model for diplomatic news by default
    #[arg(long, value_name = "M", conflicts_with = "cross_validate")]
    model: Option<PathBuf>,
    /// Train and test by group in K folds instead of scoring a model
    #[arg(long, value_name = "K")]
    cross_validate: Option<usize>,
    /// Leave out the rows of each value of this column in turn, such as a region: train on the others, test on them, and set the scores beside those of
    /// cross-validation by group (5 folds, or as --cross-validate says)
    #[arg(long, value_name = "COL", conflicts_with_all = ["model", "against", "learning_curve", "abstain", "train", "plots", "min_macro_f1", "json"])]
    leave_out: Option<String>,
    #[command(flatten)]
    task: TaskArgs,
    #[command(flatten)]
    settings: SettingArgs,
    #[command(flatten)]
    encoder: EncoderArgs,
    /// Also score this model and test the difference
    #[arg(long, value_name = "B", conflicts_with = "cross_validate")]
    against: Option<PathBuf>,
    /// Labels of the mean F1, where a head has them all
    #[arg(long, value_name = "LABELS", value_delimiter = ',', default_value = "favor,against")]
    mean_f1: Vec<String>,
    /// Also count how often prediction sets at this level hold the true label
    #[arg(long, value_name = "ALPHA", conflicts_with = "cross_validate")]
    abstain: Option<f64>,
    /// The data that the model was trained on: near-duplicates of its texts among the rows are counted before any score is printed
    #[arg(long, value_name = "DATA", conflicts_with = "cross_validate")]
    train: Option<PathBuf>,
    /// The same as --where, for --train
    #[arg(long, value_name = "COL[!]=VALUE", requires = "train")]
    train_where: Vec<String>,
    /// Cross-validate on growing shares of the data, and write the curve to this CSV and to an SVG beside it
    #[arg(long, value_name = "F", conflicts_with_all = ["model", "against", "abstain", "train", "plots", "min_macro_f1", "json"])]
    learning_curve: Option<PathBuf>,
    /// Draw the confusion matrix and the reliability of each head as SVG, into this directory
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
    /// Do not break the scores down by what a head is given
    #[arg(long)]
    no_breakdown: bool,
    /// Status 1 unless every head's macro-F1 reaches this
    #[arg(long, value_name = "X")]
    min_macro_f1: Option<f64>,
    /// Print JSON, one object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    rejects: RejectArgs,
}

impl Evaluate {
    pub fn run(&self, common: &Common) -> anyhow::Result<ExitStatus> {
        anyhow::ensure!(
            self.trains() || !(self.task.names_columns() || self.settings.are_given()),
            "a model is scored as it is; leave out the flags of training (--task, --label, --given, --group and settings such as --cost), \
             or train with --cross-validate K"
        );
        self.check_against()?;
        let mut rejects = self.rejects.open()?;
        if let Some(column) = &self.leave_out {
            super::write_text(None, &self.leave_out(column, common, &mut rejects)?)?;
            return settle(&mut rejects);
        }
        if let Some(alpha) = self.abstain {
            anyhow::ensure!(alpha > 0.0 && alpha < 1.0, "--abstain {alpha}; expected a number between 0 and 1");
        }
        if let Some(path) = &self.learning_curve {
            super::write_text(None, &self.learn_step_by_step(path, common, &mut rejects)?)?;
            return settle(&mut rejects);
        }
        let (heads, joint) = match self.cross_validate {
            Some(k) => (self.cross_validate(k, common, &mut rejects)?, Vec::new()),
            None => self.score(self.model.as_ref(), common, &mut rejects)?,
        };
        let mut text = self.duplicates(common)?;
        let mut is_good = true;
        for head in &heads {
            is_good &= self.report(head, &mut text)?;
            if let Some(directory) = &self.plots {
                draw(head, directory)?;
            }
        }
        if !joint.is_empty() {
            let ones = vec![1.0; joint.len()];
            let right = |items: &[Item], weights: &[f64]| Scores::new(items, weights, 2, &[]).accuracy;
            let interval = Interval::of(bootstrap(&joint, 2, &[], N_SAMPLES, 1).iter().map(|s| s.accuracy).collect());
            let share = right(&joint, &ones);
            text += &if self.json {
                format!("{}\n", serde_json::json!({ "all_heads_right": share, "n": joint.len(), "interval": interval }))
            } else {
                format!("all heads right together, nothing given: {} of the labels\n\n", with_interval(share, interval))
            };
        }
        if let Some(other) = &self.against {
            self.compare(other, &heads, common, &mut text)?;
        }
        super::write_text(None, &text)?;
        let status = settle(&mut rejects)?;
        Ok(if is_good { status } else { ExitStatus::Incomplete })
    }

    /// Two models are compared head by head: they must have the same, with the same labels.
    fn check_against(&self) -> anyhow::Result<()> {
        let Some(path) = &self.against else { return Ok(()) };
        let (model, other) = (load_model(self.model.as_ref())?, load_model(Some(path))?);
        let (heads, others) = (&model.meta().heads, &other.meta().heads);
        let list = |heads: &[HeadMeta]| {
            heads.iter().map(|h| format!("{} ({})", h.name, h.labels.join(", "))).collect::<Vec<_>>().join(", ")
        };
        anyhow::ensure!(
            heads.iter().map(|h| (&h.name, &h.labels)).eq(others.iter().map(|h| (&h.name, &h.labels))),
            "{}: not the heads and labels of the model that it is compared with; expected {}; found {}; train both for one task",
            path.display(),
            list(heads),
            list(others)
        );
        Ok(())
    }

    /// Whether models are trained here, rather than one scored.
    fn trains(&self) -> bool {
        self.cross_validate.is_some() || self.leave_out.is_some() || self.learning_curve.is_some()
    }

    fn cross_validate(&self, k: usize, common: &Common, rejects: &mut Rejects) -> anyhow::Result<Vec<HeadItems>> {
        let (task, params, encoder) = self.task_and_params()?;
        let mut data = self.table.read_labelled(&task, common, rejects)?;
        data.encode(encoder.as_ref())?;
        let bar = super::progress::spinner(common, "cross-validating");
        let heads = cross_validate(&task, &data, &params, k)?;
        bar.finish_and_clear();
        let head_items = |h: stancekit::train::FoldScores| HeadItems {
            name: h.head,
            labels: h.labels,
            given_labels: h.given_labels,
            items: h.items,
            single: Vec::new(),
            sets: Vec::new(),
        };
        Ok(heads.into_iter().map(head_items).collect())
    }

    /// Scores of every value of a column when its rows are left out of the training, beside those of cross-validation.
    fn leave_out(&self, column: &str, common: &Common, rejects: &mut Rejects) -> anyhow::Result<String> {
        let (task, params, encoder) = self.task_and_params()?;
        let mut data = self.table.read_kinds(&task, Some(column), common, rejects)?;
        let (values, kinds) = data.kinds();
        anyhow::ensure!(values.len() > 2, "column {column:?} has {} values; expected at least three", values.len());
        let mut kind_of_group = vec![0; data.n_groups()];
        data.groups().iter().zip(&kinds).for_each(|(&group, &kind)| kind_of_group[group] = kind);
        data.encode(encoder.as_ref())?;
        let bar = super::progress::spinner(common, "leaving out");
        let apart = cross_validate_folds(&task, &data, &params, &kinds)?;
        let n_folds = self.cross_validate.unwrap_or(LEAVE_OUT_FOLDS);
        let mixed = cross_validate(&task, &data, &params, n_folds)?;
        bar.finish_and_clear();
        let kinds = Kinds { column, values, of_group: kind_of_group };
        Ok(apart.iter().zip(&mixed).map(|(apart, mixed)| kinds.table(apart, mixed, n_folds)).collect())
    }

    fn score(
        &self,
        model: Option<&PathBuf>,
        common: &Common,
        rejects: &mut Rejects,
    ) -> anyhow::Result<(Vec<HeadItems>, Vec<Item>)> {
        let predictor = Predictor::new(load_model(model)?);
        // Of two models that are compared, one may do without.
        let needs_none = self.against.is_some() && predictor.encoder().is_none();
        let encoder = if needs_none { None } else { self.encoder.for_model(predictor.encoder())? };
        let options = BatchOptions { abstain: self.abstain, ..BatchOptions::default() };
        score_table((&predictor, encoder.as_ref()), &self.table, Some(&self.task.target), &options, common, rejects)
    }

    /// How many rows have a near-duplicate in the training data; empty where none is named.
    fn duplicates(&self, common: &Common) -> anyhow::Result<String> {
        let Some(train) = &self.train else { return Ok(String::new()) };
        let model = load_model(self.model.as_ref())?;
        let task = &model.meta().task;
        let rows = RowArgs { conditions: self.train_where.clone(), ..self.table.rows.clone() };
        let table = TableArgs { data: train.clone(), rows };
        let train = table.read_labelled(task, common, &mut Rejects::new())?;
        let test = self.table.read_labelled(task, common, &mut Rejects::new())?;
        let (n_rows, n_duplicates) = (test.n_texts(), near_duplicates_of(&test, &train).len());
        Ok(if self.json {
            format!("{}\n", serde_json::json!({ "near_duplicates": n_duplicates, "texts": n_rows }))
        } else {
            format!("{n_duplicates} of {n_rows} texts have a near-duplicate in the training data\n\n")
        })
    }

    /// The learning curve as a table; writes it and its plot.
    fn learn_step_by_step(&self, path: &Path, common: &Common, rejects: &mut Rejects) -> anyhow::Result<String> {
        let (task, params, encoder) = self.task_and_params()?;
        let mut data = self.table.read_labelled(&task, common, rejects)?;
        data.encode(encoder.as_ref())?;
        let bar = super::progress::spinner(common, "learning step by step");
        let steps = learning_curve(&task, &data, &params, self.cross_validate.unwrap_or(LEAVE_OUT_FOLDS), &SHARES)?;
        bar.finish_and_clear();
        let mut table = String::from("head,training_texts,macro_f1,low,high\n");
        let mut curves: Vec<Curve> = task.heads.iter().map(|h| Curve { name: h.name.clone(), points: Vec::new() }).collect();
        for (n_texts, heads) in &steps {
            for (head, curve) in heads.iter().zip(&mut curves) {
                let n = head.labels.len();
                let score = Scores::new(&head.items, &vec![1.0; head.items.len()], n, &[]).macro_f1;
                let samples = bootstrap(&head.items, n, &[], N_SAMPLES, 1);
                let interval = Interval::of(samples.iter().map(|s| s.macro_f1).collect());
                table += &format!("{},{n_texts},{score:.4},{:.4},{:.4}\n", head.head, interval.low, interval.high);
                curve.points.push((*n_texts, score, interval));
            }
        }
        super::write_text(Some(path), &table)?;
        let plot = plot::learning_curve(&format!("Learning curve, {}", task.name), "macro-F1, cross-validated", &curves);
        super::write_text(Some(&path.with_extension("svg")), &plot)?;
        Ok(table)
    }

    fn task_and_params(&self) -> anyhow::Result<(Task, TrainParams, Option<Encoder>)> {
        anyhow::ensure!(
            !self.settings.search,
            "--search cannot be used here; choose settings with train --search, and give here with --settings what inspect --settings prints"
        );
        let task = self.task.task(&self.table.data, self.table.rows.text.as_deref())?;
        let mut params = self.settings.params(&task)?;
        let encoder = self.encoder.for_training(&mut params, self.settings.encoder_scale, task.has_target())?;
        Ok((task, params, encoder))
    }

    /// Adds one head's scores; false where the least macro-F1 is missed.
    fn report(&self, head: &HeadItems, text: &mut String) -> anyhow::Result<bool> {
        let n = head.labels.len();
        let mean_of: Vec<usize> = self.mean_f1.iter().filter_map(|name| head.labels.iter().position(|l| l == name)).collect();
        let mean_of = if mean_of.len() == self.mean_f1.len() { mean_of } else { Vec::new() };
        let weights = vec![1.0; head.items.len()];
        let scores = Scores::new(&head.items, &weights, n, &mean_of);
        let samples = bootstrap(&head.items, n, &mean_of, N_SAMPLES, 1);
        if self.json {
            let line = serde_json::json!({ "head": head.name, "labels": head.labels, "n": head.items.len(), "scores": scores,
                "macro_f1_interval": Interval::of(samples.iter().map(|s| s.macro_f1).collect()) });
            *text += &format!("{line}\n");
            return Ok(self.min_macro_f1.is_none_or(|least| scores.macro_f1 >= least));
        }
        let n_groups = head.items.iter().map(|i| i.group).collect::<std::collections::BTreeSet<_>>().len();
        *text += &format!(
            "{}: {} cases in {} groups; 95 % intervals by bootstrap over groups\n",
            head.name,
            head.items.len(),
            n_groups
        );
        let mut line = |name: &str, get: &dyn Fn(&Scores) -> f64| {
            *text += &format!("  {name:<28}{}\n", with_interval(get(&scores), Interval::of(samples.iter().map(get).collect())));
        };
        line("accuracy", &|s| s.accuracy);
        line("macro-F1", &|s| s.macro_f1);
        if !mean_of.is_empty() {
            line(&format!("mean F1 of {}", self.mean_f1.join(", ")), &|s| s.mean_f1);
        }
        line("log-loss", &|s| s.log_loss);
        line("expected calibration error", &|s| s.calibration_error);
        *text += &format!("  majority baseline           accuracy {:.4}\n", majority(&head.items, n, false));
        if !head.given_labels.is_empty() {
            *text += &format!("  majority by what is given   accuracy {:.4}\n", majority(&head.items, n, true));
        }
        if !head.single.is_empty() {
            let single = Scores::new(&head.single, &vec![1.0; head.single.len()], n, &mean_of);
            *text += &format!("  best single n-gram          accuracy {:.4}, macro-F1 {:.4}\n", single.accuracy, single.macro_f1);
        }
        self.report_classes(head, &scores, &samples, text);
        if let Some(alpha) = self.abstain {
            report_coverage(head, alpha, text);
        }
        confusion(head, text);
        if !self.no_breakdown && !head.given_labels.is_empty() {
            breakdown(head, &mean_of, text);
        }
        text.push('\n');
        Ok(self.min_macro_f1.is_none_or(|least| scores.macro_f1 >= least))
    }

    fn report_classes(&self, head: &HeadItems, scores: &Scores, samples: &[Scores], text: &mut String) {
        let width = head.labels.iter().map(|l| l.chars().count()).max().unwrap_or(0).max(8);
        *text += &format!("  {:<width$}  {:<24}  {:<24}  {:<24}  cases\n", "label", "precision", "recall", "F1");
        for (c, label) in head.labels.iter().enumerate() {
            let cell = |get: fn(&ClassScores) -> f64| {
                let interval = Interval::of(samples.iter().map(|s| get(&s.classes[c])).collect());
                with_interval(get(&scores.classes[c]), interval)
            };
            let (precision, recall, f1) = (cell(|s| s.precision), cell(|s| s.recall), cell(|s| s.f1));
            *text += &format!("  {label:<width$}  {precision}  {recall}  {f1}  {:>5}\n", scores.classes[c].support);
        }
    }

    fn compare(&self, other: &PathBuf, heads: &[HeadItems], common: &Common, text: &mut String) -> anyhow::Result<()> {
        let (others, _) = self.score(Some(other), common, &mut Rejects::new())?;
        for (a, b) in heads.iter().zip(&others) {
            let n = a.labels.len();
            let comparison =
                compare(&a.items, &b.items, N_SAMPLES, 1, |items, weights| Scores::new(items, weights, n, &[]).macro_f1);
            if self.json {
                let line = serde_json::json!({ "head": a.name, "against": other.display().to_string(),
                    "macro_f1_difference": comparison.difference, "interval": comparison.interval, "p_value": comparison.p_value });
                *text += &format!("{line}\n");
                continue;
            }
            *text += &format!(
                "{}: macro-F1 minus that of {}: {:+.4} [{:+.4}, {:+.4}], p = {:.4} (approximate randomisation over groups)\n",
                a.name,
                other.display(),
                comparison.difference,
                comparison.interval.low,
                comparison.interval.high,
                comparison.p_value
            );
        }
        Ok(())
    }
}

/// The values of a column, and which each group has.
struct Kinds<'a> {
    column: &'a str,
    values: Vec<String>,
    of_group: Vec<usize>,
}

impl Kinds<'_> {
    /// A line per value, and one for all: macro-F1 in cross-validation, when the value is left out, and the difference.
    fn table(&self, apart: &FoldScores, mixed: &FoldScores, n_folds: usize) -> String {
        let Self { column, values, .. } = self;
        let width = values.iter().map(|v| v.chars().count()).max().unwrap_or(0).max(8);
        let mut text = format!("{}: macro-F1 by {column}, with and without others of its kind in the training\n", apart.head);
        text +=
            &format!("  {column:<width$}  {:>5}  {:<24}  {:<24}  difference\n", "cases", format!("{n_folds}-fold"), "left out");
        for (kind, name) in values.iter().map(String::as_str).chain(["(all)"]).enumerate() {
            let chosen = |scores: &FoldScores| -> Vec<Item> {
                let is_chosen = |item: &&Item| kind == values.len() || self.of_group[item.group] == kind;
                scores.items.iter().filter(is_chosen).cloned().collect()
            };
            let n_cases = chosen(apart).iter().filter(|i| i.gold < apart.labels.len()).count();
            let ((with, with_text), (without, without_text)) =
                (macro_f1(&chosen(mixed), mixed.labels.len()), macro_f1(&chosen(apart), apart.labels.len()));
            text += &format!("  {name:<width$}  {n_cases:>5}  {with_text}  {without_text}  {:+.4}\n", without - with);
        }
        text.push('\n');
        text
    }
}

/// Macro-F1 of items, and its text with an interval.
fn macro_f1(items: &[Item], n_classes: usize) -> (f64, String) {
    let score = Scores::new(items, &vec![1.0; items.len()], n_classes, &[]).macro_f1;
    let samples = bootstrap(items, n_classes, &[], N_SAMPLES, 1).iter().map(|s| s.macro_f1).collect();
    (score, with_interval(score, Interval::of(samples)))
}

/// Coverage of each label by the prediction sets, and whether it is as promised.
fn report_coverage(head: &HeadItems, alpha: f64, text: &mut String) {
    let width = head.labels.iter().map(|l| l.chars().count()).max().unwrap_or(0).max(8);
    let n_cases = head.sets.len().max(1) as f64;
    let mean_size = head.sets.iter().map(|s| s.n_labels).sum::<usize>() as f64 / n_cases;
    let abstained = head.sets.iter().filter(|s| s.is_abstained).count() as f64 / n_cases;
    *text += &format!(
        "  prediction sets at {alpha}: {mean_size:.2} labels on average, {:.1} % of the cases abstained\n",
        100.0 * abstained
    );
    *text += &format!("  {:<width$}  covered, binomial interval   holds {:.2}\n", "label", 1.0 - alpha);
    for (c, label) in head.labels.iter().enumerate() {
        let of_label: Vec<bool> = head.sets.iter().filter(|s| s.gold == c).map(|s| s.is_covered).collect();
        let hits = of_label.iter().filter(|covered| **covered).count();
        let interval = binomial_interval(hits, of_label.len());
        let holds = if interval.low <= 1.0 - alpha && 1.0 - alpha <= interval.high { "yes" } else { "no" };
        let share = hits as f64 / of_label.len().max(1) as f64;
        *text += &format!("  {label:<width$}  {}     {holds}\n", with_interval(share, interval));
    }
}

/// Writes the plots of one head.
fn draw(head: &HeadItems, directory: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let n = head.labels.len();
    let error = Scores::new(&head.items, &vec![1.0; head.items.len()], n, &[]).calibration_error;
    let name: String = head.name.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    let plots = [
        ("confusion", plot::confusion_matrix(&format!("{}: true and predicted labels", head.name), &head.labels, &head.items)),
        ("reliability", plot::reliability_diagram(&format!("{}: reliability", head.name), n, &head.items, error)),
    ];
    for (kind, svg) in plots {
        super::write_text(Some(&directory.join(format!("{kind}-{name}.svg"))), &svg)?;
    }
    Ok(())
}

fn with_interval(value: f64, interval: Interval) -> String {
    format!("{value:.4}  [{:.4}, {:.4}]", interval.low, interval.high)
}

/// Accuracy of always naming the most frequent label, of all or of those with the same given value.
fn majority(items: &[Item], n_classes: usize, by_given: bool) -> f64 {
    let mut counts: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for item in items.iter().filter(|i| i.gold < n_classes) {
        counts.entry(if by_given { item.given } else { 0 }).or_insert_with(|| vec![0; n_classes])[item.gold] += 1;
    }
    let right: usize = counts.values().filter_map(|c| c.iter().max()).sum();
    right as f64 / items.iter().filter(|i| i.gold < n_classes).count().max(1) as f64
}

/// Rows: true labels, by number and name; columns: predicted ones, by number. A label without partner stands in the row or column "–".
fn confusion(head: &HeadItems, text: &mut String) {
    let n = head.labels.len();
    let has_unpaired = head.items.iter().any(|i| i.gold == n || i.predicted == n);
    let width = head.labels.iter().map(|l| l.chars().count()).max().unwrap_or(0).max(8);
    let shown = 0..n + usize::from(has_unpaired);
    let number = |c: usize| if c == n { "–".to_owned() } else { (c + 1).to_string() };
    let header: Vec<String> = shown.clone().map(|c| format!("{:>5}", number(c))).collect();
    *text += &format!("  {:<width$}     {}   (confusion matrix; columns: predicted)\n", "true", header.join(""));
    for gold in shown.clone() {
        let count = |p: usize| head.items.iter().filter(|i| i.gold == gold && i.predicted == p).count();
        let cells: Vec<String> = shown.clone().map(|p| format!("{:>5}", count(p))).collect();
        let label = head.labels.get(gold).map_or("", String::as_str);
        *text += &format!("  {label:<width$} {:>2}  {}\n", number(gold), cells.join(""));
    }
}

/// All scores by what the head is given, with their intervals.
fn breakdown(head: &HeadItems, mean_of: &[usize], text: &mut String) {
    let width = head.given_labels.iter().map(|l| l.chars().count()).max().unwrap_or(0).max(8);
    let names = ["accuracy", "macro-F1", "mean F1", "log-loss", "calibration error"];
    *text += &format!("  {:<width$}  {}  cases\n", "given", names.map(|n| format!("{n:<24}")).join("  "));
    for (g, label) in head.given_labels.iter().enumerate() {
        let items: Vec<Item> = head.items.iter().filter(|i| i.given == g).cloned().collect();
        if items.is_empty() {
            continue;
        }
        let n = head.labels.len();
        let scores = Scores::new(&items, &vec![1.0; items.len()], n, mean_of);
        let samples = bootstrap(&items, n, mean_of, N_SAMPLES, 1);
        let getters: [fn(&Scores) -> f64; 5] =
            [|s| s.accuracy, |s| s.macro_f1, |s| s.mean_f1, |s| s.log_loss, |s| s.calibration_error];
        let cells = getters.map(|get| with_interval(get(&scores), Interval::of(samples.iter().map(get).collect())));
        *text += &format!("  {label:<width$}  {}  {:>5}\n", cells.map(|c| format!("{c:<24}")).join("  "), items.len());
    }
}
