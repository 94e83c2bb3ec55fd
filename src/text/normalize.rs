//! Unicode NFC with the way back, and offsets in code points.
//!
//! The same word must hash to the same feature whether its "é" came as one code point or as two, so text is read in NFC. The reader of a
//! result, however, wants offsets into the text they sent. [`Normalized`] holds both; [`CodePoints`] turns byte offsets, which Rust slices
//! by, into code-point offsets, which the output contract counts in. Neither changes case, white space or punctuation.

use std::borrow::Cow;
use std::iter::once;

use unicode_normalization::char::{canonical_combining_class, decompose_canonical};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// Bytes between two checkpoints of [`CodePoints`]: a look-up counts at most this many bytes, which the compiler vectorises.
const STRIDE: usize = 128;

/// A text in NFC, with the map from its code points to those of the original.
///
/// Text that is ASCII or in NFC already is borrowed, not copied, and its map is empty.
///
/// # Examples
///
/// ```
/// use stancekit::text::Normalized;
///
/// let normalized = Normalized::new("cafe\u{301} au lait");
/// assert_eq!(normalized.text(), "café au lait");
/// assert_eq!(normalized.original_span(5, 7), (6, 8));
/// ```
#[derive(Debug, Clone)]
pub struct Normalized<'a> {
    text: Cow<'a, str>,
    changes: Vec<Change>,
}

/// A stretch that normalisation rewrote, in code points of either text, both ends exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    start: usize,
    end: usize,
    original_start: usize,
    original_end: usize,
}

impl<'a> Normalized<'a> {
    /// Brings `text` to NFC; O(bytes), without a copy when there is nothing to do.
    pub fn new(text: &'a str) -> Self {
        if is_surely_nfc(text.as_bytes()) || is_nfc_quick(text.chars()) == IsNormalized::Yes {
            return Self { text: Cow::Borrowed(text), changes: Vec::new() };
        }
        Self::rewrite(text)
    }

    fn rewrite(text: &'a str) -> Self {
        let mut out = String::with_capacity(text.len());
        let mut changes = Vec::new();
        let (mut at, mut original_at) = (0, 0);
        for run in stable_runs(text) {
            let out_start = out.len();
            out.extend(run.nfc());
            let (n_out, n_in) = (out[out_start..].chars().count(), run.chars().count());
            if out[out_start..] != *run {
                changes.push(Change {
                    start: at,
                    end: at + n_out,
                    original_start: original_at,
                    original_end: original_at + n_in,
                });
            }
            at += n_out;
            original_at += n_in;
        }
        // The quick check says "maybe" for text that turns out to be in NFC.
        let text = if changes.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(out) };
        Self { text, changes }
    }

    /// The text in NFC.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text in NFC, without the map.
    pub fn into_text(self) -> Cow<'a, str> {
        self.text
    }

    /// Whether the original was in NFC, so that offsets need no mapping.
    pub fn is_unchanged(&self) -> bool {
        self.changes.is_empty()
    }

    /// Where in the original the span of code points `start..end` of the normalised text lies, in code points.
    ///
    /// An end inside a rewritten stretch moves outwards to the edge of that stretch, so the original span always covers what was read.
    pub fn original_span(&self, start: usize, end: usize) -> (usize, usize) {
        (self.original_start(start), self.original_end(end))
    }

    /// The original offset of a span that starts at `start`; O(log changes).
    pub fn original_start(&self, start: usize) -> usize {
        match self.last_change_before(start + 1) {
            None => start,
            Some(change) if start < change.end => change.original_start,
            Some(change) => change.original_end + (start - change.end),
        }
    }

    /// The original offset of a span that ends, exclusively, at `end`; O(log changes).
    pub fn original_end(&self, end: usize) -> usize {
        match self.last_change_before(end) {
            None => end,
            Some(change) if end <= change.end => change.original_end,
            Some(change) => change.original_end + (end - change.end),
        }
    }

    fn last_change_before(&self, offset: usize) -> Option<&Change> {
        self.changes[..self.changes.partition_point(|change| change.start < offset)].last()
    }
}

