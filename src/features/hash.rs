//! The 64-bit identity of an n-gram: how bytes, code points and word sequences become keys.
//!
//! Keys are part of the model file, so these functions never change within a format version. They are not for hash maps against adversaries:
//! there is no secret seed. Two different n-grams share a key with odds of about n²/2⁶⁵, 3e-8 for a million features.

/// Odd 64-bit constants from the binary digits of e, π and √2 (nothing-up-my-sleeve numbers).
const K0: u64 = 0xB7E1_5162_8AED_2A6B;
const K1: u64 = 0x243F_6A88_85A3_08D3;
const K2: u64 = 0x6A09_E667_F3BC_C909;

/// A 64 × 64 → 128-bit product, folded: every input bit reaches every output bit.
#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ (product >> 64) as u64
}

/// Key of one word, from its (lower-cased) bytes; `salt` separates feature blocks.
#[inline(always)]
pub(crate) fn word(bytes: &[u8], salt: u64) -> u64 {
    match bytes.split_first_chunk::<8>() {
        None => short_word([last_bytes(bytes), 0], bytes.len(), salt),
        Some((first, rest)) if rest.len() < 8 => short_word([u64::from_le_bytes(*first), last_bytes(rest)], bytes.len(), salt),
        _ => long_word(bytes, salt),
    }
}

/// Key of one word in models of format 1.
fn word_of_format_1(bytes: &[u8], salt: u64) -> u64 {
    // The second of two last bytes stood there twice.
    chained_word(bytes, salt, |rest| last_bytes(rest) | if let &[_, b] = rest { u64::from(b) << 16 } else { 0 })
}

/// How the words of a feature block become keys: by the format of the model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WordKeys {
    salt: u64,
    is_format_1: bool,
}

impl WordKeys {
    pub(crate) fn new(salt: u64, format: u32) -> Self {
        Self { salt, is_format_1: format == 1 }
    }

    /// Key of a (lower-cased) word.
    #[inline(always)]
    pub(crate) fn key(self, bytes: &[u8]) -> u64 {
        if self.is_format_1 { word_of_format_1(bytes, self.salt) } else { word(bytes, self.salt) }
    }

    /// [`Self::key`] of the bytes `start..end` of `buffer`, which goes on for [`WORD_PADDING`] bytes behind them.
    #[inline(always)]
    pub(crate) fn key_at(self, buffer: &[u8], start: usize, end: usize) -> u64 {
        if self.is_format_1 { word_of_format_1(&buffer[start..end], self.salt) } else { word_at(buffer, start, end, self.salt) }
    }
}

/// Bytes that must be readable behind a word for [`WordKeys::key_at`].
pub(crate) const WORD_PADDING: usize = 16;

/// [`word`] of the bytes `start..end` of `buffer`, which goes on for [`WORD_PADDING`] bytes behind them: whole loads and masks instead of a branch on the length.
#[inline(always)]
fn word_at(buffer: &[u8], start: usize, end: usize, salt: u64) -> u64 {
    let length = end - start;
    let Some(window) = buffer[start..].first_chunk::<WORD_PADDING>().filter(|_| length < WORD_PADDING) else {
        return long_word(&buffer[start..end], salt);
    };
    let (masks, halves) = (&MASKS[length], window.as_chunks::<8>().0);
    short_word([0, 1].map(|i| u64::from_le_bytes(halves[i]) & masks[i]), length, salt)
}

/// Key of a word of fewer than 16 bytes, which are two little-endian numbers.
#[inline(always)]
fn short_word([low, high]: [u64; 2], length: usize, salt: u64) -> u64 {
    fold(low ^ salt ^ K1, high ^ K0.wrapping_mul(length as u64 | 1 << 32))
}

/// Key of a word of 16 bytes or more, eight of them at a time.
#[inline(never)]
fn long_word(bytes: &[u8], salt: u64) -> u64 {
    chained_word(bytes, salt, last_bytes)
}

/// Key of a word by one product for eight bytes each and one for what `last` makes of those behind them.
#[inline(always)]
fn chained_word(bytes: &[u8], salt: u64, last: impl Fn(&[u8]) -> u64) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let start = salt ^ K0.wrapping_mul(bytes.len() as u64 | 1 << 32);
    let hash = words.iter().fold(start, |hash, word| fold(hash ^ u64::from_le_bytes(*word), K1));
    fold(hash ^ last(rest), K1 ^ hash.rotate_left(32))
}

