//! Where output goes: standard output, or a file that appears whole or not at all.
//!
//! A file is written under a temporary name in its own directory and renamed by [`Output::finish`], so that a run that fails leaves the old
//! file as it was. Devices and pipes are written to directly. Open outputs before long work: a directory that cannot be written to is found
//! out then.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;
use tempfile::NamedTempFile;

use super::source::Compression;
use crate::error::{Error, ErrorKind, Result};

/// Bytes given to the system at once.
const WRITE_BYTES: usize = 256 * 1024;

/// Zstandard's own default.
const ZSTD_LEVEL: i32 = 3;

/// A buffered output, compressed if the name of its file ends in `.gz` or `.zst`.
pub struct Output {
    sink: Sink,
    /// Name in messages; `-` for standard output.
    name: PathBuf,
    /// Whether every write reaches the reader at once: on a terminal.
    is_terminal: bool,
}

enum Sink {
    Plain(BufWriter<Target>),
    Gzip(GzEncoder<BufWriter<Target>>),
    Zstd(zstd::Encoder<'static, BufWriter<Target>>),
}

enum Target {
    Stdout(Stdout),
    /// A device or a pipe, written to directly.
    Device(File),
    /// A file to be renamed to the path when it is finished.
    Temporary(NamedTempFile, PathBuf),
}

impl Output {
    /// Opens the file at `path`; `None` and `-` are standard output.
    ///
    /// # Errors
    ///
    /// If the directory is missing or cannot be written to, or the file is there and read-only.
    pub fn create(path: Option<&Path>) -> Result<Self> {
        match path {
            None => Self::stdout(),
            Some(path) if path == Path::new("-") => Self::stdout(),
            Some(path) => Self::file(path),
        }
    }

    /// Standard output.
    fn stdout() -> Result<Self> {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let sink = Sink::Plain(BufWriter::with_capacity(WRITE_BYTES, Target::Stdout(stdout)));
        Ok(Self { sink, name: PathBuf::from("-"), is_terminal })
    }

    fn file(path: &Path) -> Result<Self> {
        let target = Target::open(path).map_err(|e| write_error(path, e))?;
        let buffered = BufWriter::with_capacity(WRITE_BYTES, target);
        let sink = match Compression::from_path(path) {
            Compression::None => Sink::Plain(buffered),
            Compression::Gzip => Sink::Gzip(GzEncoder::new(buffered, flate2::Compression::default())),
            Compression::Zstd => Sink::Zstd(zstd::Encoder::new(buffered, ZSTD_LEVEL).map_err(|e| write_error(path, e))?),
        };
        Ok(Self { sink, name: path.to_path_buf(), is_terminal: false })
    }

    /// The file, or `-` for standard output.
    pub fn path(&self) -> &Path {
        &self.name
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    ///
    /// If the system refuses: a full disk, a closed pipe ([`Error::is_broken_pipe`]).
    pub fn write_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.write_all(bytes).map_err(|e| write_error(&self.name, e))
    }

    /// Writes what is still held back, and puts the file in its place. Without this call no file appears.
    ///
    /// # Errors
    ///
    /// If the system refuses the rest, or the renaming.
    pub fn finish(self) -> Result<()> {
        let name = self.name;
        self.sink.finish().and_then(Target::finish).map_err(|e| write_error(&name, e))
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.sink.as_write().write(bytes)?;
        if self.is_terminal {
            self.sink.as_write().flush()?;
        }
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.as_write().flush()
    }
}

impl Sink {
    fn as_write(&mut self) -> &mut dyn Write {
        match self {
            Self::Plain(sink) => sink,
            Self::Gzip(sink) => sink,
            Self::Zstd(sink) => sink,
        }
    }

    fn finish(self) -> io::Result<Target> {
        let buffered = match self {
            Self::Plain(sink) => sink,
            Self::Gzip(sink) => sink.finish()?,
            Self::Zstd(sink) => sink.finish()?,
        };
        buffered.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

impl Target {
    fn open(path: &Path) -> io::Result<Self> {
        // The file behind a link is replaced, not the link.
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(metadata) if !metadata.is_file() => return OpenOptions::new().write(true).open(&path).map(Self::Device),
            Ok(metadata) if metadata.permissions().readonly() => return Err(io::ErrorKind::PermissionDenied.into()),
            _ => {}
        }
        let directory = path.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".stance-").suffix(".tmp");
        #[cfg(unix)]
        {
            // As any new file; the process's mask still applies.
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let temporary = builder.tempfile_in(directory).map_err(bare)?;
        Ok(Self::Temporary(temporary, path))
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Stdout(mut stdout) => stdout.flush(),
            Self::Device(_) => Ok(()),
            Self::Temporary(file, path) => file.persist(path).map(drop).map_err(|e| e.error),
        }
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(bytes),
            Self::Device(file) => file.write(bytes),
            Self::Temporary(file, _) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::Device(file) => file.flush(),
            Self::Temporary(file, _) => file.flush(),
        }
    }
}

/// The system's error without the temporary name that `tempfile` wraps around it, which would only confuse.
fn bare(error: io::Error) -> io::Error {
    match error.get_ref().and_then(|inner| std::error::Error::source(inner)).and_then(|e| e.downcast_ref::<io::Error>()) {
        Some(inner) => inner.raw_os_error().map_or_else(|| inner.kind().into(), io::Error::from_raw_os_error),
        None => error,
    }
}

/// An error of writing: says which of the usual reasons it was.
pub(super) fn write_error(path: &Path, error: io::Error) -> Error {
    let (message, help) = match error.kind() {
        io::ErrorKind::BrokenPipe => ("the reader of the output closed it", ""),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ("no space left to write the output", "free some, or name a file on another disk with --output")
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            ("not allowed to write the output here", "name a file in a directory that can be written to with --output")
        }
        io::ErrorKind::NotFound => {
            ("the directory of the output does not exist", "make it first, or name another file with --output")
        }
        io::ErrorKind::IsADirectory => ("the output is a directory", "name a file with --output"),
        _ => ("cannot write the output", "name another file with --output"),
    };
    let mut placed = Error::new(ErrorKind::Io, message).in_file(path).found(error.to_string());
    if !help.is_empty() {
        placed = placed.help(help);
    }
    placed.caused_by(error)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_file_appears_only_when_it_is_finished() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.txt");
        std::fs::write(&path, "old").unwrap();
        let mut output = Output::create(Some(&path)).unwrap();
        output.write_bytes(b"new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        output.finish().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        drop(Output::create(Some(&path)).unwrap());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_extension_compresses() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["a.csv.gz", "a.csv.zst"] {
            let path = directory.path().join(name);
            let mut output = Output::create(Some(&path)).unwrap();
            output.write_bytes(b"id,text\n1,a\n").unwrap();
            output.finish().unwrap();
            assert_ne!(std::fs::read(&path).unwrap(), b"id,text\n1,a\n");
            let mut text = String::new();
            crate::data::Source::file(&path, None).unwrap().open().unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "id,text\n1,a\n");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_written_through() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("file"), directory.path().join("link"));
        std::fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let mut output = Output::create(Some(&link)).unwrap();
        output.write_bytes(b"new").unwrap();
        output.finish().unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "new");
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}
