//! `stance train-holders`: the model of holders, from labelled articles; and its scores.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use rayon::prelude::*;
use stancekit::data::{BatchLimits, Rejects, RowBatch, Source, TableOptions, TableReader};
use stancekit::holders::{
    Article, Gazetteer, Holder, HolderFinder, LabelledHolder, LabelledSentence, Mode, same_name, same_party, train,
};

use super::{Common, ExitStatus};

/// Train the model of holders from labelled articles.
#[derive(Debug, Args)]
pub struct TrainHolders {
    /// Articles, a sentence a row, with columns article, index, title, text, holder, holder_start, holder_end, via, mode, topic, stance
    data: PathBuf,
    /// Where the model goes
    #[arg(long, value_name = "OUT", required_unless_present = "cross_validate")]
    model: Option<PathBuf>,
    /// More names, with the columns of the project's own tables
    #[arg(long, value_name = "F")]
    gazetteer: Option<PathBuf>,
    /// Instead of a model: scores by cross-validation with so many folds of articles
    #[arg(long, value_name = "K")]
    cross_validate: Option<usize>,
    /// Score only articles whose id begins with one of these
    #[arg(long, value_name = "PREFIX", value_delimiter = ',')]
    only: Vec<String>,
}

/// An article: its id and its sentences.
pub type LabelledArticle = (String, Vec<LabelledSentence>);

