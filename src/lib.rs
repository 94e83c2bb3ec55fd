#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]
#![warn(missing_docs)]

// In the order in which data flows; each module may use those above it.
pub mod error;
pub mod random;
pub mod sparse;
pub mod task;
pub mod data;
pub mod text;
pub mod features;
pub mod encoder;
pub mod linear;
pub mod calibrate;
pub mod model;
pub mod predict;
pub mod labelled;
pub mod documents;
pub mod batch;
pub mod holders;
pub mod classify;
pub mod evaluate;
pub mod plot;
pub mod train;
pub mod check;

pub use error::{Error, ErrorKind, Result};
pub use model::Model;
pub use predict::Predictor;
pub use task::Task;
