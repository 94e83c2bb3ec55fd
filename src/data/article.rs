//! Articles, from files of one article each and from tables of many.

use std::io::Read;

use dom_smoothie::{Config, Readability, TextMode};

use crate::data::rejects::Rejects;
use crate::data::source::{Format, Source};
use crate::data::table::{Role, RowBatch, TableReader, find_column};
use crate::error::{Error, Result};

/// Longest article file that is read.
const MAX_ARTICLE_BYTES: u64 = 64 << 20;
const ROWS_PER_BATCH: usize = 256;

/// One document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Article {
    /// File stem, id column, or file stem and row number.
    pub id: String,
    /// Headline, where it stands apart from the text.
    pub title: Option<String>,
    /// Date as it is written in the input.
    pub date: Option<String>,
    /// Who published it.
    pub outlet: Option<String>,
    /// Where it can be read.
    pub url: Option<String>,
    /// The text; the headline may be its first line.
    pub text: String,
    /// Other columns of the input, by name.
    pub extra: Vec<(String, String)>,
}

/// Reads articles from a list of inputs, one after the other; tables are streamed.
#[derive(Debug)]
pub struct ArticleReader {
    sources: std::vec::IntoIter<Source>,
    text_column: Option<String>,
    table: Option<OpenTable>,
    notices: Vec<String>,
}

#[derive(Debug)]
struct OpenTable {
    reader: TableReader,
    stem: String,
    roles: Roles,
    batch: RowBatch,
    at: usize,
    n_rows: u64,
}

#[derive(Debug)]
struct Roles {
    text: usize,
    id: Option<usize>,
    title: Option<usize>,
    date: Option<usize>,
    outlet: Option<usize>,
    url: Option<usize>,
}

impl ArticleReader {
    /// Reads `sources` in order; `text_column` names the text column of tables.
    pub fn new(sources: Vec<Source>, text_column: Option<&str>) -> Self {
        Self { sources: sources.into_iter(), text_column: text_column.map(str::to_owned), table: None, notices: Vec::new() }
    }

    /// What is worth telling about the inputs read so far, such as an assumed encoding; each is given once.
    pub fn take_notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }

    /// The next article, or none at the end. Bad rows and unreadable files go to `rejects`.
    ///
    /// # Errors
    ///
    /// If a table has no header or no text column, or `rejects` is strict.
    pub fn next_article(&mut self, rejects: &mut Rejects) -> Result<Option<Article>> {
        loop {
            if let Some(table) = &mut self.table {
                if let Some(article) = table.next_article(rejects)? {
                    return Ok(Some(article));
                }
                self.table = None;
            }
            let Some(source) = self.sources.next() else { return Ok(None) };
            let notices = &mut self.notices;
            if source.format.is_table() {
                self.table = Some(OpenTable::open(&source, self.text_column.as_deref(), &mut |n| notices.push(n))?);
                continue;
            }
            match read_article(&source, &mut |n| notices.push(n)) {
                Ok(article) => return Ok(Some(article)),
                Err(error) => rejects.add(error)?,
            }
        }
    }
}

impl OpenTable {
    fn open(source: &Source, text_column: Option<&str>, notice: &mut dyn FnMut(String)) -> Result<Self> {
        let reader = TableReader::open(source, notice)?;
        let columns = reader.columns();
        let find = |role| find_column(columns, role, None);
        let text = find_column(columns, Role::Text, text_column).map_err(|e| e.in_file(&source.path))?;
        let roles = Roles {
            // Without a named column a missing text column is an error.
            text: text.unwrap_or_default(),
            id: find(Role::Id)?,
            title: find(Role::Title)?,
            date: find(Role::Date)?,
            outlet: find(Role::Outlet)?,
            url: find(Role::Url)?,
        };
        Ok(Self { reader, stem: stem(source), roles, batch: RowBatch::default(), at: 0, n_rows: 0 })
    }

