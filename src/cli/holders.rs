//! `stance train-holders`: the ranker of holders, from labelled articles; and its scores.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use stancekit::data::{BatchLimits, Rejects, RowBatch, Source, TableOptions, TableReader};
use stancekit::features::{FeatureParams, TfidfParams};
use stancekit::holders::{Article, Gazetteer, HolderFinder, LabelledHolder, same_party, training_rows};
use stancekit::labelled::{Columns, LabelledBuilder};
use stancekit::linear::Loss;
use stancekit::model::WeightKind;
use stancekit::train::{TrainParams, train};
use stancekit::{Model, Predictor, Task};

use super::{Common, ExitStatus};

/// Train the ranker of holders from labelled articles.
#[derive(Debug, Args)]
pub struct TrainHolders {
    /// Articles, a sentence a row, with columns article, index, title, text, holder, holder_start, holder_end, via, mode, topic, stance
    data: PathBuf,
    /// Where the model goes
    #[arg(long, value_name = "OUT")]
    model: PathBuf,
    /// More names, with the columns of the project's own tables
    #[arg(long, value_name = "F")]
    gazetteer: Option<PathBuf>,
    /// Cost of an error
    #[arg(long, short = 'C', default_value_t = 0.05)]
    cost: f64,
}

/// A sentence with its labelled holders.
type LabelledSentence = (String, bool, Vec<LabelledHolder>);

