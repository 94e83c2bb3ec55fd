//! Streams the rows of a CSV, TSV, JSON Lines or Parquet table in batches.
//!
//! A row that cannot be used (ragged, too large, NUL bytes, invalid UTF-8, no JSON object, no text where text is expected) goes to [`Rejects`] with its line and the
//! reason. What makes the whole table unusable is an error: no header, two columns of one name, a damaged archive.

use std::io::BufRead;

use serde::{Deserialize, Serialize};

use super::batch::RowBatch;
use super::csv_reader::{CsvReader, RowEnd};
use super::encoding::{Notice, TextReader, encoding_for_label};
use super::jsonl_reader::{self, LineEnd, LineReader};
use super::rejects::Rejects;
use super::source::{Format, Source, read_error};
use crate::error::{Error, Result};

/// Default of [`TableOptions::max_row_bytes`].
pub const MAX_ROW_BYTES: usize = 50 * 1024 * 1024;

/// Columns that a table can have at most; a header beyond is no header.
const MAX_COLUMNS: usize = 16_384;

/// Lines of a JSON Lines file that may be bad before the first good one tells the columns.
const MAX_BAD_START: usize = 100;

/// How tables are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TableOptions {
    /// What separates the fields of CSV; by default comma, semicolon or tab, whichever the header has most of.
    pub delimiter: Option<u8>,
    /// Name of the encoding; by default UTF-8, or what it seems to be. Ignored by Parquet.
    pub encoding: Option<String>,
    /// Rows with more bytes are refused. 50 MiB by default, at least 1.
    pub max_row_bytes: usize,
}

impl Default for TableOptions {
    fn default() -> Self {
        Self { delimiter: None, encoding: None, max_row_bytes: MAX_ROW_BYTES }
    }
}

/// When a batch is full: at so many rows, or as soon as it has so many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Rows, at least 1.
    pub max_rows: usize,
    /// Bytes, at least 1. The last row may go beyond.
    pub max_bytes: usize,
}

impl Default for BatchLimits {
    /// 8192 rows or 4 MiB: large enough to share out, small enough to stay in the cache of a server.
    fn default() -> Self {
        Self { max_rows: 8192, max_bytes: 4 << 20 }
    }
}

/// An open table.
///
/// ```
/// use stancekit::data::{BatchLimits, Rejects, RowBatch, Source, TableOptions, TableReader};
///
/// let source = Source::from_bytes("talks.csv", *b"id,text\n1,They rejected the plan.\n2\n3,Both agreed.\n");
/// let mut table = TableReader::open(&source, &TableOptions::default())?;
/// let (mut batch, mut rejects) = (RowBatch::new(), Rejects::new());
/// while table.read_batch(&mut batch, BatchLimits::default(), &mut rejects)? {
///     assert_eq!((batch.n_rows(), batch.field(1, 1), batch.line(1)), (2, "Both agreed.", 4));
/// }
/// assert!(rejects.first()[0].to_string().starts_with("talks.csv:3: ragged row"));
/// # Ok::<(), stancekit::Error>(())
/// ```
pub struct TableReader {
    source: Source,
    columns: Vec<String>,
    rows: Rows,
    max_row_bytes: usize,
    /// Rows refused before the first batch was asked for.
    early: Vec<Error>,
    /// An error of reading that waits until the rows before it are given out.
    failure: Option<Error>,
}

enum Rows {
    Csv(CsvReader<TextReader>),
    Jsonl {
        lines: LineReader<TextReader>,
        line: Vec<u8>,
        cells: Vec<Vec<u8>>,
        first: Option<u64>,
        /// The line of the first record, whose keys are the columns.
        header: u64,
        /// The column whose values must be strings.
        text: Option<usize>,
    },
    #[cfg(feature = "parquet")]
    Parquet(super::parquet_reader::ParquetReader),
}

/// What became of the next row.
enum Step {
    Accepted(u64),
    Refused(Error),
    End,
}

