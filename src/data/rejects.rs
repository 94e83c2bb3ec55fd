//! Rows that are refused while good rows go on: counted, the first ones kept, all of them written to a table if that is asked for.

use super::output::Output;
use super::write::push_csv_field;
use crate::error::{Error, Result};

/// Refused rows kept in memory, so that a file of bad rows does not fill it.
const MAX_KEPT: usize = 1000;

/// The refused rows of a run.
#[derive(Default)]
pub struct Rejects {
    n: u64,
    first: Vec<Error>,
    is_strict: bool,
    table: Option<Output>,
    line: Vec<u8>,
}

impl Rejects {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With `true`, the first refused row is an error that ends the reading.
    pub fn strict(mut self, is_strict: bool) -> Self {
        self.is_strict = is_strict;
        self
    }

    /// Writes every refused row to `output` as CSV with the columns file, line, column, reason.
    ///
    /// # Errors
    ///
    /// If the header cannot be written.
    pub fn write_to(mut self, mut output: Output) -> Result<Self> {
        output.write_bytes(b"file,line,column,reason\n")?;
        self.table = Some(output);
        Ok(self)
    }

    /// Takes one refused row.
    ///
    /// # Errors
    ///
    /// The row's own error if the reading is strict, or one of writing the table.
    pub fn add(&mut self, error: Error) -> Result<()> {
        if self.is_strict {
            return Err(error);
        }
        self.n += 1;
        if let Some(table) = &mut self.table {
            self.line.clear();
            push_row(&mut self.line, &error);
            table.write_bytes(&self.line)?;
        }
        if self.first.len() < MAX_KEPT {
            self.first.push(error);
        }
        Ok(())
    }

    /// How many there are.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// The first 1000 of them.
    pub fn first(&self) -> &[Error] {
        &self.first
    }

    /// Finishes the table, if there is one.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn finish(&mut self) -> Result<()> {
        self.table.take().map_or(Ok(()), Output::finish)
    }
}

/// One line of the table.
fn push_row(line: &mut Vec<u8>, error: &Error) {
    let place = error.place();
    let all = error.to_string();
    let reason = all.strip_prefix(&place.to_string()).unwrap_or(&all);
    let file = place.file.as_ref().map(|f| f.display().to_string()).unwrap_or_default();
    let number = place.line.map(|l| l.to_string()).unwrap_or_default();
    for (i, field) in [&file, &number, place.column.as_deref().unwrap_or_default(), reason].into_iter().enumerate() {
        if i > 0 {
            line.push(b',');
        }
        push_csv_field(line, field, b',');
    }
    line.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(line: u64) -> Error {
        Error::input("ragged row").in_file("a.csv").on_line(line).expected("3 fields").found("2, \"x\"")
    }

    #[test]
    fn all_are_counted_and_written_and_the_first_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rejects.csv");
        let mut rejects = Rejects::new().write_to(Output::create(Some(&path)).unwrap()).unwrap();
        (0..1500).try_for_each(|line| rejects.add(bad(line))).unwrap();
        rejects.finish().unwrap();
        assert_eq!((rejects.n(), rejects.first().len()), (1500, 1000));
        let table = std::fs::read_to_string(&path).unwrap();
        assert_eq!(table.lines().count(), 1501);
        assert_eq!(table.lines().nth(1).unwrap(), "a.csv,0,,\"ragged row; expected 3 fields; found 2, \"\"x\"\"\"");
    }

    #[test]
    fn strict_reading_ends_at_the_first() {
        assert!(Rejects::new().strict(true).add(bad(7)).unwrap_err().to_string().starts_with("a.csv:7: ragged row"));
    }
}
