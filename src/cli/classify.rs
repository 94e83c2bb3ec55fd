//! `stance classify`: articles in, statements out; on a terminal, first a matrix of holders and topics.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use rayon::prelude::*;
use stancekit::batch::probability;
use stancekit::classify::{Classifier, Statement};
use stancekit::data::{
    Article, ArticleOptions, ArticleReader, BatchLimits, Column, ColumnNames, ColumnType, Format, Output, Rejects, RowBatch,
    RowBuffer, RowLayout, Source, TableOptions, TableReader, TableWriter, Value, expand, find_named,
};
use stancekit::holders::{Gazetteer, HolderFinder};
use stancekit::{Error, Model, Predictor};

use super::columns::tell_encoding;
use super::encoder::EncoderArgs;
use super::matrix::{Cells, Matrix};
use super::predict::{load_model, open_model};
use super::{Common, ExitStatus, ReadArgs, RejectArgs, progress, settle};

/// What `--by` names beside the columns of the input.
const PARTS: [&str; 5] = ["outlet", "day", "month", "year", "article"];

/// Articles per unit of parallel work, and bytes of text that are held at once.
const CHUNK_ARTICLES: usize = 256;
const CHUNK_BYTES: usize = 8 << 20;

/// Say who stands where on what in articles.
#[derive(Debug, Args)]
pub struct Classify {
    /// Articles: .txt, .md, .html; tables of articles: .csv, .tsv, .jsonl, .parquet; each also .gz or .zst; a directory; or - for standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Model file; the built-in model for diplomatic news by default
    #[arg(long, value_name = "M")]
    model: Option<PathBuf>,
    /// Model file of holders; the built-in one by default
    #[arg(long, value_name = "M")]
    holders: Option<PathBuf>,
    /// Format of the output; by its name, else a table for people
    #[arg(long, value_enum)]
    format: Option<ClassifyFormat>,
    /// Where the output goes; standard output by default
    #[arg(long, short, value_name = "F")]
    output: Option<PathBuf>,
    #[command(flatten)]
    read: ReadArgs,
    /// Column of the text in tables; found by its usual names if not given
    #[arg(long, value_name = "COL")]
    text: Option<String>,
    /// Column of the article's id; this and the following too are found by their usual names
    #[arg(long, value_name = "COL")]
    id: Option<String>,
    /// Column of the headline
    #[arg(long, value_name = "COL")]
    title: Option<String>,
    /// Column of the date
    #[arg(long, value_name = "COL")]
    date: Option<String>,
    /// Column of the publisher
    #[arg(long, value_name = "COL")]
    outlet: Option<String>,
    /// Column of the address
    #[arg(long, value_name = "COL")]
    url: Option<String>,
    /// Rows are sentences of articles, in order, as in datasets/diplomacy
    #[arg(long)]
    sentences: bool,
    /// Say why a stance should not be relied on, at this level
    #[arg(long, value_name = "ALPHA")]
    abstain: Option<f64>,
    /// One matrix for each value of outlet, day, month, year (of dates such as 2024-05-01), article, or a column of the input
    #[arg(long, value_name = "COLUMN")]
    by: Option<String>,
    /// List the sentences behind every cell of the matrix
    #[arg(long, conflicts_with = "all")]
    evidence: bool,
    /// List sentences on no topic too
    #[arg(long)]
    all: bool,
    /// More names of parties: a CSV with columns canonical, kind, names, demonyms, seats (several joined by |)
    #[arg(long, value_name = "F")]
    gazetteer: Option<PathBuf>,
    /// Overrule names of holders: a CSV with columns alias, canonical
    #[arg(long, value_name = "F")]
    aliases: Option<PathBuf>,
    #[command(flatten)]
    encoder: EncoderArgs,
    #[command(flatten)]
    rejects: RejectArgs,
}

/// Formats of statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ClassifyFormat {
    Table,
    Csv,
    Jsonl,
    Parquet,
}

