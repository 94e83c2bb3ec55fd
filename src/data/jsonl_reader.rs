//! Reads JSON Lines as rows of text: one object a line, its values cut out of the line without being interpreted.
//!
//! Strings lose their quotes and escapes, `null` and missing keys are empty, all other values (numbers, arrays, objects) stay the JSON text they
//! are, digit for digit; in the column of the text they are refused, since nobody wrote them to be read. Keys that the first record does not have are passed over: which come later cannot be known while streaming.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

use serde::de::{DeserializeSeed, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::Error;

/// A stream of lines.
pub(super) struct LineReader<R> {
    input: BufReader<R>,
    line: u64,
    max_bytes: usize,
}

/// How reading one line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineEnd {
    /// The line of this number is in the buffer.
    Line(u64),
    /// The line of this number is larger than allowed and was passed over.
    TooLarge(u64),
    /// There are no more lines.
    End,
}

impl<R: Read> LineReader<R> {
    pub(super) fn new(input: R, max_bytes: usize) -> Self {
        Self { input: BufReader::with_capacity(256 * 1024, input), line: 0, max_bytes }
    }

    /// The stream underneath.
    pub(super) fn input(&self) -> &R {
        self.input.get_ref()
    }

    /// Reads the next line that is not blank into `line`, without its end.
    pub(super) fn read_line(&mut self, line: &mut Vec<u8>) -> io::Result<LineEnd> {
        loop {
            line.clear();
            let (n_read, is_too_large) = self.read_any_line(line)?;
            if n_read == 0 {
                return Ok(LineEnd::End);
            }
            self.line += 1;
            if is_too_large {
                return Ok(LineEnd::TooLarge(self.line));
            }
            if !line.trim_ascii().is_empty() {
                return Ok(LineEnd::Line(self.line));
            }
        }
    }

    fn read_any_line(&mut self, line: &mut Vec<u8>) -> io::Result<(usize, bool)> {
        let (mut n_read, mut is_too_large) = (0, false);
        loop {
            let unread = match self.input.fill_buf() {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            };
            let newline = memchr::memchr(b'\n', unread);
            let part = &unread[..newline.unwrap_or(unread.len())];
            is_too_large |= line.len() + part.len() > self.max_bytes;
            if !is_too_large {
                line.extend_from_slice(part);
            }
            let n = part.len() + usize::from(newline.is_some());
            self.input.consume(n);
            n_read += n;
            if newline.is_some() || n == 0 {
                return Ok((n_read, is_too_large));
            }
        }
    }
}

/// The keys of a record, in its order.
pub(super) fn keys(line: &[u8]) -> Result<Vec<String>, Error> {
    let record: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(line).map_err(|e| bad_json(&e))?;
    if record.is_empty() {
        return Err(Error::input("a JSON object without keys").expected("at least one key"));
    }
    Ok(record.keys().cloned().collect())
}

/// Writes the values of one record into `cells`, one for each of `columns`; that of column `text` must be a string.
pub(super) fn read_cells(line: &[u8], columns: &[String], text: Option<usize>, cells: &mut [Vec<u8>]) -> Result<(), Error> {
    let line = std::str::from_utf8(line)
        .map_err(|_| Error::input("invalid UTF-8").help("save the file as UTF-8, or name its encoding with --encoding"))?;
    cells.iter_mut().for_each(Vec::clear);
    let mut deserializer = serde_json::Deserializer::from_str(line);
    let mut not_text = None;
    let record = Record { columns, text, not_text: &mut not_text, cells };
    record.deserialize(&mut deserializer).and_then(|()| deserializer.end()).map_err(|e| bad_json(&e))?;
    match (text, not_text) {
        (Some(text), Some(kind)) => Err(Error::input("no text")
            .in_column(&columns[text])
            .expected("a string")
            .found(kind)
            .help("make a string of it, or say which column is the text with --text")),
        _ => Ok(()),
    }
}

/// What serde_json found, without its own line number, which is always 1.
fn bad_json(error: &serde_json::Error) -> Error {
    let message = error.to_string();
    // "A map" is what it calls an object.
    let what = message.split(" at line ").next().unwrap_or_default().replace("expected a map", "expected a JSON object");
    let found = if error.column() > 0 { format!("{what} at byte {}", error.column()) } else { what };
    Error::input("not a JSON object").expected("one JSON object on one line").found(found)
}

