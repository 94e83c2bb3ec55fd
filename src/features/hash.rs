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
    let mut hash = salt ^ K0.wrapping_mul(bytes.len() as u64 | 1 << 32);
    let mut rest = bytes;
    while let Some((head, tail)) = rest.split_first_chunk::<8>() {
        hash = fold(hash ^ u64::from_le_bytes(*head), K1);
        rest = tail;
    }
    fold(hash ^ last_bytes(rest), K1 ^ hash.rotate_left(32))
}

/// Bytes that must be readable behind a word for [`word_at`].
pub(crate) const WORD_PADDING: usize = 16;

/// [`word`] of the bytes `start..end` of `buffer`, which goes on for [`WORD_PADDING`] bytes behind them: whole loads and a mask instead of a branch on the length.
#[inline(always)]
pub(crate) fn word_at(buffer: &[u8], start: usize, end: usize, salt: u64) -> u64 {
    let length = end - start;
    let Some(window) = buffer.get(start..start + WORD_PADDING).filter(|_| length < WORD_PADDING) else {
        return word(&buffer[start..end], salt);
    };
    let first = u64::from_le_bytes(window[..8].try_into().expect("eight bytes"));
    let second = u64::from_le_bytes(window[8..].try_into().expect("eight bytes"));
    let start_hash = salt ^ K0.wrapping_mul(length as u64 | 1 << 32);
    let is_long = length >= 8;
    let hash = if is_long { fold(start_hash ^ first, K1) } else { start_hash };
    let rest = (if is_long { second } else { first }) & TAIL_MASKS[length & 7];
    // `last_bytes` gives the second of two bytes twice.
    let rest = if length & 7 == 2 { rest | (rest & 0xFF00) << 8 } else { rest };
    fold(hash ^ rest, K1 ^ hash.rotate_left(32))
}

/// The low bytes, by their number.
const TAIL_MASKS: [u64; 8] = {
    let mut masks = [0; 8];
    let mut length = 0;
    while length < 8 {
        masks[length] = (1 << (length * 8)) - 1;
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
        (_, _, [a, .., c]) => u64::from(*a) | u64::from(rest[rest.len() / 2]) << 8 | u64::from(*c) << 16,
        (_, _, [a]) => u64::from(*a),
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

    const EXPECTED: [u64; 6] = [
        10959921788979651438,
        352082541285252828,
        13992709150275065767,
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