impl TableReader {
    /// Opens the table and reads its header.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, is empty, is no table, has no header, or two columns of one name.
    pub fn open(source: &Source, options: &TableOptions) -> Result<Self> {
        match source.format() {
            Some(Format::Parquet) => Self::open_as(source, None, Format::Parquet, options),
            _ => {
                let (stream, format) = source.open_with_format()?;
                Self::open_as(source, Some(stream), format, options)
            }
        }
    }

    /// As [`TableReader::open`], of a source whose format is settled and whose stream may be open already.
    pub(super) fn open_as(
        source: &Source,
        stream: Option<Box<dyn BufRead + Send>>,
        format: Format,
        options: &TableOptions,
    ) -> Result<Self> {
        let mut table = match (format, stream) {
            (Format::Parquet, _) => Self::open_parquet(source, options)?,
            (_, Some(stream)) => Self::open_stream(source, stream, format, options)?,
            (_, None) => Self::open_stream(source, source.open()?, format, options)?,
        };
        table.check_columns()?;
        Ok(table)
    }

    /// Names of the columns, in the order of the file.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Refuses the rows of JSON Lines whose value in this column is no string: it is read as text, and an array or a number is none.
    pub fn expect_text(&mut self, column: usize) {
        if let Rows::Jsonl { text, .. } = &mut self.rows {
            *text = Some(column);
        }
    }

    /// The source being read.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Places an error about the columns: in this file, and, of JSON Lines, on the first record, whose keys they are.
    pub fn place_columns(&self, error: Error) -> Error {
        let error = error.in_file(self.source.path());
        match self.rows {
            Rows::Jsonl { header, .. } => error.on_line(header).help_more(
                "the columns of JSON Lines are the keys of the first record: give it all of them, null where it has no value",
            ),
            _ => error,
        }
    }

    /// What encoding has been assumed so far, if the bytes are not UTF-8.
    pub fn notice(&self) -> Option<Notice> {
        let text = match &self.rows {
            Rows::Csv(reader) => reader.input(),
            Rows::Jsonl { lines, .. } => lines.input(),
            #[cfg(feature = "parquet")]
            Rows::Parquet(_) => return None,
        };
        text.notice(self.source.path())
    }

    /// Refills `batch` with the next good rows, at least one; `false` if there are no more. Refused rows go to `rejects`. Allocates nothing
    /// once the batch has its size, JSON strings with escapes and Parquet aside. If reading fails, the good rows before that come first.
    ///
    /// # Errors
    ///
    /// If reading fails, or a row is refused and `rejects` is strict.
    pub fn read_batch(&mut self, batch: &mut RowBatch, limits: BatchLimits, rejects: &mut Rejects) -> Result<bool> {
        for error in self.early.drain(..) {
            rejects.add(error)?;
        }
        loop {
            if let Some(error) = self.failure.take() {
                return Err(error);
            }
            let has_more = self.fill(batch, limits);
            for error in batch.seal(&self.columns, self.source.path())? {
                rejects.add(error)?;
            }
            if batch.n_rows() > 0 {
                return Ok(true);
            }
            if !has_more {
                return Ok(false);
            }
        }
    }

    fn open_stream(source: &Source, stream: Box<dyn BufRead + Send>, format: Format, options: &TableOptions) -> Result<Self> {
        let encoding = options.encoding.as_deref().map(encoding_for_label).transpose()?;
        let text = TextReader::new(stream, encoding);
        let max_row_bytes = options.max_row_bytes.max(1);
        match format {
            Format::Csv | Format::Tsv => {
                let delimiter = options.delimiter.or((format == Format::Tsv).then_some(b'\t'));
                Self::open_csv(source, text, delimiter, max_row_bytes)
            }
            Format::Jsonl => Self::open_jsonl(source, text, max_row_bytes),
            Format::Parquet => Self::open_parquet(source, options),
            Format::Text | Format::Markdown | Format::Html => Err(Error::input("not a table")
                .in_file(source.path())
                .expected("CSV, TSV, JSON Lines or Parquet")
                .found(format!("{format:?}").to_lowercase())
                .help("name a table, or say what it is with --input-format")),
        }
    }