struct Record<'a> {
    columns: &'a [String],
    text: Option<usize>,
    /// What stands where text should.
    not_text: &'a mut Option<&'static str>,
    cells: &'a mut [Vec<u8>],
}

impl<'de> DeserializeSeed<'de> for Record<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Record<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut expected = 0;
        while let Some(column) = map.next_key_seed(Key { columns: self.columns, expected })? {
            let value: &RawValue = map.next_value()?;
            if let Some(column) = column {
                expected = column + 1;
                if Some(column) == self.text {
                    *self.not_text = kind_beside_string(value.get());
                }
                self.cells[column].clear();
                write_value(value.get(), &mut self.cells[column]).map_err(serde::de::Error::custom)?;
            }
        }
        Ok(())
    }
}

/// Finds the column of a key, first where the order of the columns says.
struct Key<'a> {
    columns: &'a [String],
    expected: usize,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Option<usize>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Self::Value, E> {
        if self.columns.get(self.expected).is_some_and(|c| c == key) {
            return Ok(Some(self.expected));
        }
        Ok(self.columns.iter().position(|c| c == key))
    }
}

/// What a value is that is neither a string nor null, which stands for an empty one.
fn kind_beside_string(raw: &str) -> Option<&'static str> {
    match raw.as_bytes().first()? {
        b'"' | b'n' => None,
        b'[' => Some("an array"),
        b'{' => Some("an object"),
        b't' | b'f' => Some("a boolean"),
        _ => Some("a number"),
    }
}

fn write_value(raw: &str, cell: &mut Vec<u8>) -> Result<(), String> {
    match raw.as_bytes() {
        b"null" => {}
        [b'"', inner @ .., b'"'] if memchr::memchr(b'\\', inner).is_none() => cell.extend_from_slice(inner),
        [b'"', ..] => {
            let text: String = serde_json::from_str(raw).map_err(|e| e.to_string())?;
            cell.extend_from_slice(text.as_bytes());
        }
        other => cell.extend_from_slice(other),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str, columns: &[&str]) -> Result<Vec<String>, String> {
        let columns: Vec<String> = columns.iter().map(|&c| c.to_owned()).collect();
        let mut cells = vec![b"old".to_vec(); columns.len()];
        read_cells(line.as_bytes(), &columns, None, &mut cells).map_err(|e| e.to_string())?;
        Ok(cells.into_iter().map(|c| String::from_utf8(c).unwrap()).collect())
    }

    #[test]
    fn values_become_text_as_they_stand() {
        let line = r#"{"b": 12345678901234567890123, "a": "x \"y\"\né \u00e9", "more": 1, "c": [1, {"d": null}], "n": null}"#;
        let expected = ["x \"y\"\né é", "12345678901234567890123", "[1, {\"d\": null}]", "", ""];
        assert_eq!(read(line, &["a", "b", "c", "n", "missing"]).unwrap(), expected);
    }

    #[test]
    fn what_is_no_object_is_refused_with_its_reason() {
        for (line, reason) in [
            ("[1]", "invalid type: sequence, expected a JSON object"),
            ("{\"a\": 1", "EOF while parsing an object"),
            ("{\"a\": 1} x", "trailing characters"),
            ("{\"a\": \"\\ud800\"}", "unexpected end of hex escape"),
        ] {
            let message = read(line, &["a"]).unwrap_err();
            assert!(message.contains(reason), "{line}: {message}");
            assert!(!message.contains("at line"), "{message}");
        }
    }

    #[test]
    fn a_first_line_that_is_no_object_is_refused_in_the_same_words() {
        let message = keys(b"[1]").unwrap_err().to_string();
        assert!(message.contains("invalid type: sequence, expected a JSON object"), "{message}");
    }

    #[test]
    fn lines_are_counted_and_large_ones_passed_over() {
        let input = format!("\n{{}}\r\n{}\nlast", "x".repeat(600_000));
        let mut reader = LineReader::new(input.as_bytes(), 100);
        let mut line = Vec::new();
        assert_eq!(reader.read_line(&mut line).unwrap(), LineEnd::Line(2));
        assert_eq!(reader.read_line(&mut line).unwrap(), LineEnd::TooLarge(3));
        assert!(line.capacity() < 1000);
        assert_eq!((reader.read_line(&mut line).unwrap(), &line[..]), (LineEnd::Line(4), &b"last"[..]));
        assert_eq!(reader.read_line(&mut line).unwrap(), LineEnd::End);
    }
}
