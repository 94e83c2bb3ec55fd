//! `stance train`: labelled rows in, a model file out.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};
use stancekit::data::{Rejects, read_utf8};
use stancekit::features::{DfBound, FeatureParams, TfidfParams};
use stancekit::linear::{ClassWeights, Loss};
use stancekit::model::WeightKind;
use stancekit::train::{Algorithm, HeadParams, Metric, SearchParams, StreamTrainer, TrainParams, search, train_logged};
use stancekit::{Model, Task};

use super::columns::{TableArgs, TaskArgs};
use super::encoder::EncoderArgs;
use super::{Common, ExitStatus, RejectArgs, settle};

/// Tables of this many bytes are streamed where they can be.
const STREAMED_FROM: u64 = 1 << 30;

/// Train a model from labelled rows.
#[derive(Debug, Args)]
pub struct Train {
    #[command(flatten)]
    table: TableArgs,
    #[command(flatten)]
    task: TaskArgs,
    /// Where the model goes
    #[arg(long, value_name = "OUT")]
    model: PathBuf,
    #[command(flatten)]
    settings: SettingArgs,
    #[command(flatten)]
    encoder: EncoderArgs,
    #[command(flatten)]
    rejects: RejectArgs,
    /// With --hash-bits: read the data once and train from a temporary file in little memory, without calibration; so from 1 GB on and from standard input
    #[arg(long, requires = "hash_bits", conflicts_with = "search")]
    stream: bool,
    /// Text file that is kept in the model for its readers
    #[arg(long, value_name = "F")]
    card: Option<PathBuf>,
}

/// Settings of a training.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct SettingArgs {
    /// Settings file (TOML) as printed by `stance inspect --settings`; flags overrule it
    #[arg(long, value_name = "F")]
    pub settings: Option<PathBuf>,
    /// Word n-grams, shortest and longest, or none  [default: 1,3]
    #[arg(long, value_name = "A,B|none", value_parser = lengths)]
    pub word_ngrams: Option<Lengths>,
    /// Character n-grams within words, or none  [default: 2,5]
    #[arg(long, value_name = "A,B|none", value_parser = lengths)]
    pub char_ngrams: Option<Lengths>,
    /// Drop n-grams in fewer texts (a count), or in less than this share of them (below 1)
    #[arg(long, value_name = "N")]
    pub min_df: Option<f64>,
    /// Drop n-grams in more than this share of the texts
    #[arg(long, value_name = "SHARE")]
    pub max_df: Option<f64>,
    /// Keep only the most frequent n-grams of each kind
    #[arg(long, value_name = "N")]
    pub max_features: Option<usize>,
    /// Mark words that are negated
    #[arg(long)]
    pub negation: bool,
    /// Split hashtags into words
    #[arg(long)]
    pub split_hashtags: bool,
    /// Count the classes of a lexicon too: a CSV with columns class and terms, terms joined by |, * for any ending
    #[arg(long, value_name = "F")]
    pub lexicon: Option<PathBuf>,
    /// Weight of a lexicon class beside the n-grams, whose blocks have length 1  [default: 0.2]
    #[arg(long, value_name = "X")]
    pub lexicon_weight: Option<f32>,
    /// Scale of an encoder's vector beside the n-grams, whose blocks have length 1; --search tries several  [default: 1]
    #[arg(long, value_name = "X")]
    pub encoder_scale: Option<f32>,
    /// Hash n-grams to 2^B columns instead of keeping a vocabulary
    #[arg(long, value_name = "B")]
    pub hash_bits: Option<u8>,
    /// Classifier
    #[arg(long, value_enum)]
    pub algorithm: Option<AlgorithmArg>,
    /// Cost of an error  [default: 1]
    #[arg(long, short = 'C', value_name = "C")]
    pub cost: Option<f64>,
    /// Weigh classes by their inverse frequency
    #[arg(long)]
    pub balanced: bool,
    /// Tolerance of the solver  [default: 0.01]
    #[arg(long, value_name = "EPS")]
    pub eps: Option<f64>,
    /// Choose settings by cross-validation within the groups of the training data
    #[arg(long)]
    pub search: bool,
    /// Tune decision offsets on held-out folds for the metric; --search decides by itself
    #[arg(long)]
    pub offsets: bool,
    /// Train on features scaled by their log-count ratios (NB-SVM)
    #[arg(long)]
    pub nb_svm: bool,
    /// Count the classes of the lexicon of sentiment that comes with the program
    #[arg(long)]
    pub sentiment: bool,
    /// Count the first two and the last three words of a text apart too
    #[arg(long)]
    pub ends: bool,
    /// What --search and --offsets maximise: macro-f1, accuracy, or mean F1 of some labels as in favor,against  [default: macro-f1]
    #[arg(long, value_name = "METRIC", value_parser = metric)]
    pub metric: Option<Metric>,
    /// Let the other texts of a group, in order, speak for a text's label; needs a group column
    #[arg(long)]
    pub context: bool,
    /// Folds for calibration and the scores kept in the model; 0 for neither  [default: 5]
    #[arg(long, value_name = "K")]
    pub folds: Option<usize>,
    /// How weights are stored
    #[arg(long, value_enum)]
    pub weights: Option<WeightArg>,
    /// Keep only the features with the largest weights, and train again on them
    #[arg(long, value_name = "N")]
    pub keep_features: Option<usize>,
    /// Seed of all random choices  [default: 1]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

