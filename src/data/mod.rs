//! Reading and writing: everything that comes from outside and everything that leaves.
//!
//! [`source`] finds files and opens them, compressed or not. [`encoding`] turns their bytes into UTF-8. [`table`] streams the rows of CSV, JSON
//! Lines and Parquet in batches; [`article`] makes articles of text, Markdown, HTML and of such rows. [`output`] and [`mod@write`] are the way out.
//!
//! Two rules hold in all of them. Memory does not grow with the number of rows. And a row that cannot be used is refused with its place and
//! reason ([`Rejects`]), while the rows around it go on; only what spoils the whole file (no header, a damaged archive) ends the reading.

pub mod article;
pub mod columns;
pub mod encoding;
pub mod output;
pub mod rejects;
pub mod source;
pub mod table;
pub mod write;

mod batch;
mod csv_reader;
mod html;
mod jsonl_reader;
mod markdown;
#[cfg(feature = "parquet")]
mod parquet_reader;
#[cfg(feature = "parquet")]
mod parquet_writer;

pub use article::{Article, ArticleOptions, ArticleReader, ColumnNames};
pub use batch::RowBatch;
pub use columns::{Role, find_column, find_named, find_optional_column};
pub use encoding::Notice;
pub use output::Output;
pub use rejects::Rejects;
pub use source::{Compression, Format, Source, expand, read_utf8};
pub use table::{BatchLimits, TableOptions, TableReader};
pub use write::{Column, ColumnType, RowBuffer, RowLayout, TableWriter, Value};
