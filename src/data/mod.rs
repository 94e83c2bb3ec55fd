//! Everything from outside, and back: files, encodings, tables, articles, outputs.
//!
//! Reading is streamed: memory does not grow with the number of rows. A bad row is refused with its place and reason ([`Rejects`]) and does not cost the good rows
//! beside it. What a row means is not known here: columns have names and nothing else.

mod article;
mod encoding;
mod output;
#[cfg(feature = "parquet")]
mod parquet;
mod rejects;
mod source;
mod table;

pub use article::{Article, ArticleReader};
pub use output::{Output, TableFormat, TableWriter, Value};
pub use rejects::Rejects;
pub use source::{Compression, Format, Source, expand};
pub use table::{MAX_ROW_BYTES, Role, RowBatch, TableReader, find_column};
