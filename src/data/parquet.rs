//! Parquet tables, in and out, by the `parquet` crate without Arrow.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{ConvertedType, Repetition, Type as PhysicalType};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::file::writer::SerializedFileWriter;
use parquet::record::Field;
use parquet::record::reader::RowIter;
use parquet::schema::types::Type;

use crate::data::output::Value;
use crate::data::table::RowBatch;
use crate::error::{Error, Result};

/// Rows of a row group: what is held in memory while writing.
const GROUP_ROWS: usize = 1 << 16;

/// Rows of a Parquet file.
pub(super) struct ParquetRows {
    rows: RowIter<'static>,
    n_read: u64,
}

fn failed(e: parquet::errors::ParquetError) -> Error {
    Error::input("not a Parquet file, or a damaged one").caused_by(e)
}

impl ParquetRows {
    pub(super) fn open(path: &Path) -> Result<(Vec<String>, Self)> {
        if path == Path::new("-") {
            return Err(Error::input("Parquet cannot be read from standard input").help("save it as a file first"));
        }
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        let reader = SerializedFileReader::new(file).map_err(|e| failed(e).in_file(path))?;
        let schema = reader.metadata().file_metadata().schema();
        let columns = schema.get_fields().iter().map(|f| f.name().to_owned()).collect();
        Ok((columns, Self { rows: RowIter::from_file_into(Box::new(reader)), n_read: 0 }))
    }

    pub(super) fn read_row(&mut self, batch: &mut RowBatch) -> Result<bool> {
        let Some(row) = self.rows.next() else { return Ok(false) };
        self.n_read += 1;
        let row = row.map_err(|e| Error::new(crate::ErrorKind::Io, "cannot read on").on_line(self.n_read).caused_by(e))?;
        let fields: Vec<String> = row.get_column_iter().map(|(_, field)| text(field)).collect();
        batch.push(self.n_read, fields.iter().map(String::as_str));
        Ok(true)
    }
}

fn text(field: &Field) -> String {
    match field {
        Field::Null => String::new(),
        Field::Str(text) => text.clone(),
        Field::Bytes(bytes) => String::from_utf8_lossy(bytes.data()).into_owned(),
        other => other.to_string(),
    }
}

/// Collects rows and writes them group by group.
pub(super) struct ParquetWriter {
    writer: Option<SerializedFileWriter<Shared>>,
    shared: Shared,
    kinds: Vec<Kind>,
    cells: Vec<Vec<Cell>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Text,
    Whole,
    Number,
    Truth,
}

enum Cell {
    Null,
    Text(ByteArray),
    Whole(i64),
    Number(f64),
    Truth(bool),
}

/// Bytes that the container has written and the caller has not fetched yet.
#[derive(Clone, Default)]
struct Shared(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().map_err(|_| std::io::Error::other("poisoned"))?.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn take_into(&self, out: &mut Vec<u8>) {
        if let Ok(mut bytes) = self.0.lock() {
            out.append(&mut bytes);
        }
    }
}

