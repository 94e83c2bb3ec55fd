//! Articles out of sources: a text, Markdown or HTML file is one, each row of a table is one.
//!
//! [`ArticleReader`] streams them over any number of sources. A file or a row that gives no article is refused with its place, the others go
//! on. This module knows no sentences and no topics.

use std::fmt;
use std::io::{BufRead, Read};
use std::path::Path;

use encoding_rs::Encoding;
use serde::{Deserialize, Serialize};

use super::batch::RowBatch;
use super::columns::{Role, find_column, find_named, find_optional_column};
use super::encoding::{Notice, TextReader, encoding_for_label};
use super::rejects::Rejects;
use super::source::{Format, Source, read_to_limit};
use super::table::{BatchLimits, TableOptions, TableReader};
use super::{html, markdown};
use crate::error::{Error, ErrorKind, Result};

/// Columns that number the sentences of an article; they mean nothing once the sentences are joined.
const INDEX_NAMES: &[&str] = &["index", "sentence_index", "sentence_number", "position"];

/// One document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Article {
    /// Its id: the column, or the file name without extensions, with the line for a row without an id.
    pub id: String,
    /// The headline, which is not part of the text.
    pub title: Option<String>,
    /// When it was published, as it was written there.
    pub date: Option<String>,
    /// Who published it.
    pub outlet: Option<String>,
    /// Where it stands on the web.
    pub url: Option<String>,
    /// The text; offsets of sentences count in it.
    pub text: String,
    /// All other columns, keys of the front matter and the byline, in their order.
    pub extra: Vec<(String, String)>,
}

/// Names of the columns of a table of articles; those not given are found by usual names ([`super::columns`]).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ColumnNames {
    /// The text.
    pub text: Option<String>,
    /// The id.
    pub id: Option<String>,
    /// The headline.
    pub title: Option<String>,
    /// The date.
    pub date: Option<String>,
    /// The publisher.
    pub outlet: Option<String>,
    /// The address.
    pub url: Option<String>,
}

/// How articles are read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ArticleOptions {
    /// Columns of tables.
    pub columns: ColumnNames,
    /// How tables are read; encoding and the largest size hold for files of text as well.
    pub table: TableOptions,
    /// Joins consecutive rows of the same article, one sentence a row, into one article, a line for each. The article's id is in a column
    /// `article` or `article_id` unless another is named. Ignored for anything but tables.
    pub group_sentences: bool,
}

/// Streams the articles of many sources, in order. Each item is an article, or the error that ends the reading; what is merely refused goes to
/// the [`Rejects`] given at the start: rows, files of text, and, where it is one source of several, a table that cannot be opened or read on.
///
/// ```
/// use stancekit::data::{ArticleOptions, ArticleReader, Rejects, Source};
///
/// let sources = vec![Source::from_bytes("a.txt", *b"They met."), Source::from_bytes("b.csv", *b"id,text\n7,They agreed.\n")];
/// let mut articles = ArticleReader::new(sources, ArticleOptions::default(), Rejects::new());
/// let ids: Vec<String> = articles.by_ref().map(|a| Ok(a?.id)).collect::<stancekit::Result<_>>()?;
/// assert_eq!(ids, ["a", "7"]);
/// assert_eq!(articles.into_rejects().n(), 0);
/// # Ok::<(), stancekit::Error>(())
/// ```
pub struct ArticleReader {
    sources: std::vec::IntoIter<Source>,
    options: ArticleOptions,
    rejects: Rejects,
    notices: Vec<Notice>,
    table: Option<OpenTable>,
    /// Where there is one source only, a table that cannot be opened or read on leaves nothing to read.
    is_only_source: bool,
    is_done: bool,
}

impl ArticleReader {
    /// Reads `sources` one after the other; nothing is opened yet.
    pub fn new(sources: Vec<Source>, options: ArticleOptions, rejects: Rejects) -> Self {
        let is_only_source = sources.len() == 1;
        let sources = sources.into_iter();
        Self { sources, options, rejects, notices: Vec::new(), table: None, is_only_source, is_done: false }
    }

    /// What was refused so far.
    pub fn rejects(&self) -> &Rejects {
        &self.rejects
    }