/// Whether all that is not ASCII are characters that news and tweets are full of and that NFC never changes, whatever their neighbours: letters below
/// U+0300, U+2010 to U+203A (dashes, quotes, the ellipsis), the variation selector of emoji, and U+1F000 to U+1FFFF, where emoji are.
fn is_surely_nfc(mut bytes: &[u8]) -> bool {
    if bytes.is_ascii() {
        return true;
    }
    while let Some(at) = bytes.iter().position(|&byte| byte >= 0x80) {
        let width = match bytes[at..] {
            [0xC2..=0xCB, _, ..] => 2,
            [0xE2, 0x80, 0x90..=0xBA, ..] | [0xEF, 0xB8, 0x8F, ..] => 3,
            [0xF0, 0x9F, _, _, ..] => 4,
            _ => return false,
        };
        bytes = &bytes[at + width..];
    }
    true
}

/// Cuts `text` before every code point that nothing before it can combine with (UAX #15, "normalization boundary"), so that the pieces can
/// be normalised one by one.
fn stable_runs(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = rest.char_indices().skip(1).find(|&(_, c)| is_stable(c)).map_or(rest.len(), |(at, _)| at);
        let (run, tail) = rest.split_at(end);
        rest = tail;
        (!run.is_empty()).then_some(run)
    })
}

fn is_stable(c: char) -> bool {
    let mut first = None;
    decompose_canonical(c, |part| first = first.or(Some(part)));
    let first = first.unwrap_or(c);
    c.is_ascii() || (canonical_combining_class(first) == 0 && is_nfc_quick(once(first)) == IsNormalized::Yes)
}

/// Turns byte offsets of one text into code-point offsets and back.
///
/// Built in one pass. For ASCII text both directions are the identity and nothing is stored; otherwise 4 bytes are stored per 128 bytes of
/// text, a byte offset costs the counting of at most 128 bytes, and a code-point offset a binary search on top.
///
/// # Examples
///
/// ```
/// use stancekit::text::CodePoints;
///
/// let points = CodePoints::new("naïve");
/// assert_eq!(points.at_byte(4), 3);
/// assert_eq!(points.to_byte(3), 4);
/// ```
#[derive(Debug, Clone)]
pub struct CodePoints<'a> {
    text: &'a str,
    /// Code points that start before byte `i * STRIDE`; empty for ASCII text.
    checkpoints: Vec<u32>,
}

impl<'a> CodePoints<'a> {
    /// Counts `text` once.
    ///
    /// # Panics
    ///
    /// If the text has more than `u32::MAX` code points.
    pub fn new(text: &'a str) -> Self {
        if text.is_ascii() {
            return Self { text, checkpoints: Vec::new() };
        }
        let mut seen = 0;
        let checkpoints = text.as_bytes().chunks(STRIDE).map(|chunk| {
            let before = seen;
            seen += count_starts(chunk);
            u32::try_from(before).expect("a text has fewer than 2^32 code points")
        });
        Self { text, checkpoints: checkpoints.collect() }
    }

    /// How many code points start before byte `byte`; offsets past the end count as the end.
    pub fn at_byte(&self, byte: usize) -> usize {
        let byte = byte.min(self.text.len());
        if self.checkpoints.is_empty() {
            return byte;
        }
        // The last checkpoint is used for an offset at the very end, where `byte / STRIDE` may be one too many.
        let block = (byte / STRIDE).min(self.checkpoints.len() - 1);
        self.checkpoints[block] as usize + count_starts(&self.text.as_bytes()[block * STRIDE..byte])
    }

    /// The byte at which code point number `point` starts; offsets past the end give the length of the text.
    pub fn to_byte(&self, point: usize) -> usize {
        if self.checkpoints.is_empty() {
            return point.min(self.text.len());
        }
        // The first checkpoint is zero, so the partition point is at least one.
        let block = self.checkpoints.partition_point(|&before| before as usize <= point) - 1;
        let start = block * STRIDE;
        let wanted = point - self.checkpoints[block] as usize;
        let starts = self.text.as_bytes()[start..].iter().enumerate().filter(|&(_, &byte)| is_start(byte));
        starts.map(|(at, _)| start + at).nth(wanted).unwrap_or(self.text.len())
    }