impl Classify {
    pub fn run(&self, common: &Common) -> anyhow::Result<ExitStatus> {
        if let Some(alpha) = self.abstain {
            anyhow::ensure!(alpha > 0.0 && alpha < 1.0, "--abstain {alpha}; expected a number between 0 and 1");
        }
        let classifier = self.classifier()?;
        let mut rejects = self.rejects.open_beside(self.output.as_deref())?;
        let sources = expand(&self.paths, self.read.input_format.map(Into::into), &mut rejects)?;
        let options = ArticleOptions { columns: self.columns(), table: self.read.options(), group_sentences: self.sentences };
        let reader = ArticleReader::new(sources, options, rejects);
        let by_name = self.output.as_deref().and_then(Format::from_path).filter(|f| f.is_table());
        let format = match self.format {
            Some(ClassifyFormat::Table) => None,
            Some(ClassifyFormat::Csv) => Some(Format::Csv),
            Some(ClassifyFormat::Jsonl) => Some(Format::Jsonl),
            Some(ClassifyFormat::Parquet) => Some(Format::Parquet),
            None => by_name,
        };
        let is_for_people = self.by.is_some() || self.evidence || self.all;
        anyhow::ensure!(
            format.is_none() || !is_for_people,
            "--by, --evidence and --all are for the table for people; leave them out, or say --format table"
        );
        match format {
            Some(format) => self.write_records(&classifier, reader, format, common),
            None => self.write_report(&classifier, reader, common),
        }
    }

    /// The columns that flags name.
    fn columns(&self) -> ColumnNames {
        ColumnNames {
            text: self.text.clone(),
            id: self.id.clone(),
            title: self.title.clone(),
            date: self.date.clone(),
            outlet: self.outlet.clone(),
            url: self.url.clone(),
        }
    }

    fn classifier(&self) -> anyhow::Result<Classifier> {
        let gazetteer = match &self.gazetteer {
            Some(path) => Arc::new(Gazetteer::with_file(path)?),
            None => Gazetteer::builtin(),
        };
        let ranker = match &self.holders {
            Some(path) => Arc::new(open_model(path)?),
            None => Model::builtin_holders(),
        };
        // What both are made from is read side by side: for one article it takes longer than the article.
        let (finder, predictor) = rayon::join(
            || HolderFinder::new(gazetteer, &ranker),
            || anyhow::Ok(Predictor::new(load_model(self.model.as_ref())?)),
        );
        let (finder, predictor) = (finder?, predictor?);
        let encoder = self.encoder.for_model(predictor.encoder())?;
        let classifier = Classifier::with_encoder(predictor, encoder, Some(finder))?;
        let aliases = self.aliases.as_ref().map(read_aliases).transpose()?.unwrap_or_default();
        Ok(classifier.with_aliases(aliases).with_abstention(self.abstain))
    }

    /// Every record, streamed.
    fn write_records(
        &self,
        classifier: &Classifier,
        reader: ArticleReader,
        format: Format,
        common: &Common,
    ) -> anyhow::Result<ExitStatus> {
        let output = Output::create(self.output.as_deref())?;
        let mut writer = TableWriter::new(output, format, record_columns(classifier))?;
        let layout = writer.layout();
        let push = |article: &Article, statements: &[Statement], buffer: &mut RowBuffer| {
            statements.iter().for_each(|s| push_record(classifier, article, s, &layout, buffer));
        };
        let status = for_each_article(classifier, reader, common, RowBuffer::new, push, &mut |mut buffer| {
            Ok(writer.write_buffer(&mut buffer)?)
        })?;
        writer.finish()?;
        Ok(status)
    }

    /// The matrix, then the statements.
    fn write_report(&self, classifier: &Classifier, reader: ArticleReader, common: &Common) -> anyhow::Result<ExitStatus> {
        let is_coloured = self.output.is_none() && std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let mut matrices: BTreeMap<String, Cells> = BTreeMap::new();
        let mut listing = String::new();
        let mut columns: BTreeSet<String> = BTreeSet::new();
        let collect = |article: &Article, statements: &[Statement], found: &mut Vec<(String, Article, Vec<Statement>)>| {
            let place = Article { text: String::new(), ..article.clone() };
            found.push((self.part(article), place, statements.to_vec()));
        };
        let status = for_each_article(classifier, reader, common, Vec::new, collect, &mut |found: Vec<(
            String,
            Article,
            Vec<Statement>,
        )>| {
            for (part, article, statements) in found {
                columns.extend(article.extra.iter().map(|(name, _)| name.clone()));
                let cells = matrices.entry(part).or_default();
                statements.iter().filter(|s| Some(s.topic) != classifier.none_topic()).for_each(|s| cells.add(&article, s));
                self.list(classifier, &article, &statements, is_coloured, &mut listing);
            }
            Ok(())
        })?;
        if let Some(by) = self.by.as_deref().filter(|by| !PARTS.contains(by) && !columns.contains(*by) && !matrices.is_empty()) {
            let names: Vec<&str> = PARTS.into_iter().chain(columns.iter().map(String::as_str)).collect();
            anyhow::bail!("--by {by}: no article has this column; expected one of {}", names.join(", "));
        }
        let mut text = String::new();
        for (part, cells) in &matrices {
            if self.by.is_some() {
                text += &format!("{}: {part}\n", self.by.as_deref().unwrap_or_default());
            }
            let matrix = Matrix { topics: classifier.topics(), stances: classifier.stances(), is_coloured };
            text += &matrix.render(cells);
            if self.evidence {
                text += &matrix.evidence(cells);
            }
        }
        if !self.evidence {
            text += &listing;
        }
        super::write_text(self.output.as_deref(), &text)?;
        Ok(status)
    }