    fn next_article(&mut self, rejects: &mut Rejects) -> Result<Option<Article>> {
        if self.at == self.batch.n_rows() {
            self.reader.read_batch(&mut self.batch, ROWS_PER_BATCH, rejects)?;
            self.at = 0;
            if self.batch.is_empty() {
                return Ok(None);
            }
        }
        let (row, roles) = (self.at, &self.roles);
        self.at += 1;
        self.n_rows += 1;
        let field = |column: Option<usize>| column.map(|c| self.batch.field(row, c)).filter(|f| !f.is_empty()).map(str::to_owned);
        let named = [Some(roles.text), roles.id, roles.title, roles.date, roles.outlet, roles.url];
        let columns = self.reader.columns().iter().enumerate();
        Ok(Some(Article {
            id: field(roles.id).unwrap_or_else(|| format!("{}:{}", self.stem, self.n_rows)),
            title: field(roles.title),
            date: field(roles.date),
            outlet: field(roles.outlet),
            url: field(roles.url),
            text: self.batch.field(row, roles.text).to_owned(),
            extra: columns
                .filter(|(c, _)| !named.contains(&Some(*c)))
                .map(|(c, name)| (name.clone(), self.batch.field(row, c).to_owned()))
                .collect(),
        }))
    }
}

/// File name without its extensions; `stdin` for standard input.
fn stem(source: &Source) -> String {
    if source.is_stdin() {
        return "stdin".to_owned();
    }
    let name = source.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(&name);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned()
}

fn read_article(source: &Source, notice: &mut dyn FnMut(String)) -> Result<Article> {
    let mut bytes = Vec::new();
    let n_read = source.open(notice)?.take(MAX_ARTICLE_BYTES + 1).read_to_end(&mut bytes).map_err(|e| Error::io(&source.path, e))?;
    if n_read as u64 > MAX_ARTICLE_BYTES {
        return Err(Error::input("the article is too long").in_file(&source.path).expected(format!("at most {} MB", MAX_ARTICLE_BYTES >> 20)));
    }
    let text = String::from_utf8(bytes).map_err(|e| {
        let line = e.as_bytes()[..e.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count() as u64 + 1;
        Error::input("the text is not UTF-8").in_file(&source.path).on_line(line).help("save the file as UTF-8, or remove the bytes")
    })?;
    if let Some(at) = text.find('\0') {
        let line = text[..at].matches('\n').count() as u64 + 1;
        return Err(Error::input("the text holds a NUL character").in_file(&source.path).on_line(line).help("the file may be damaged or binary"));
    }
    if text.trim().is_empty() {
        return Err(Error::input("the file is empty").in_file(&source.path).expected("an article"));
    }
    let mut article = match source.format {
        Format::Html => from_html(&text).map_err(|e| e.in_file(&source.path))?,
        Format::Markdown => from_markdown(&text),
        _ => Article { text, ..Article::default() },
    };
    article.id = stem(source);
    Ok(article)
}

fn from_html(html: &str) -> Result<Article> {
    let config = Config { text_mode: TextMode::Formatted, ..Config::default() };
    let no_article = |e: dom_smoothie::ReadabilityError| {
        Error::input("no article found in the page").expected("a page with a text of several sentences").caused_by(e).help("save the text as .txt")
    };
    let mut page = Readability::new(html, None, Some(config)).map_err(no_article)?;
    let found = page.parse().map_err(no_article)?;
    Ok(Article {
        id: String::new(),
        title: Some(found.title).filter(|t| !t.trim().is_empty()),
        date: found.published_time,
        outlet: found.site_name,
        url: found.url,
        text: found.text_content.to_string(),
        extra: Vec::new(),
    })
}

/// Plain text of a Markdown file: front matter read for title, date, outlet and url; heading marks, emphasis and link targets dropped, bullets kept.
fn from_markdown(markdown: &str) -> Article {
    let mut article = Article::default();
    let body = match markdown.trim_start_matches('\u{feff}').strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n")) {
        Some((front, body)) => {
            front.lines().filter_map(|line| line.split_once(':')).for_each(|(key, value)| set_front_matter(&mut article, key.trim(), value));
            body
        }
        None => markdown,
    };
    let mut is_code = false;
    for line in body.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
            continue;
        }
        if !is_code {
            article.text.push_str(&plain_line(line));
            article.text.push('\n');
        }
    }
    article
}

fn set_front_matter(article: &mut Article, key: &str, value: &str) {
    let value = value.trim().trim_matches(['"', '\'']).to_owned();
    match key {
        "title" | "headline" => article.title = Some(value),
        "date" | "published" => article.date = Some(value),
        "outlet" | "source" | "publisher" => article.outlet = Some(value),
        "url" | "link" => article.url = Some(value),
        _ => article.extra.push((key.to_owned(), value)),
    }
}

