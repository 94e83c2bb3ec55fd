//! Rows that were refused: counted, listed, and none of them fatal.

use std::io::Write;

use crate::error::{Error, Result};

/// So many refusals are kept for the summary; all of them go to the file.
const KEPT: usize = 10;

/// Collects refused rows.
#[derive(Default)]
pub struct Rejects {
    count: u64,
    first: Vec<Error>,
    file: Option<Box<dyn Write + Send>>,
    is_strict: bool,
}

impl std::fmt::Debug for Rejects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rejects").field("count", &self.count).field("first", &self.first).finish_non_exhaustive()
    }
}

impl Rejects {
    /// Counts refusals and keeps the first few.
    pub fn new() -> Self {
        Self::default()
    }

    /// Also writes each refusal to `file` as CSV: file, line, column, reason.
    ///
    /// # Errors
    ///
    /// If the header cannot be written.
    pub fn with_file(mut self, mut file: Box<dyn Write + Send>) -> Result<Self> {
        writeln!(file, "file,line,column,reason").map_err(|e| Error::new(crate::ErrorKind::Io, "cannot write the list of refused rows").caused_by(e))?;
        self.file = Some(file);
        Ok(self)
    }

    /// Makes the first refusal an error.
    pub fn strict(mut self, is_strict: bool) -> Self {
        self.is_strict = is_strict;
        self
    }

    /// Refuses a row.
    ///
    /// # Errors
    ///
    /// The refusal itself where the collection is strict; or if the list cannot be written.
    pub fn add(&mut self, error: Error) -> Result<()> {
        if self.is_strict {
            return Err(error);
        }
        if let Some(file) = &mut self.file {
            let place = error.place();
            let name = place.file.as_ref().map(|f| f.display().to_string()).unwrap_or_default();
            let line = place.line.map(|l| l.to_string()).unwrap_or_default();
            let mut writer = csv::Writer::from_writer(Vec::new());
            let whole = error.to_string();
            let reason = whole.split_once(error.message()).map_or(whole.clone(), |(_, rest)| format!("{}{rest}", error.message()));
            let record = [name, line, place.column.clone().unwrap_or_default(), reason];
            let written = writer.write_record(record).ok().and_then(|()| writer.into_inner().ok()).unwrap_or_default();
            file.write_all(&written).map_err(|e| Error::new(crate::ErrorKind::Io, "cannot write the list of refused rows").caused_by(e))?;
        }
        self.count += 1;
        if self.first.len() < KEPT {
            self.first.push(error);
        }
        Ok(())
    }

    /// Number of refused rows.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The first few refusals.
    pub fn first(&self) -> &[Error] {
        &self.first
    }

    /// Flushes the list.
    ///
    /// # Errors
    ///
    /// If the list cannot be written.
    pub fn flush(&mut self) -> Result<()> {
        match &mut self.file {
            Some(file) => file.flush().map_err(|e| Error::new(crate::ErrorKind::Io, "cannot write the list of refused rows").caused_by(e)),
            None => Ok(()),
        }
    }
}