    /// The part of the report that an article belongs to.
    fn part(&self, article: &Article) -> String {
        let date = article.date.as_deref().unwrap_or_default();
        let value = match self.by.as_deref() {
            None => return String::new(),
            Some("outlet") => article.outlet.clone(),
            Some("day") => start_of_date(date, 10),
            Some("month") => start_of_date(date, 7),
            Some("year") => start_of_date(date, 4),
            Some("article") => Some(article.id.clone()),
            Some(column) => article.extra.iter().find(|(name, _)| name == column).map(|(_, value)| value.clone()),
        };
        value.unwrap_or_else(|| "(none)".to_owned())
    }

    fn list(
        &self,
        classifier: &Classifier,
        article: &Article,
        statements: &[Statement],
        is_coloured: bool,
        listing: &mut String,
    ) {
        *listing += &format!("{}{}\n", article.id, article.title.as_ref().map(|t| format!(": {t}")).unwrap_or_default());
        for s in statements {
            if Some(s.topic) == classifier.none_topic() {
                if self.all {
                    *listing += &format!("  ({}) {}\n", classifier.topics()[s.topic], s.text);
                }
                continue;
            }
            let stance = &classifier.stances()[s.stance];
            let via = s.via.as_ref().map(|via| format!(", via {via}")).unwrap_or_default();
            let doubt = s.abstained.map(|a| format!(" [{}]", a.as_str())).unwrap_or_default();
            *listing += &format!(
                "  {} → {} ({:.2}) → {} ({:.2}){via}{doubt}\n    {}\n    {}\n",
                s.holder.as_deref().unwrap_or("(the article)"),
                super::matrix::paint(stance, s.stance, is_coloured),
                s.stance_probabilities[s.stance],
                classifier.topics()[s.topic],
                s.topic_probability,
                s.text.split_whitespace().collect::<Vec<_>>().join(" "),
                classifier.proposition(s.topic),
            );
        }
    }
}

/// The first bytes of a date that is written as 2024-05-01; none of any other, whose first bytes are no year.
fn start_of_date(date: &str, n_bytes: usize) -> Option<String> {
    let start = date.trim_start().get(..n_bytes)?;
    let is_iso =
        start.bytes().enumerate().all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() });
    is_iso.then(|| start.to_owned())
}

/// Classifies all articles, on all threads, and hands what each run of articles gave to `take`, in order.
fn for_each_article<B: Send>(
    classifier: &Classifier,
    mut reader: ArticleReader,
    common: &Common,
    empty: impl Fn() -> B + Sync,
    push: impl Fn(&Article, &[Statement], &mut B) + Sync,
    take: &mut dyn FnMut(B) -> anyhow::Result<()>,
) -> anyhow::Result<ExitStatus> {
    let bar = progress::spinner(common, "articles read");
    let mut articles = Vec::new();
    let mut total = 0;
    while reader.read_chunk(&mut articles, CHUNK_ARTICLES, CHUNK_BYTES)? {
        reader.take_notices().iter().for_each(|notice| eprintln!("stance: {notice}"));
        let pieces: Vec<B> = articles
            .par_chunks(8)
            .map_init(
                || classifier.scratch(),
                |scratch, articles| {
                    let mut piece = empty();
                    for article in articles {
                        let statements = classifier.classify(article, scratch);
                        push(article, &statements, &mut piece);
                    }
                    piece
                },
            )
            .collect();
        pieces.into_iter().try_for_each(&mut *take)?;
        total += articles.len() as u64;
        bar.set_position(total);
    }
    reader.take_notices().iter().for_each(|notice| eprintln!("stance: {notice}"));
    bar.finish_and_clear();
    let mut rejects = reader.into_rejects();
    anyhow::ensure!(total > 0 || rejects.n() > 0, "no article to read");
    settle(&mut rejects)
}