/// Lengths of n-grams; none switches them off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lengths(Option<(u8, u8)>);

/// Classifiers by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AlgorithmArg {
    /// Linear support vector machine, squared hinge (the default)
    Svm,
    /// Linear support vector machine, hinge
    SvmHinge,
    /// Logistic regression, one against the rest
    Logistic,
    /// Logistic regression over all classes at once
    Softmax,
    /// Multinomial naive Bayes
    MultinomialBayes,
    /// Complement naive Bayes
    ComplementBayes,
    /// linfa's dense logistic regression on truncated-SVD features, as a baseline
    LinfaLogistic,
}

/// Ways to store weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WeightArg {
    F32,
    I16,
}

fn lengths(text: &str) -> Result<Lengths, String> {
    if text == "none" {
        return Ok(Lengths(None));
    }
    let (a, b) = text.split_once(',').unwrap_or((text, text));
    match (a.trim().parse(), b.trim().parse()) {
        (Ok(a), Ok(b)) => Ok(Lengths(Some((a, b)))),
        _ => Err("expected two lengths as in 1,3, or none".to_owned()),
    }
}

fn metric(text: &str) -> Result<Metric, String> {
    Ok(match text {
        "macro-f1" => Metric::MacroF1,
        "accuracy" => Metric::Accuracy,
        labels if labels.contains(',') => Metric::MeanF1(labels.split(',').map(str::to_owned).collect()),
        _ => return Err("expected macro-f1, accuracy, or labels as in favor,against".to_owned()),
    })
}

impl Train {
    pub fn run(&self, common: &Common) -> anyhow::Result<ExitStatus> {
        let task = self.task.task(&self.table.data, self.table.rows.text.as_deref())?;
        let mut params = self.settings.params(&task)?;
        let encoder = self.encoder.for_training(&mut params, self.settings.encoder_scale, task.has_target())?;
        if let Some(path) = &self.card {
            params.card = read_utf8(path)?;
        }
        let mut rejects = self.rejects.open()?;
        if self.is_streamed(&params) {
            return self.run_streamed(&task, &params, common, &mut rejects);
        }
        let mut data = self.table.read_labelled(&task, common, &mut rejects)?;
        data.check_trainable(&task).map_err(|e| e.in_file(&self.table.data))?;
        params.folds = usable_folds(params.folds, data.n_groups(), common);
        let bar = super::progress::spinner(common, "encoding");
        data.encode(encoder.as_ref())?;
        bar.finish_and_clear();
        let bar = super::progress::spinner(common, "training");
        let mut log = Vec::new();
        if self.settings.search {
            let grid = self.settings.grid(&params);
            let (chosen, tried) = search(&task, &data, &params, &grid)?;
            log = tried.iter().map(|c| serde_json::to_string(c).unwrap_or_default()).collect();
            params = chosen;
        }
        let model = train_logged(&task, &data, &params, log, rejects.n() as usize)?;
        bar.finish_and_clear();
        self.save(&model, common)?;
        settle(&mut rejects)
    }

