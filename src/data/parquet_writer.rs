//! Writes Parquet tables: flat columns, all optional, in row groups of bounded size, compressed with Zstandard.

use std::path::PathBuf;
use std::sync::Arc;

use parquet::basic::{Compression, ConvertedType, Repetition, Type as PhysicalType, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};

use super::output::{Output, write_error};
use super::write::{Column, ColumnType, Value};
use crate::error::{Error, Result};

/// A row group is written when it has so many rows or bytes of text.
const GROUP_ROWS: usize = 128 * 1024;
const GROUP_BYTES: usize = 64 << 20;

/// Cells column by column.
#[derive(Debug, Default)]
pub(super) struct CellColumns {
    columns: Vec<Cells>,
    n_rows: usize,
    n_bytes: usize,
}

#[derive(Debug)]
enum Cells {
    Text(Vec<Option<ByteArray>>),
    Int(Vec<Option<i64>>),
    Number(Vec<Option<f64>>),
    Bool(Vec<Option<bool>>),
}

impl CellColumns {
    /// Appends a cell to column `i`; the cells of a row come in order.
    pub(super) fn push(&mut self, i: usize, columns: &[Column], value: Value<'_>) {
        if self.columns.is_empty() {
            self.columns = columns.iter().map(|c| Cells::new(c.kind)).collect();
        }
        if let Value::Text(text) = value {
            self.n_bytes += text.len();
        }
        self.columns[i].push(value);
        self.n_rows += usize::from(i == 0);
    }

    /// Forgets the cells.
    pub(super) fn clear(&mut self) {
        self.columns.clear();
        self.n_rows = 0;
        self.n_bytes = 0;
    }

    /// Moves all cells of `other` to the end of this.
    fn append(&mut self, other: &mut CellColumns) {
        if self.columns.is_empty() {
            std::mem::swap(self, other);
            return;
        }
        self.columns.iter_mut().zip(&mut other.columns).for_each(|(to, from)| to.append(from));
        self.n_rows += other.n_rows;
        self.n_bytes += other.n_bytes;
        other.clear();
    }
}

impl Cells {
    fn new(kind: ColumnType) -> Self {
        match kind {
            ColumnType::Text => Self::Text(Vec::new()),
            ColumnType::Int => Self::Int(Vec::new()),
            ColumnType::Number => Self::Number(Vec::new()),
            ColumnType::Bool => Self::Bool(Vec::new()),
        }
    }

    fn push(&mut self, value: Value<'_>) {
        match self {
            Self::Text(cells) => cells.push(as_text(value).map(|text| ByteArray::from(text.into_bytes()))),
            Self::Int(cells) => cells.push(if let Value::Int(n) = value { Some(n) } else { None }),
            Self::Number(cells) => cells.push(match value {
                Value::Number(n) if n.is_finite() => Some(n),
                Value::Int(n) => Some(n as f64),
                _ => None,
            }),
            Self::Bool(cells) => cells.push(if let Value::Bool(b) = value { Some(b) } else { None }),
        }
    }

    fn append(&mut self, other: &mut Cells) {
        match (self, other) {
            (Self::Text(to), Self::Text(from)) => to.append(from),
            (Self::Int(to), Self::Int(from)) => to.append(from),
            (Self::Number(to), Self::Number(from)) => to.append(from),
            (Self::Bool(to), Self::Bool(from)) => to.append(from),
            // Both were made from the columns of one writer.
            _ => debug_assert!(false, "columns of two layouts"),
        }
    }

    fn write(self, group: &mut SerializedRowGroupWriter<'_, Output>) -> ParquetResult<()> {
        match self {
            Self::Text(cells) => write_column::<ByteArrayType>(group, cells),
            Self::Int(cells) => write_column::<Int64Type>(group, cells),
            Self::Number(cells) => write_column::<DoubleType>(group, cells),
            Self::Bool(cells) => write_column::<BoolType>(group, cells),
        }
    }
}

fn as_text(value: Value<'_>) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Text(text) => Some(text.to_owned()),
        Value::Int(n) => Some(n.to_string()),
        Value::Number(n) => n.is_finite().then(|| n.to_string()),
        Value::Bool(b) => Some(b.to_string()),
    }
}

fn write_column<T: DataType>(group: &mut SerializedRowGroupWriter<'_, Output>, cells: Vec<Option<T::T>>) -> ParquetResult<()> {
    let mut writer = group.next_column()?.ok_or_else(|| ParquetError::General("more columns than the schema has".to_owned()))?;
    let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
    let values: Vec<T::T> = cells.into_iter().flatten().collect();
    writer.typed::<T>().write_batch(&values, Some(&levels), None)?;
    writer.close()
}

/// An open Parquet file.
pub(super) struct ParquetWriter {
    writer: SerializedFileWriter<Output>,
    waiting: CellColumns,
    name: PathBuf,
}

impl ParquetWriter {
    /// Opens the file on `output`.
    pub(super) fn new(output: Output, columns: &[Column]) -> Result<Self> {
        let name = output.path().to_path_buf();
        let failed = |e| failed(&name, e);
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
        let schema = schema(columns).map_err(failed)?;
        let writer = SerializedFileWriter::new(output, schema, Arc::new(properties)).map_err(failed)?;
        Ok(Self { writer, waiting: CellColumns::default(), name })
    }

    /// Takes the cells, and writes a row group when enough are waiting.
    pub(super) fn write(&mut self, cells: &mut CellColumns) -> Result<()> {
        self.waiting.append(cells);
        if self.waiting.n_rows >= GROUP_ROWS || self.waiting.n_bytes >= GROUP_BYTES {
            self.write_group()?;
        }
        Ok(())
    }

    /// Writes the last row group and the footer.
    pub(super) fn finish(mut self) -> Result<()> {
        self.write_group()?;
        let output = self.writer.into_inner().map_err(|e| failed(&self.name, e))?;
        output.finish()
    }

    fn write_group(&mut self) -> Result<()> {
        let cells = std::mem::take(&mut self.waiting);
        if cells.n_rows == 0 {
            return Ok(());
        }
        let write = || {
            let mut group = self.writer.next_row_group()?;
            cells.columns.into_iter().try_for_each(|column| column.write(&mut group))?;
            group.close()?;
            Ok(self.writer.flush()?)
        };
        write().map_err(|e| failed(&self.name, e))
    }
}

fn schema(columns: &[Column]) -> ParquetResult<TypePtr> {
    let fields = columns.iter().map(|column| {
        let (physical, converted) = match column.kind {
            ColumnType::Text => (PhysicalType::BYTE_ARRAY, ConvertedType::UTF8),
            ColumnType::Int => (PhysicalType::INT64, ConvertedType::NONE),
            ColumnType::Number => (PhysicalType::DOUBLE, ConvertedType::NONE),
            ColumnType::Bool => (PhysicalType::BOOLEAN, ConvertedType::NONE),
        };
        let field = Type::primitive_type_builder(&column.name, physical).with_converted_type(converted);
        field.with_repetition(Repetition::OPTIONAL).build().map(Arc::new)
    });
    let fields = fields.collect::<ParquetResult<Vec<_>>>()?;
    Type::group_type_builder("schema").with_fields(fields).build().map(Arc::new)
}

/// The system's own error if there is one inside.
fn failed(name: &std::path::Path, error: ParquetError) -> Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(io) => write_error(name, *io),
            Err(other) => write_error(name, std::io::Error::other(other)),
        },
        other => write_error(name, std::io::Error::other(other)),
    }
}