    fn open_csv(source: &Source, text: TextReader, delimiter: Option<u8>, max_row_bytes: usize) -> Result<Self> {
        let failed = |e| read_error(source.path(), e);
        let mut reader = CsvReader::new(text, delimiter.unwrap_or(b','), max_row_bytes);
        if reader.is_empty().map_err(failed)? {
            return Err(empty_file(source));
        }
        if delimiter.is_none() {
            reader.guess_delimiter().map_err(failed)?;
        }
        let columns = read_header(source, &mut reader)?;
        Ok(Self { source: source.clone(), columns, rows: Rows::Csv(reader), max_row_bytes, early: Vec::new(), failure: None })
    }

    fn open_jsonl(source: &Source, text: TextReader, max_row_bytes: usize) -> Result<Self> {
        let mut lines = LineReader::new(text, max_row_bytes);
        let (mut line, mut early) = (Vec::new(), Vec::new());
        loop {
            let number = match lines.read_line(&mut line).map_err(|e| read_error(source.path(), e))? {
                LineEnd::Line(number) => number,
                LineEnd::TooLarge(number) => {
                    early.push(too_large(max_row_bytes).in_file(source.path()).on_line(number));
                    continue;
                }
                LineEnd::End if early.is_empty() => return Err(empty_file(source)),
                LineEnd::End => return Err(early.swap_remove(0)),
            };
            match jsonl_reader::keys(&line) {
                Ok(columns) => {
                    let cells = vec![Vec::new(); columns.len()];
                    let rows = Rows::Jsonl { lines, line, cells, first: Some(number), header: number, text: None };
                    return Ok(Self { source: source.clone(), columns, rows, max_row_bytes, early, failure: None });
                }
                Err(_) if number == 1 && line.trim_ascii_start().starts_with(b"[") => return Err(json_array(source)),
                Err(error) if early.len() == MAX_BAD_START => return Err(error.in_file(source.path()).on_line(number)),
                Err(error) => early.push(error.in_file(source.path()).on_line(number)),
            }
        }
    }

    #[cfg(feature = "parquet")]
    fn open_parquet(source: &Source, options: &TableOptions) -> Result<Self> {
        let (reader, columns) = super::parquet_reader::ParquetReader::open(source)?;
        let max_row_bytes = options.max_row_bytes.max(1);
        Ok(Self { source: source.clone(), columns, rows: Rows::Parquet(reader), max_row_bytes, early: Vec::new(), failure: None })
    }

    #[cfg(not(feature = "parquet"))]
    fn open_parquet(source: &Source, _options: &TableOptions) -> Result<Self> {
        Err(Error::new(crate::error::ErrorKind::Unsupported, "this build cannot read Parquet")
            .in_file(source.path())
            .help("build with --features parquet, or convert the table to CSV"))
    }

    /// Spreadsheets leave columns without a name behind, some of them several: these get the number of their column, from 1 on.
    fn check_columns(&mut self) -> Result<()> {
        let is_nameless = |name: &String| name.trim().is_empty();
        let n_nameless = self.columns.iter().filter(|name| is_nameless(name)).count();
        if n_nameless > 1 && n_nameless < self.columns.len() {
            let numbered = self.columns.iter_mut().enumerate().filter(|(_, name)| is_nameless(name));
            numbered.for_each(|(i, name)| *name = format!("column {}", i + 1));
        }
        let mut sorted: Vec<&String> = self.columns.iter().collect();
        sorted.sort();
        let duplicate = sorted.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
        if let Some(name) = duplicate {
            return Err(self.header_error("two columns have the same name").in_column(name).help("rename one of them"));
        }
        if self.columns.iter().all(|c| c.trim().is_empty()) {
            return Err(self
                .header_error("no header")
                .expected("the names of the columns in the first line")
                .found("an empty line"));
        }
        Ok(())
    }

    fn header_error(&self, message: &str) -> Error {
        Error::input(message).in_file(self.source.path()).on_line(1)
    }