/// The bytes of a word that stand in two numbers, by their number.
const MASKS: [[u64; 2]; WORD_PADDING] = {
    let mut masks = [[0; 2]; WORD_PADDING];
    let mut length = 0;
    while length < WORD_PADDING {
        let all = (1_u128 << (length * 8)) - 1;
        masks[length] = [all as u64, (all >> 64) as u64];
        length += 1;
    }
    masks
};

/// Up to seven bytes as a little-endian number; two overlapping loads instead of a loop over bytes.
#[inline(always)]
fn last_bytes(rest: &[u8]) -> u64 {
    match (rest.first_chunk::<4>(), rest.last_chunk::<4>(), rest) {
        (Some(&low), Some(&high), _) => {
            u64::from(u32::from_le_bytes(low)) | u64::from(u32::from_le_bytes(high)) << ((rest.len() - 4) * 8)
        }
        (_, _, &[a, b, c]) => u64::from(a) | u64::from(b) << 8 | u64::from(c) << 16,
        (_, _, &[a, b]) => u64::from(a) | u64::from(b) << 8,
        (_, _, &[a]) => u64::from(a),
        _ => 0,
    }
}

/// Key of a word sequence one longer than that of `prefix`, ending in the word with key `next`.
#[inline(always)]
pub(crate) fn append_word(prefix: u64, next: u64) -> u64 {
    fold(prefix ^ K2, next ^ K1.rotate_left(17))
}

/// Key of a code-point sequence one longer than that of `prefix`; start from [`chars_start`].
#[inline(always)]
pub(crate) fn append_char(prefix: u64, c: u32) -> u64 {
    fold(prefix ^ u64::from(c), K2)
}

/// Key of the empty code-point sequence of the block with this salt.
#[inline(always)]
pub(crate) fn chars_start(salt: u64) -> u64 {
    salt ^ K0.rotate_left(29)
}

/// Salt of feature block `block`: the same n-gram in two blocks is two features.
pub(crate) fn block_salt(block: usize) -> u64 {
    fold(K0 ^ block as u64, K1)
}

/// Key of value `d` of an encoder's vector.
pub(crate) fn value(d: usize, salt: u64) -> u64 {
    fold(salt ^ K1, K2 ^ d as u64)
}

/// A key derived from another and a small number, as for a word marked with its position.
#[inline(always)]
pub(crate) fn marked(key: u64, mark: u64) -> u64 {
    fold(key ^ K0, K2 ^ (mark << 48 | mark))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn short_words_have_different_keys() {
        let mut seen = HashSet::new();
        let letters: Vec<u8> = (b'a'..=b'z').chain(b'0'..=b'9').collect();
        for &a in &letters {
            assert!(seen.insert(word(&[a], 0)));
            for &b in &letters {
                assert!(seen.insert(word(&[a, b], 0)));
                for &c in &letters {
                    assert!(seen.insert(word(&[a, b, c], 0)));
                    assert!(seen.insert(word(&[a, b, c, a], 0)));
                    assert!(seen.insert(word(&[a, b, c, b, a, c, b, a, c], 0)));
                }
            }
        }
    }

    #[test]
    fn a_word_in_its_text_has_the_key_of_the_word_alone() {
        let text: Vec<u8> = (0..64_u8).map(|i| i.wrapping_mul(37).wrapping_add(11)).collect();
        for start in 0..40 {
            for end in start..=40 {
                assert_eq!(word_at(&text, start, end, 7), word(&text[start..end], 7), "{start}..{end}");
            }
        }
    }

    #[test]
    fn keys_do_not_change_between_releases() {
        // A changed key makes every stored model useless: raise the format version if this must change.
        let keys = [word(b"", 0), word(b"india", 0), word(b"mediation", 0), append_word(1, 2), append_char(3, 4), block_salt(1)];
        assert_eq!(keys, EXPECTED);
    }

    #[test]
    fn keys_of_the_first_format_stay_as_they_were() {
        let keys = WordKeys::new(0, 1);
        let expected = [(&b""[..], 10959921788979651438), (b"india", 352082541285252828), (b"mediation", 13992709150275065767)];
        for (word, key) in expected {
            assert_eq!((keys.key(word), keys.key_at(&[word, &[1; WORD_PADDING]].concat(), 0, word.len())), (key, key));
        }
    }

    const EXPECTED: [u64; 6] = [
        10395867140982409133,
        2659492805922763663,
        7447734104781648306,
        8051293548801547409,
        16592752891272986429,
        17066527680346192663,
    ];

    #[test]
    fn order_of_words_matters() {
        let (a, b) = (word(b"a", 0), word(b"b", 0));
        assert_ne!(append_word(a, b), append_word(b, a));
    }
}
