//! Tables as a stream of row batches: CSV, TSV, JSONL, and Parquet where it is built in.
//!
//! A [`RowBatch`] holds the fields of its rows in one buffer and is filled again and again, so that the steady state allocates nothing. CSV is parsed by
//! `csv_core`, one level below the `csv` crate's reader, because a row must be given up in its middle once it passes [`MAX_ROW_BYTES`]: one stray
//! quote would otherwise swallow the rest of a file into memory.

use std::io::Read;
use std::path::PathBuf;

use crate::data::rejects::Rejects;
use crate::data::source::{Format, Source};
use crate::error::{Error, Result};

/// Longest row that is read.
pub const MAX_ROW_BYTES: usize = 32 << 20;
const BUFFER: usize = 1 << 18;
/// A batch ends after so many bytes even if rows are missing.
const MAX_BATCH_BYTES: usize = 8 << 20;

/// Rows in one flat buffer.
#[derive(Debug, Default, Clone)]
pub struct RowBatch {
    text: String,
    /// End of each field in `text`, row by row.
    ends: Vec<usize>,
    /// Line on which each row begins.
    lines: Vec<u64>,
    n_columns: usize,
}

impl RowBatch {
    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// A field.
    #[inline]
    pub fn field(&self, row: usize, column: usize) -> &str {
        let at = row * self.n_columns + column;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.text[start..self.ends[at]]
    }

    /// Line on which the row begins, counted from 1; for Parquet the row's number.
    pub fn line(&self, row: usize) -> u64 {
        self.lines[row]
    }

    fn clear(&mut self, n_columns: usize) {
        self.text.clear();
        self.ends.clear();
        self.lines.clear();
        self.n_columns = n_columns;
    }

    pub(super) fn push<'f>(&mut self, line: u64, fields: impl Iterator<Item = &'f str>) {
        for field in fields {
            self.text.push_str(field);
            self.ends.push(self.text.len());
        }
        self.lines.push(line);
    }

    fn is_full(&self, max_rows: usize) -> bool {
        self.n_rows() >= max_rows || self.text.len() >= MAX_BATCH_BYTES
    }
}

/// A table being read.
pub struct TableReader {
    path: PathBuf,
    columns: Vec<String>,
    rows: Rows,
}

enum Rows {
    Csv(Box<CsvRows>),
    Jsonl(JsonRows),
    #[cfg(feature = "parquet")]
    Parquet(Box<super::parquet::ParquetRows>),
}

impl std::fmt::Debug for TableReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableReader").field("path", &self.path).field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl TableReader {
    /// Opens a table and reads its header.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, is no table, is empty, or names a column twice.
    pub fn open(source: &Source, notice: &mut dyn FnMut(String)) -> Result<Self> {
        let (columns, rows) = match source.format {
            Format::Csv | Format::Tsv => {
                let mut rows = CsvRows::new(source.open(notice)?, if source.format == Format::Csv { b',' } else { b'\t' });
                (rows.header().map_err(|e| e.in_file(&source.path))?, Rows::Csv(Box::new(rows)))
            }
            Format::Jsonl => {
                let mut rows = JsonRows::new(source.open(notice)?);
                (rows.header().map_err(|e| e.in_file(&source.path))?, Rows::Jsonl(rows))
            }
            Format::Parquet => Self::open_parquet(source)?,
            Format::Text | Format::Markdown | Format::Html => {
                return Err(Error::input("not a table")
                    .in_file(&source.path)
                    .expected("a .csv, .tsv, .jsonl or .parquet file")
                    .help("name the format with --input-format, or use `stance classify` for articles"));
            }
        };
        check_columns(&columns).map_err(|e| e.in_file(&source.path))?;
        Ok(Self { path: source.path.clone(), columns, rows })
    }

    #[cfg(feature = "parquet")]
    fn open_parquet(source: &Source) -> Result<(Vec<String>, Rows)> {
        let (columns, rows) = super::parquet::ParquetRows::open(&source.path)?;
        Ok((columns, Rows::Parquet(Box::new(rows))))
    }

    #[cfg(not(feature = "parquet"))]
    fn open_parquet(source: &Source) -> Result<(Vec<String>, Rows)> {
        Err(Error::new(crate::ErrorKind::Unsupported, "this program was built without Parquet")
            .in_file(&source.path)
            .help("build it with `--features parquet`, or convert the file to CSV"))
    }

    /// Column names in order.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The file.
    pub fn path(&self) -> &PathBuf {
        &self.path
    }

    /// Fills `batch` with up to `max_rows` rows; it stays empty at the end of the table only. Bad rows go to `rejects`.
    ///
    /// # Errors
    ///
    /// If the file cannot be read on, or `rejects` is strict.
    pub fn read_batch(&mut self, batch: &mut RowBatch, max_rows: usize, rejects: &mut Rejects) -> Result<()> {
        batch.clear(self.columns.len());
        while !batch.is_full(max_rows) {
            let refused = match &mut self.rows {
                Rows::Csv(rows) => rows.read_row(batch),
                Rows::Jsonl(rows) => rows.read_row(&self.columns, batch),
                #[cfg(feature = "parquet")]
                Rows::Parquet(rows) => rows.read_row(batch),
            };
            match refused {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) if error.kind() == crate::ErrorKind::Io => return Err(error.in_file(&self.path)),
                Err(error) => rejects.add(error.in_file(&self.path))?,
            }
        }
        Ok(())
    }
}

