//! Writes tables of typed cells as CSV, TSV, JSON Lines or Parquet.
//!
//! Formatting is apart from writing: threads fill [`RowBuffer`]s by a shared [`RowLayout`], and one of them hands the buffers to the
//! [`TableWriter`] in order. The bytes are the same on any number of threads.

use std::path::Path;
use std::sync::Arc;

use super::output::Output;
use super::source::{Compression, Format};
use crate::error::{Error, Result};

/// One cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Nothing: empty in CSV, `null` in JSON and Parquet.
    Null,
    /// Text.
    Text(&'a str),
    /// A whole number.
    Int(i64),
    /// A number, written with the fewest digits that give it back; not finite ones as nothing.
    Number(f64),
    /// True or false.
    Bool(bool),
}

/// What the cells of a column are; a Parquet file is bound to it, the other formats follow the cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// Text.
    Text,
    /// Whole numbers.
    Int,
    /// Numbers.
    Number,
    /// True or false.
    Bool,
}

/// Name and type of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name, as header or JSON key.
    pub name: String,
    /// Its type.
    pub kind: ColumnType,
}

impl Column {
    /// A column of this name and type.
    pub fn new(name: impl Into<String>, kind: ColumnType) -> Self {
        Self { name: name.into(), kind }
    }

    /// A column of text.
    pub fn text(name: impl Into<String>) -> Self {
        Self::new(name, ColumnType::Text)
    }
}

/// How rows of a table are formatted; immutable, shared by threads.
#[derive(Debug)]
pub struct RowLayout {
    style: Style,
    columns: Vec<Column>,
    /// For JSON: what stands before each value, `{"id":` or `,"text":`.
    keys: Vec<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// Fields with this delimiter.
    Delimited(u8),
    Jsonl,
    #[cfg(feature = "parquet")]
    Parquet,
}

/// Formatted rows on their way to the writer.
#[derive(Debug, Default)]
pub struct RowBuffer {
    bytes: Vec<u8>,
    #[cfg(feature = "parquet")]
    cells: super::parquet_writer::CellColumns,
    n_rows: usize,
}

impl RowBuffer {
    /// No rows yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of rows in it.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Forgets the rows and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        #[cfg(feature = "parquet")]
        self.cells.clear();
        self.n_rows = 0;
    }
}

impl RowLayout {
    fn new(format: Format, columns: Vec<Column>) -> Result<Self> {
        let style = match format {
            Format::Csv => Style::Delimited(b','),
            Format::Tsv => Style::Delimited(b'\t'),
            Format::Jsonl => Style::Jsonl,
            #[cfg(feature = "parquet")]
            Format::Parquet => Style::Parquet,
            #[cfg(not(feature = "parquet"))]
            Format::Parquet => {
                return Err(Error::new(crate::error::ErrorKind::Unsupported, "this build cannot write Parquet")
                    .help("build with --features parquet, or write csv or jsonl"));
            }
            Format::Text | Format::Markdown | Format::Html => {
                return Err(Error::parameter("not a format of a table")
                    .expected("one of csv, tsv, jsonl, parquet")
                    .found(format!("{format:?}").to_lowercase()));
            }
        };
        let keys = columns.iter().enumerate().map(|(i, column)| json_key(i, &column.name)).collect();
        Ok(Self { style, columns, keys })
    }

    /// The columns.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Formats one row, which has a value for each column, at the end of `buffer`. Values of another type than the column's are
    /// converted to text or number where the format insists on types, and are nothing where that cannot be.
    ///
    /// # Panics
    ///
    /// If the number of values is not the number of columns.
    pub fn push_row<'a>(&self, buffer: &mut RowBuffer, row: impl IntoIterator<Item = Value<'a>>) {
        let mut n_values = 0;
        for (i, value) in row.into_iter().enumerate() {
            match self.style {
                Style::Delimited(delimiter) => {
                    if i > 0 {
                        buffer.bytes.push(delimiter);
                    }
                    self.push_delimited(&mut buffer.bytes, value, delimiter);
                }
                Style::Jsonl => {
                    buffer.bytes.extend_from_slice(&self.keys[i]);
                    push_json(&mut buffer.bytes, value);
                }
                #[cfg(feature = "parquet")]
                Style::Parquet => buffer.cells.push(i, &self.columns, value),
            }
            n_values += 1;
        }
        assert_eq!(n_values, self.columns.len(), "a row has a value for each column");
        match self.style {
            Style::Delimited(_) => buffer.bytes.push(b'\n'),
            Style::Jsonl => buffer.bytes.extend_from_slice(b"}\n"),
            #[cfg(feature = "parquet")]
            Style::Parquet => {}
        }
        buffer.n_rows += 1;
    }

    fn push_delimited(&self, out: &mut Vec<u8>, value: Value<'_>, delimiter: u8) {
        let is_blank_line = self.columns.len() == 1 && matches!(value, Value::Null | Value::Text(""));
        match value {
            // A blank line would be no row at all.
            _ if is_blank_line => out.extend_from_slice(b"\"\""),
            Value::Null => {}
            Value::Number(number) if !number.is_finite() => {}
            Value::Text(text) => push_csv_field(out, text, delimiter),
            other => push_json(out, other),
        }
    }

    fn header(&self) -> Vec<u8> {
        let Style::Delimited(delimiter) = self.style else { return Vec::new() };
        let mut header = RowBuffer::new();
        for (i, column) in self.columns.iter().enumerate() {
            if i > 0 {
                header.bytes.push(delimiter);
            }
            self.push_delimited(&mut header.bytes, Value::Text(&column.name), delimiter);
        }
        header.bytes.push(b'\n');
        header.bytes
    }
}

