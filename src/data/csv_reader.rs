//! Splits CSV into rows, straight into a flat buffer.
//!
//! RFC 4180 read leniently, as rust-csv does: a quote opens a quoted field only at its start, `""` inside is one quote, text after the closing
//! quote belongs to the field, blank lines are passed over, lines end in `\n`, `\r\n` or `\r`. Unlike rust-csv it goes from quote to quote and
//! from delimiter to delimiter by vectorised search, refuses a quote that is never closed, and knows the line where each row begins.

use std::io::{self, Read};

/// Bytes read at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// A stream of rows.
pub(super) struct CsvReader<R> {
    input: R,
    buffer: Vec<u8>,
    /// Unread bytes are `buffer[at..end]`.
    at: usize,
    end: usize,
    /// The line of the next unread byte.
    line: u64,
    delimiter: u8,
    max_row_bytes: usize,
}

/// How reading one row ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowEnd {
    /// The row that begins on `line` has `n_fields`; not more than allowed of them are in the buffer.
    Row { line: u64, n_fields: usize },
    /// It is larger than allowed and was passed over.
    TooLarge { line: u64 },
    /// Its quote, opened on `quote_line`, is never closed.
    OpenQuote { line: u64, quote_line: u64 },
    /// There are no more rows.
    End,
}

/// What stands after a field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FieldEnd {
    Delimiter,
    Row,
    OpenQuote,
}

/// The row being read.
struct Row<'a> {
    bytes: &'a mut Vec<u8>,
    start: usize,
    limit: usize,
    is_too_large: bool,
}

impl Row<'_> {
    /// Appends to the field, until the row becomes too large.
    #[inline]
    fn push(&mut self, part: &[u8]) {
        if self.is_too_large {
            return;
        }
        if self.bytes.len() - self.start + part.len() > self.limit {
            self.is_too_large = true;
            self.bytes.truncate(self.start);
            return;
        }
        self.bytes.extend_from_slice(part);
    }
}

impl<R: Read> CsvReader<R> {
    /// Reads `input`, whose fields are separated by `delimiter`.
    pub(super) fn new(input: R, delimiter: u8, max_row_bytes: usize) -> Self {
        Self { input, buffer: vec![0; BUFFER_BYTES], at: 0, end: 0, line: 1, delimiter, max_row_bytes }
    }

    /// The stream underneath.
    pub(super) fn input(&self) -> &R {
        &self.input
    }

    /// Whether nothing can be read at all.
    pub(super) fn is_empty(&mut self) -> io::Result<bool> {
        Ok(self.peek()?.is_none())
    }

    /// Takes the delimiter that the first line seems to use: of comma, semicolon and tab the most frequent outside quotes.
    pub(super) fn guess_delimiter(&mut self) -> io::Result<()> {
        self.peek()?;
        let (mut counts, mut is_quoted) = ([0usize; 3], false);
        for &byte in &self.buffer[self.at..self.end] {
            match byte {
                b'"' => is_quoted = !is_quoted,
                b'\n' | b'\r' if !is_quoted && counts != [0; 3] => break,
                b',' if !is_quoted => counts[0] += 1,
                b';' if !is_quoted => counts[1] += 1,
                b'\t' if !is_quoted => counts[2] += 1,
                _ => {}
            }
        }
        self.delimiter = match counts {
            [comma, semicolon, tab] if semicolon > comma && semicolon >= tab => b';',
            [comma, _, tab] if tab > comma => b'\t',
            _ => b',',
        };
        Ok(())
    }

    /// Appends the next row to `bytes` and the ends of its fields to `ends`, at most `max_fields` of them. After anything but a row of
    /// the right width the caller truncates both to what they were.
    pub(super) fn read_row(&mut self, bytes: &mut Vec<u8>, ends: &mut Vec<usize>, max_fields: usize) -> io::Result<RowEnd> {
        if !self.skip_blank_lines()? {
            return Ok(RowEnd::End);
        }
        let line = self.line;
        let start = bytes.len();
        let mut row = Row { bytes, start, limit: self.max_row_bytes, is_too_large: false };
        let mut n_fields = 0;
        loop {
            let quote_line = self.line;
            let field_end = self.read_field(&mut row)?;
            n_fields += 1;
            if n_fields <= max_fields {
                ends.push(row.bytes.len());
            }
            match field_end {
                FieldEnd::Delimiter => {}
                FieldEnd::Row if row.is_too_large => return Ok(RowEnd::TooLarge { line }),
                FieldEnd::Row => return Ok(RowEnd::Row { line, n_fields }),
                FieldEnd::OpenQuote => return Ok(RowEnd::OpenQuote { line, quote_line }),
            }
        }
    }

