//! `stance evaluate`: scores with intervals, of a model on labelled rows or by cross-validation.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use clap::Args;
use stancekit::batch::{BatchOptions, vectors};
use stancekit::data::{Rejects, RowBatch};
use stancekit::documents::{DocumentScratch, Documents, answer_document};
use stancekit::encoder::Vectors;
use stancekit::evaluate::{ClassScores, Interval, Item, N_SAMPLES, Scores, bootstrap, compare, pair_labels};
use stancekit::labelled::Columns;
use stancekit::predict::Answer;
use stancekit::train::cross_validate;
use stancekit::{Error, Predictor};

use super::columns::{TableArgs, TaskArgs};
use super::encoder::EncoderArgs;
use super::predict::load_model;
use super::train::SettingArgs;
use super::{Common, ExitStatus, RejectArgs, settle};

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
    /// Do not break the scores down by what a head is given
    #[arg(long)]
    no_breakdown: bool,
    /// Status 1 unless every head's macro-F1 reaches this
    #[arg(long, value_name = "X")]
    min_macro_f1: Option<f64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    rejects: RejectArgs,
}

/// The evaluated items of one head.
struct HeadItems {
    name: String,
    labels: Vec<String>,
    given_labels: Vec<String>,
    items: Vec<Item>,
}

impl Evaluate {
    pub fn run(&self, common: &Common) -> anyhow::Result<ExitStatus> {
        let mut rejects = self.rejects.open()?;
        let (heads, joint) = match self.cross_validate {
            Some(k) => (self.cross_validate(k, common, &mut rejects)?, Vec::new()),
            None => self.score(self.model.as_ref(), common, &mut rejects)?,
        };
        let mut text = String::new();
        let mut is_good = true;
        for head in &heads {
            is_good &= self.report(head, &mut text)?;
        }
        if !joint.is_empty() {
            let ones = vec![1.0; joint.len()];
            let right = |items: &[Item], weights: &[f64]| Scores::new(items, weights, 2, &[]).accuracy;
            let interval = Interval::of(bootstrap(&joint, 2, &[], N_SAMPLES, 1).iter().map(|s| s.accuracy).collect());
            text += &format!(
                "all heads right together, nothing given: {} of the labels\n\n",
                with_interval(right(&joint, &ones), interval)
            );
        }
        if let Some(other) = &self.against {
            self.compare(other, &heads, common, &mut text)?;
        }
        super::write_text(None, &text)?;
        let status = settle(&mut rejects)?;
        Ok(if is_good { status } else { ExitStatus::Incomplete })
    }

    fn cross_validate(&self, k: usize, common: &Common, rejects: &mut Rejects) -> anyhow::Result<Vec<HeadItems>> {
        let task = self.task.task(&self.table.data, self.table.text.as_deref())?;
        let has_target = task.target.is_some() || task.target_span.is_some();
        let mut params = self.settings.params(has_target)?;
        let encoder = self.encoder.for_training(&mut params, self.settings.encoder_scale, has_target)?;
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
        };
        Ok(heads.into_iter().map(head_items).collect())
    }

    /// Items of every head given the true values, and of all heads together with nothing given.
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
        let task = predictor.model().meta().task.clone();
        let mut reader = self.table.open()?;
        let text = self.table.text_column(&reader, &task)?;
        let columns = Columns::find(&task, reader.columns(), text, true).map_err(|e| e.in_file(reader.source().path()))?;
        let conditions = self.table.conditions(reader.columns())?;
        let heads: Vec<HeadItems> = predictor
            .model()
            .meta()
            .heads
            .iter()
            .map(|h| HeadItems {
                name: h.name.clone(),
                labels: h.labels.clone(),
                given_labels: h.given_labels.clone(),
                items: Vec::new(),
            })
            .collect();
        let mut scoring = Scoring::new(&predictor, &columns, heads);
        let mut documents = Documents::new(&predictor, &columns);
        let mut scratch = DocumentScratch::default();
        let mut batch = RowBatch::new();
        let bar = super::progress::spinner(common, "rows scored");
        while documents.read_batch(&mut reader, &mut batch, rejects)? {
            batch.retain(|batch, row| conditions.iter().all(|c| c.holds(batch, row)));
            let vectors = vectors(encoder.as_ref(), &columns, &scoring.options, &batch)?;
            for rows in documents.ranges(&batch) {
                for error in scoring.add((&batch, &vectors), rows, &mut scratch) {
                    rejects.add(error.in_file(reader.source().path()))?;
                }
            }
            bar.inc(batch.n_rows() as u64);
        }
        let Scoring { heads, joint, .. } = scoring;
        bar.finish_and_clear();
        anyhow::ensure!(heads.iter().all(|h| !h.items.is_empty()), "no row to score; check the labels and --where");
        Ok((heads, joint))
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
        self.report_classes(head, &scores, &samples, text);
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
            anyhow::ensure!(a.labels == b.labels, "the models do not have the same labels");
            let n = a.labels.len();
            let comparison =
                compare(&a.items, &b.items, N_SAMPLES, 1, |items, weights| Scores::new(items, weights, n, &[]).macro_f1);
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

