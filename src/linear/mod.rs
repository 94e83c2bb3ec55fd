//! stub, to be replaced
use serde::{Deserialize, Serialize};
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct LinearParams {
    pub c: f64,
}
/// m
#[derive(Debug, Clone)]
pub struct LinearModel {
    pub n_features: usize,
    pub n_classes: usize,
    pub n_outputs: usize,
    pub n_given: usize,
    pub given_scale: f32,
    pub shared: Vec<f32>,
    pub per_given: Vec<f32>,
    pub bias: Vec<f64>,
    pub bias_given: Vec<f64>,
}
