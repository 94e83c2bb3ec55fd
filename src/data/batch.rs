//! A batch of table rows in one flat buffer, made to be refilled without allocating.
//!
//! While it is filled the buffer holds unchecked bytes; [`RowBatch::seal`] checks them all at once and turns them into text. Only if that
//! fails are the rows looked at one by one, the bad ones taken out.

use std::path::Path;

use crate::error::{Error, Result};

/// Rows of a table: fields as text, and the line where each row begins.
#[derive(Debug, Default)]
pub struct RowBatch {
    text: String,
    /// Field `c` of row `r` ends at `ends[r * n_columns + c]` and begins where the one before it ends.
    ends: Vec<usize>,
    lines: Vec<u64>,
    n_columns: usize,
    /// The buffer while it is filled; empty otherwise.
    bytes: Vec<u8>,
    /// Rows refused while it was filled.
    refused: Vec<Error>,
}

impl RowBatch {
    /// No rows yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.lines.len()
    }

    /// Number of columns.
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// Bytes of all fields together.
    pub fn n_bytes(&self) -> usize {
        self.text.len()
    }

    /// The field at `row` and `column`, both counted from 0.
    ///
    /// # Panics
    ///
    /// If there is no such field.
    #[inline]
    pub fn field(&self, row: usize, column: usize) -> &str {
        assert!(column < self.n_columns, "column {column} of {}", self.n_columns);
        let i = row * self.n_columns + column;
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.text[start..self.ends[i]]
    }

    /// The fields of `row` in order.
    pub fn row(&self, row: usize) -> impl Iterator<Item = &str> {
        (0..self.n_columns).map(move |column| self.field(row, column))
    }

    /// The line where `row` begins, counted from 1; of Parquet, which has no lines, the number of the row.
    pub fn line(&self, row: usize) -> u64 {
        self.lines[row]
    }

    /// Keeps the rows that `is_wanted` says, given the batch and a row's number.
    pub fn retain(&mut self, is_wanted: impl Fn(&Self, usize) -> bool) {
        let wanted: Vec<bool> = (0..self.n_rows()).map(|row| is_wanted(self, row)).collect();
        if wanted.iter().all(|&w| w) {
            return;
        }
        let mut kept = Self { n_columns: self.n_columns, ..Self::default() };
        for row in (0..self.n_rows()).filter(|&row| wanted[row]) {
            for column in 0..self.n_columns {
                kept.text.push_str(self.field(row, column));
                kept.ends.push(kept.text.len());
            }
            kept.lines.push(self.lines[row]);
        }
        *self = kept;
    }

    /// Drops all rows and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.lines.clear();
    }

    /// Moves the rows of `other` from `first` on to the end of this batch.
    pub(crate) fn append(&mut self, other: &mut RowBatch, first: usize) {
        self.n_columns = other.n_columns;
        let kept = first * other.n_columns;
        let start = if kept == 0 { 0 } else { other.ends[kept - 1] };
        let shift = self.text.len();
        self.text.push_str(&other.text[start..]);
        self.ends.extend(other.ends[kept..].iter().map(|end| end - start + shift));
        self.lines.extend_from_slice(&other.lines[first..]);
        other.text.truncate(start);
        other.ends.truncate(kept);
        other.lines.truncate(first);
    }

    /// Empties it and makes it ready to be filled. Memory that only one huge row needed is given back.
    pub(super) fn start(&mut self, n_columns: usize, usual_bytes: usize) {
        self.bytes = std::mem::take(&mut self.text).into_bytes();
        self.bytes.clear();
        if self.bytes.capacity() > usual_bytes.saturating_mul(8) {
            self.bytes.shrink_to(usual_bytes);
        }
        self.ends.clear();
        self.lines.clear();
        self.refused.clear();
        self.n_columns = n_columns;
    }

    /// Buffer and field ends, for a row to be appended.
    pub(super) fn parts(&mut self) -> (&mut Vec<u8>, &mut Vec<usize>) {
        (&mut self.bytes, &mut self.ends)
    }

    /// Keeps the row appended since the last call.
    pub(super) fn accept(&mut self, line: u64) {
        self.lines.push(line);
        debug_assert_eq!(self.ends.len(), self.lines.len() * self.n_columns);
    }

    /// Drops what was appended since the last row and remembers why.
    pub(super) fn refuse(&mut self, error: Error) {
        self.forget_last();
        self.refused.push(error);
    }

    /// Drops what was appended since the last row.
    pub(super) fn forget_last(&mut self) {
        self.ends.truncate(self.lines.len() * self.n_columns);
        self.bytes.truncate(self.ends.last().copied().unwrap_or(0));
    }

    /// Whether a batch of these bounds is full.
    pub(super) fn is_full(&self, max_rows: usize, max_bytes: usize) -> bool {
        self.lines.len() + self.refused.len() >= max_rows || self.bytes.len() >= max_bytes
    }

    /// Checks the bytes and makes text of them; gives the refused rows in the order of their lines.
    pub(super) fn seal(&mut self, columns: &[String], file: &Path) -> Result<Vec<Error>> {
        if !self.check_all() {
            self.take_out_bad_rows(columns, file);
            let text = String::from_utf8(std::mem::take(&mut self.bytes));
            self.text = text.map_err(|e| Error::input("invalid UTF-8").in_file(file).caused_by(e))?;
        }
        let mut refused = std::mem::take(&mut self.refused);
        refused.sort_by_key(|error| error.place().line);
        Ok(refused)
    }

    /// Makes text of all bytes at once, if every field is good.
    fn check_all(&mut self) -> bool {
        if memchr::memchr(0, &self.bytes).is_some() {
            return false;
        }
        let text = match String::from_utf8(std::mem::take(&mut self.bytes)) {
            Ok(text) => text,
            Err(error) => {
                self.bytes = error.into_bytes();
                return false;
            }
        };
        // Two bad fields side by side can make one good character.
        let is_good = self.ends.iter().all(|&end| text.is_char_boundary(end));
        if is_good {
            self.text = text;
        } else {
            self.bytes = text.into_bytes();
        }
        is_good
    }

    /// Moves the good rows together over the bad ones.
    fn take_out_bad_rows(&mut self, columns: &[String], file: &Path) {
        let (n_rows, width) = (self.lines.len(), self.n_columns);
        let (mut n_kept, mut read_from, mut write_to) = (0, 0, 0);
        for row in 0..n_rows {
            let row_start = read_from;
            let row_end = self.ends[row * width + width - 1];
            read_from = row_end;
            match self.find_bad_field(row, row_start) {
                Some((column, what)) => {
                    let error =
                        Error::input(what.0).in_file(file).on_line(self.lines[row]).in_column(&columns[column]).help(what.1);
                    self.refused.push(error);
                }
                None => {
                    self.bytes.copy_within(row_start..row_end, write_to);
                    for column in 0..width {
                        self.ends[n_kept * width + column] = self.ends[row * width + column] - row_start + write_to;
                    }
                    self.lines[n_kept] = self.lines[row];
                    write_to += row_end - row_start;
                    n_kept += 1;
                }
            }
        }
        self.bytes.truncate(write_to);
        self.ends.truncate(n_kept * width);
        self.lines.truncate(n_kept);
    }

    /// The first field of a row that is no text, and what is wrong with it.
    fn find_bad_field(&self, row: usize, row_start: usize) -> Option<(usize, (&'static str, &'static str))> {
        let mut start = row_start;
        (0..self.n_columns).find_map(|column| {
            let end = self.ends[row * self.n_columns + column];
            let field = &self.bytes[start..end];
            start = end;
            if memchr::memchr(0, field).is_some() {
                Some((column, ("a NUL byte in the text", "take it out, or check that the file is a table")))
            } else if std::str::from_utf8(field).is_err() {
                Some((column, ("invalid UTF-8", "save the file as UTF-8, or name its encoding with --encoding")))
            } else {
                None
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(rows: &[[&[u8]; 2]]) -> (RowBatch, Vec<Error>) {
        let mut batch = RowBatch::new();
        batch.start(2, 1024);
        for (line, row) in rows.iter().enumerate() {
            for field in row {
                let (bytes, ends) = batch.parts();
                bytes.extend_from_slice(field);
                ends.push(bytes.len());
            }
            batch.accept(line as u64 + 2);
        }
        let refused = batch.seal(&["a".to_owned(), "b".to_owned()], Path::new("t.csv")).unwrap();
        (batch, refused)
    }

    #[test]
    fn rows_with_bad_bytes_are_taken_out_and_the_others_stay_whole() {
        let (batch, refused) =
            batch(&[["é".as_bytes(), b"1"], [b"x", b"\xff"], [b"", b""], [b"a\0b", b"2"], ["ü".as_bytes(), "ö".as_bytes()]]);
        let rows: Vec<Vec<&str>> = (0..batch.n_rows()).map(|r| batch.row(r).collect()).collect();
        assert_eq!(rows, [["é", "1"], ["", ""], ["ü", "ö"]]);
        assert_eq!((batch.line(1), batch.line(2)), (4, 6));
        let messages: Vec<String> = refused.iter().map(ToString::to_string).collect();
        assert!(messages[0].starts_with("t.csv:3, column \"b\": invalid UTF-8"), "{messages:?}");
        assert!(messages[1].starts_with("t.csv:5, column \"a\": a NUL byte"), "{messages:?}");
    }

    #[test]
    fn rows_move_from_one_batch_to_another() {
        let (mut from, _) = batch(&[["é".as_bytes(), b"1"], [b"x", b"2"], [b"", b"3"]]);
        let (mut to, _) = batch(&[[b"old", b"0"]]);
        to.append(&mut from, 1);
        let rows = |batch: &RowBatch| (0..batch.n_rows()).map(|r| batch.row(r).collect::<Vec<_>>().join("/")).collect::<Vec<_>>();
        assert_eq!(rows(&to), ["old/0", "x/2", "/3"]);
        assert_eq!(rows(&from), ["é/1"]);
        assert_eq!(to.line(2), 4);
    }

    #[test]
    fn a_character_cut_by_a_field_boundary_is_no_character() {
        let (batch, refused) = batch(&[[b"\xc3", b"\xa9"], [b"good", b"row"]]);
        assert_eq!((batch.n_rows(), batch.field(0, 0)), (1, "good"));
        assert_eq!(refused.len(), 1);
    }
}
