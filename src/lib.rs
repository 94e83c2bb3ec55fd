//! stancekit
pub mod calibrate;
pub mod error;
pub mod batch;
pub mod evaluate;
pub mod train;
pub mod features;
pub mod linear;
pub mod labelled;
pub mod model;
pub mod predict;
pub mod random;
pub mod sparse;
pub mod linear;
pub use error::{Error, ErrorKind, Result};
pub use task::Task;