/// Collects the items of all heads, document by document.
struct Scoring<'a> {
    predictor: &'a Predictor,
    columns: &'a Columns,
    options: BatchOptions,
    heads: Vec<HeadItems>,
    /// One item per row: class 1 where all heads are right together.
    joint: Vec<Item>,
    groups: BTreeMap<String, usize>,
    has_chain: bool,
}

/// The labels of one row: true classes, answers given the true values, and the text that they are about.
struct LabelledRow {
    text: usize,
    gold: Vec<usize>,
    givens: Vec<usize>,
    answers: Vec<Answer>,
}

impl<'a> Scoring<'a> {
    fn new(predictor: &'a Predictor, columns: &'a Columns, heads: Vec<HeadItems>) -> Self {
        let task = &predictor.model().meta().task;
        let has_chain = task.heads.iter().any(|h| h.given.as_ref().is_some_and(|g| task.head(g).is_some()));
        let options = BatchOptions { use_given_columns: true, ..BatchOptions::default() };
        Self { predictor, columns, options, heads, joint: Vec::new(), groups: BTreeMap::new(), has_chain }
    }

    /// Adds the rows of one document; gives the rows that cannot be scored, and why.
    fn add(&mut self, (batch, vectors): (&RowBatch, &Vectors), rows: Range<usize>, scratch: &mut DocumentScratch) -> Vec<Error> {
        let answered = answer_document(self.predictor, self.columns, &self.options, (batch, vectors), rows.clone(), scratch);
        let mut errors = Vec::new();
        let mut labelled = Vec::new();
        for (row, answered) in rows.clone().zip(answered) {
            match answered.and_then(|answered| self.labels(answered, |c| batch.field(row, c))) {
                Ok(row) => labelled.push(row),
                Err(error) => errors.push(error.on_line(batch.line(row))),
            }
        }
        let next = self.groups.len();
        let key =
            self.columns.group.map_or_else(|| batch.line(rows.start).to_string(), |g| batch.field(rows.start, g).to_owned());
        let group = *self.groups.entry(key).or_insert(next);
        for of_text in labelled.chunk_by(|a, b| a.text == b.text) {
            self.add_text(of_text, group);
        }
        errors
    }

    fn labels<'r>(&self, (text, answers): (usize, Vec<Answer>), field: impl Fn(usize) -> &'r str) -> Result<LabelledRow, Error> {
        let gold = gold_classes(self.columns, &self.heads, &field)?;
        let given = |(head, column): (usize, &Option<usize>)| {
            column.and_then(|c| self.predictor.given(head, field(c).trim()).ok()).unwrap_or(0)
        };
        Ok(LabelledRow { text, gold, givens: self.columns.givens.iter().enumerate().map(given).collect(), answers })
    }

    fn add_text(&mut self, rows: &[LabelledRow], group: usize) {
        let task = &self.predictor.model().meta().task;
        let mut is_right = vec![true; rows.len()];
        for (h, head) in self.heads.iter_mut().enumerate() {
            let n_classes = head.labels.len();
            let predicted = |row: &LabelledRow| self.predictor.present(h, &row.answers[h]);
            let units: Vec<&[LabelledRow]> = if task.heads[h].multiple { vec![rows] } else { rows.chunks(1).collect() };
            for unit in units {
                let mut gold: Vec<usize> = unit.iter().map(|row| row.gold[h]).collect();
                gold.sort_unstable();
                gold.dedup();
                let probability = |class: usize| unit[0].answers[h].probabilities[class];
                head.items.extend(pair_labels(&gold, &predicted(&unit[0]), n_classes, probability, (group, unit[0].givens[h])));
            }
            for (row, is_right) in rows.iter().zip(&mut is_right) {
                *is_right &= predicted(row).iter().any(|&(class, _)| class == row.gold[h]);
            }
        }
        if self.has_chain {
            let item = |&is_right: &bool| Item {
                gold: 1,
                predicted: usize::from(is_right),
                gold_probability: 1.0,
                confidence: 1.0,
                group,
                given: 0,
            };
            self.joint.extend(is_right.iter().map(item));
        }
    }
}

fn gold_classes<'r>(columns: &Columns, heads: &[HeadItems], field: impl Fn(usize) -> &'r str) -> Result<Vec<usize>, Error> {
    let of_head = |(head, column): (&HeadItems, &Option<usize>)| {
        let label = column.map_or("", |c| field(c).trim());
        head.labels.binary_search_by(|l| l.as_str().cmp(label)).map_err(|_| {
            Error::labels("the model does not know this label")
                .in_column(&head.name)
                .expected(format!("one of {}", head.labels.join(", ")))
                .found(format!("{label:?}"))
        })
    };
    heads.iter().zip(&columns.labels).map(of_head).collect()
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