fn check_columns(columns: &[String]) -> Result<()> {
    for (i, name) in columns.iter().enumerate() {
        if let Some(first) = columns[..i].iter().position(|n| n == name) {
            return Err(Error::input("two columns have one name")
                .on_line(1)
                .in_column(name)
                .found(format!("columns {} and {}", first + 1, i + 1))
                .help("rename one of them"));
        }
    }
    Ok(())
}

fn bad_row(line: u64, message: &str) -> Error {
    Error::input(message).on_line(line)
}

/// Rows of separated values.
struct CsvRows {
    raw: Box<dyn Read + Send>,
    input: Vec<u8>,
    at: usize,
    end: usize,
    is_exhausted: bool,
    parser: csv_core::Reader,
    row: Vec<u8>,
    ends: Vec<usize>,
    n_columns: usize,
}

/// One parsed row: its first line, number of bytes and of fields.
struct Parsed {
    line: u64,
    n_bytes: usize,
    n_fields: usize,
    is_too_long: bool,
}

impl CsvRows {
    fn new(raw: Box<dyn Read + Send>, delimiter: u8) -> Self {
        Self {
            raw,
            input: vec![0; BUFFER],
            at: 0,
            end: 0,
            is_exhausted: false,
            parser: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            row: vec![0; 1 << 12],
            ends: vec![0; 64],
            n_columns: 0,
        }
    }

    fn header(&mut self) -> Result<Vec<String>> {
        let parsed = self.parse()?.ok_or_else(|| Error::input("the file is empty").expected("a header line and rows"))?;
        let text = std::str::from_utf8(&self.row[..parsed.n_bytes]).map_err(|_| bad_row(parsed.line, "the header is not UTF-8"))?;
        let mut start = 0;
        let columns: Vec<String> = self.ends[..parsed.n_fields]
            .iter()
            .map(|&end| std::mem::replace(&mut start, end)..end)
            .map(|range| text.get(range).unwrap_or_default().trim().to_owned())
            .collect();
        self.n_columns = columns.len();
        Ok(columns)
    }

    fn read_row(&mut self, batch: &mut RowBatch) -> Result<bool> {
        let Some(parsed) = self.parse()? else { return Ok(false) };
        let (line, n_columns) = (parsed.line, self.n_columns);
        if parsed.is_too_long {
            return Err(bad_row(line, "the row is too long")
                .expected(format!("at most {} MB", MAX_ROW_BYTES >> 20))
                .help("look for a quote that is never closed"));
        }
        if parsed.n_fields != n_columns {
            return Err(bad_row(line, "the row is ragged")
                .expected(format!("{n_columns} fields, as in the header"))
                .found(format!("{} fields", parsed.n_fields))
                .help("quote fields that hold separators"));
        }
        let bytes = &self.row[..parsed.n_bytes];
        let ends = &self.ends[..n_columns];
        let text = std::str::from_utf8(bytes).ok().filter(|text| ends.iter().all(|&e| text.is_char_boundary(e)));
        let Some(text) = text else {
            return Err(bad_row(line, "the row is not UTF-8").help("save the file as UTF-8, or remove the bytes"));
        };
        if memchr(0, bytes) {
            return Err(bad_row(line, "the row holds a NUL byte").help("remove it; the file may be damaged or binary"));
        }
        let base = batch.text.len();
        batch.text.push_str(text);
        batch.ends.extend(ends.iter().map(|e| base + e));
        batch.lines.push(line);
        Ok(true)
    }

