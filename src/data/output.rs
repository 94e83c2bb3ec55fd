//! Writing: standard output or a file, whole or not at all, and tables in three formats.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, ErrorKind, Result};

const BUFFER: usize = 1 << 18;

/// A destination. A file is written under a temporary name beside its own and renamed by [`Output::finish`], so that nobody ever sees half of it.
pub struct Output {
    path: PathBuf,
    sink: Sink,
}

enum Sink {
    Stdout(BufWriter<io::Stdout>),
    Plain(BufWriter<NamedTempFile>),
    Gzip(flate2::write::GzEncoder<BufWriter<NamedTempFile>>),
    Zstd(zstd::Encoder<'static, BufWriter<NamedTempFile>>),
    /// A device or pipe, which cannot be renamed over.
    Device(BufWriter<std::fs::File>),
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Output {
    /// Opens a destination; none or `-` is standard output. Names ending in `.gz` or `.zst` are compressed.
    ///
    /// # Errors
    ///
    /// If the directory cannot be written to.
    pub fn open(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path.filter(|p| *p != Path::new("-")) else {
            return Ok(Self { path: PathBuf::from("-"), sink: Sink::Stdout(BufWriter::with_capacity(BUFFER, io::stdout())) });
        };
        let failed = |e: io::Error| Error::new(ErrorKind::Io, "cannot write there").in_file(path).help("choose another place with --output").caused_by(e);
        if path.metadata().is_ok_and(|m| !m.is_file() && !m.is_dir()) {
            let file = std::fs::OpenOptions::new().write(true).open(path).map_err(failed)?;
            return Ok(Self { path: path.to_path_buf(), sink: Sink::Device(BufWriter::with_capacity(BUFFER, file)) });
        }
        let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = BufWriter::with_capacity(BUFFER, NamedTempFile::new_in(directory).map_err(failed)?);
        let sink = match path.extension().and_then(|e| e.to_str()) {
            Some("gz") => Sink::Gzip(flate2::write::GzEncoder::new(file, flate2::Compression::default())),
            Some("zst") => Sink::Zstd(zstd::Encoder::new(file, 3).map_err(failed)?),
            _ => Sink::Plain(file),
        };
        Ok(Self { path: path.to_path_buf(), sink })
    }

    /// Completes the output: flushes, and gives a file its name.
    ///
    /// # Errors
    ///
    /// If the rest cannot be written, as on a full disk.
    pub fn finish(self) -> Result<()> {
        let path = self.path;
        let failed = |e: io::Error| Error::new(ErrorKind::Io, "cannot write").in_file(&path).caused_by(e);
        let file = match self.sink {
            Sink::Stdout(mut out) => return out.flush().map_err(failed),
            Sink::Device(mut out) => return out.flush().map_err(failed),
            Sink::Plain(file) => file,
            Sink::Gzip(encoder) => encoder.finish().map_err(failed)?,
            Sink::Zstd(encoder) => encoder.finish().map_err(failed)?,
        };
        let file = file.into_inner().map_err(|e| failed(e.into_error()))?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644)).map_err(failed)?;
        }
        file.persist(&path).map_err(|e| failed(e.error))?;
        Ok(())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.sink {
            Sink::Stdout(out) => out.write(bytes),
            Sink::Plain(out) => out.write(bytes),
            Sink::Gzip(out) => out.write(bytes),
            Sink::Zstd(out) => out.write(bytes),
            Sink::Device(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::Stdout(out) => out.flush(),
            Sink::Plain(out) => out.flush(),
            Sink::Gzip(out) => out.flush(),
            Sink::Zstd(out) => out.flush(),
            Sink::Device(out) => out.flush(),
        }
    }
}

/// Format of a written table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFormat {
    /// Comma-separated values after RFC 4180, with a header.
    Csv,
    /// One JSON object a line, keys in column order.
    Jsonl,
    /// Parquet; needs the feature `parquet`.
    Parquet,
}

