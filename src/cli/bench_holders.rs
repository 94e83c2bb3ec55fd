//! `stance bench holders`: how well holders are found in `datasets/diplomacy`, and sources and cues in PolNeAR.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use stancekit::classify::Classifier;
use stancekit::data::{Article, BatchLimits, Rejects, RowBatch, Source, TableOptions, TableReader};
use stancekit::holders::attribution::{AttributedText, AttributionCounts, AttributionTagger, Method, score};
use stancekit::holders::{Gazetteer, HolderFinder};
use stancekit::{Model, Predictor};

use super::ExitStatus;
use super::holders::{HolderTable, LabelledArticle, read_articles};
use super::predict::open_model;

/// Measure how well holders, and sources and cues, are found.
#[derive(Debug, Args)]
pub struct BenchHolders {
    /// Directory with polnear/articles.csv and polnear/attributions.csv, or that of polnear itself; without it the second table is left out
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Labelled articles for the first table
    #[arg(long, value_name = "F", default_value = "datasets/diplomacy/test.csv")]
    articles: PathBuf,
    /// Model file of holders; the built-in one by default
    #[arg(long, value_name = "M")]
    holders: Option<PathBuf>,
}

impl BenchHolders {
    pub fn run(&self) -> anyhow::Result<ExitStatus> {
        let gazetteer = Gazetteer::builtin();
        let finder = match &self.holders {
            Some(path) => HolderFinder::new(gazetteer, &open_model(path)?)?,
            None => HolderFinder::builtin(gazetteer),
        };
        let mut table = HolderTable::default();
        let articles = read_articles(&self.articles)?;
        table.add(&articles, &finder);
        let mut text = format!("{}, given topic and stance\n{}", self.articles.display(), table.render());
        text += &cost(&articles, finder)?;
        if let Some(data) = &self.data {
            text += &polnear(data)?;
        }
        super::write_text(None, &text)?;
        Ok(ExitStatus::Done)
    }
}

/// What the holder step costs beside the rest of `classify`, on one thread: the least of several runs of each.
fn cost(articles: &[LabelledArticle], finder: HolderFinder) -> anyhow::Result<String> {
    const RUNS: usize = 9;
    let texts: Vec<Article> = articles
        .iter()
        .map(|(id, sentences)| {
            let text = sentences.iter().map(|s| s.0.as_str()).collect::<Vec<_>>().join("\n\n");
            Article { id: id.clone(), text, ..Article::default() }
        })
        .collect();
    let predictor = Predictor::new(Model::builtin());
    let classifiers = [Classifier::new(predictor.clone(), None)?, Classifier::new(predictor, Some(finder))?];
    let mut scratches = [classifiers[0].scratch(), classifiers[1].scratch()];
    // In turn, so that a busy machine slows both.
    let mut seconds = [f64::INFINITY; 2];
    for _ in 0..RUNS {
        for (i, classifier) in classifiers.iter().enumerate() {
            let start = Instant::now();
            texts.iter().for_each(|text| drop(black_box(classifier.classify(text, &mut scratches[i]))));
            seconds[i] = seconds[i].min(start.elapsed().as_secs_f64());
        }
    }
    let n: usize = articles.iter().map(|(_, sentences)| sentences.len()).sum();
    let [without, with] = seconds.map(|s| s * 1e6 / n as f64);
    Ok(format!(
        "classify, one thread: {without:.1} µs a sentence without holders, {with:.1} with; the holder step costs {:.2} times the rest\n",
        (with - without) / without
    ))
}

/// The table of sources and cues.
fn polnear(data: &Path) -> anyhow::Result<String> {
    let inside = data.join("polnear");
    let directory = if inside.is_dir() { inside } else { data.to_owned() };
    let gazetteer = Gazetteer::builtin();
    let (train, dev) = (read_split(&directory, "train")?, read_split(&directory, "dev")?);
    anyhow::ensure!(!train.is_empty() && !dev.is_empty(), "{}: no articles of the splits train and dev", directory.display());
    let tagger = AttributionTagger::train(&train, &gazetteer);
    let mut text = format!("\nPolNeAR, {} articles to learn from, {} to score\n", train.len(), dev.len());
    text += &format!(
        "{:<18}{:<14}{:>8}{:>16}{:>14}{:>8}{:>13}{:>11}\n",
        "method", "speech", "sources", "source overlap", "source exact", "cues", "cue overlap", "cue exact"
    );
    for (name, method) in
        [("tagger", Method::Tagger), ("patterns", Method::Patterns), ("quotation marks", Method::QuotationMarks)]
    {
        text += &lines(name, &score(&dev, method, &tagger, &gazetteer));
    }
    Ok(text)
}

fn lines(name: &str, counts: &AttributionCounts) -> String {
    let kinds = ["all", "indirect", "mixed", "direct"];
    kinds
        .iter()
        .zip(counts)
        .map(|(kind, [source, cue])| {
            format!(
                "{name:<18}{kind:<14}{:>8}{:>16.3}{:>14.3}{:>8}{:>13.3}{:>11.3}\n",
                source.n_gold(),
                source.overlap_f1(),
                source.exact_f1(),
                cue.n_gold(),
                cue.overlap_f1(),
                cue.exact_f1()
            )
        })
        .collect()
}

/// Texts of one split with the spans of their first annotator.
fn read_split(directory: &Path, split: &str) -> anyhow::Result<Vec<AttributedText>> {
    let mut ids: Vec<String> = Vec::new();
    let mut texts: Vec<AttributedText> = Vec::new();
    for_each_row(&directory.join("articles.csv"), &["article_id", "split", "text"], |row| {
        if row[1] == split {
            ids.push(row[0].to_owned());
            texts.push(AttributedText { text: row[2].to_owned(), ..AttributedText::default() });
        }
    })?;
    let offsets: Vec<Vec<usize>> =
        texts.iter().map(|t| t.text.char_indices().map(|(i, _)| i).chain([t.text.len()]).collect()).collect();
    let columns = ["article_id", "primary", "source_span", "cue_span"];
    for_each_row(&directory.join("attributions.csv"), &columns, |row| {
        let Some(at) = ids.iter().position(|id| id == row[0]).filter(|_| row[1] == "1") else { return };
        texts[at].sources.extend(span(row[2], &offsets[at]));
        texts[at].cues.extend(span(row[3], &offsets[at]));
    })?;
    Ok(texts)
}

/// Bytes of the first piece of a span in code points, as in `12-20;25-30`.
fn span(points: &str, offsets: &[usize]) -> Option<(usize, usize)> {
    let (start, end) = points.split(';').next()?.split_once('-')?;
    Some((*offsets.get(start.trim().parse::<usize>().ok()?)?, *offsets.get(end.trim().parse::<usize>().ok()?)?))
}

fn for_each_row(path: &Path, names: &[&str], mut f: impl FnMut(&[&str])) -> anyhow::Result<()> {
    let mut reader = TableReader::open(&Source::file(path, None)?, &TableOptions::default())?;
    let columns = reader.columns().to_vec();
    let at = names
        .iter()
        .map(|n| columns.iter().position(|c| c == n).with_context(|| format!("{}: no column {n:?}", path.display())))
        .collect::<anyhow::Result<Vec<usize>>>()?;
    let mut batch = RowBatch::new();
    while reader.read_batch(&mut batch, BatchLimits::default(), &mut Rejects::new().strict(true))? {
        for row in 0..batch.n_rows() {
            let fields: Vec<&str> = at.iter().map(|&c| batch.field(row, c)).collect();
            f(&fields);
        }
    }
    Ok(())
}