impl ParquetWriter {
    pub(super) fn new(columns: &[String], sample: &[Value<'_>]) -> Result<Self> {
        let kinds: Vec<Kind> = sample
            .iter()
            .map(|value| match value {
                Value::Null | Value::Text(_) => Kind::Text,
                Value::Whole(_) => Kind::Whole,
                Value::Number(_) => Kind::Number,
                Value::Truth(_) => Kind::Truth,
            })
            .collect();
        let fields = columns.iter().zip(&kinds).map(|(name, kind)| field(name, *kind).map(Arc::new)).collect::<Result<Vec<_>>>()?;
        let schema = Type::group_type_builder("schema").with_fields(fields).build().map_err(failed)?;
        let shared = Shared::default();
        let properties = WriterProperties::builder().set_compression(parquet::basic::Compression::SNAPPY).build();
        let writer = SerializedFileWriter::new(shared.clone(), Arc::new(schema), Arc::new(properties)).map_err(failed)?;
        Ok(Self { writer: Some(writer), shared, cells: kinds.iter().map(|_| Vec::new()).collect(), kinds })
    }

    pub(super) fn write_row(&mut self, row: &[Value<'_>], out: &mut Vec<u8>) -> Result<()> {
        for (cells, value) in self.cells.iter_mut().zip(row) {
            cells.push(match *value {
                Value::Null => Cell::Null,
                Value::Text(text) => Cell::Text(ByteArray::from(text)),
                Value::Whole(n) => Cell::Whole(n),
                Value::Number(n) => Cell::Number(n),
                Value::Truth(truth) => Cell::Truth(truth),
            });
        }
        if self.cells.first().is_some_and(|c| c.len() >= GROUP_ROWS) {
            self.write_group()?;
            self.shared.take_into(out);
        }
        Ok(())
    }

    fn write_group(&mut self) -> Result<()> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let mut group = writer.next_row_group().map_err(failed)?;
        for (cells, kind) in self.cells.iter_mut().zip(&self.kinds) {
            let Some(mut column) = group.next_column().map_err(failed)? else { break };
            write_column(std::mem::take(cells), *kind, &mut column).map_err(failed)?;
            column.close().map_err(failed)?;
        }
        group.close().map_err(failed)?;
        Ok(())
    }

    pub(super) fn finish(mut self, out: &mut Vec<u8>) -> Result<()> {
        if self.cells.first().is_some_and(|c| !c.is_empty()) {
            self.write_group()?;
        }
        if let Some(writer) = self.writer.take() {
            writer.close().map_err(failed)?;
        }
        self.shared.take_into(out);
        Ok(())
    }
}

fn field(name: &str, kind: Kind) -> Result<Type> {
    let physical = match kind {
        Kind::Text => PhysicalType::BYTE_ARRAY,
        Kind::Whole => PhysicalType::INT64,
        Kind::Number => PhysicalType::DOUBLE,
        Kind::Truth => PhysicalType::BOOLEAN,
    };
    let mut builder = Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL);
    if kind == Kind::Text {
        builder = builder.with_converted_type(ConvertedType::UTF8);
    }
    builder.build().map_err(failed)
}

fn write_column(cells: Vec<Cell>, kind: Kind, column: &mut parquet::file::writer::SerializedColumnWriter<'_>) -> parquet::errors::Result<usize> {
    let levels: Vec<i16> = cells.iter().map(|c| i16::from(!matches!(c, Cell::Null))).collect();
    macro_rules! write_as {
        ($physical:ty, $variant:ident) => {{
            let values: Vec<_> = cells.into_iter().filter_map(|c| if let Cell::$variant(v) = c { Some(v) } else { None }).collect();
            column.typed::<$physical>().write_batch(&values, Some(&levels), None)
        }};
    }
    match kind {
        Kind::Text => write_as!(ByteArrayType, Text),
        Kind::Whole => write_as!(Int64Type, Whole),
        Kind::Number => write_as!(DoubleType, Number),
        Kind::Truth => write_as!(BoolType, Truth),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Rejects, Source, TableReader};

    #[test]
    fn what_is_written_is_read_back() {
        let columns = ["text".to_owned(), "n".to_owned(), "p".to_owned(), "yes".to_owned()];
        let row = [Value::Text("né"), Value::Whole(3), Value::Number(0.5), Value::Truth(true)];
        let mut writer = ParquetWriter::new(&columns, &row).unwrap();
        let mut out = Vec::new();
        writer.write_row(&row, &mut out).unwrap();
        writer.write_row(&[Value::Null, Value::Whole(4), Value::Number(0.25), Value::Truth(false)], &mut out).unwrap();
        writer.finish(&mut out).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.parquet");
        std::fs::write(&path, out).unwrap();
        let mut reader = TableReader::open(&Source::new(&path, None).unwrap(), &mut |_| {}).unwrap();
        assert_eq!(reader.columns(), columns);
        let mut batch = RowBatch::default();
        reader.read_batch(&mut batch, 10, &mut Rejects::new()).unwrap();
        assert_eq!((batch.field(0, 0), batch.field(0, 2), batch.field(1, 0), batch.field(1, 3)), ("né", "0.5", "", "false"));
    }
}