    /// Reads the next row into `row` and `ends`; none at the end of the file.
    fn parse(&mut self) -> Result<Option<Parsed>> {
        use csv_core::ReadRecordResult as R;
        let (mut n_bytes, mut n_fields, mut is_too_long) = (0, 0, false);
        let mut line = None;
        loop {
            if self.at == self.end && !self.is_exhausted {
                self.end = self.raw.read(&mut self.input).map_err(|e| Error::new(crate::ErrorKind::Io, "cannot read on").caused_by(e))?;
                self.at = 0;
                self.is_exhausted = self.end == 0;
            }
            // Empty lines before a row are skipped by the parser: the row begins where its first byte is.
            if line.is_none() {
                let blank = self.input[self.at..self.end].iter().take_while(|b| matches!(b, b'\n' | b'\r')).count();
                let newlines = self.input[self.at..self.at + blank].iter().filter(|b| **b == b'\n').count() as u64;
                if self.at + blank < self.end {
                    line = Some(self.parser.line() + newlines);
                }
            }
            let (result, n_read, n_written, n_ended) =
                self.parser.read_record(&self.input[self.at..self.end], &mut self.row[n_bytes..], &mut self.ends[n_fields..]);
            self.at += n_read;
            n_bytes += n_written;
            n_fields += n_ended;
            match result {
                R::InputEmpty => {}
                R::OutputFull if self.row.len() >= MAX_ROW_BYTES => {
                    is_too_long = true;
                    n_bytes = 0;
                }
                R::OutputFull => self.row.resize((self.row.len() * 2).min(MAX_ROW_BYTES), 0),
                R::OutputEndsFull if is_too_long => n_fields = 0,
                R::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                R::Record => return Ok(Some(Parsed { line: line.unwrap_or(1), n_bytes, n_fields, is_too_long })),
                R::End => return Ok(None),
            }
        }
    }
}

fn memchr(byte: u8, bytes: &[u8]) -> bool {
    bytes.contains(&byte)
}

/// Rows of one JSON object a line.
struct JsonRows {
    raw: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    at: usize,
    is_exhausted: bool,
    line: u64,
    pending: Option<(u64, serde_json::Map<String, serde_json::Value>)>,
}

impl JsonRows {
    fn new(raw: Box<dyn Read + Send>) -> Self {
        Self { raw, buffer: Vec::new(), at: 0, is_exhausted: false, line: 0, pending: None }
    }

    /// The keys of the first object.
    fn header(&mut self) -> Result<Vec<String>> {
        let first = self.next_object().transpose().ok_or_else(|| Error::input("the file is empty").expected("one JSON object a line"))??;
        let columns = first.1.keys().cloned().collect();
        self.pending = Some(first);
        Ok(columns)
    }

    fn read_row(&mut self, columns: &[String], batch: &mut RowBatch) -> Result<bool> {
        let next = match self.pending.take() {
            Some(first) => Some(first),
            None => self.next_object()?,
        };
        let Some((line, object)) = next else { return Ok(false) };
        let fields: Vec<String> = columns.iter().map(|name| field_text(object.get(name))).collect();
        if fields.iter().any(|f| f.contains('\0')) {
            return Err(bad_row(line, "the row holds a NUL character").help("remove it; the file may be damaged"));
        }
        batch.push(line, fields.iter().map(String::as_str));
        Ok(true)
    }