/// Reads articles of labelled sentences, in order.
pub fn read_articles(path: &Path) -> anyhow::Result<Vec<Vec<LabelledSentence>>> {
    let mut reader = TableReader::open(&Source::file(path, None)?, &TableOptions::default())?;
    let columns = reader.columns().to_vec();
    let find =
        |name: &str| columns.iter().position(|c| c == name).with_context(|| format!("{}: no column {name:?}", path.display()));
    let names = ["article", "index", "title", "text", "holder", "holder_start", "holder_end", "via", "mode", "topic", "stance"];
    let at = names.iter().map(|n| find(n)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut articles: Vec<Vec<LabelledSentence>> = Vec::new();
    let mut last = (String::new(), String::new());
    let mut batch = RowBatch::new();
    while reader.read_batch(&mut batch, BatchLimits::default(), &mut Rejects::new().strict(true))? {
        for row in 0..batch.n_rows() {
            let field = |i: usize| batch.field(row, at[i]);
            if articles.is_empty() || field(0) != last.0 {
                articles.push(Vec::new());
                last.1.clear();
            }
            let article = articles.last_mut().context("pushed above")?;
            if article.is_empty() || field(1) != last.1 {
                article.push((field(3).to_owned(), field(2) == "1", Vec::new()));
            }
            last = (field(0).to_owned(), field(1).to_owned());
            if field(8).is_empty() {
                continue;
            }
            let text = field(3);
            let byte = |points: &str| {
                points.parse::<usize>().ok().and_then(|n| text.char_indices().map(|(i, _)| i).chain([text.len()]).nth(n))
            };
            let holder = LabelledHolder {
                name: field(4).to_owned(),
                span: byte(field(5)).zip(byte(field(6))),
                via: field(7).to_owned(),
                mode: field(8).to_owned(),
                topic: field(9).to_owned(),
                stance: field(10).to_owned(),
            };
            if let Some(sentence) = article.last_mut() {
                sentence.2.push(holder);
            }
        }
    }
    Ok(articles)
}

/// Trains a ranker.
pub fn train_ranker(articles: &[Vec<LabelledSentence>], gazetteer: &Gazetteer, cost: f64) -> anyhow::Result<Model> {
    let names: Vec<String> = ["text", "answer", "group"].map(String::from).to_vec();
    let task = Task { name: "holders".to_owned(), ..Task::single(Some("text"), "answer", None, Some("group")) };
    let mut builder = LabelledBuilder::new(&task, Columns::find(&task, &names, 0, true)?);
    for (number, article) in articles.iter().enumerate() {
        let group = number.to_string();
        for (text, is_holder) in training_rows(gazetteer, article) {
            let row = [text.as_str(), if is_holder { "holder" } else { "no" }, group.as_str()];
            builder.push(|c| row[c])?;
        }
    }
    let mut words = TfidfParams::words(1, 1);
    words.use_idf = false;
    words.binary = true;
    words.min_df = stancekit::features::DfBound::Count(2);
    let mut params = TrainParams {
        features: FeatureParams { blocks: vec![words], hash_bits: None },
        weights: WeightKind::F32,
        ..TrainParams::default()
    };
    params.head.linear.c = cost;
    params.head.linear.loss = Loss::Logistic;
    Ok(train(&task, &builder.finish(), &params)?)
}

/// Right holders, spans, modes and vias on labelled articles.
#[derive(Debug, Default, Clone, Copy)]
pub struct HolderScores {
    pub n: usize,
    pub n_right: usize,
    pub n_mode: usize,
    pub n_via: usize,
    span_hits: usize,
    span_predicted: usize,
    span_gold: usize,
}

impl HolderScores {
    /// F1 of overlapping spans.
    pub fn span_f1(&self) -> f64 {
        2.0 * self.span_hits as f64 / (self.span_predicted + self.span_gold).max(1) as f64
    }
}

/// Scores a finder, given the true topics and stances.
pub fn score(
    articles: &[Vec<LabelledSentence>],
    finder: &HolderFinder,
    wanted: impl Fn(&LabelledHolder) -> bool,
) -> HolderScores {
    let mut scores = HolderScores::default();
    let mut scratch = finder.scratch();
    for article in articles {
        let (mut state, mut offset) = (Article::default(), 0);
        for (text, is_headline, statements) in article {
            let sentence = finder.read(text, offset, *is_headline, &mut state);
            for gold in statements {
                let (holder, mode) = finder.find(&sentence, &gold.topic, &gold.stance, &mut state, &mut scratch);
                if !wanted(gold) {
                    continue;
                }
                scores.n += 1;
                scores.n_right += usize::from(same_party(holder.as_ref().map_or("", |h| &h.name), &gold.name));
                scores.n_mode += usize::from(mode.as_str() == gold.mode);
                scores.n_via += usize::from(holder.as_ref().and_then(|h| h.via.as_deref()).unwrap_or_default() == gold.via);
                let here = holder.filter(|h| h.span.0 >= offset).map(|h| (h.span.0 - offset, h.span.1 - offset));
                scores.span_predicted += usize::from(here.is_some());
                scores.span_gold += usize::from(gold.span.is_some());
                if let (Some((s, e)), Some((gs, ge))) = (here, gold.span) {
                    scores.span_hits += usize::from(s < ge && gs < e);
                }
            }
            offset += text.len() + 1;
        }
    }
    scores
}

impl TrainHolders {
    pub fn run(&self, common: &Common) -> anyhow::Result<ExitStatus> {
        let gazetteer = match &self.gazetteer {
            Some(path) => Arc::new(Gazetteer::with_file(path)?),
            None => Gazetteer::builtin(),
        };
        let articles = read_articles(&self.data)?;
        let model = train_ranker(&articles, &gazetteer, self.cost)?;
        model.save(&self.model)?;
        if !common.quiet {
            super::inspect::print_summary(&model, &mut std::io::stderr())?;
            let beside = self.data.with_file_name("test.csv");
            if beside.is_file() && beside != self.data {
                let finder = HolderFinder::new(gazetteer, Predictor::new(Arc::new(model)));
                print_scores(&read_articles(&beside)?, &finder);
            }
        }
        Ok(ExitStatus::Done)
    }
}

/// Prints the table of holder scores by kind of speech.
pub fn print_scores(articles: &[Vec<LabelledSentence>], finder: &HolderFinder) {
    for kind in ["all", "direct", "indirect", "mixed", "author"] {
        let s = score(articles, finder, |gold| kind == "all" || gold.mode == kind);
        let share = |n: usize| n as f64 / s.n.max(1) as f64;
        eprintln!(
            "{kind:<9} {:>5} statements: holder {:.4}, span F1 {:.4}, mode {:.4}, via {:.4}",
            s.n,
            share(s.n_right),
            s.span_f1(),
            share(s.n_mode),
            share(s.n_via)
        );
    }
}
