//! What stands for encoders in a build without them.

use std::path::Path;

use crate::encoder::{VectorCache, Vectors};
use crate::error::{Error, ErrorKind, Result};
use crate::features::{EncoderId, Passage};

/// A sentence encoder; there is none in a build without the feature `encoder`.
#[derive(Debug)]
pub enum Encoder {}

impl Encoder {
    /// Loads nothing.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn load(directory: &Path, _: bool, _: &VectorCache) -> Result<Self> {
        Err(Error::new(ErrorKind::Unsupported, "this program was built without encoders")
            .in_file(directory)
            .help("build it with `--features encoder`"))
    }

    /// Never called.
    pub fn id(&self) -> &EncoderId {
        match *self {}
    }

    /// Never called.
    ///
    /// # Errors
    ///
    /// None.
    pub fn encode(&self, _: &[Passage<'_>]) -> Result<Vectors> {
        match *self {}
    }
}