    fn save(&self, model: &Model, common: &Common) -> anyhow::Result<()> {
        model.save(&self.model)?;
        if !common.quiet {
            super::inspect::print_summary(model, &mut std::io::stderr())?;
            eprintln!("{}: {} bytes", self.model.display(), model.as_bytes().len());
        }
        Ok(())
    }

    fn is_streamed(&self, params: &TrainParams) -> bool {
        let is_large = self.table.data.metadata().map_or(true, |file| file.len() >= STREAMED_FROM);
        params.features.hash_bits.is_some() && !self.settings.search && (self.stream || is_large)
    }

    fn run_streamed(
        &self,
        task: &Task,
        params: &TrainParams,
        common: &Common,
        rejects: &mut Rejects,
    ) -> anyhow::Result<ExitStatus> {
        if params.folds > 0 && !common.quiet {
            eprintln!("stance: streaming; probabilities are not calibrated");
        }
        let params = TrainParams { folds: 0, ..params.clone() };
        let mut trainer = None;
        self.table.for_each_row(task, None, common, rejects, |columns, field| match &mut trainer {
            Some(trainer) => StreamTrainer::push(trainer, field),
            None => trainer.insert(StreamTrainer::new(task, columns.clone(), &params)?).push(field),
        })?;
        let trainer = trainer.context("no row to train on")?;
        let bar = super::progress::spinner(common, "training");
        let model = trainer.finish(rejects.n() as usize)?;
        bar.finish_and_clear();
        self.save(&model, common)?;
        settle(rejects)
    }
}

/// Fewer folds where there are too few groups for them; none where there is one group only.
fn usable_folds(folds: usize, n_groups: usize, common: &Common) -> usize {
    let usable = if n_groups < 3 { 0 } else { folds.min(n_groups) };
    if usable < folds && !common.quiet {
        let what =
            if usable == 0 { "probabilities are not calibrated".to_owned() } else { format!("calibrating with {usable} folds") };
        eprintln!("stance: only {}: {what}; use a group column with more values", super::count(n_groups as u64, "group"));
    }
    usable
}

impl SettingArgs {
    /// Whether any of them is given.
    pub fn are_given(&self) -> bool {
        *self != Self::default()
    }