/// The columns of the flat record.
fn record_columns(classifier: &Classifier) -> Vec<Column> {
    use ColumnType::{Int, Number, Text};
    let mut columns: Vec<Column> = [
        ("article", Text),
        ("title", Text),
        ("date", Text),
        ("outlet", Text),
        ("sentence", Int),
        ("start", Int),
        ("end", Int),
        ("text", Text),
        ("holder", Text),
        ("holder_start", Int),
        ("holder_end", Int),
        ("via", Text),
        ("mode", Text),
        ("topic", Text),
        ("topic_probability", Number),
        ("stance", Text),
        ("stance_probability", Number),
    ]
    .map(|(name, kind)| Column::new(name, kind))
    .to_vec();
    columns.extend(classifier.stances().iter().map(|s| Column::new(format!("p_{s}"), Number)));
    // The contract names favor first; a model's own labels follow in their order.
    columns[17..].sort_by_key(|c| usize::from(c.name != "p_favor"));
    columns.push(Column::new("abstained", Text));
    columns
}

fn push_record(classifier: &Classifier, article: &Article, s: &Statement, layout: &RowLayout, buffer: &mut RowBuffer) {
    let whole = |value: Option<usize>| value.map_or(Value::Null, |n| Value::Int(n as i64));
    let stances = classifier.stances();
    let mut row = vec![
        Value::Text(&article.id),
        text(article.title.as_deref()),
        text(article.date.as_deref()),
        text(article.outlet.as_deref()),
        Value::Int(s.sentence as i64),
        whole(s.span.map(|x| x.0)),
        whole(s.span.map(|x| x.1)),
        Value::Text(&s.text),
        text(s.holder.as_deref()),
        whole(s.holder_span.map(|x| x.0)),
        whole(s.holder_span.map(|x| x.1)),
        text(s.via.as_deref()),
        text(s.mode.map(|m| m.as_str())),
        Value::Text(&classifier.topics()[s.topic]),
        probability(s.topic_probability),
        Value::Text(&stances[s.stance]),
        probability(s.stance_probabilities[s.stance]),
    ];
    for column in &layout.columns()[17..17 + stances.len()] {
        let class = stances.iter().position(|name| column.name.strip_prefix("p_") == Some(name));
        row.push(class.map_or(Value::Null, |c| probability(s.stance_probabilities[c])));
    }
    row.push(text(s.abstained.map(|a| a.as_str())));
    layout.push_row(buffer, row);
}

fn text(value: Option<&str>) -> Value<'_> {
    value.map_or(Value::Null, Value::Text)
}

/// Reads the table of aliases; both names must be there, and an alias stands for one party.
fn read_aliases(path: &PathBuf) -> anyhow::Result<Vec<(String, String)>> {
    let mut reader = TableReader::open(&Source::file(path, Some(Format::Csv))?, &TableOptions::default())?;
    let column = |name: &str| {
        let found = find_named(reader.columns(), name);
        found.map_err(|e| e.in_file(path).help("the table of --aliases has the columns alias, canonical"))
    };
    let (alias, canonical) = (column("alias")?, column("canonical")?);
    let mut batch = RowBatch::new();
    let mut aliases: Vec<(String, String)> = Vec::new();
    while reader.read_batch(&mut batch, BatchLimits::default(), &mut Rejects::new().strict(true))? {
        for row in 0..batch.n_rows() {
            let wrong = |message: &str| Error::input(message).in_file(path).on_line(batch.line(row));
            let [from, to] = [alias, canonical].map(|column| batch.field(row, column).trim());
            if from.is_empty() || to.is_empty() {
                let empty = if from.is_empty() { "alias" } else { "canonical" };
                anyhow::bail!(wrong("no name").in_column(empty).help("fill it, or take the row out"));
            }
            if let Some((_, other)) = aliases.iter().find(|(known, to_other)| known == from && to_other != to) {
                let error = wrong("an alias of two names").in_column("alias").expected(format!("{from} for {other} alone"));
                anyhow::bail!(error.found(to).help("take one of the rows out"));
            }
            aliases.push((from.to_owned(), to.to_owned()));
        }
    }
    tell_encoding(&reader);
    Ok(aliases)
}
