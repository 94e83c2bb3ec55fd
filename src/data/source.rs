//! Where input comes from: files, directories, standard input, memory; and in which format it is.
//!
//! The format follows from the file name, or from a flag. Compression is recognised by the first bytes, so that a `.csv` that is really a gzip
//! file is read as one. This module opens byte streams; what the bytes mean is for [`super::encoding`] and above.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use super::columns::{Role, is_known_name};
use super::rejects::Rejects;
use crate::error::{Error, ErrorKind, Result};

/// Bytes asked of the system at once.
const READ_BYTES: usize = 256 * 1024;

/// What the help of an unknown extension lists.
const EXTENSIONS: &str = ".txt .md .html .htm .csv .tsv .jsonl .ndjson .parquet, each but the last also with .gz or .zst";

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Plain text, one article a file.
    Text,
    /// Markdown, one article a file.
    Markdown,
    /// A web page, one article a file.
    Html,
    /// A table with a header, fields separated by commas (or what is found in their place).
    Csv,
    /// A table with a header, fields separated by tabs.
    Tsv,
    /// One JSON object a line.
    Jsonl,
    /// A Parquet table; needs the feature `parquet`.
    Parquet,
}

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, also several members in a row.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl Format {
    /// The format of a file of this name, the suffix of a compression aside; `None` if the extension is unknown.
    pub fn from_path(path: &Path) -> Option<Self> {
        let name = Compression::strip(path);
        let extension = Path::new(&name).extension()?.to_str()?.to_ascii_lowercase();
        Self::from_extension(&extension)
    }

    /// Whether rows come from it.
    pub fn is_table(self) -> bool {
        matches!(self, Self::Csv | Self::Tsv | Self::Jsonl | Self::Parquet)
    }

    fn from_extension(extension: &str) -> Option<Self> {
        Some(match extension {
            "txt" | "text" => Self::Text,
            "md" | "markdown" => Self::Markdown,
            "html" | "htm" | "xhtml" => Self::Html,
            "csv" => Self::Csv,
            "tsv" => Self::Tsv,
            "jsonl" | "ndjson" => Self::Jsonl,
            "parquet" => Self::Parquet,
            _ => return None,
        })
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::from_extension(&name.to_ascii_lowercase()).ok_or_else(|| {
            Error::parameter("unknown format")
                .expected("one of text, md, html, csv, tsv, jsonl, parquet")
                .found(format!("{name:?}"))
        })
    }
}

impl Compression {
    /// The compression that the last extension of a file name asks for.
    pub fn from_path(path: &Path) -> Self {
        match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("gz") => Self::Gzip,
            Some("zst" | "zstd") => Self::Zstd,
            _ => Self::None,
        }
    }

    /// The compression that the first bytes of a stream show.
    fn from_magic(bytes: &[u8]) -> Self {
        match bytes {
            _ if bytes.starts_with(GZIP_MAGIC) => Self::Gzip,
            _ if bytes.starts_with(ZSTD_MAGIC) => Self::Zstd,
            _ => Self::None,
        }
    }

    /// The file name without the extension of a compression.
    fn strip(path: &Path) -> PathBuf {
        let name = PathBuf::from(path.file_name().unwrap_or_default());
        match Self::from_path(path) {
            Self::None => name,
            Self::Gzip | Self::Zstd => name.with_extension(""),
        }
    }
}

/// One input: a file, standard input, or bytes in memory.
#[derive(Debug, Clone)]
pub struct Source {
    origin: Origin,
    /// Name in messages; `-` for standard input.
    name: PathBuf,
    format: Option<Format>,
}

#[derive(Debug, Clone)]
enum Origin {
    File,
    Stdin,
    Memory(Arc<[u8]>),
}

impl Source {
    /// A file; the format follows from its name unless `format` says it.
    ///
    /// # Errors
    ///
    /// If the extension is unknown and no format is given.
    pub fn file(path: impl Into<PathBuf>, format: Option<Format>) -> Result<Self> {
        let name = path.into();
        let format = format.or_else(|| Format::from_path(&name)).ok_or_else(|| unknown_extension(&name))?;
        Ok(Self { origin: Origin::File, name, format: Some(format) })
    }

