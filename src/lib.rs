//! stancekit
pub mod data;
pub mod error;
pub mod sparse;
pub use error::{Error, ErrorKind, Result};
