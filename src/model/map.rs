//! The bytes of a model file: mapped, owned or compiled in. The only module of the library with `unsafe` code.

#![allow(unsafe_code)]

use std::fs::File;
use std::path::Path;

use memmap2::Mmap;

use crate::error::{Error, Result};

/// Bytes aligned to eight, so that tensors can be read in place.
#[derive(Debug)]
pub(crate) enum Bytes {
    /// A file in the page cache.
    Mapped(Mmap),
    /// A copy in memory; the second field is its length in bytes.
    Owned(Vec<u64>, usize),
    /// Bytes that happened to be aligned.
    Aligned(Vec<u8>),
    /// Compiled into the program.
    Static(&'static [u8]),
}

impl Bytes {
    /// Maps a file for reading.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or mapped.
    pub(crate) fn map(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        let length = file.metadata().map_err(|e| Error::io(path, e))?.len();
        if length == 0 {
            return Err(Error::model("the file is empty").in_file(path).expected("a stancekit model"));
        }
        // SAFETY: the map is private to this value and only ever read. Changing the file while it is mapped would change the bytes under us: models are
        // written to a temporary name and renamed, never rewritten in place, so only a foreign writer could do it; `--no-mmap` reads a copy instead.
        let map = unsafe { Mmap::map(&file) }.map_err(|e| Error::io(path, e))?;
        Ok(Self::Mapped(map))
    }

    /// Copies bytes into aligned memory.
    pub(crate) fn copy(bytes: &[u8]) -> Self {
        let mut words = vec![0_u64; bytes.len().div_ceil(8)];
        bytemuck::cast_slice_mut::<u64, u8>(&mut words)[..bytes.len()].copy_from_slice(bytes);
        Self::Owned(words, bytes.len())
    }

    /// Takes bytes over; copies them only if they are not aligned.
    pub(crate) fn take(bytes: Vec<u8>) -> Self {
        if bytes.as_ptr().addr().is_multiple_of(align_of::<u64>()) { Self::Aligned(bytes) } else { Self::copy(&bytes) }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Owned(words, length) => &bytemuck::cast_slice(words)[..*length],
            Self::Aligned(bytes) => bytes,
            Self::Static(bytes) => bytes,
        }
    }
}