    /// What was refused, for the next reader or to be finished.
    pub fn into_rejects(self) -> Rejects {
        self.rejects
    }

    /// Files that were not UTF-8 so far, and as what they were read; the caller prints them.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Replaces the content of `chunk` by the next articles, up to `max_articles` or `max_bytes` of text; `false` if there are no more.
    ///
    /// # Errors
    ///
    /// As the iterator; articles read before the error are in `chunk`.
    pub fn read_chunk(&mut self, chunk: &mut Vec<Article>, max_articles: usize, max_bytes: usize) -> Result<bool> {
        chunk.clear();
        let mut n_bytes = 0;
        while chunk.len() < max_articles && n_bytes < max_bytes {
            let Some(article) = self.next().transpose()? else { break };
            n_bytes += article.text.len();
            chunk.push(article);
        }
        Ok(!chunk.is_empty())
    }

    /// The next article; refused ones are passed over.
    fn read_next(&mut self) -> Result<Option<Article>> {
        loop {
            if let Some(table) = &mut self.table {
                match table.next_article(&self.options, &mut self.rejects) {
                    Ok(Some(article)) => return Ok(Some(article)),
                    Ok(None) => {}
                    // Damage is the table's own. With it goes the article that its last rows are sentences of: nobody knows if that was all of it.
                    Err(error) if error.kind() == ErrorKind::Input && !self.is_only_source => self.rejects.add(error)?,
                    Err(error) => return Err(error),
                }
                self.close_table();
            }
            let Some(source) = self.sources.next() else { return Ok(None) };
            match self.open(source) {
                Ok(Some(article)) => return Ok(Some(article)),
                Ok(None) => {}
                Err(Refusal::Fatal(error)) => return Err(error),
                Err(Refusal::File(error)) => self.rejects.add(error)?,
            }
        }
    }

    /// Opens a source: a file of one article is read at once, a table is left open.
    fn open(&mut self, source: Source) -> Result<Option<Article>, Refusal> {
        let (stream, format) = match source.format() {
            Some(format) if format.is_table() => (None, format),
            _ => {
                let (stream, format) = source.open_with_format().map_err(refuse_file)?;
                (Some(stream), format)
            }
        };
        match stream {
            Some(stream) if !format.is_table() => self.read_document(&source, stream, format).map(Some).map_err(refuse_file),
            stream => {
                let reader = TableReader::open_as(&source, stream, format, &self.options.table);
                let table = reader.and_then(|reader| OpenTable::new(reader, &self.options));
                self.table = Some(table.map_err(if self.is_only_source { Refusal::Fatal } else { refuse_file })?);
                Ok(None)
            }
        }
    }

    fn close_table(&mut self) {
        let notice = self.table.take().and_then(|table| table.reader.notice());
        self.notices.extend(notice);
    }

    /// Reads a file that is one article.
    fn read_document(&mut self, source: &Source, stream: Box<dyn BufRead + Send>, format: Format) -> Result<Article> {
        let bytes = read_to_limit(stream, self.options.table.max_row_bytes, source.path())?;
        let wanted = self.options.table.encoding.as_deref().map(encoding_for_label).transpose()?;
        let declared = if format == Format::Html { html::declared_encoding(&bytes) } else { None };
        let text = self.decode(bytes, wanted, declared, source.path())?;
        if text.trim().is_empty() {
            return Err(Error::input("the file is empty").in_file(source.path()).expected("the text of an article"));
        }
        let mut article = match format {
            Format::Html => html_article(&text, source.path())?,
            Format::Markdown => markdown_article(&text),
            _ => Article { text, ..Article::default() },
        };
        article.id = source.stem();
        Ok(article)
    }