/// Reads articles of labelled sentences, in order.
pub fn read_articles(path: &Path) -> anyhow::Result<Vec<LabelledArticle>> {
    let mut reader = TableReader::open(&Source::file(path, None)?, &TableOptions::default())?;
    let columns = reader.columns().to_vec();
    let find =
        |name: &str| columns.iter().position(|c| c == name).with_context(|| format!("{}: no column {name:?}", path.display()));
    let names = ["article", "index", "title", "text", "holder", "holder_start", "holder_end", "via", "mode", "topic", "stance"];
    let at = names.iter().map(|n| find(n)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut articles: Vec<LabelledArticle> = Vec::new();
    let mut last = (String::new(), String::new());
    let mut batch = RowBatch::new();
    while reader.read_batch(&mut batch, BatchLimits::default(), &mut Rejects::new().strict(true))? {
        for row in 0..batch.n_rows() {
            let field = |i: usize| batch.field(row, at[i]);
            if articles.is_empty() || field(0) != last.0 {
                articles.push((field(0).to_owned(), Vec::new()));
                last.1.clear();
            }
            let article = &mut articles.last_mut().context("pushed above")?.1;
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

/// Right holders, spans, modes and vias on labelled articles.
#[derive(Debug, Default, Clone, Copy)]
pub struct HolderScores {
    n: usize,
    n_right: usize,
    n_written_alike: usize,
    n_mode: usize,
    n_via: usize,
    span_hits: usize,
    span_predicted: usize,
    span_gold: usize,
}

impl HolderScores {
    fn add(&mut self, found: &Found, gold: &LabelledHolder) {
        let name = found.holder.as_ref().map_or("", |h| &h.name);
        self.n += 1;
        self.n_right += usize::from(same_party(name, &gold.name));
        self.n_written_alike += usize::from(same_name(name, &gold.name));
        self.n_mode += usize::from(found.mode.as_str() == gold.mode);
        self.n_via +=
            usize::from(same_party(found.holder.as_ref().and_then(|h| h.via.as_deref()).unwrap_or_default(), &gold.via));
        self.span_predicted += usize::from(found.span.is_some());
        self.span_gold += usize::from(gold.span.is_some());
        self.span_hits += usize::from(overlaps(found.span, gold.span));
    }

    fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.n_right += other.n_right;
        self.n_written_alike += other.n_written_alike;
        self.n_mode += other.n_mode;
        self.n_via += other.n_via;
        self.span_hits += other.span_hits;
        self.span_predicted += other.span_predicted;
        self.span_gold += other.span_gold;
    }

    /// A line of the table.
    fn line(&self, kind: &str) -> String {
        let share = |n: usize| n as f64 / self.n.max(1) as f64;
        format!(
            "{kind:<10}{:>10}{:>9.3}{:>14.3}{:>9.3}{:>7.3}{:>7.3}\n",
            self.n,
            share(self.n_right),
            share(self.n_written_alike),
            2.0 * self.span_hits as f64 / (self.span_predicted + self.span_gold).max(1) as f64,
            share(self.n_mode),
            share(self.n_via)
        )
    }
}

fn overlaps(a: Option<(usize, usize)>, b: Option<(usize, usize)>) -> bool {
    a.zip(b).is_some_and(|((start, end), (other_start, other_end))| start < other_end && other_start < end)
}

/// What was found for one statement, the span within its sentence.
struct Found {
    holder: Option<Holder>,
    span: Option<(usize, usize)>,
    mode: Mode,
}

/// Scores by kind of speech: all, direct, indirect, mixed, author.
#[derive(Debug, Default)]
pub struct HolderTable([HolderScores; 5]);

const KINDS: [&str; 5] = ["all", "direct", "indirect", "mixed", "author"];

impl HolderTable {
    /// Adds the scores of articles, given the true topics and stances.
    pub fn add(&mut self, articles: &[LabelledArticle], finder: &HolderFinder) {
        for (_, sentences) in articles {
            let (mut state, mut offset) = (Article::default(), 0);
            let mut read = Vec::with_capacity(sentences.len());
            for (text, is_headline, statements) in sentences {
                read.push(if statements.is_empty() {
                    finder.skim(text, offset, *is_headline, &mut state)
                } else {
                    finder.read(text, offset, *is_headline, &mut state)
                });
                offset += text.len() + 1;
            }
            for ((_, _, statements), mut sentence) in sentences.iter().zip(read) {
                finder.enter(&mut sentence, &mut state);
                let offset = sentence.offset();
                let found: Vec<Found> = statements
                    .iter()
                    .map(|gold| {
                        let (holder, mode) = finder.find(&mut sentence, &gold.topic, &gold.stance, &mut state);
                        let span = holder.as_ref().map(|h| h.span).filter(|s| s.0 >= offset);
                        Found { span: span.map(|(s, e)| (s - offset, e - offset)), holder, mode }
                    })
                    .collect();
                for (gold, found) in statements.iter().zip(in_gold_order(statements, found)) {
                    self.0[0].add(&found, gold);
                    let kind = KINDS.iter().position(|k| *k == gold.mode).unwrap_or(4);
                    self.0[kind].add(&found, gold);
                }
            }
        }
    }

    /// Adds the counts of another table.
    fn merge(&mut self, other: &Self) {
        for (scores, more) in self.0.iter_mut().zip(&other.0) {
            scores.merge(more);
        }
    }

    /// The table as text.
    pub fn render(&self) -> String {
        let mut text = format!(
            "{:<10}{:>10}{:>9}{:>14}{:>9}{:>7}{:>7}\n",
            "speech", "statements", "holder", "written alike", "span F1", "mode", "via"
        );
        for (kind, scores) in KINDS.iter().zip(&self.0) {
            text += &scores.line(kind);
        }
        text
    }
}

/// Statements of one sentence with the same topic and stance have no order: what was found for one counts for another whose holder it is.
fn in_gold_order(gold: &[LabelledHolder], mut found: Vec<Found>) -> Vec<Found> {
    for i in 0..gold.len() {
        let is_twin = |j: &usize| gold[*j].topic == gold[i].topic && gold[*j].stance == gold[i].stance;
        let fits = |j: &usize| found[*j].holder.as_ref().is_some_and(|h| same_party(&h.name, &gold[i].name));
        if !fits(&i)
            && let Some(j) = (i + 1..gold.len()).find(|j| is_twin(j) && fits(j))
        {
            found.swap(i, j);
        }
    }
    found
}

impl TrainHolders {
    pub fn run(&self, common: &Common) -> anyhow::Result<ExitStatus> {
        let gazetteer = match &self.gazetteer {
            Some(path) => Arc::new(Gazetteer::with_file(path)?),
            None => Gazetteer::builtin(),
        };
        let articles = read_articles(&self.data)?;
        if let Some(k) = self.cross_validate {
            super::write_text(None, &self.cross_validated(&articles, &gazetteer, k)?)?;
        }
        if let Some(path) = &self.model {
            let sentences: Vec<Vec<LabelledSentence>> = articles.into_iter().map(|a| a.1).collect();
            let model = train(&gazetteer, &sentences)?;
            model.save(path)?;
            if !common.quiet {
                super::inspect::print_summary(&model, &mut std::io::stderr())?;
            }
        }
        Ok(ExitStatus::Done)
    }

    fn cross_validated(&self, articles: &[LabelledArticle], gazetteer: &Arc<Gazetteer>, k: usize) -> anyhow::Result<String> {
        anyhow::ensure!(k >= 2 && k <= articles.len(), "--cross-validate {k}; expected 2 up to the number of articles");
        let is_wanted = |id: &str| self.only.is_empty() || self.only.iter().any(|prefix| id.starts_with(prefix.as_str()));
        let of_fold = |fold: usize| {
            let (held, rest): (Vec<_>, Vec<_>) = articles.iter().cloned().enumerate().partition(|(i, _)| i % k == fold);
            let rest: Vec<Vec<LabelledSentence>> = rest.into_iter().map(|(_, a)| a.1).collect();
            let finder = HolderFinder::new(Arc::clone(gazetteer), &train(gazetteer, &rest)?)?;
            let held: Vec<LabelledArticle> = held.into_iter().map(|(_, a)| a).filter(|a| is_wanted(&a.0)).collect();
            let mut table = HolderTable::default();
            table.add(&held, &finder);
            anyhow::Ok(table)
        };
        let tables = (0..k).into_par_iter().map(of_fold).collect::<anyhow::Result<Vec<_>>>()?;
        let mut table = HolderTable::default();
        tables.iter().for_each(|fold| table.merge(fold));
        Ok(table.render())
    }
}