    /// Standard input; without a format it is looked for in the first bytes, and plain text if nothing is recognised.
    pub fn stdin(format: Option<Format>) -> Self {
        Self { origin: Origin::Stdin, name: PathBuf::from("-"), format }
    }

    /// Bytes in memory under a name that messages use and that gives the format, as a file's name does.
    pub fn from_bytes(name: impl Into<PathBuf>, bytes: impl Into<Arc<[u8]>>) -> Self {
        let name = name.into();
        let format = Format::from_path(&name);
        Self { origin: Origin::Memory(bytes.into()), name, format }
    }

    /// The file, or `-` for standard input.
    pub fn path(&self) -> &Path {
        &self.name
    }

    /// The file name without its extensions: the id of an article that is a file of its own. Standard input is `stdin`.
    pub fn stem(&self) -> String {
        match self.origin {
            Origin::Stdin => "stdin".to_owned(),
            _ => Compression::strip(&self.name).file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        }
    }

    /// The format, if the name or a flag tells it.
    pub fn format(&self) -> Option<Format> {
        self.format
    }

    /// Whether it is standard input.
    pub fn is_stdin(&self) -> bool {
        matches!(self.origin, Origin::Stdin)
    }

    /// Opens the stream of decompressed bytes.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, or its name ends in `.gz` or `.zst` and its content does not begin so.
    pub fn open(&self) -> Result<Box<dyn BufRead + Send>> {
        let mut raw: Box<dyn BufRead + Send> = match &self.origin {
            Origin::File => Box::new(BufReader::with_capacity(READ_BYTES, self.open_file()?)),
            Origin::Stdin => Box::new(BufReader::with_capacity(READ_BYTES, io::stdin())),
            Origin::Memory(bytes) => Box::new(Cursor::new(bytes.clone())),
        };
        let head = raw.fill_buf().map_err(|e| read_error(&self.name, e))?;
        let found = Compression::from_magic(head);
        let wanted = Compression::from_path(&self.name);
        if wanted != Compression::None && found != wanted && !head.is_empty() {
            return Err(self.not_compressed(wanted));
        }
        match found {
            Compression::None => Ok(raw),
            Compression::Gzip => Ok(Box::new(BufReader::with_capacity(READ_BYTES, flate2::bufread::MultiGzDecoder::new(raw)))),
            Compression::Zstd => {
                let decoder = zstd::Decoder::with_buffer(raw).map_err(|e| read_error(&self.name, e))?;
                Ok(Box::new(BufReader::with_capacity(READ_BYTES, decoder)))
            }
        }
    }

    /// Opens the stream and settles the format, by the first bytes where neither name nor flag tells it.
    ///
    /// # Errors
    ///
    /// As [`Source::open`].
    pub fn open_with_format(&self) -> Result<(Box<dyn BufRead + Send>, Format)> {
        let mut stream = self.open()?;
        let format = match self.format {
            Some(format) => format,
            None => sniff(stream.fill_buf().map_err(|e| read_error(&self.name, e))?),
        };
        Ok((stream, format))
    }

    /// The bytes or the file of a format that is read out of order.
    #[cfg(feature = "parquet")]
    pub(super) fn open_seekable(&self) -> Result<Seekable> {
        match &self.origin {
            Origin::File => Ok(Seekable::File(self.open_file()?)),
            Origin::Memory(bytes) => Ok(Seekable::Memory(bytes.clone())),
            Origin::Stdin => Err(Error::new(ErrorKind::Unsupported, "Parquet cannot be read from standard input")
                .in_file("-")
                .help("save it to a file and name that")),
        }
    }

    /// How many bytes there are; 0 of standard input, whose length nobody knows.
    #[cfg(feature = "parquet")]
    pub(super) fn byte_length(&self) -> Result<u64> {
        match &self.origin {
            Origin::File => std::fs::metadata(&self.name).map(|m| m.len()).map_err(|e| open_error(&self.name, e)),
            Origin::Memory(bytes) => Ok(bytes.len() as u64),
            Origin::Stdin => Ok(0),
        }
    }

    fn open_file(&self) -> Result<File> {
        File::open(&self.name).map_err(|e| open_error(&self.name, e))
    }