    /// The text of a whole file; a notice if it was not UTF-8.
    fn decode(
        &mut self,
        bytes: Vec<u8>,
        wanted: Option<&'static Encoding>,
        declared: Option<&'static Encoding>,
        path: &Path,
    ) -> Result<String> {
        // What a page declares is believed only where its bytes do not show UTF-8 by themselves.
        let believed = declared.filter(|_| std::str::from_utf8(&bytes).is_err());
        let mut reader = TextReader::new(Box::new(std::io::Cursor::new(bytes)), wanted.or(believed));
        let mut decoded = Vec::new();
        reader.read_to_end(&mut decoded).map_err(|e| super::source::read_error(path, e))?;
        self.notices.extend(reader.notice(path));
        if let Some(nul) = memchr::memchr(0, &decoded) {
            return Err(Error::input("a NUL byte in the text")
                .in_file(path)
                .on_line(line_of(&decoded, nul))
                .help("check that the file is text and not something else"));
        }
        String::from_utf8(decoded).map_err(|error| {
            let line = line_of(error.as_bytes(), error.utf8_error().valid_up_to());
            Error::input("invalid UTF-8")
                .in_file(path)
                .on_line(line)
                .help("save the file as UTF-8, or name its encoding with --encoding")
        })
    }
}

impl Iterator for ArticleReader {
    type Item = Result<Article>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let next = self.read_next();
        self.is_done = !matches!(next, Ok(Some(_)));
        if self.is_done {
            self.close_table();
        }
        next.transpose()
    }
}

impl fmt::Debug for ArticleReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArticleReader").field("sources", &self.sources.as_slice()).finish_non_exhaustive()
    }
}

/// Why a source gave no article: one file among others, or something that ends the reading.
enum Refusal {
    File(Error),
    Fatal(Error),
}

/// Wrong parameters spoil every file; all else is this file's own trouble.
fn refuse_file(error: Error) -> Refusal {
    match error.kind() {
        ErrorKind::Parameter | ErrorKind::Unsupported => Refusal::Fatal(error),
        _ => Refusal::File(error),
    }
}

/// A table being read row by row.
struct OpenTable {
    reader: TableReader,
    batch: RowBatch,
    row: usize,
    stem: String,
    roles: Roles,
    /// The article being put together of sentences.
    group: Option<Group>,
}

/// Which column is what.
struct Roles {
    text: usize,
    id: Option<usize>,
    title: Option<usize>,
    date: Option<usize>,
    outlet: Option<usize>,
    url: Option<usize>,
    extra: Vec<usize>,
}

struct Group {
    article: Article,
    line: u64,
    is_too_large: bool,
}

impl OpenTable {
    fn new(mut reader: TableReader, options: &ArticleOptions) -> Result<Self> {
        let roles = Roles::find(reader.columns(), options).map_err(|e| reader.place_columns(e))?;
        reader.expect_text(roles.text);
        let stem = reader.source().stem();
        Ok(Self { reader, batch: RowBatch::new(), row: 0, stem, roles, group: None })
    }

    fn next_article(&mut self, options: &ArticleOptions, rejects: &mut Rejects) -> Result<Option<Article>> {
        loop {
            if self.row == self.batch.n_rows() {
                self.row = 0;
                if !self.reader.read_batch(&mut self.batch, BatchLimits::default(), rejects)? {
                    return self.group.take().map_or(Ok(None), |group| self.finish_group(group, options, rejects));
                }
            }
            let row = self.row;
            self.row += 1;
            if !options.group_sentences {
                return Ok(Some(self.article(row)));
            }
            if let Some(done) = self.join(row, options.table.max_row_bytes)
                && let Some(article) = self.finish_group(done, options, rejects)?
            {
                return Ok(Some(article));
            }
        }
    }

    /// Adds a sentence to the open group, or begins another and gives back the one before.
    fn join(&mut self, row: usize, max_bytes: usize) -> Option<Group> {
        let id = self.roles.id.map_or("", |column| self.batch.field(row, column));
        if let Some(group) = self.group.as_mut().filter(|group| group.article.id == id) {
            let sentence = self.batch.field(row, self.roles.text);
            group.is_too_large |= group.article.text.len() + sentence.len() >= max_bytes;
            if !group.is_too_large {
                group.article.text.push('\n');
                group.article.text.push_str(sentence);
            }
            return None;
        }
        let (article, line) = (self.article(row), self.batch.line(row));
        self.group.replace(Group { article, line, is_too_large: false })
    }

    fn finish_group(&self, group: Group, options: &ArticleOptions, rejects: &mut Rejects) -> Result<Option<Article>> {
        if !group.is_too_large {
            return Ok(Some(group.article));
        }
        let error = Error::input("the sentences of one article are too large together")
            .in_file(self.reader.source().path())
            .on_line(group.line)
            .expected(format!("at most {} bytes", options.table.max_row_bytes))
            .help("check the column of the article, or raise --max-row-bytes");
        rejects.add(error)?;
        Ok(None)
    }

