//! stancekit
pub mod error;
pub mod sparse;
pub mod text;
pub use error::{Error, ErrorKind, Result};
