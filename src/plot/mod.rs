//! Plots of scores as SVG: confusion matrix, reliability diagram, learning curve.
//!
//! A plot is text in, text out: the same numbers give the same bytes. Colours are one blue in shades and one orange, which also differ in print and to
//! the colour-blind; every cell and point carries its number. Not here: where the numbers come from (`evaluate`, `train`).

mod charts;
mod svg;

pub use charts::{Curve, confusion_matrix, learning_curve, reliability_diagram};