    fn not_compressed(&self, wanted: Compression) -> Error {
        let name = if wanted == Compression::Gzip { "gzip" } else { "Zstandard" };
        Error::input("not a compressed file")
            .in_file(&self.name)
            .expected(format!("{name} data, as its name says"))
            .found("other bytes at its start")
            .help("rename it without that extension, or copy it again")
    }
}

/// A source that can be read at any offset.
#[cfg(feature = "parquet")]
pub(super) enum Seekable {
    File(File),
    Memory(Arc<[u8]>),
}

/// The text of a small file that is UTF-8: a task, a table of names.
///
/// # Errors
///
/// If the file cannot be read, or is not UTF-8, with the line.
pub fn read_utf8(path: &Path) -> Result<String> {
    String::from_utf8(std::fs::read(path).map_err(|e| Error::io(path, e))?).map_err(|e| {
        let valid = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = 1 + valid.iter().filter(|&&byte| byte == b'\n').count();
        Error::input("invalid UTF-8").in_file(path).on_line(line as u64).help("save the file as UTF-8")
    })
}

/// The sources that `paths` name, in the order given: `-` is standard input, a directory stands for the files below it, sorted by name at each
/// level. In directories files of unknown extension, hidden files and linked directories are passed over. `format` overrides the extension of
/// what is named itself, not of what is found in directories.
///
/// # Errors
///
/// Of several paths, one that does not exist, has an unknown extension, or is a directory with nothing to read does not take the others along: it goes to `rejects`.
/// It is an error where no path is left, and so is standard input named twice.
pub fn expand<P: AsRef<Path>>(paths: &[P], format: Option<Format>, rejects: &mut Rejects) -> Result<Vec<Source>> {
    if paths.iter().filter(|path| is_stdin(path.as_ref())).count() > 1 {
        return Err(Error::parameter("standard input is named twice").help("name - once: it can be read only once"));
    }
    let mut sources = Vec::new();
    let mut refused = Vec::new();
    for path in paths {
        match sources_of(path.as_ref(), format) {
            Ok(found) => sources.extend(found),
            Err(error) => refused.push(error),
        }
    }
    let mut refused = refused.into_iter();
    match refused.next() {
        Some(first) if sources.is_empty() => return Err(first),
        first => first.into_iter().chain(refused).try_for_each(|error| rejects.add(error))?,
    }
    Ok(sources)
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

fn sources_of(path: &Path, format: Option<Format>) -> Result<Vec<Source>> {
    if is_stdin(path) {
        return Ok(vec![Source::stdin(format)]);
    }
    let metadata = std::fs::metadata(path).map_err(|e| open_error(path, e))?;
    if !metadata.is_dir() {
        return Ok(vec![Source::file(path, format)?]);
    }
    let mut sources = Vec::new();
    collect_directory(path, &mut sources)?;
    if sources.is_empty() {
        return Err(Error::input("nothing to read in this directory")
            .in_file(path)
            .expected(format!("files named {EXTENSIONS}")));
    }
    Ok(sources)
}

fn collect_directory(directory: &Path, sources: &mut Vec<Source>) -> Result<()> {
    let listing = std::fs::read_dir(directory).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut entries = listing.map_err(|e| open_error(directory, e))?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        let kind = entry.file_type().map_err(|e| open_error(&path, e))?;
        if is_hidden {
            continue;
        } else if kind.is_dir() {
            collect_directory(&path, sources)?;
        } else if Format::from_path(&path).is_some() && path.is_file() {
            sources.push(Source::file(path, None)?);
        }
    }
    Ok(())
}

/// The format that the first bytes of a stream show; plain text if they show none.
fn sniff(head: &[u8]) -> Format {
    let text = String::from_utf8_lossy(&head[..head.len().min(4096)]);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let start: String = text.chars().take(64).collect::<String>().to_ascii_lowercase();
    let first_line = text.lines().next().unwrap_or_default();
    if head.starts_with(b"PAR1") {
        Format::Parquet
    } else if ["<!doctype html", "<html", "<head", "<body"].iter().any(|tag| start.starts_with(tag)) {
        Format::Html
    } else if start.starts_with("{\"") || (start.starts_with('{') && first_line.contains('"')) {
        Format::Jsonl
    } else if is_header(first_line, '\t') {
        Format::Tsv
    } else if is_header(first_line, ',') {
        Format::Csv
    } else {
        Format::Text
    }
}

