//! stancekit
pub mod error;
pub mod sparse;
pub mod text;
pub mod features;
pub mod linear;
pub mod task;
pub mod model;
pub mod calibrate;
pub mod predict;
pub use error::{Error, ErrorKind, Result};
pub use task::Task;