impl TableFormat {
    /// The format that a file name asks for, compression aside.
    pub fn from_path(path: &Path) -> Option<Self> {
        let name = path.to_str()?.to_ascii_lowercase();
        let name = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(&name);
        let formats = [(".csv", Self::Csv), (".jsonl", Self::Jsonl), (".ndjson", Self::Jsonl), (".parquet", Self::Parquet)];
        formats.into_iter().find(|(extension, _)| name.ends_with(extension)).map(|(_, format)| format)
    }
}

/// One cell of a written table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Nothing: empty in CSV, `null` in JSON.
    Null,
    /// Text.
    Text(&'a str),
    /// A whole number.
    Whole(i64),
    /// A probability or score, written with four digits after the point.
    Number(f64),
    /// A truth value.
    Truth(bool),
}

/// Writes rows of one shape.
pub struct TableWriter {
    columns: Vec<String>,
    kind: Writer,
}

enum Writer {
    Csv,
    Jsonl,
    #[cfg(feature = "parquet")]
    Parquet(super::parquet::ParquetWriter),
}

impl std::fmt::Debug for TableWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableWriter").field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl TableWriter {
    /// A writer of rows with these columns; the header of a CSV is written to `out` at once. `sample` tells Parquet the type of each column.
    ///
    /// # Errors
    ///
    /// If Parquet is wanted and not built in.
    pub fn new(format: TableFormat, columns: &[String], sample: &[Value<'_>], out: &mut Vec<u8>) -> Result<Self> {
        let kind = match format {
            TableFormat::Csv => {
                let header: Vec<Value<'_>> = columns.iter().map(|c| Value::Text(c)).collect();
                write_csv(&header, out);
                Writer::Csv
            }
            TableFormat::Jsonl => Writer::Jsonl,
            TableFormat::Parquet => Self::parquet(columns, sample)?,
        };
        Ok(Self { columns: columns.to_vec(), kind })
    }

    #[cfg(feature = "parquet")]
    fn parquet(columns: &[String], sample: &[Value<'_>]) -> Result<Writer> {
        Ok(Writer::Parquet(super::parquet::ParquetWriter::new(columns, sample)?))
    }

    #[cfg(not(feature = "parquet"))]
    fn parquet(_: &[String], _: &[Value<'_>]) -> Result<Writer> {
        Err(Error::new(ErrorKind::Unsupported, "this program was built without Parquet").help("build it with `--features parquet`, or write CSV"))
    }

    /// Appends a row to `out`. CSV and JSONL rows may be formatted on any thread with [`TableWriter::format_row`] instead.
    ///
    /// # Errors
    ///
    /// If a Parquet row group cannot be written.
    pub fn write_row(&mut self, row: &[Value<'_>], out: &mut Vec<u8>) -> Result<()> {
        match &mut self.kind {
            #[cfg(feature = "parquet")]
            Writer::Parquet(writer) => writer.write_row(row, out),
            _ => {
                self.format_row(row, out);
                Ok(())
            }
        }
    }

    /// Formats a CSV or JSONL row; a Parquet writer formats nothing here.
    pub fn format_row(&self, row: &[Value<'_>], out: &mut Vec<u8>) {
        match &self.kind {
            Writer::Csv => write_csv(row, out),
            Writer::Jsonl => write_json(&self.columns, row, out),
            #[cfg(feature = "parquet")]
            Writer::Parquet(_) => {}
        }
    }

    /// Whether rows can be formatted independently of each other.
    pub fn is_by_row(&self) -> bool {
        matches!(self.kind, Writer::Csv | Writer::Jsonl)
    }

    /// Appends what follows the last row.
    ///
    /// # Errors
    ///
    /// If the Parquet footer cannot be written.
    pub fn finish(self, out: &mut Vec<u8>) -> Result<()> {
        match self.kind {
            #[cfg(feature = "parquet")]
            Writer::Parquet(writer) => writer.finish(out),
            _ => {
                let _ = out;
                Ok(())
            }
        }
    }
}

fn write_csv(row: &[Value<'_>], out: &mut Vec<u8>) {
    for (i, value) in row.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        match value {
            Value::Null => {}
            Value::Text(text) => push_csv_text(text, row.len() == 1, out),
            Value::Whole(n) => push_display(n, out),
            Value::Number(n) => push_number(*n, out),
            Value::Truth(truth) => push_display(truth, out),
        }
    }
    out.push(b'\n');
}

/// Quotes where RFC 4180 asks for it, and where a single empty field would be an empty line.
fn push_csv_text(text: &str, is_alone: bool, out: &mut Vec<u8>) {
    let needs_quotes = text.bytes().any(|b| matches!(b, b'"' | b',' | b'\n' | b'\r')) || (is_alone && text.is_empty());
    if !needs_quotes {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    for (i, part) in text.split('"').enumerate() {
        if i > 0 {
            out.extend_from_slice(b"\"\"");
        }
        out.extend_from_slice(part.as_bytes());
    }
    out.push(b'"');
}

fn push_display(value: &impl std::fmt::Display, out: &mut Vec<u8>) {
    write!(out, "{value}").expect("a vector takes any bytes");
}

/// Four digits after the point; hand-made for probabilities, which are most of what is written.
fn push_number(n: f64, out: &mut Vec<u8>) {
    if !(0.0..10.0).contains(&n) {
        return push_display(&format_args!("{n:.4}"), out);
    }
    let units = (n * 10_000.0).round() as u32;
    let digit = |d: u32| b'0' + (units / d % 10) as u8;
    if units >= 100_000 {
        return push_display(&format_args!("{n:.4}"), out);
    }
    out.extend_from_slice(&[digit(10_000), b'.', digit(1000), digit(100), digit(10), digit(1)]);
}

fn write_json(columns: &[String], row: &[Value<'_>], out: &mut Vec<u8>) {
    for (i, (column, value)) in columns.iter().zip(row).enumerate() {
        out.push(if i == 0 { b'{' } else { b',' });
        push_json_text(column, out);
        out.push(b':');
        match value {
            Value::Null => out.extend_from_slice(b"null"),
            Value::Text(text) => push_json_text(text, out),
            Value::Whole(n) => push_display(n, out),
            Value::Number(n) if n.is_finite() => push_number(*n, out),
            Value::Number(_) => out.extend_from_slice(b"null"),
            Value::Truth(truth) => push_display(truth, out),
        }
    }
    out.extend_from_slice(b"}\n");
}

fn push_json_text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a string is valid JSON");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_is_quoted_only_where_needed() {
        let mut out = Vec::new();
        write_csv(&[Value::Text("a"), Value::Text("b, \"c\""), Value::Null, Value::Number(0.25), Value::Whole(-3)], &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "a,\"b, \"\"c\"\"\",,0.2500,-3\n");
    }

    #[test]
    fn numbers_look_as_the_standard_library_writes_them() {
        for n in [0.0, 0.00004, 0.00005, 0.5, 0.99994, 0.99996, 1.0, 9.99999, 12.5, -0.3] {
            let mut out = Vec::new();
            push_number(n, &mut out);
            let (ours, theirs): (f64, f64) = (String::from_utf8(out).unwrap().parse().unwrap(), format!("{n:.4}").parse().unwrap());
            assert!((ours - theirs).abs() < 1.01e-4, "{n}: {ours} {theirs}");
        }
    }

    #[test]
    fn json_keys_keep_their_order() {
        let columns = ["b".to_owned(), "a".to_owned()];
        let mut out = Vec::new();
        write_json(&columns, &[Value::Text("x\n"), Value::Truth(true)], &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "{\"b\":\"x\\n\",\"a\":true}\n");
    }

    #[test]
    fn a_file_appears_when_it_is_finished() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.csv.zst");
        let mut output = Output::open(Some(&path)).unwrap();
        output.write_all(b"text\n").unwrap();
        assert!(!path.exists());
        output.finish().unwrap();
        assert_eq!(zstd::decode_all(std::fs::File::open(&path).unwrap()).unwrap(), b"text\n");
    }

    #[test]
    fn a_full_device_is_an_error_with_its_name() {
        if !Path::new("/dev/full").exists() {
            return;
        }
        let mut output = Output::open(Some(Path::new("/dev/full"))).unwrap();
        output.write_all(b"text\n").unwrap();
        assert!(output.finish().unwrap_err().to_string().contains("/dev/full"));
    }
}