    /// Fills the batch with unchecked rows; `false` at the end of the table.
    fn fill(&mut self, batch: &mut RowBatch, limits: BatchLimits) -> bool {
        batch.start(self.columns.len(), limits.max_bytes);
        while !batch.is_full(limits.max_rows.max(1), limits.max_bytes.max(1)) {
            match self.step(batch) {
                Ok(Step::Accepted(line)) => batch.accept(line),
                Ok(Step::Refused(error)) => batch.refuse(error.in_file(self.source.path())),
                Ok(Step::End) => return false,
                Err(error) => {
                    batch.forget_last();
                    self.failure = Some(error);
                    return true;
                }
            }
        }
        true
    }

    /// Appends the next row to the batch's buffer.
    fn step(&mut self, batch: &mut RowBatch) -> Result<Step> {
        let failed = |e| read_error(self.source.path(), e);
        let width = self.columns.len();
        let (bytes, ends) = batch.parts();
        match &mut self.rows {
            Rows::Csv(reader) => Ok(match reader.read_row(bytes, ends, width).map_err(failed)? {
                RowEnd::Row { line, n_fields } if n_fields == width => Step::Accepted(line),
                RowEnd::Row { line, n_fields } => Step::Refused(ragged(width, n_fields).on_line(line)),
                RowEnd::TooLarge { line } => Step::Refused(too_large(self.max_row_bytes).on_line(line)),
                RowEnd::OpenQuote { line, quote_line } => Step::Refused(open_quote(quote_line).on_line(line)),
                RowEnd::End => Step::End,
            }),
            Rows::Jsonl { lines, line, cells, first, text, .. } => {
                let end = match first.take() {
                    Some(number) => LineEnd::Line(number),
                    None => lines.read_line(line).map_err(failed)?,
                };
                Ok(match end {
                    LineEnd::Line(number) => match jsonl_reader::read_cells(line, &self.columns, *text, cells) {
                        Ok(()) => {
                            push_cells(cells, bytes, ends);
                            Step::Accepted(number)
                        }
                        Err(error) => Step::Refused(error.on_line(number)),
                    },
                    LineEnd::TooLarge(number) => Step::Refused(too_large(self.max_row_bytes).on_line(number)),
                    LineEnd::End => Step::End,
                })
            }
            #[cfg(feature = "parquet")]
            Rows::Parquet(reader) => {
                let start = bytes.len();
                if !reader.read_row(bytes, ends).map_err(|e| e.in_file(self.source.path()))? {
                    return Ok(Step::End);
                }
                let line = reader.row_number();
                let is_too_large = bytes.len() - start > self.max_row_bytes;
                Ok(if is_too_large { Step::Refused(too_large(self.max_row_bytes).on_line(line)) } else { Step::Accepted(line) })
            }
        }
    }
}

fn push_cells(cells: &[Vec<u8>], bytes: &mut Vec<u8>, ends: &mut Vec<usize>) {
    for cell in cells {
        bytes.extend_from_slice(cell);
        ends.push(bytes.len());
    }
}

/// The first row of a CSV file as names.
fn read_header(source: &Source, reader: &mut CsvReader<TextReader>) -> Result<Vec<String>> {
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    let end = reader.read_row(&mut bytes, &mut ends, MAX_COLUMNS).map_err(|e| read_error(source.path(), e))?;
    let no_header = |found: String| {
        Error::input("no header")
            .in_file(source.path())
            .expected("the names of the columns in the first line")
            .found(found)
            .help("check that the file is a table of text")
    };
    match end {
        RowEnd::End => return Err(no_header("blank lines only".to_owned())),
        RowEnd::TooLarge { line } => return Err(no_header("a first row beyond the largest allowed".to_owned()).on_line(line)),
        RowEnd::OpenQuote { line, .. } => return Err(no_header("a quote that is never closed".to_owned()).on_line(line)),
        RowEnd::Row { n_fields, .. } if n_fields > MAX_COLUMNS => return Err(no_header(format!("{n_fields} columns"))),
        RowEnd::Row { .. } => {}
    }
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let names = starts.zip(&ends).map(|(start, &end)| String::from_utf8(bytes[start..end].to_vec()));
    let names: Vec<String> =
        names.collect::<Result<_, _>>().map_err(|_| no_header("bytes that are no text".to_owned()).on_line(1))?;
    if names.iter().any(|name| name.contains('\0')) {
        return Err(no_header("NUL bytes".to_owned()).on_line(1));
    }
    Ok(names.iter().map(|name| name.trim().to_owned()).collect())
}