    fn next_object(&mut self) -> Result<Option<(u64, serde_json::Map<String, serde_json::Value>)>> {
        loop {
            let Some(range) = self.next_line()? else { return Ok(None) };
            let line = self.line;
            let bytes = &self.buffer[range];
            if bytes.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let value: serde_json::Value =
                serde_json::from_slice(bytes).map_err(|e| bad_row(line, "the line is not JSON").expected("one object a line").found(e.to_string()))?;
            return match value {
                serde_json::Value::Object(object) => Ok(Some((line, object))),
                other => Err(bad_row(line, "the line is not a JSON object").expected("{\"text\": …}").found(kind_of(&other))),
            };
        }
    }

    /// The range of the next line in the buffer; too long a line is skipped and refused.
    fn next_line(&mut self) -> Result<Option<std::ops::Range<usize>>> {
        let (mut scanned, mut is_too_long) = (self.at, false);
        loop {
            if let Some(n) = self.buffer[scanned..].iter().position(|&b| b == b'\n') {
                let range = self.at..scanned + n;
                self.at = scanned + n + 1;
                self.line += 1;
                return if is_too_long { Err(self.too_long()) } else { Ok(Some(range)) };
            }
            if self.is_exhausted {
                let range = self.at..self.buffer.len();
                self.at = self.buffer.len();
                if range.is_empty() && !is_too_long {
                    return Ok(None);
                }
                self.line += 1;
                return if is_too_long { Err(self.too_long()) } else { Ok(Some(range)) };
            }
            if self.buffer.len() - self.at > MAX_ROW_BYTES {
                is_too_long = true;
                self.buffer.clear();
                self.at = 0;
            }
            self.buffer.drain(..self.at);
            self.at = 0;
            scanned = self.buffer.len();
            let n_read = (&mut self.raw)
                .take(BUFFER as u64)
                .read_to_end(&mut self.buffer)
                .map_err(|e| Error::new(crate::ErrorKind::Io, "cannot read on").caused_by(e))?;
            self.is_exhausted = n_read == 0;
        }
    }

    fn too_long(&self) -> Error {
        bad_row(self.line, "the row is too long").expected(format!("at most {} MB", MAX_ROW_BYTES >> 20))
    }
}

fn field_text(value: Option<&serde_json::Value>) -> String {
    match value {
        None | Some(serde_json::Value::Null) => String::new(),
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn kind_of(value: &serde_json::Value) -> &'static str {
    match value {
        serde_json::Value::Null => "null",
        serde_json::Value::Bool(_) => "a truth value",
        serde_json::Value::Number(_) => "a number",
        serde_json::Value::String(_) => "a string",
        serde_json::Value::Array(_) => "an array",
        serde_json::Value::Object(_) => "an object",
    }
}

/// What a column is for, where it may be found by its usual names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The text itself.
    Text,
    /// A name for the row's article.
    Id,
    /// Its headline.
    Title,
    /// Its date.
    Date,
    /// Who published it.
    Outlet,
    /// Where it can be read.
    Url,
}

impl Role {
    /// Usual names, in order of preference.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Text => &["text", "sentence", "content", "body", "article_text", "full_text", "tweet", "statement", "message"],
            Self::Id => &["id", "article", "article_id", "doc_id", "document"],
            Self::Title => &["title", "headline"],
            Self::Date => &["date", "published", "published_at", "publish_date", "publication_date", "datetime", "created_at"],
            Self::Outlet => &["outlet", "source", "publisher", "newspaper", "site"],
            Self::Url => &["url", "link"],
        }
    }
}