fn plain_line(line: &str) -> String {
    let trimmed = line.trim_start();
    let hashes = trimmed.bytes().take_while(|&b| b == b'#').count();
    let is_heading = (1..=6).contains(&hashes) && trimmed[hashes..].starts_with(' ');
    let content = if is_heading { trimmed[hashes..].trim().trim_end_matches('#').trim_end() } else { trimmed.trim_start_matches("> ") };
    let mut plain = String::with_capacity(line.len());
    let mut rest = content;
    while let Some(at) = rest.find(['[', '*', '_', '`', '!']) {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = match link_text(rest) {
            Some((text, after)) => {
                plain.push_str(text);
                after
            }
            None => skip_mark(rest, &mut plain),
        };
    }
    plain.push_str(rest);
    plain
}

/// The text of a link or image that `rest` begins with, and what follows it.
fn link_text(rest: &str) -> Option<(&str, &str)> {
    let inner = rest.strip_prefix("![").or(rest.strip_prefix('['))?;
    let (text, after) = inner.split_once("](")?;
    let (target, after) = after.split_once(')')?;
    (!text.contains('[') && !target.contains(char::is_whitespace)).then_some((text, after))
}

/// Drops an emphasis or code mark; a mark that stands alone, as a bullet does, or within a word is kept.
fn skip_mark<'a>(rest: &'a str, plain: &mut String) -> &'a str {
    let mark = rest.chars().next().unwrap_or_default();
    let run = rest.chars().take_while(|&c| c == mark).count();
    let after = &rest[run..];
    let opens = after.chars().next().is_some_and(|c| !c.is_whitespace());
    let closes = plain.chars().last().is_some_and(|c| !c.is_whitespace());
    let is_word_inner = mark == '_' && opens && closes && after.starts_with(char::is_alphanumeric) && plain.ends_with(char::is_alphanumeric);
    if mark == '!' || mark == '[' || !(opens || closes) || is_word_inner {
        plain.push_str(&rest[..run]);
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_becomes_plain_text() {
        let article = from_markdown("---\ntitle: \"No deal\"\ndate: 2020-01-02\n---\n# Head *line* #\n\n- **Both** said [no](http://x) to snake_case\n> quoted\n* one\n");
        assert_eq!(article.title.as_deref(), Some("No deal"));
        assert_eq!(article.text, "Head line\n\n- Both said no to snake_case\nquoted\n* one\n");
    }

    #[test]
    fn a_page_gives_its_article() {
        let body = "The ministry said on Tuesday that no envoy would be received before the border posts reopen. ".repeat(8);
        let html = format!("<html><head><title>No envoy</title></head><body><nav>Home</nav><article><h1>No envoy</h1><p>{body}</p></article></body></html>");
        let article = from_html(&html).unwrap();
        assert_eq!(article.title.as_deref(), Some("No envoy"));
        assert!(article.text.contains("no envoy would be received") && !article.text.contains("Home"));
    }

    #[test]
    fn tables_give_one_article_a_row() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("news.csv");
        std::fs::write(&path, "headline,body,region\nA,\"one, two\",x\n,three,y\n").unwrap();
        let mut reader = ArticleReader::new(vec![Source::new(&path, None).unwrap()], None);
        let mut rejects = Rejects::new();
        let first = reader.next_article(&mut rejects).unwrap().unwrap();
        assert_eq!((first.id.as_str(), first.title.as_deref(), first.text.as_str()), ("news:1", Some("A"), "one, two"));
        assert_eq!(first.extra, [("region".to_owned(), "x".to_owned())]);
        assert_eq!(reader.next_article(&mut rejects).unwrap().unwrap().title, None);
        assert!(reader.next_article(&mut rejects).unwrap().is_none());
    }

    #[test]
    fn a_bad_file_does_not_stop_the_others() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("a.txt"), b"").unwrap();
        std::fs::write(directory.path().join("b.txt"), b"x\0y").unwrap();
        std::fs::write(directory.path().join("c.txt"), b"fine").unwrap();
        let mut reader = ArticleReader::new(crate::data::expand(&[directory.path().to_path_buf()], None).unwrap(), None);
        let mut rejects = Rejects::new();
        assert_eq!(reader.next_article(&mut rejects).unwrap().unwrap().text, "fine");
        assert_eq!(rejects.count(), 2);
    }
}
