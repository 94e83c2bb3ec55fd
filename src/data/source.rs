//! Which files there are, what is in them by their names, and how to open them.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::data::encoding;
use crate::error::{Error, Result};

const BUFFER: usize = 1 << 18;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Plain text, one article.
    Text,
    /// Markdown, one article.
    Markdown,
    /// A web page, one article.
    Html,
    /// A table with a header, separated by commas.
    Csv,
    /// A table with a header, separated by tabs.
    Tsv,
    /// One JSON object a line.
    Jsonl,
    /// A Parquet table.
    Parquet,
}

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// Gzip, several members allowed.
    Gzip,
    /// Zstandard.
    Zstd,
}

/// One input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file; `-` is standard input.
    pub path: PathBuf,
    /// What it holds.
    pub format: Format,
    /// How it is compressed.
    pub compression: Compression,
}

impl Format {
    /// The format that a file extension stands for.
    pub fn from_extension(extension: &str) -> Option<Self> {
        Some(match extension {
            "txt" | "text" => Self::Text,
            "md" | "markdown" => Self::Markdown,
            "html" | "htm" | "xhtml" => Self::Html,
            "csv" => Self::Csv,
            "tsv" | "tab" => Self::Tsv,
            "jsonl" | "ndjson" => Self::Jsonl,
            "parquet" => Self::Parquet,
            _ => return None,
        })
    }

    /// Whether a file of this format holds many rows.
    pub fn is_table(self) -> bool {
        matches!(self, Self::Csv | Self::Tsv | Self::Jsonl | Self::Parquet)
    }
}

impl Source {
    /// An input by its name; `format` overrules the extension and is needed where there is none. `-` is standard input, plain text unless told otherwise.
    ///
    /// # Errors
    ///
    /// If the extension is unknown and no format is given.
    pub fn new(path: impl AsRef<Path>, format: Option<Format>) -> Result<Self> {
        let path = path.as_ref();
        if path == Path::new("-") {
            return Ok(Self { path: path.to_path_buf(), format: format.unwrap_or(Format::Text), compression: Compression::None });
        }
        let (named, compression) = by_name(path);
        let format = format.or(named).ok_or_else(|| {
            Error::input("unknown kind of file")
                .in_file(path)
                .expected(".txt, .md, .html, .csv, .tsv, .jsonl or .parquet, each also with .gz or .zst")
                .help("rename the file or say what it is with --input-format")
        })?;
        Ok(Self { path: path.to_path_buf(), format, compression })
    }

    /// Whether this is standard input.
    pub fn is_stdin(&self) -> bool {
        self.path == Path::new("-")
    }

    /// Opens the input as a stream of decompressed UTF-8. Text in another encoding is converted; `notice` is told which was assumed.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened.
    pub fn open(&self, notice: &mut dyn FnMut(String)) -> Result<Box<dyn Read + Send>> {
        let raw: Box<dyn Read + Send> = if self.is_stdin() {
            Box::new(io::stdin())
        } else {
            Box::new(File::open(&self.path).map_err(|e| self.unreadable(e))?)
        };
        let raw: Box<dyn Read + Send> = match self.compression {
            Compression::None => raw,
            Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(BufReader::with_capacity(BUFFER, raw))),
            Compression::Zstd => Box::new(zstd::Decoder::new(raw).map_err(|e| Error::io(&self.path, e))?),
        };
        let (reader, assumed) = encoding::to_utf8(raw).map_err(|e| Error::io(&self.path, e))?;
        if let Some(encoding) = assumed {
            notice(format!("{}: read as {encoding}, converted to UTF-8", self.path.display()));
        }
        Ok(reader)
    }

    fn unreadable(&self, e: io::Error) -> Error {
        let error = Error::input("cannot open the file").in_file(&self.path);
        match e.kind() {
            io::ErrorKind::NotFound => error.help("check the path").caused_by(e),
            _ => error.caused_by(e),
        }
    }
}

fn by_name(path: &Path) -> (Option<Format>, Compression) {
    let extension = |p: &Path| p.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    let compression = match extension(path).as_deref() {
        Some("gz") => Compression::Gzip,
        Some("zst") => Compression::Zstd,
        _ => Compression::None,
    };
    let inner = if compression == Compression::None { path.to_path_buf() } else { path.with_extension("") };
    (extension(&inner).and_then(|e| Format::from_extension(&e)), compression)
}

/// All inputs under `paths`: files as they are given, directories recursively in sorted order, their files of unknown kinds left out.
///
/// # Errors
///
/// If a path does not exist, a named file is of an unknown kind, or nothing is found.
pub fn expand(paths: &[PathBuf], format: Option<Format>) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for path in paths {
        if path.is_dir() {
            walk(path, &mut sources)?;
        } else {
            sources.push(Source::new(path, format)?);
        }
    }
    if sources.is_empty() {
        let place = paths.first().cloned().unwrap_or_default();
        return Err(Error::input("no file to read").in_file(place).expected("files ending in .txt, .md, .html, .csv, .tsv, .jsonl or .parquet"));
    }
    Ok(sources)
}

fn walk(directory: &Path, sources: &mut Vec<Source>) -> Result<()> {
    let entries = std::fs::read_dir(directory).and_then(|entries| entries.collect::<io::Result<Vec<_>>>()).map_err(|e| Error::io(directory, e))?;
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|e| e.path()).collect();
    paths.sort();
    for path in paths {
        // A link to a directory could lead back up and never end.
        let is_link = path.symlink_metadata().is_ok_and(|m| m.is_symlink());
        if path.is_dir() {
            if !is_link {
                walk(&path, sources)?;
            }
        } else if by_name(&path).0.is_some() {
            sources.push(Source::new(&path, None)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_format_and_compression() {
        let source = Source::new("a/b.csv.gz", None).unwrap();
        assert_eq!((source.format, source.compression), (Format::Csv, Compression::Gzip));
        assert_eq!(Source::new("B.HTML.zst", None).unwrap().compression, Compression::Zstd);
        assert!(Source::new("b.doc", None).unwrap_err().to_string().contains("--input-format"));
    }

    #[test]
    fn directories_are_read_in_sorted_order() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["b.txt", "a/z.md", "a/skip.png", "c.csv"] {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        let found = expand(&[directory.path().to_path_buf()], None).unwrap();
        let names: Vec<_> = found.iter().map(|s| s.path.strip_prefix(directory.path()).unwrap().to_str().unwrap().to_owned()).collect();
        assert_eq!(names, ["a/z.md", "b.txt", "c.csv"]);
    }
}