    /// The parameters that the flags and the settings file describe, for this task.
    pub fn params(&self, task: &Task) -> anyhow::Result<TrainParams> {
        anyhow::ensure!(
            self.metric.is_none() || self.search || self.offsets,
            "--metric says what --search and --offsets maximise; add one of them, or leave it out"
        );
        anyhow::ensure!(
            !self.context || task.group.is_some(),
            "--context needs the group of a text; name its column with --group COL, or with group in the task file"
        );
        let mut params = match &self.settings {
            Some(path) => {
                let text = read_utf8(path)?;
                toml::from_str(&text).with_context(|| format!("{} is no settings file", path.display()))?
            }
            None => TrainParams::default(),
        };
        if self.word_ngrams.is_some() || self.char_ngrams.is_some() || self.settings.is_none() {
            params.features = self.features(task.has_target());
        }
        for block in &mut params.features.blocks {
            block.negation |= self.negation;
            block.split_hashtags |= self.split_hashtags;
            block.max_features = self.max_features.or(block.max_features);
            if let Some(min_df) = self.min_df {
                block.min_df = df_bound(min_df);
            }
            if let Some(share) = self.max_df {
                block.max_df = DfBound::Share(share);
            }
        }
        if let Some(path) = &self.lexicon {
            let text = read_utf8(path)?;
            let block = TfidfParams::lexicon(&text).map_err(|e| e.in_file(path))?;
            let weight = self.lexicon_weight.unwrap_or(block.weight);
            params.features.blocks.push(TfidfParams { weight, ..block });
        }
        if self.sentiment {
            params.features.blocks.push(TfidfParams::sentiment());
        }
        if self.ends {
            params.features.blocks.push(TfidfParams::ends());
        }
        params.features.hash_bits = self.hash_bits.or(params.features.hash_bits);
        let has_head_flag =
            self.algorithm.is_some() || self.cost.is_some() || self.balanced || self.eps.is_some() || self.offsets || self.nb_svm;
        if has_head_flag && !params.heads.is_empty() {
            params.heads.iter_mut().for_each(|head| self.overrule(head));
        }
        self.overrule(&mut params.head);
        params.context |= self.context;
        params.folds = self.folds.unwrap_or(params.folds);
        params.seed = self.seed.unwrap_or(params.seed);
        params.keep_features = self.keep_features.or(params.keep_features);
        match self.weights {
            Some(WeightArg::F32) => params.weights = WeightKind::F32,
            Some(WeightArg::I16) => params.weights = WeightKind::I16,
            None => {}
        }
        Ok(params)
    }

    fn features(&self, has_target: bool) -> FeatureParams {
        let words = self.word_ngrams.unwrap_or(Lengths(Some((1, 3)))).0.map(|(a, b)| TfidfParams::words(a, b));
        let chars = self.char_ngrams.unwrap_or(Lengths(Some((2, 5)))).0.map(|(a, b)| TfidfParams::chars(a, b));
        let target = has_target.then(TfidfParams::target);
        FeatureParams { blocks: words.into_iter().chain(chars).chain(target).collect(), hash_bits: None }
    }

    fn overrule(&self, head: &mut HeadParams) {
        if let Some(algorithm) = self.algorithm {
            (head.algorithm, head.linear.loss) = match algorithm {
                AlgorithmArg::Svm => (Algorithm::OneVsRest, Loss::SquaredHinge),
                AlgorithmArg::SvmHinge => (Algorithm::OneVsRest, Loss::Hinge),
                AlgorithmArg::Logistic => (Algorithm::OneVsRest, Loss::Logistic),
                AlgorithmArg::Softmax => (Algorithm::Softmax, Loss::Logistic),
                AlgorithmArg::MultinomialBayes => (Algorithm::MultinomialBayes, Loss::default()),
                AlgorithmArg::ComplementBayes => (Algorithm::ComplementBayes, Loss::default()),
                AlgorithmArg::LinfaLogistic => (Algorithm::LinfaLogistic, Loss::default()),
            };
        }
        head.linear.c = self.cost.unwrap_or(head.linear.c);
        head.linear.eps = self.eps.unwrap_or(head.linear.eps);
        if self.offsets {
            head.decide_for = Some(self.metric.clone().unwrap_or_default());
        }
        if self.nb_svm {
            head.ratio_smoothing = Some(1.0);
        }
        if self.balanced {
            head.linear.class_weights = ClassWeights::Balanced;
        }
    }

    /// The search that `--search` asks for; features that flags or a settings file name are kept.
    pub fn grid(&self, params: &TrainParams) -> SearchParams {
        let mut grid = SearchParams { metric: self.metric.clone().unwrap_or_default(), ..SearchParams::default() };
        grid.folds = if params.folds > 1 { params.folds } else { grid.folds };
        let names_features = self.word_ngrams.is_some() || self.char_ngrams.is_some() || self.settings.is_some();
        grid.features = names_features.then(|| params.features.clone());
        if self.encoder_scale.is_some() {
            grid.encoder_scales.clear();
        }
        grid
    }
}

fn df_bound(value: f64) -> DfBound {
    if value < 1.0 { DfBound::Share(value) } else { DfBound::Count(value as u32) }
}