/// Whether a first line is a table's header: several short names, one of them the name of a text column.
fn is_header(line: &str, delimiter: char) -> bool {
    let names: Vec<&str> = line.split(delimiter).map(|name| name.trim().trim_matches('"')).collect();
    let is_name = |name: &&str| name.len() <= 40 && !name.contains(['.', '!', '?']);
    names.len() > 1 && names.iter().all(is_name) && names.iter().any(|name| is_known_name(Role::Text, name))
}

fn unknown_extension(path: &Path) -> Error {
    let found = path.extension().map_or("no extension".to_owned(), |e| format!(".{}", e.to_string_lossy()));
    Error::input("unknown kind of file")
        .in_file(path)
        .expected(EXTENSIONS)
        .found(found)
        .help("rename it, or say what it is with --input-format")
}

/// An error of opening: says which of the usual reasons it was.
pub(super) fn open_error(path: &Path, error: io::Error) -> Error {
    let (message, help) = match error.kind() {
        io::ErrorKind::NotFound => ("no such file or directory", "check the path"),
        io::ErrorKind::PermissionDenied => ("not allowed to read this", "check its permissions"),
        _ => return read_error(path, error),
    };
    Error::new(ErrorKind::Io, message).in_file(path).help(help).caused_by(error)
}

/// An error of reading: damaged archives are the file's fault, all else the system's.
pub(super) fn read_error(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::input("the compressed file ends too early")
            .in_file(path)
            .help("it was cut off; copy or download it again")
            .caused_by(error),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other => {
            Error::input("the compressed file is damaged")
                .in_file(path)
                .found(error.to_string())
                .help("copy or download it again")
                .caused_by(error)
        }
        _ => Error::new(ErrorKind::Io, "cannot read").in_file(path).found(error.to_string()).caused_by(error),
    }
}

/// Reads `stream` to its end, or to one byte more than `limit`.
pub(super) fn read_to_limit(stream: impl Read, limit: usize, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(|e| read_error(path, e))?;
    if bytes.len() > limit {
        return Err(Error::input("the file is too large for one article")
            .in_file(path)
            .expected(format!("at most {limit} bytes"))
            .help("cut it into articles, or raise --max-row-bytes"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_tells_format_and_compression() {
        let cases = [
            ("a.txt", Some(Format::Text), Compression::None),
            ("dir.csv/a.MD", Some(Format::Markdown), Compression::None),
            ("a.htm.gz", Some(Format::Html), Compression::Gzip),
            ("a.tsv.zst", Some(Format::Tsv), Compression::Zstd),
            ("a.ndjson", Some(Format::Jsonl), Compression::None),
            ("a.parquet", Some(Format::Parquet), Compression::None),
            ("a.pdf", None, Compression::None),
            ("a.gz", None, Compression::Gzip),
            ("csv", None, Compression::None),
        ];
        for (name, format, compression) in cases {
            assert_eq!(Format::from_path(Path::new(name)), format, "{name}");
            assert_eq!(Compression::from_path(Path::new(name)), compression, "{name}");
        }
    }

    #[test]
    fn the_stem_has_no_extension_at_all() {
        assert_eq!(Source::from_bytes("x/story-1.txt.gz", *b"").stem(), "story-1");
        assert_eq!(Source::stdin(None).stem(), "stdin");
    }

    #[test]
    fn unnamed_streams_are_recognised_by_their_start() {
        assert_eq!(sniff(b"{\"text\": 1}\n"), Format::Jsonl);
        assert_eq!(sniff(b"\xef\xbb\xbf<!DOCTYPE html><p>"), Format::Html);
        assert_eq!(sniff(b"id,text\n1,a\n"), Format::Csv);
        assert_eq!(sniff(b"id\tText\n1\ta\n"), Format::Tsv);
        assert_eq!(sniff(b"First, text and the rest. Second.\n"), Format::Text);
        assert_eq!(sniff(b""), Format::Text);
    }

    #[test]
    fn an_unknown_extension_is_an_error_that_says_what_is_known() {
        let message = Source::file("report.pdf", None).unwrap_err().to_string();
        assert!(message.starts_with("report.pdf: unknown kind of file; expected .txt"), "{message}");
        assert!(Source::file("report.pdf", Some(Format::Text)).is_ok());
    }
}
