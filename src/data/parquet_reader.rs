//! Reads Parquet tables as rows of text, record by record. Nested values become JSON text, dates and times the form of ISO 8601.

use std::io::Write;

use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};

use super::source::{Seekable, Source};
use crate::error::{Error, Result};

/// A stream of records.
pub(super) struct ParquetReader {
    rows: RowIter<'static>,
    n_read: u64,
}

impl ParquetReader {
    /// Opens the table and gives its columns.
    pub(super) fn open(source: &Source) -> Result<(Self, Vec<String>)> {
        match source.open_seekable()? {
            Seekable::File(file) => Self::from_chunks(file, source),
            Seekable::Memory(bytes) => Self::from_chunks(bytes::Bytes::from_owner(bytes), source),
        }
    }

    fn from_chunks<C: ChunkReader + 'static>(chunks: C, source: &Source) -> Result<(Self, Vec<String>)> {
        let reader = SerializedFileReader::new(chunks).map_err(|e| damaged(e).in_file(source.path()))?;
        let columns = reader.metadata().file_metadata().schema().get_fields().iter().map(|f| f.name().to_owned()).collect();
        Ok((Self { rows: RowIter::from_file_into(Box::new(reader)), n_read: 0 }, columns))
    }

    /// The number of the row last read, counted from 1.
    pub(super) fn row_number(&self) -> u64 {
        self.n_read
    }

    /// Appends the fields of the next row; `false` if there is none.
    pub(super) fn read_row(&mut self, bytes: &mut Vec<u8>, ends: &mut Vec<usize>) -> Result<bool> {
        let Some(row) = self.rows.next() else { return Ok(false) };
        self.n_read += 1;
        for (_, field) in row.map_err(damaged)?.get_column_iter() {
            write_cell(field, bytes);
            ends.push(bytes.len());
        }
        Ok(true)
    }
}

fn damaged(error: parquet::errors::ParquetError) -> Error {
    Error::input("not a Parquet file, or a damaged one").found(error.to_string()).help("write it again")
}

/// A field as a cell: text without quotes, null as nothing.
fn write_cell(field: &Field, out: &mut Vec<u8>) {
    match field {
        Field::Null => {}
        Field::Str(text) => out.extend_from_slice(text.as_bytes()),
        // Checked with all other bytes when the batch is sealed.
        Field::Bytes(bytes) => out.extend_from_slice(bytes.data()),
        Field::Group(_) | Field::ListInternal(_) | Field::MapInternal(_) => write_json(field, out),
        number => push_display(number, out),
    }
}

/// A field inside a nested value.
fn write_json(field: &Field, out: &mut Vec<u8>) {
    match field {
        Field::Null | Field::Bool(_) | Field::Byte(_) | Field::Short(_) | Field::Int(_) | Field::Long(_) => {
            push_display(field, out)
        }
        Field::UByte(_) | Field::UShort(_) | Field::UInt(_) | Field::ULong(_) | Field::Float(_) | Field::Double(_) => {
            push_display(field, out);
        }
        Field::Str(text) => push_json_text(text, out),
        Field::Bytes(bytes) => push_json_text(&String::from_utf8_lossy(bytes.data()), out),
        Field::Group(row) => write_json_object(row, out),
        Field::ListInternal(list) => {
            out.push(b'[');
            for (i, element) in list.elements().iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_json(element, out);
            }
            out.push(b']');
        }
        Field::MapInternal(map) => {
            out.push(b'{');
            for (i, (key, value)) in map.entries().iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                push_json_text(&cell_text(key), out);
                out.push(b':');
                write_json(value, out);
            }
            out.push(b'}');
        }
        other => push_json_text(&other.to_string(), out),
    }
}

fn write_json_object(row: &Row, out: &mut Vec<u8>) {
    out.push(b'{');
    for (i, (name, field)) in row.get_column_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        push_json_text(name, out);
        out.push(b':');
        write_json(field, out);
    }
    out.push(b'}');
}

fn cell_text(field: &Field) -> String {
    let mut bytes = Vec::new();
    write_cell(field, &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn push_display(field: &Field, out: &mut Vec<u8>) {
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{field}");
}

fn push_json_text(text: &str, out: &mut Vec<u8>) {
    // Writing to a Vec cannot fail.
    let _ = serde_json::to_writer(out, text);
}
