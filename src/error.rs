//! The one error type of the library.
//!
//! An error says what is wrong, where (file, line, column), what was expected and what was found, and what to do about it. The parts are
//! fields, so that a program can act on them; [`std::fmt::Display`] joins them into one line. It is not for rows that are refused while good
//! rows go on: those are collected by [`crate::data::Rejects`], with the same error inside.

use std::fmt;
use std::path::{Path, PathBuf};

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, where, and what to do.
#[derive(Debug)]
pub struct Error(Box<Inner>);

/// The kind of an [`Error`], for callers that treat kinds differently.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Reading or writing failed in the operating system.
    Io,
    /// Data from outside has the wrong form: a ragged row, a missing column, bad UTF-8.
    Input,
    /// Labels that cannot be trained on or scored: unknown, one class only, an empty group.
    Labels,
    /// A parameter is outside its legal range, or two exclude each other.
    Parameter,
    /// A model file is damaged, too new, or not one of ours.
    Model,
    /// The program was built without the feature that this needs.
    Unsupported,
}

/// A position in the input; every part is optional.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, `-` for standard input.
    pub file: Option<PathBuf>,
    /// Line, counted from 1.
    pub line: Option<u64>,
    /// Name of the column of a table.
    pub column: Option<String>,
}

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    place: Place,
    expected: Option<String>,
    found: Option<String>,
    help: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// A new error; the message is lower case and has no full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            place: Place::default(),
            expected: None,
            found: None,
            help: None,
            source: None,
        }))
    }

    /// Data from outside that has the wrong form.
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Input, message)
    }

    /// Labels that cannot be used.
    pub fn labels(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Labels, message)
    }

    /// A parameter outside its range.
    pub fn parameter(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Parameter, message)
    }

    /// A model file that cannot be used.
    pub fn model(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Model, message)
    }

    /// A failure of the operating system on `path`.
    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        let (message, help) = match source.kind() {
            std::io::ErrorKind::NotFound => ("no such file or directory", Some("check the path")),
            std::io::ErrorKind::PermissionDenied => ("not allowed to read or write this", Some("check its permissions")),
            std::io::ErrorKind::IsADirectory => ("a directory, not a file", Some("name a file in it")),
            _ => ("cannot read or write", None),
        };
        let mut error = Self::new(ErrorKind::Io, message).in_file(path);
        error.0.help = help.map(str::to_owned);
        error.0.source = Some(Box::new(source));
        error
    }

    /// Names the file, unless one is named already.
    pub fn in_file(mut self, path: impl AsRef<Path>) -> Self {
        if self.0.place.file.is_none() {
            self.0.place.file = Some(path.as_ref().to_path_buf());
        }
        self
    }

    /// Names the line, counted from 1.
    pub fn on_line(mut self, line: u64) -> Self {
        self.0.place.line = Some(line);
        self
    }

    /// Names the column of a table.
    pub fn in_column(mut self, column: impl Into<String>) -> Self {
        self.0.place.column = Some(column.into());
        self
    }

    /// Says what was expected.
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.0.expected = Some(expected.into());
        self
    }

    /// Says what was found instead.
    pub fn found(mut self, found: impl Into<String>) -> Self {
        self.0.found = Some(found.into());
        self
    }

    /// Says what to do: which flag, which file, which value is legal.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Adds to what [`Error::help`] says.
    pub(crate) fn help_more(mut self, more: &str) -> Self {
        self.0.help = Some(self.0.help.map_or_else(|| more.to_owned(), |help| format!("{help}; {more}")));
        self
    }

    /// Keeps the cause.
    pub fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Box::new(source));
        self
    }

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Where it happened.
    pub fn place(&self) -> &Place {
        &self.0.place
    }

    /// The message alone, without place, expectation and help.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether a closed pipe caused it, which is no failure for a program that writes to one.
    pub fn is_broken_pipe(&self) -> bool {
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            if let Some(io) = error.downcast_ref::<std::io::Error>() {
                return io.kind() == std::io::ErrorKind::BrokenPipe;
            }
            cause = error.source();
        }
        false
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        write!(f, "{}", inner.place)?;
        f.write_str(&inner.message)?;
        if let Some(expected) = &inner.expected {
            write!(f, "; expected {expected}")?;
        }
        if let Some(found) = &inner.found {
            write!(f, "; found {found}")?;
        }
        if let Some(help) = &inner.help {
            write!(f, "; {help}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Place {
    /// `file:line, column "c": `, or nothing at all.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "{}:{line}", file.display())?,
            (Some(file), None) => write!(f, "{}", file.display())?,
            (None, Some(line)) => write!(f, "line {line}")?,
            (None, None) => {}
        }
        let is_placed = self.file.is_some() || self.line.is_some();
        match (&self.column, is_placed) {
            (Some(column), true) => write!(f, ", column {column:?}: "),
            (Some(column), false) => write!(f, "column {column:?}: "),
            (None, true) => f.write_str(": "),
            (None, false) => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|e| e as &(dyn std::error::Error + 'static))
    }
}

impl From<linfa::Error> for Error {
    fn from(error: linfa::Error) -> Self {
        Self::parameter("linfa refused the data").caused_by(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_stand_in_one_line() {
        let error = Error::input("no such column")
            .in_file("a.csv")
            .on_line(3)
            .in_column("text")
            .expected("one of text, sentence")
            .found("body")
            .help("name it with --text");
        assert_eq!(
            error.to_string(),
            "a.csv:3, column \"text\": no such column; expected one of text, sentence; found body; name it with --text"
        );
    }

    #[test]
    fn an_error_without_a_place_starts_with_its_message() {
        assert_eq!(Error::parameter("C must be positive").to_string(), "C must be positive");
    }
}
