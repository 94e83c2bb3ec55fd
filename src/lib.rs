//! stancekit
pub mod error;
pub mod sparse;
pub mod linear;
pub use error::{Error, ErrorKind, Result};