    fn read_field(&mut self, row: &mut Row<'_>) -> io::Result<FieldEnd> {
        if self.peek()? == Some(b'"') {
            self.at += 1;
            self.read_quoted(row)
        } else {
            self.read_plain(row)
        }
    }

    /// Reads to the next delimiter or the end of the line.
    fn read_plain(&mut self, row: &mut Row<'_>) -> io::Result<FieldEnd> {
        loop {
            let unread = &self.buffer[self.at..self.end];
            match memchr::memchr3(self.delimiter, b'\n', b'\r', unread) {
                Some(n) => {
                    row.push(&unread[..n]);
                    self.at += n;
                    return self.end_field();
                }
                None => {
                    row.push(unread);
                    if !self.refill()? {
                        return Ok(FieldEnd::Row);
                    }
                }
            }
        }
    }

    /// Reads to the closing quote and what follows it.
    fn read_quoted(&mut self, row: &mut Row<'_>) -> io::Result<FieldEnd> {
        loop {
            let unread = &self.buffer[self.at..self.end];
            let Some(n) = memchr::memchr(b'"', unread) else {
                row.push(unread);
                self.line += count_newlines(unread);
                if !self.refill()? {
                    return Ok(FieldEnd::OpenQuote);
                }
                continue;
            };
            row.push(&unread[..n]);
            self.line += count_newlines(&unread[..n]);
            self.at += n + 1;
            match self.peek()? {
                None => return Ok(FieldEnd::Row),
                Some(b'"') => {
                    row.push(b"\"");
                    self.at += 1;
                }
                Some(byte) if byte == self.delimiter || byte == b'\n' || byte == b'\r' => return self.end_field(),
                Some(_) => return self.read_plain(row),
            }
        }
    }

    /// Passes over the delimiter or line end at the current byte.
    fn end_field(&mut self) -> io::Result<FieldEnd> {
        let byte = self.buffer[self.at];
        if byte == self.delimiter {
            self.at += 1;
            return Ok(FieldEnd::Delimiter);
        }
        self.end_line(byte)?;
        Ok(FieldEnd::Row)
    }

    /// Passes over `\n`, `\r` or `\r\n`.
    fn end_line(&mut self, byte: u8) -> io::Result<()> {
        self.at += 1;
        self.line += 1;
        if byte == b'\r' && self.peek()? == Some(b'\n') {
            self.at += 1;
        }
        Ok(())
    }

    /// `false` if nothing follows.
    fn skip_blank_lines(&mut self) -> io::Result<bool> {
        loop {
            match self.peek()? {
                None => return Ok(false),
                Some(byte @ (b'\n' | b'\r')) => self.end_line(byte)?,
                Some(_) => return Ok(true),
            }
        }
    }

    #[inline]
    fn peek(&mut self) -> io::Result<Option<u8>> {
        if self.at == self.end && !self.refill()? {
            return Ok(None);
        }
        Ok(Some(self.buffer[self.at]))
    }

