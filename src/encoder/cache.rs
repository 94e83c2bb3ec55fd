//! Vectors on disk: one file per text, named by a hash of encoder and text.
//!
//! A file holds a checksum (8 bytes) and the values (f32), little-endian. It is written under a temporary name and renamed, so that two programs may share the
//! directory. A file that is damaged counts as absent and is written again; a cache that cannot be written to is only slow. What lies there says
//! something of the texts: whoever may not read these should not read the cache either.

use std::io::Write;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::encoder::VectorCache;
use crate::encoder::files::hex;
use crate::features::{EncoderId, Passage};

/// Part of every key; to be raised when the same files begin to give other vectors.
const VERSION: &str = "1";

/// A directory of vectors of one encoder.
#[derive(Debug)]
pub(super) struct Cache {
    directory: PathBuf,
    /// The hash of everything but the text.
    seed: Sha256,
}

/// Name of a vector's file.
#[derive(Debug)]
pub(super) struct Key(String);

impl Cache {
    pub(super) fn open(choice: &VectorCache, id: &EncoderId) -> Option<Self> {
        let root = match choice {
            VectorCache::Off => return None,
            VectorCache::Directory(directory) => directory.clone(),
            VectorCache::User => user_directory()?.join("stancekit").join("vectors"),
        };
        let mut seed = Sha256::new();
        seed.update(format!("{VERSION} {}\n", id.mention));
        id.files.iter().for_each(|(name, hash)| seed.update(format!("{name} {hash}\n")));
        let encoder = hex(&seed.clone().finalize());
        Some(Self { directory: root.join(&encoder[..16]), seed })
    }

    /// SHA-256: two texts never share a key, not even texts made for it.
    pub(super) fn key(&self, passage: &Passage<'_>) -> Key {
        let mut hash = self.seed.clone();
        hash.update(format!("{:?}\n", passage.target));
        hash.update(passage.text);
        Key(hex(&hash.finalize()))
    }

    /// The vector, if it is there and whole.
    pub(super) fn get(&self, key: &Key, dims: usize) -> Option<Vec<f32>> {
        let bytes = std::fs::read(self.path(key)).ok()?;
        let (sum, values) = bytes.split_first_chunk::<8>()?;
        let is_whole = values.len() == 4 * dims && u64::from_le_bytes(*sum) == rapidhash::v3::rapidhash_v3(values);
        let value = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().expect("four bytes"));
        is_whole.then(|| values.chunks_exact(4).map(value).collect())
    }

    /// Keeps a vector, if the directory can be written to.
    pub(super) fn put(&self, key: &Key, vector: &[f32]) {
        // A cache that cannot be written to is no reason to stop.
        let _ = self.write(key, vector);
    }

    fn write(&self, key: &Key, vector: &[f32]) -> std::io::Result<()> {
        let path = self.path(key);
        let directory = path.parent().unwrap_or(&self.directory);
        std::fs::create_dir_all(directory)?;
        let values: Vec<u8> = vector.iter().flat_map(|v| v.to_le_bytes()).collect();
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(&rapidhash::v3::rapidhash_v3(&values).to_le_bytes())?;
        file.write_all(&values)?;
        file.persist(&path)?;
        Ok(())
    }

    /// Files are spread over 256 directories: some systems are slow in large ones.
    fn path(&self, Key(name): &Key) -> PathBuf {
        self.directory.join(&name[..2]).join(&name[2..])
    }
}

fn user_directory() -> Option<PathBuf> {
    let named = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    named("XDG_CACHE_HOME").or_else(|| named("HOME").map(|home| home.join(".cache")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_vectors_are_not_read_and_are_written_again() {
        let directory = tempfile::tempdir().unwrap();
        let id = EncoderId { name: "x".into(), files: Default::default(), dims: 2, mention: false };
        let cache = Cache::open(&VectorCache::Directory(directory.path().to_path_buf()), &id).unwrap();
        let key = cache.key(&"a text".into());
        assert_eq!(cache.get(&key, 2), None);
        cache.put(&key, &[1.0, -2.5]);
        assert_eq!(cache.get(&key, 2), Some(vec![1.0, -2.5]));
        let mut bytes = std::fs::read(cache.path(&key)).unwrap();
        bytes[9] ^= 1;
        std::fs::write(cache.path(&key), &bytes).unwrap();
        assert_eq!(cache.get(&key, 2), None);
        cache.put(&key, &[1.0, -2.5]);
        assert_eq!(cache.get(&key, 2), Some(vec![1.0, -2.5]));
        assert_eq!(cache.get(&key, 3), None);
    }

    #[test]
    fn keys_depend_on_text_target_and_encoder() {
        let id = EncoderId { name: "x".into(), files: Default::default(), dims: 2, mention: true };
        let choice = VectorCache::Directory("unused".into());
        let cache = Cache::open(&choice, &id).unwrap();
        let other = Cache::open(&choice, &EncoderId { files: [("a".to_owned(), "b".to_owned())].into(), ..id }).unwrap();
        let marked = Passage { target: Some((0, 1)), ..Passage::from("ab") };
        let keys = [cache.key(&"ab".into()), cache.key(&"ac".into()), cache.key(&marked), other.key(&"ab".into())];
        let distinct: std::collections::BTreeSet<&String> = keys.iter().map(|Key(name)| name).collect();
        assert_eq!(distinct.len(), keys.len());
    }
}