    /// Code points in the whole text.
    pub fn len(&self) -> usize {
        self.at_byte(self.text.len())
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

fn count_starts(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| is_start(byte)).count()
}

/// Whether a byte of UTF-8 starts a code point: all do but the continuation bytes `10xxxxxx`.
fn is_start(byte: u8) -> bool {
    byte & 0xC0 != 0x80
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Letters, marks and jamo that compose, decompose, reorder or stay.
    fn combining_text() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec![
            "e",
            "a",
            "\u{301}",
            "\u{327}",
            "\u{30a}",
            "é",
            "\u{212b}",
            "ᄀ",
            "ᅡ",
            "ᆨ",
            "각",
            "क",
            "\u{93c}",
            "ی",
            "\u{654}",
            " ",
            "x",
            "😀",
            "\u{958}",
            "\u{1d15e}",
            "ﬁ",
        ]);
        prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat())
    }

    #[test]
    fn what_is_surely_in_nfc_is() {
        for c in (0x80..0x11_0000).filter_map(char::from_u32) {
            // A neighbour on either side that composes with whatever can be composed.
            let text = format!("a{c}e{c}");
            if is_surely_nfc(text.as_bytes()) {
                assert_eq!(is_nfc_quick(text.chars()), IsNormalized::Yes, "{:#x}", u32::from(c));
            }
        }
        assert!(is_surely_nfc("“naïve” — it’s 😀\u{fe0f}…".as_bytes()));
        assert!(!is_surely_nfc("e\u{301}".as_bytes()));
    }

    #[test]
    fn ascii_and_composed_text_is_not_copied() {
        for text in ["plain", "", "naïve café", "अमेरिका ने कहा"] {
            let normalized = Normalized::new(text);
            assert!(normalized.is_unchanged() && std::ptr::eq(normalized.text(), text));
        }
    }

    #[test]
    fn a_decomposed_letter_maps_to_both_of_its_code_points() {
        let normalized = Normalized::new("ae\u{301}b");
        assert_eq!(normalized.text(), "aéb");
        assert_eq!(normalized.original_span(1, 2), (1, 3));
        assert_eq!(normalized.original_span(2, 3), (3, 4));
        assert_eq!(normalized.original_span(0, 3), (0, 4));
    }

    #[test]
    fn one_code_point_that_becomes_two_maps_back_to_one() {
        let normalized = Normalized::new("a\u{958}b");
        assert_eq!(normalized.text(), "a\u{915}\u{93c}b");
        assert_eq!(normalized.original_span(1, 3), (1, 2));
        assert_eq!(normalized.original_span(1, 2), (1, 2), "half of it covers the whole");
        assert_eq!(normalized.original_span(3, 4), (2, 3));
    }

    #[test]
    fn code_points_of_an_urdu_text_go_both_ways() {
        let text = "امریکہ نے کہا۔ yes";
        let points = CodePoints::new(text);
        for (point, (byte, _)) in text.char_indices().enumerate() {
            assert_eq!((points.at_byte(byte), points.to_byte(point)), (point, byte));
        }
        assert_eq!(points.len(), text.chars().count());
        assert_eq!((points.at_byte(999), points.to_byte(999)), (points.len(), text.len()));
    }

    proptest! {
        #[test]
        fn normalised_text_is_what_the_reference_gives(text in combining_text()) {
            let expected: String = text.nfc().collect();
            prop_assert_eq!(Normalized::new(&text).into_text(), expected);
        }

        #[test]
        fn an_original_span_normalises_to_a_text_that_holds_the_span(text in combining_text()) {
            let normalized = Normalized::new(&text);
            let (old, new): (Vec<char>, Vec<char>) = (text.chars().collect(), normalized.text().chars().collect());
            for start in 0..new.len() {
                for end in start + 1..=new.len() {
                    let (from, to) = normalized.original_span(start, end);
                    prop_assert!(from < to && to <= old.len());
                    let back: String = old[from..to].iter().collect::<String>().nfc().collect();
                    prop_assert!(back.contains(&new[start..end].iter().collect::<String>()));
                }
            }
        }

        #[test]
        fn code_point_offsets_agree_with_counting(text in "[aé😀क ]{0,400}") {
            let points = CodePoints::new(&text);
            for (point, (byte, _)) in text.char_indices().enumerate() {
                prop_assert_eq!(points.at_byte(byte), point);
                prop_assert_eq!(points.to_byte(point), byte);
            }
            prop_assert_eq!(points.len(), text.chars().count());
            prop_assert_eq!(points.to_byte(points.len()), text.len());
        }
    }
}