    /// Replaces the buffer, all of which has been read; `false` at the end of the input.
    #[cold]
    fn refill(&mut self) -> io::Result<bool> {
        self.at = 0;
        self.end = 0;
        self.end = loop {
            match self.input.read(&mut self.buffer) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        Ok(self.end > 0)
    }
}

fn count_newlines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives one byte at a time, so that every boundary is met.
    struct Trickle<'a>(&'a [u8]);

    impl Read for Trickle<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let n = self.0.len().min(1);
            out[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    fn rows(input: impl Read) -> Vec<(u64, Vec<Vec<u8>>)> {
        let mut reader = CsvReader::new(input, b',', 1 << 20);
        let mut rows = Vec::new();
        loop {
            let (mut bytes, mut ends) = (Vec::new(), Vec::new());
            match reader.read_row(&mut bytes, &mut ends, usize::MAX).unwrap() {
                RowEnd::Row { line, .. } => {
                    let starts = std::iter::once(0).chain(ends.iter().copied());
                    rows.push((line, starts.zip(&ends).map(|(s, &e)| bytes[s..e].to_vec()).collect()));
                }
                RowEnd::End => return rows,
                other => rows.push((0, vec![format!("{other:?}").into_bytes()])),
            }
        }
    }

    fn text(rows: &[(u64, Vec<Vec<u8>>)]) -> Vec<(u64, Vec<&str>)> {
        rows.iter().map(|(line, fields)| (*line, fields.iter().map(|f| std::str::from_utf8(f).unwrap()).collect())).collect()
    }

    #[test]
    fn quotes_line_ends_and_lines_are_read() {
        let input = "a,b\n\n\"x \"\"y\"\"\n,z\",2\r\n,\"\"\r3,4 \"q\"\n\"5\"6,7";
        let expected = [
            (1, vec!["a", "b"]),
            (3, vec!["x \"y\"\n,z", "2"]),
            (5, vec!["", ""]),
            (6, vec!["3", "4 \"q\""]),
            (7, vec!["56", "7"]),
        ];
        assert_eq!(text(&rows(input.as_bytes())), expected);
        assert_eq!(text(&rows(Trickle(input.as_bytes()))), expected);
    }

    #[test]
    fn a_quote_never_closed_is_found() {
        let mut reader = CsvReader::new(&b"a,b\n1,\"2\n3,4\n"[..], b',', 100);
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        reader.read_row(&mut bytes, &mut ends, 2).unwrap();
        assert_eq!(reader.read_row(&mut bytes, &mut ends, 2).unwrap(), RowEnd::OpenQuote { line: 2, quote_line: 2 });
        assert_eq!(reader.read_row(&mut bytes, &mut ends, 2).unwrap(), RowEnd::End);
    }

    #[test]
    fn a_row_too_large_is_passed_over_without_being_kept() {
        let input = format!("a,b\n{},\"{}\"\n1,2\n", "x".repeat(300_000), "y".repeat(900_000));
        let mut reader = CsvReader::new(input.as_bytes(), b',', 1000);
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        reader.read_row(&mut bytes, &mut ends, 2).unwrap();
        assert_eq!(reader.read_row(&mut bytes, &mut ends, 2).unwrap(), RowEnd::TooLarge { line: 2 });
        assert!(bytes.capacity() < 10_000);
        bytes.clear();
        assert_eq!(reader.read_row(&mut bytes, &mut ends, 2).unwrap(), RowEnd::Row { line: 3, n_fields: 2 });
        assert_eq!(bytes, b"12");
    }

    #[test]
    fn the_delimiter_is_guessed_from_the_first_line() {
        for (header, delimiter) in [("a,b", b','), ("a;b", b';'), ("a\tb, c\td", b'\t'), ("text", b','), ("\"a,b,c\";d", b';')] {
            let mut reader = CsvReader::new(header.as_bytes(), b',', 100);
            reader.guess_delimiter().unwrap();
            assert_eq!(reader.delimiter, delimiter, "{header}");
        }
    }

    proptest! {
        /// rust-csv is the reference for everything but a quote that is never closed.
        #[test]
        fn rows_are_those_of_rust_csv(input in "[ab,\"\n\r ]{0,60}") {
            let ours = rows(Trickle(input.as_bytes()));
            prop_assert_eq!(&ours, &rows(input.as_bytes()));
            let mut reference = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(input.as_bytes());
            let theirs: Vec<Vec<Vec<u8>>> =
                reference.byte_records().map(|r| r.unwrap().iter().map(<[u8]>::to_vec).collect()).collect();
            let is_open = ours.last().is_some_and(|(line, _)| *line == 0);
            let n = if is_open { ours.len() - 1 } else { theirs.len() };
            prop_assert_eq!(ours.iter().take(n).map(|(_, r)| r.clone()).collect::<Vec<_>>(), &theirs[..n]);
        }
    }
}