/// An open table to write to.
pub struct TableWriter {
    layout: Arc<RowLayout>,
    sink: Sink,
    /// For rows written one by one.
    buffer: RowBuffer,
}

enum Sink {
    Bytes(Box<Output>),
    #[cfg(feature = "parquet")]
    Parquet(Box<super::parquet_writer::ParquetWriter>),
}

impl TableWriter {
    /// Opens the table on `output` and writes its header.
    ///
    /// # Errors
    ///
    /// If `format` is none of a table, or the header cannot be written.
    pub fn new(output: Output, format: Format, columns: Vec<Column>) -> Result<Self> {
        let layout = RowLayout::new(format, columns)?;
        let sink = match layout.style {
            Style::Delimited(_) | Style::Jsonl => {
                let mut output = output;
                output.write_bytes(&layout.header())?;
                Sink::Bytes(Box::new(output))
            }
            #[cfg(feature = "parquet")]
            Style::Parquet => Sink::Parquet(Box::new(super::parquet_writer::ParquetWriter::new(output, &layout.columns)?)),
        };
        Ok(Self { layout: Arc::new(layout), sink, buffer: RowBuffer::new() })
    }

    /// The layout, for threads that fill buffers.
    pub fn layout(&self) -> Arc<RowLayout> {
        self.layout.clone()
    }

    /// Writes one row.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    ///
    /// # Panics
    ///
    /// If the number of values is not the number of columns.
    pub fn write_row<'a>(&mut self, row: impl IntoIterator<Item = Value<'a>>) -> Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        self.layout.push_row(&mut buffer, row);
        let result = self.write_buffer(&mut buffer);
        self.buffer = buffer;
        result
    }

    /// Writes the rows of `buffer`, which was filled by this writer's layout, and clears it.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn write_buffer(&mut self, buffer: &mut RowBuffer) -> Result<()> {
        let result = match &mut self.sink {
            Sink::Bytes(output) => output.write_bytes(&buffer.bytes),
            #[cfg(feature = "parquet")]
            Sink::Parquet(writer) => writer.write(&mut buffer.cells),
        };
        buffer.clear();
        result
    }

    /// Writes what is left and puts the file in its place.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn finish(self) -> Result<()> {
        match self.sink {
            Sink::Bytes(output) => output.finish(),
            #[cfg(feature = "parquet")]
            Sink::Parquet(writer) => writer.finish(),
        }
    }
}

/// The format of an output: `wanted` by a flag, or by the extension of its file, or `default` for standard output.
///
/// # Errors
///
/// If the extension is that of no table, or Parquet is to be compressed as a whole.
pub fn output_format(path: Option<&Path>, wanted: Option<Format>, default: Format) -> Result<Format> {
    let path = path.filter(|p| *p != Path::new("-"));
    let format = match (wanted, path) {
        (Some(format), _) => format,
        (None, None) => default,
        (None, Some(path)) => Format::from_path(path).filter(|f| f.is_table()).ok_or_else(|| {
            Error::parameter("the name of the output does not tell its format")
                .in_file(path)
                .expected("an extension .csv, .tsv, .jsonl or .parquet, perhaps with .gz or .zst")
                .help("rename it, or say it with --format")
        })?,
    };
    match path {
        Some(path) if format == Format::Parquet && Compression::from_path(path) != Compression::None => {
            Err(Error::parameter("Parquet is compressed inside").in_file(path).help("name the file without .gz or .zst"))
        }
        _ => Ok(format),
    }
}

