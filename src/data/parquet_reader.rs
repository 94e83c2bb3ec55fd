//! Reads Parquet tables as rows of text, record by record. Nested values become JSON text, dates and times the form of ISO 8601.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};

use super::source::{Seekable, Source};
use crate::error::{Error, Result};

/// A stream of records.
pub(super) struct ParquetReader {
    rows: RowIter<'static>,
    n_read: u64,
    is_broken: bool,
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
        let length = source.byte_length()?;
        if !reader.metadata().row_groups().iter().all(|group| is_sound(group, length)) {
            return Err(Error::input("a damaged Parquet file")
                .in_file(source.path())
                .found("pieces outside the file")
                .help("write it again"));
        }
        let columns = reader.metadata().file_metadata().schema().get_fields().iter().map(|f| f.name().to_owned()).collect();
        Ok((Self { rows: RowIter::from_file_into(Box::new(reader)), n_read: 0, is_broken: false }, columns))
    }

    /// The number of the row last read, counted from 1.
    pub(super) fn row_number(&self) -> u64 {
        self.n_read
    }

    /// Appends the fields of the next row; `false` if there is none.
    pub(super) fn read_row(&mut self, bytes: &mut Vec<u8>, ends: &mut Vec<usize>) -> Result<bool> {
        let Some(row) = self.next_row()? else { return Ok(false) };
        self.n_read += 1;
        for (_, field) in row.get_column_iter() {
            write_cell(field, bytes);
            ends.push(bytes.len());
        }
        Ok(true)
    }

    /// The crate panics on some pages whose bytes are damaged, deep inside and where nothing can be checked before: the one place where a
    /// panic is caught. The reader is in an unknown state after that and is not asked again.
    fn next_row(&mut self) -> Result<Option<Row>> {
        if self.is_broken {
            return Ok(None);
        }
        let caught = catch_unwind(AssertUnwindSafe(|| self.rows.next().transpose().map_err(damaged)));
        let row = caught.unwrap_or_else(|_| Err(damaged(ParquetError::General("a page that cannot be decoded".to_owned()))));
        self.is_broken = row.is_err();
        row
    }
}

/// Whether a group's pieces lie inside the file and its numbers are not negative; the crate takes both for granted and would panic.
fn is_sound(group: &RowGroupMetaData, file_length: u64) -> bool {
    let is_inside = |start: i64, length: i64| {
        let (Ok(start), Ok(length)) = (u64::try_from(start), u64::try_from(length)) else { return false };
        start.checked_add(length).is_some_and(|end| end <= file_length)
    };
    group.num_rows() >= 0
        && group.columns().iter().all(|column| {
            let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
            is_inside(start, column.compressed_size())
                && is_inside(column.data_page_offset(), 0)
                && column.uncompressed_size() >= 0
                && column.num_values() >= 0
        })
}

fn damaged(error: ParquetError) -> Error {
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