    fn article(&self, row: usize) -> Article {
        let field = |column: usize| self.batch.field(row, column);
        let filled = |column: Option<usize>| column.map(field).filter(|f| !f.trim().is_empty()).map(str::to_owned);
        let roles = &self.roles;
        let columns = self.reader.columns();
        Article {
            id: filled(roles.id).unwrap_or_else(|| format!("{}:{}", self.stem, self.batch.line(row))),
            title: filled(roles.title),
            date: filled(roles.date),
            outlet: filled(roles.outlet),
            url: filled(roles.url),
            text: field(roles.text).to_owned(),
            extra: roles.extra.iter().map(|&column| (columns[column].clone(), field(column).to_owned())).collect(),
        }
    }
}

impl Roles {
    fn find(columns: &[String], options: &ArticleOptions) -> Result<Self> {
        let names = &options.columns;
        let text = find_column(columns, Role::Text, names.text.as_deref())?;
        // A column has one role: the first that claims it.
        let mut taken = vec![text];
        let mut find = |role: Role, wanted: Option<&str>| -> Result<Option<usize>> {
            let found = find_optional_column(columns, role, wanted)?.filter(|column| wanted.is_some() || !taken.contains(column));
            taken.extend(found);
            Ok(found)
        };
        let id = match (&names.id, options.group_sentences) {
            (None, true) => Some(find_article_column(columns)?),
            (wanted, _) => find(Role::Id, wanted.as_deref())?,
        };
        let title = find(Role::Title, names.title.as_deref())?;
        let date = find(Role::Date, names.date.as_deref())?;
        let outlet = find(Role::Outlet, names.outlet.as_deref())?;
        let url = find(Role::Url, names.url.as_deref())?;
        let is_index = |column: usize| options.group_sentences && INDEX_NAMES.contains(&columns[column].to_lowercase().as_str());
        let is_extra = |column: &usize| !taken.contains(column) && Some(*column) != id && !is_index(*column);
        let extra = (0..columns.len()).filter(is_extra).collect();
        Ok(Self { text, id, title, date, outlet, url, extra })
    }
}

/// The column that tells which article a sentence belongs to.
fn find_article_column(columns: &[String]) -> Result<usize> {
    ["article", "article_id", "document", "document_id", "doc_id"]
        .iter()
        .find_map(|name| find_named(columns, name).ok())
        .ok_or_else(|| {
            Error::input("no column tells the article of a sentence")
                .expected("one of article, article_id, document, document_id, doc_id")
                .found(columns.join(", "))
                .help("name it with --id")
        })
}

fn html_article(html: &str, path: &Path) -> Result<Article> {
    let page = html::extract(html).map_err(|reason| {
        Error::input("no article found in the page")
            .in_file(path)
            .expected("a web page with paragraphs of text")
            .found(reason)
            .help("save the text of the article as .txt")
    })?;
    let extra = page.byline.iter().filter(|_| page.site.is_some()).map(|name| ("byline".to_owned(), name.clone())).collect();
    let outlet = page.site.or(page.byline);
    Ok(Article { title: page.title, date: page.date, outlet, url: page.url, text: page.text, extra, ..Article::default() })
}

fn markdown_article(markdown: &str) -> Article {
    let page = markdown::parse(markdown);
    let (names, values): (Vec<String>, Vec<String>) = page.front.into_iter().unzip();
    let mut taken = Vec::new();
    let mut take = |role| {
        let column = find_optional_column(&names, role, None).ok().flatten()?;
        taken.push(column);
        Some(values[column].clone()).filter(|value| !value.is_empty())
    };
    let (title, date, outlet, url) = (take(Role::Title), take(Role::Date), take(Role::Outlet), take(Role::Url));
    let extra = (0..names.len()).filter(|i| !taken.contains(i)).map(|i| (names[i].clone(), values[i].clone())).collect();
    Article { title: title.or(page.heading), date, outlet, url, text: page.text, extra, ..Article::default() }
}