/// Position of the column for `role`: the one that `wanted` names, else the first that has a usual name, case ignored.
///
/// # Errors
///
/// If `wanted` is missing, or the text column cannot be found.
pub fn find_column(columns: &[String], role: Role, wanted: Option<&str>) -> Result<Option<usize>> {
    if let Some(name) = wanted {
        return columns.iter().position(|c| c == name).map(Some).ok_or_else(|| {
            Error::input("no such column").in_column(name).expected(format!("one of {}", columns.join(", "))).help("check the spelling")
        });
    }
    let found = role.names().iter().find_map(|name| columns.iter().position(|c| c.eq_ignore_ascii_case(name)));
    if found.is_none() && role == Role::Text {
        return Err(Error::input("no text column")
            .on_line(1)
            .expected(format!("a column named {}", role.names().join(", ")))
            .found(columns.join(", "))
            .help("name it with --text COLUMN"));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::source::Compression;

    fn read(name: &str, bytes: &[u8]) -> Result<(Vec<String>, Vec<Vec<String>>, Rejects)> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let mut reader = TableReader::open(&Source::new(&path, None)?, &mut |_| {})?;
        let (mut batch, mut rejects, mut rows) = (RowBatch::default(), Rejects::new(), Vec::new());
        loop {
            reader.read_batch(&mut batch, 3, &mut rejects)?;
            if batch.is_empty() {
                break;
            }
            for row in 0..batch.n_rows() {
                rows.push((0..reader.columns().len()).map(|c| batch.field(row, c).to_owned()).collect());
            }
        }
        Ok((reader.columns().to_vec(), rows, rejects))
    }

    #[test]
    fn quoted_fields_keep_commas_and_lines() {
        let (columns, rows, _) = read("a.csv", b"id,text\n1,\"a, b\nc\"\n\n2,\"say \"\"no\"\"\"\n").unwrap();
        assert_eq!(columns, ["id", "text"]);
        assert_eq!(rows, [["1", "a, b\nc"], ["2", "say \"no\""]]);
    }

    #[test]
    fn bad_rows_are_refused_with_their_line_and_good_rows_stay() {
        let bytes = ["id,text\n1,ŁŻ\n2\n3,c\n4,".as_bytes(), b"\xff\xfe x", b"\n5,\0\n6,f\n"].concat();
        let (_, rows, rejects) = read("a.csv", &bytes).unwrap();
        assert_eq!(rows, [["1", "ŁŻ"], ["3", "c"], ["6", "f"]]);
        let lines: Vec<_> = rejects.first().iter().map(|e| e.place().line).collect();
        assert_eq!(lines, [Some(3), Some(5), Some(6)]);
    }

    #[test]
    fn an_unclosed_quote_does_not_fill_the_memory() {
        let bytes = [b"id,text\n1,\"".as_slice(), &vec![b'x'; MAX_ROW_BYTES + 10], b"\"\n2,b\n"].concat();
        let (_, rows, rejects) = read("a.csv", &bytes).unwrap();
        assert_eq!(rows, [["2", "b"]]);
        assert!(rejects.first()[0].to_string().contains("too long"));
    }

    #[test]
    fn empty_files_and_double_headers_are_refused() {
        assert!(read("a.csv", b"").unwrap_err().to_string().contains("empty"));
        assert!(read("a.jsonl", b"\n").unwrap_err().to_string().contains("empty"));
        assert!(read("a.csv", b"text,id,text\n").unwrap_err().to_string().contains("columns 1 and 3"));
    }

    #[test]
    fn json_lines_have_the_first_objects_columns() {
        let (columns, rows, rejects) = read("a.jsonl", b"{\"text\":\"a\",\"n\":1}\n[]\n{oops\n{\"n\":null,\"text\":\"b\",\"more\":2}").unwrap();
        assert_eq!(columns, ["text", "n"]);
        assert_eq!(rows, [["a", "1"], ["b", ""]]);
        assert_eq!(rejects.count(), 2);
    }

    #[test]
    fn compressed_tables_are_read_as_they_are() {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"text\nx\n").unwrap();
        let bytes = encoder.finish().unwrap();
        assert_eq!(read("a.csv.gz", &bytes).unwrap().1, [["x"]]);
        assert!(read("a.csv.gz", &bytes[..bytes.len() - 9]).is_err());
        assert_eq!(Source::new("a.csv.gz", None).unwrap().compression, Compression::Gzip);
    }

    #[test]
    fn text_columns_are_found_or_asked_for() {
        let columns = ["Sentence".to_owned(), "body".to_owned()];
        assert_eq!(find_column(&columns, Role::Text, None).unwrap(), Some(0));
        assert_eq!(find_column(&columns, Role::Text, Some("body")).unwrap(), Some(1));
        assert!(find_column(&columns[..0], Role::Text, None).unwrap_err().to_string().contains("--text"));
        assert_eq!(find_column(&columns, Role::Url, None).unwrap(), None);
    }
}