/// Appends one field of CSV, in quotes if it holds a delimiter, a quote or a line break.
pub(super) fn push_csv_field(out: &mut Vec<u8>, field: &str, delimiter: u8) {
    let bytes = field.as_bytes();
    let needs_quotes = memchr::memchr3(delimiter, b'"', b'\n', bytes).is_some() || memchr::memchr(b'\r', bytes).is_some();
    if !needs_quotes {
        out.extend_from_slice(bytes);
        return;
    }
    out.push(b'"');
    let mut rest = bytes;
    while let Some(n) = memchr::memchr(b'"', rest) {
        out.extend_from_slice(&rest[..=n]);
        out.push(b'"');
        rest = &rest[n + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Appends a JSON value.
fn push_json(out: &mut Vec<u8>, value: Value<'_>) {
    // Writing plain values to a Vec cannot fail.
    let _ = match value {
        Value::Null => serde_json::to_writer(out, &()),
        Value::Text(text) => serde_json::to_writer(out, text),
        Value::Int(number) => serde_json::to_writer(out, &number),
        Value::Number(number) => serde_json::to_writer(out, &number),
        Value::Bool(truth) => serde_json::to_writer(out, &truth),
    };
}

fn json_key(i: usize, name: &str) -> Vec<u8> {
    let mut key = vec![if i == 0 { b'{' } else { b',' }];
    push_json(&mut key, Value::Text(name));
    key.push(b':');
    key
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn columns() -> Vec<Column> {
        vec![
            Column::text("text"),
            Column::new("n", ColumnType::Int),
            Column::new("p", ColumnType::Number),
            Column::new("ok", ColumnType::Bool),
        ]
    }

    fn write(name: &str, format: Format, rows: &[[Value<'_>; 4]]) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        let mut writer = TableWriter::new(Output::create(Some(&path)).unwrap(), format, columns()).unwrap();
        rows.iter().for_each(|row| writer.write_row(*row).unwrap());
        writer.finish().unwrap();
        std::fs::read_to_string(path).unwrap()
    }

    const ROWS: [[Value<'static>; 4]; 2] = [
        [Value::Text("a \"b\",\nc"), Value::Int(-3), Value::Number(0.1), Value::Bool(true)],
        [Value::Text("é"), Value::Null, Value::Number(f64::NAN), Value::Bool(false)],
    ];

    #[test]
    fn cells_are_written_in_the_way_of_each_format() {
        assert_eq!(write("t.csv", Format::Csv, &ROWS), "text,n,p,ok\n\"a \"\"b\"\",\nc\",-3,0.1,true\né,,,false\n");
        assert_eq!(
            write("t.jsonl", Format::Jsonl, &ROWS),
            "{\"text\":\"a \\\"b\\\",\\nc\",\"n\":-3,\"p\":0.1,\"ok\":true}\n{\"text\":\"é\",\"n\":null,\"p\":null,\"ok\":false}\n"
        );
    }

    #[test]
    fn an_empty_field_alone_is_still_a_row() {
        let layout = RowLayout::new(Format::Csv, vec![Column::text("t")]).unwrap();
        let mut buffer = RowBuffer::new();
        layout.push_row(&mut buffer, [Value::Text("")]);
        assert_eq!(buffer.bytes, b"\"\"\n");
    }

    #[test]
    fn the_output_format_follows_flag_then_name() {
        let path = Some(Path::new("o.jsonl.gz"));
        assert_eq!(output_format(path, None, Format::Csv).unwrap(), Format::Jsonl);
        assert_eq!(output_format(path, Some(Format::Csv), Format::Csv).unwrap(), Format::Csv);
        assert_eq!(output_format(None, None, Format::Csv).unwrap(), Format::Csv);
        assert!(output_format(Some(Path::new("o.txt")), None, Format::Csv).is_err());
        assert!(output_format(Some(Path::new("o.parquet.gz")), None, Format::Csv).is_err());
    }

    proptest! {
        /// What is written as CSV is read back by an independent reader.
        #[test]
        fn csv_comes_back_as_it_was(fields in prop::collection::vec("[ab,\"\n\r\té]{0,8}", 1..4)) {
            let layout = RowLayout::new(Format::Csv, fields.iter().map(Column::text).collect()).unwrap();
            let mut buffer = RowBuffer::new();
            layout.push_row(&mut buffer, fields.iter().map(|f| Value::Text(f)));
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&buffer.bytes[..]);
            let row = reader.records().next().unwrap().unwrap();
            prop_assert_eq!(row.iter().collect::<Vec<_>>(), fields);
        }
    }
}