/// The line of byte `at`, counted from 1.
fn line_of(bytes: &[u8], at: usize) -> u64 {
    1 + memchr::memchr_iter(b'\n', &bytes[..at]).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(sources: &[(&str, &str)], options: ArticleOptions) -> (Vec<Article>, Rejects) {
        let sources = sources.iter().map(|(name, text)| Source::from_bytes(*name, text.as_bytes())).collect();
        let mut reader = ArticleReader::new(sources, options, Rejects::new());
        let articles = reader.by_ref().collect::<Result<_>>().unwrap();
        (articles, reader.into_rejects())
    }

    #[test]
    fn a_row_of_a_table_is_an_article_with_its_other_columns() {
        let (articles, _) = read(
            &[("d/news.csv", "Headline,published,Publisher,text,topic\nTalks,2024,Daily,They met.,peace\n,,,Again.,\n")],
            ArticleOptions::default(),
        );
        assert_eq!(articles[0].id, "news:2");
        assert_eq!(articles[0].title.as_deref(), Some("Talks"));
        assert_eq!((articles[0].date.as_deref(), articles[0].outlet.as_deref()), (Some("2024"), Some("Daily")));
        assert_eq!(articles[0].extra, [("topic".to_owned(), "peace".to_owned())]);
        assert_eq!((articles[1].text.as_str(), &articles[1].title), ("Again.", &None));
    }

    #[test]
    fn sentences_of_an_article_are_joined_if_asked_for() {
        let table = "article,index,title,text\na,0,T,One.\na,1,T,Two.\nb,0,U,Three.\na,2,T,Four.\n";
        let (articles, _) = read(&[("t.csv", table)], ArticleOptions { group_sentences: true, ..ArticleOptions::default() });
        let texts: Vec<(&str, &str)> = articles.iter().map(|a| (a.id.as_str(), a.text.as_str())).collect();
        assert_eq!(texts, [("a", "One.\nTwo."), ("b", "Three."), ("a", "Four.")]);
        assert!(articles[0].extra.is_empty());
        let (articles, _) = read(&[("t.csv", table)], ArticleOptions::default());
        assert_eq!(articles.len(), 4);
    }

    #[test]
    fn a_file_without_text_is_refused_and_the_next_is_read() {
        let (articles, rejects) = read(
            &[("a.txt", " \n"), ("b.html", "<html></html>"), ("c.txt", "Good."), ("d.txt", "a\nb\0")],
            ArticleOptions::default(),
        );
        assert_eq!(articles.iter().map(|a| a.id.as_str()).collect::<Vec<_>>(), ["c"]);
        let messages: Vec<String> = rejects.first().iter().map(ToString::to_string).collect();
        assert!(messages[0].starts_with("a.txt: the file is empty"), "{messages:?}");
        assert!(messages[1].starts_with("b.html: no article found"), "{messages:?}");
        assert!(messages[2].starts_with("d.txt:2: a NUL byte"), "{messages:?}");
    }

    #[test]
    fn a_table_that_cannot_be_opened_is_refused_and_its_neighbours_are_read() {
        let (articles, rejects) = read(
            &[("a.txt", "Good."), ("empty.csv", ""), ("b.csv", "x,y\n1,2\n"), ("c.csv", "id,text\n7,Good too.\n")],
            ArticleOptions::default(),
        );
        assert_eq!(articles.iter().map(|a| a.id.as_str()).collect::<Vec<_>>(), ["a", "7"]);
        let messages: Vec<String> = rejects.first().iter().map(ToString::to_string).collect();
        assert!(messages[0].starts_with("empty.csv: the file is empty"), "{messages:?}");
        assert!(messages[1].starts_with("b.csv: no text column"), "{messages:?}");
    }

    #[test]
    fn a_json_value_that_is_no_text_is_refused_and_its_neighbours_are_read() {
        let lines = r#"{"text": "One.", "tags": ["a"]}
{"text": ["x", "y"]}
{"text": {"a": 1}}
{"text": 7}
{"text": true}
{"text": [1], "text": "Two.", "tags": 5}
"#;
        let (articles, rejects) = read(&[("t.jsonl", lines)], ArticleOptions::default());
        let texts: Vec<(&str, &str)> = articles.iter().map(|a| (a.text.as_str(), a.extra[0].1.as_str())).collect();
        assert_eq!(texts, [("One.", "[\"a\"]"), ("Two.", "5")]);
        let messages: Vec<String> = rejects.first().iter().map(ToString::to_string).collect();
        for (line, (message, kind)) in (2..).zip(messages.iter().zip(["an array", "an object", "a number", "a boolean"])) {
            let start = format!("t.jsonl:{line}, column \"text\": no text; expected a string; found {kind}; ");
            assert!(message.starts_with(&start), "{message}");
        }
        assert_eq!(messages.len(), 4);
    }

    #[test]
    fn a_first_record_without_text_is_said_to_name_the_columns() {
        let source = Source::from_bytes("t.jsonl", *b"\n{\"id\": 1, \"note\": \"x\"}\n{\"id\": 2, \"text\": \"They met.\"}\n");
        let message = ArticleReader::new(vec![source], ArticleOptions::default(), Rejects::new()).next().unwrap().unwrap_err();
        let message = message.to_string();
        assert!(message.starts_with("t.jsonl:2: no text column; expected one of text, "), "{message}");
        assert!(message.contains("; found id, note; "), "{message}");
        assert!(message.contains("the columns of JSON Lines are the keys of the first record"), "{message}");
    }

    #[test]
    fn a_table_that_is_damaged_further_on_is_read_so_far_and_its_neighbours_whole() {
        let mut random = crate::random::Random::new(1);
        let rows: String = (0..20_000).map(|row| format!("{row},Words {}.\n", random.below(1 << 40))).collect();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut gzip, format!("id,text\n{rows}").as_bytes()).unwrap();
        let mut cut = gzip.finish().unwrap();
        cut.truncate(cut.len() / 2);
        let sources = || vec![Source::from_bytes("cut.csv.gz", cut.clone()), Source::from_bytes("b.txt", *b"Good.")];
        let mut reader = ArticleReader::new(sources(), ArticleOptions::default(), Rejects::new());
        let ids: Vec<String> = reader.by_ref().map(|a| a.unwrap().id).collect();
        assert!(ids.len() > 1000 && ids.len() < 20_000, "{}", ids.len());
        assert_eq!((ids[0].as_str(), ids.last().unwrap().as_str()), ("0", "b"));
        let message = reader.rejects().first()[0].to_string();
        assert!(message.starts_with("cut.csv.gz: the compressed file ends too early"), "{message}");
        for (n_sources, rejects) in [(1, Rejects::new()), (2, Rejects::new().strict(true))] {
            let sources = sources().into_iter().take(n_sources).collect();
            let last = ArticleReader::new(sources, ArticleOptions::default(), rejects).last().unwrap();
            assert!(last.unwrap_err().to_string().starts_with("cut.csv.gz: the compressed file ends too early"));
        }
    }

    #[test]
    fn front_matter_tells_title_date_outlet_and_address() {
        let text = "---\ntitle: Talks\ndate: 2024-05-01\nsource: Daily\nlink: http://x.y\nauthor: A\n---\n# Heading\nThey met.\n";
        let (articles, _) = read(&[("n.md", text)], ArticleOptions::default());
        let expected = Article {
            id: "n".to_owned(),
            title: Some("Talks".to_owned()),
            date: Some("2024-05-01".to_owned()),
            outlet: Some("Daily".to_owned()),
            url: Some("http://x.y".to_owned()),
            text: "They met.".to_owned(),
            extra: vec![("author".to_owned(), "A".to_owned())],
        };
        assert_eq!(articles, [expected]);
    }

    #[test]
    fn readers_and_writers_move_to_other_threads() {
        fn is_send<T: Send>() {}
        is_send::<ArticleReader>();
        is_send::<crate::data::TableWriter>();
    }

    #[test]
    fn chunks_are_bounded_and_complete() {
        let table = format!("text\n{}", "A sentence.\n".repeat(25));
        let mut reader =
            ArticleReader::new(vec![Source::from_bytes("t.csv", table.into_bytes())], ArticleOptions::default(), Rejects::new());
        let (mut chunk, mut sizes) = (Vec::new(), Vec::new());
        while reader.read_chunk(&mut chunk, 10, usize::MAX).unwrap() {
            sizes.push(chunk.len());
        }
        assert_eq!(sizes, [10, 10, 5]);
    }
}