fn empty_file(source: &Source) -> Error {
    Error::input("the file is empty").in_file(source.path()).expected("a header or a record").help("check how it was written")
}

fn json_array(source: &Source) -> Error {
    Error::input("not JSON Lines")
        .in_file(source.path())
        .on_line(1)
        .expected("one JSON object on each line")
        .found("a JSON array")
        .help("convert it with: jq -c '.[]'")
}

fn ragged(expected: usize, found: usize) -> Error {
    Error::input("ragged row")
        .expected(format!("{expected} fields, as in the header"))
        .found(found.to_string())
        .help("quote the fields that hold the delimiter or a line break")
}

fn too_large(limit: usize) -> Error {
    Error::input("row too large")
        .expected(format!("at most {limit} bytes"))
        .help("look for a quote that is never closed, or raise --max-row-bytes")
}

fn open_quote(line: u64) -> Error {
    Error::input(format!("the quote opened on line {line} is never closed"))
        .expected("a closing quote before the end of the file")
        .help("close it, or double it if it is part of the text")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(name: &str, bytes: &[u8]) -> Result<(Vec<Vec<String>>, Rejects)> {
        let mut table = TableReader::open(&Source::from_bytes(name, bytes), &TableOptions::default())?;
        let (mut batch, mut rejects, mut rows) = (RowBatch::new(), Rejects::new(), Vec::new());
        while table.read_batch(&mut batch, BatchLimits { max_rows: 2, max_bytes: 1000 }, &mut rejects)? {
            rows.extend((0..batch.n_rows()).map(|row| batch.row(row).map(str::to_owned).collect()));
        }
        Ok((rows, rejects))
    }

    #[test]
    fn the_same_rows_come_from_csv_tsv_and_json_lines() {
        let expected = [["1", "a, b"], ["2", "c"], ["3", ""]];
        for (name, bytes) in [
            ("t.csv", "id,text\n1,\"a, b\"\n2,c\n3,\n"),
            ("semicolons.csv", "id;text\n1;a, b\n2;c\n3;\n"),
            ("t.tsv", "id\ttext\n1\ta, b\n2\tc\n3\t\n"),
            ("t.jsonl", "{\"id\":1,\"text\":\"a, b\"}\n{\"text\":\"c\",\"id\":2,\"x\":0}\n{\"id\":3}\n"),
        ] {
            let (rows, rejects) = read_all(name, bytes.as_bytes()).unwrap();
            assert_eq!((rows, rejects.n()), (expected.map(|r| r.map(str::to_owned).to_vec()).to_vec(), 0), "{name}");
        }
    }

    #[test]
    fn a_header_without_rows_is_an_empty_table() {
        assert_eq!(read_all("t.csv", b"id,text\n").unwrap().0.len(), 0);
    }

    #[test]
    fn refused_rows_come_in_the_order_of_their_lines() {
        let (rows, rejects) = read_all("t.csv", b"a,b\n1,\xff\xc3\xa9\n2\n\xc3\xa9,3\n4,5,6\n7,8\n\"9,").unwrap();
        assert_eq!(rows, [["é", "3"], ["7", "8"]]);
        let lines: Vec<Option<u64>> = rejects.first().iter().map(|e| e.place().line).collect();
        assert_eq!(lines, [Some(2), Some(3), Some(5), Some(7)]);
    }

    #[test]
    fn a_batch_holds_no_more_than_its_limits() {
        let mut text = String::from("a\n");
        (0..100).for_each(|i| text.push_str(&format!("row number {i}\n")));
        let mut table = TableReader::open(&Source::from_bytes("t.csv", text.into_bytes()), &TableOptions::default()).unwrap();
        let (mut batch, mut rejects, mut n) = (RowBatch::new(), Rejects::new(), 0);
        while table.read_batch(&mut batch, BatchLimits { max_rows: 100, max_bytes: 50 }, &mut rejects).unwrap() {
            assert!(batch.n_rows() <= 5);
            n += batch.n_rows();
        }
        assert_eq!(n, 100);
    }
}
