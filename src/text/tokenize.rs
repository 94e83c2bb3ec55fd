//! Words of a text, as slices of it, without allocation.
//!
//! Three rules ([`WordRule`]) share one scanner. It reads sixty-four bytes at a time, with a few vector instructions that mark what is an ASCII word
//! character and what is not ASCII, finds starts and ends of words by counting the zeros between the marks, and decides the byte that ends a run from a table. A word that touches a character outside ASCII is handed, with
//! all that could change its boundaries, to `unicode-segmentation`; the answer is the same either way, which a property test holds.
//! Case, stop words and hashing are not done here: features are hashed from the bytes of a word as they are lowered.
//!
//! The boundaries are those of UAX #29, with three tailorings:
//!
//! - letters that stand alone between periods keep their last period: "U.S." and "a.m." are words (UAX #29 gives "U.S" and "a.m");
//! - one hyphen between two words joins them: "state-sponsored", "5-4", "U.S.-led". Two hyphens, or a dash, do not;
//! - a combining mark that stands on no letter is no word (UAX #29 hangs it on the space or the quote before it).

use std::iter::{FusedIterator, Peekable};

use serde::{Deserialize, Serialize};
use unicode_normalization::char::is_combining_mark;
use unicode_segmentation::{UnicodeSegmentation, UnicodeWordIndices};
use wide::u8x16;

/// What every URL becomes under [`WordRule::Social`].
const URL_WORD: &str = "http";

/// What a word is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WordRule {
    /// UAX #29 with the tailorings of this module; "#MAGA" gives "MAGA".
    #[default]
    Unicode,
    /// As `Unicode`, but a word keeps the `#` or `@` before it, and a URL is the one word "http".
    Social,
    /// `(?u)\b\w\w+\b`, the default pattern of scikit-learn: runs of two or more letters, digits and underscores, as Python's `\w` has them.
    /// Combining marks are not among them, so Hindi words fall apart, as they do there.
    Sklearn,
}

/// Calls `f` with every word of `text` and the byte at which it starts, in order.
///
/// The word is the slice of `text` that starts there. The one exception is a URL without a scheme under [`WordRule::Social`]
/// ("www.example.org"), for which it is the constant "http".
///
/// # Examples
///
/// ```
/// use stancekit::text::{WordRule, for_each_word};
///
/// let mut words = Vec::new();
/// for_each_word("The U.S. isn't @home: https://t.co/x", WordRule::Social, |word, _| words.push(word.to_owned()));
/// assert_eq!(words, ["The", "U.S.", "isn't", "@home", "http"]);
/// ```
pub fn for_each_word(text: &str, rule: WordRule, mut f: impl FnMut(&str, usize)) {
    for_each_place(text, rule, |place, start| match place {
        Place::End(end) => f(&text[start..end], start),
        Place::Url => f(URL_WORD, start),
    });
}

/// Calls `f` with first and end byte of every word. The URLs without a scheme of [`WordRule::Social`] are left out.
#[inline(always)]
pub(crate) fn for_each_span(text: &str, rule: WordRule, mut f: impl FnMut(usize, usize)) {
    for_each_place(text, rule, |place, start| {
        if let Place::End(end) = place {
            f(start, end);
        }
    });
}

#[inline(always)]
fn for_each_place(text: &str, rule: WordRule, f: impl FnMut(Place, usize)) {
    let (bytes, window) = (text.as_bytes(), Window::load(text.as_bytes(), 0));
    match rule {
        WordRule::Unicode => Scanner::<_, false> { text, bytes, window, f }.run(),
        WordRule::Social => Scanner::<_, true> { text, bytes, window, f }.run(),
        WordRule::Sklearn => sklearn_words(text, window, f),
    }
}

/// What a word that starts at some byte is.
enum Place {
    /// The text up to this byte.
    End(usize),
    /// A URL without a scheme, which is the word [`URL_WORD`].
    Url,
}

/// Appends `text` in lower case to `out`: what [`str::to_lowercase`] gives, without its allocation.
pub fn lower_into(text: &str, out: &mut String) {
    if text.is_ascii() {
        push_lower_ascii(text, out);
        return;
    }
    if text.contains('Σ') {
        // The lower case of a final sigma depends on its neighbours, which only the standard function looks at.
        out.push_str(&text.to_lowercase());
        return;
    }
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| byte >= 0x80) {
        push_lower_ascii(&rest[..at], out);
        let foreign = rest[at..].find(|c: char| c.is_ascii()).unwrap_or(rest.len() - at);
        out.extend(rest[at..at + foreign].chars().flat_map(char::to_lowercase));
        rest = &rest[at + foreign..];
    }
    push_lower_ascii(rest, out);
}

fn push_lower_ascii(text: &str, out: &mut String) {
    let start = out.len();
    out.push_str(text);
    out[start..].make_ascii_lowercase();
}

/// [`lower_into`] for a buffer of bytes, the form in which features are hashed.
pub fn lower_bytes_into(text: &str, out: &mut Vec<u8>) {
    if text.is_ascii() {
        let start = out.len();
        out.extend_from_slice(text.as_bytes());
        out[start..].make_ascii_lowercase();
    } else if text.contains('Σ') {
        out.extend_from_slice(text.to_lowercase().as_bytes());
    } else {
        let mut buffer = [0; 4];
        for c in text.chars().flat_map(char::to_lowercase) {
            out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
        }
    }
}

/// Splits a hashtag into its parts, where case changes, where letters meet digits, and at underscores.
///
/// # Examples
///
/// ```
/// let parts: Vec<&str> = stancekit::text::split_hashtag("#MakeAmericaGreat2020").collect();
/// assert_eq!(parts, ["Make", "America", "Great", "2020"]);
/// let parts: Vec<&str> = stancekit::text::split_hashtag("#USAToday").collect();
/// assert_eq!(parts, ["USA", "Today"]);
/// ```
pub fn split_hashtag(tag: &str) -> impl FusedIterator<Item = &str> {
    let tag = tag.trim_start_matches(['#', '@']);
    tag.split('_').flat_map(|rest| HashtagParts { rest }).fuse()
}

/// The parts of a hashtag without underscores.
struct HashtagParts<'a> {
    rest: &'a str,
}

impl<'a> Iterator for HashtagParts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let (part, rest) = self.rest.split_at(hashtag_part_len(self.rest));
        self.rest = rest;
        (!part.is_empty()).then_some(part)
    }
}

/// Where the first part of a hashtag ends.
fn hashtag_part_len(tag: &str) -> usize {
    let mut chars = tag.char_indices().peekable();
    let mut before: Option<(usize, char)> = None;
    while let Some((at, c)) = chars.next() {
        if let Some((_, last)) = before {
            let digits_change = last.is_numeric() != c.is_numeric();
            let word_starts = c.is_uppercase() && last.is_lowercase();
            // The last capital of "USAT|oday" belongs to the next word.
            let acronym_ends =
                c.is_uppercase() && last.is_uppercase() && chars.peek().is_some_and(|&(_, next)| next.is_lowercase());
            if digits_change || word_starts || acronym_ends {
                return at;
            }
        }
        // A combining mark has no case and no value of its own: the letter that carries it speaks for it.
        if before.is_none() || !is_combining_mark(c) {
            before = Some((at, c));
        }
    }
    tag.len()
}

/// The scanner of the two Unicode rules. `SOCIAL` is a constant, so that the plain rule does not pay for it.
struct Scanner<'a, F, const SOCIAL: bool> {
    text: &'a str,
    bytes: &'a [u8],
    window: Window,
    f: F,
}

/// What the scanner found at the end of a run of ASCII word characters.
enum Tail {
    /// The word ends here.
    End,
    /// The word goes on with the run that starts at this byte.
    Joined(usize),
    /// A character outside ASCII may change the boundary.
    Unsure,
}

impl<F: FnMut(Place, usize), const SOCIAL: bool> Scanner<'_, F, SOCIAL> {
    fn run(&mut self) {
        let mut behind = 0;
        while let Some(at) = self.window.next(self.bytes, behind) {
            behind = if self.bytes[at] < 0x80 {
                self.ascii_word(at)
            } else {
                at + plain_punctuation_len(&self.bytes[at..]).unwrap_or_else(|| self.foreign_stretch(at))
            };
        }
    }

    /// Emits the word that starts at `start`, and returns where to go on.
    #[inline]
    fn ascii_word(&mut self, start: usize) -> usize {
        // `part` is the start of the piece that UAX #29 sees as one word; a hyphen joins pieces.
        let (mut part, mut end) = (start, self.window.run_end(self.bytes, start));
        if self.bytes[start] == b'_' && self.bytes[start..end].iter().all(|&byte| byte == b'_') {
            let is_foreign = self.class_at(end) == Class::Foreign;
            return if is_foreign { start + self.foreign_stretch(start) } else { end };
        }
        loop {
            let class = self.class_at(end);
            let tail = match class {
                Class::Other => break,
                Class::Hyphen => self.after_hyphen(end),
                Class::Foreign if plain_punctuation_len(&self.bytes[end..]).is_some() => break,
                _ => self.after_middle(end, class),
            };
            match tail {
                Tail::Joined(next) => {
                    part = if class == Class::Hyphen { next } else { part };
                    end = self.window.run_end(self.bytes, next);
                }
                Tail::Unsure => return start + self.foreign_stretch(start),
                Tail::End if class == Class::Period && is_ascii_abbreviation(&self.bytes[part..end]) => {
                    end += 1;
                    // Of all that may follow the last period, only a hyphen goes on with the word: "U.S.-led".
                    if self.class_at(end) != Class::Hyphen {
                        break;
                    }
                }
                Tail::End => break,
            }
        }
        self.emit(start, end)
    }

    /// Whether the hyphen at `at` joins the word before it to one after it.
    #[inline]
    fn after_hyphen(&self, at: usize) -> Tail {
        let next = at + 1;
        match self.class_at(next) {
            Class::Letter | Class::Digit => Tail::Joined(next),
            Class::Underscore => {
                let end = run_end(self.bytes, next);
                let is_word = self.bytes[next..end].iter().any(|&byte| byte != b'_');
                if is_word { Tail::Joined(next) } else { self.unless_foreign(end) }
            }
            _ => self.unless_foreign(next),
        }
    }

    /// Whether the punctuation of class `middle` at `at` stands inside a word: between letters or between digits (WB6, 7, 11, 12).
    #[inline]
    fn after_middle(&self, at: usize, middle: Class) -> Tail {
        let width = match middle {
            Class::Foreign if is_curly_apostrophe(&self.bytes[at..]) => 3,
            Class::Foreign => return Tail::Unsure,
            _ => 1,
        };
        let next = at + width;
        match (self.class_at(at - 1), self.class_at(next)) {
            (Class::Letter, Class::Letter) if middle != Class::MidNum => Tail::Joined(next),
            (Class::Digit, Class::Digit) if middle != Class::MidLetter => Tail::Joined(next),
            _ => self.unless_foreign(next),
        }
    }

    /// The word ends, unless a character outside ASCII stands at `at`: it leaves the answer open, except for the plain marks.
    #[inline]
    fn unless_foreign(&self, at: usize) -> Tail {
        let is_foreign = self.class_at(at) == Class::Foreign && plain_punctuation_len(&self.bytes[at..]).is_none();
        if is_foreign { Tail::Unsure } else { Tail::End }
    }

    /// The class of the byte at `at`; behind the end it is as if a space stood there.
    #[inline]
    fn class_at(&self, at: usize) -> Class {
        self.bytes.get(at).map_or(Class::Other, |&byte| CLASS[byte as usize])
    }

    /// Emits the words of the stretch from `start` to an ASCII character that always parts words, and returns its length.
    ///
    /// Never inlined: the common loop stays small.
    #[inline(never)]
    fn foreign_stretch(&mut self, start: usize) -> usize {
        let rest = &self.bytes[start..];
        // The straight double quote stands inside Hebrew words, so it does not part words surely.
        let is_edge = |byte: u8| CLASS[byte as usize] == Class::Other && byte != b'"';
        // One space between two foreign words is not worth a new start.
        let is_end = |pair: &[u8]| is_edge(pair[0]) && pair[1] < 0x80;
        let len = rest.windows(2).position(is_end).unwrap_or(rest.len());
        let mut resume = start;
        for (from, to) in ReferenceWords::new(&self.text[start..start + len]) {
            if start + from >= resume {
                resume = self.emit(start + from, start + to);
            }
        }
        len.max(resume - start)
    }

    /// Hands one word to the caller, and returns where to go on: behind it, or behind the URL that it starts.
    #[inline]
    fn emit(&mut self, start: usize, end: usize) -> usize {
        if !SOCIAL {
            (self.f)(Place::End(end), start);
            return end;
        }
        let may_start_url = self.bytes.get(end) == Some(&b':') || self.bytes.get(start + 3) == Some(&b'.');
        if may_start_url && let Some(resume) = self.emit_url(start, end) {
            return resume;
        }
        self.emit_signed(start, end);
        end
    }

    /// Emits the URL that the word `start..end` ends or starts with, and returns its end; nothing happens if there is none.
    #[cold]
    fn emit_url(&mut self, start: usize, end: usize) -> Option<usize> {
        let word = &self.bytes[start..end];
        if is_web_host(word) {
            (self.f)(Place::Url, start);
            return Some(self.url_end(end));
        }
        let scheme = scheme_start(word).filter(|_| self.bytes[end..].starts_with(b"://"))?;
        // UAX #29 joins "link:https", for the colon may stand inside a word.
        if scheme > 0 {
            self.emit_signed(start, start + scheme - 1);
        }
        let url = start + scheme;
        (self.f)(Place::End(url + URL_WORD.len()), url);
        Some(self.url_end(end))
    }

    #[inline]
    fn emit_signed(&mut self, start: usize, end: usize) {
        let start = if self.has_sign_before(start) { start - 1 } else { start };
        (self.f)(Place::End(end), start);
    }

    /// The end of the URL that goes on at `at`.
    fn url_end(&self, at: usize) -> usize {
        let is_url_byte = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>');
        self.bytes[at..].iter().position(|&byte| !is_url_byte(byte)).map_or(self.bytes.len(), |len| at + len)
    }

    /// Whether `#` or `@` stands before `start` and starts the word; in an e-mail address the sign stands inside.
    #[inline]
    fn has_sign_before(&self, start: usize) -> bool {
        if start == 0 || !matches!(self.bytes[start - 1], b'#' | b'@') {
            return false;
        }
        !self.text[..start - 1].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_' || is_combining_mark(c))
    }
}

/// The tailored words of a text by the reference implementation of UAX #29, as byte spans: the slow path, and the definition of the fast one.
struct ReferenceWords<'a> {
    text: &'a str,
    words: Peekable<UnicodeWordIndices<'a>>,
}

impl<'a> ReferenceWords<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, words: text.unicode_word_indices().peekable() }
    }

    /// The end of `word`, moved behind the period of an abbreviation.
    fn with_last_period(&self, start: usize, word: &str) -> usize {
        let end = start + word.len();
        let has_period = self.text.as_bytes().get(end) == Some(&b'.');
        end + usize::from(has_period && is_abbreviation(word))
    }
}

impl Iterator for ReferenceWords<'_> {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<(usize, usize)> {
        let (start, word) = self.words.find(|(_, word)| has_base(word))?;
        let mut end = self.with_last_period(start, word);
        while self.text.as_bytes().get(end) == Some(&b'-')
            && let Some((next, word)) = self.words.next_if(|&(next, word)| next == end + 1 && has_base(word))
        {
            end = self.with_last_period(next, word);
        }
        Some((start, end))
    }
}

/// Whether `word` has a letter or digit that can stand alone. The two half-width sound marks of kana are letters to Unicode, but extend
/// what is before them like a combining mark.
fn has_base(word: &str) -> bool {
    word.chars().any(|c| c.is_alphanumeric() && !is_combining_mark(c) && !matches!(c, '\u{FF9E}' | '\u{FF9F}'))
}

/// Where "http" or "https" starts in a word that ends with it: at zero, or behind a punctuation mark.
fn scheme_start(word: &[u8]) -> Option<usize> {
    let starts_at = |scheme: &[u8]| {
        let at = word.len().checked_sub(scheme.len())?;
        let is_whole =
            at == 0 || matches!(CLASS[word[at - 1] as usize], Class::MidLetter | Class::Period | Class::MidBoth | Class::Hyphen);
        (is_whole && word[at..].eq_ignore_ascii_case(scheme)).then_some(at)
    };
    starts_at(b"http").or_else(|| starts_at(b"https"))
}

/// Whether a word is the host of a URL without a scheme: "www." and more.
#[inline]
fn is_web_host(word: &[u8]) -> bool {
    word.len() > 4 && word[3] == b'.' && word[..3].eq_ignore_ascii_case(b"www")
}

/// Whether `word` is two or more single letters with a period between each two.
fn is_abbreviation(word: &str) -> bool {
    let mut letters = word.split('.');
    let is_letter = |part: &str| part.chars().next().is_some_and(|c| c.is_alphabetic() && c.len_utf8() == part.len());
    word.contains('.') && letters.all(is_letter)
}

/// [`is_abbreviation`] for ASCII.
#[inline]
fn is_ascii_abbreviation(word: &[u8]) -> bool {
    // The second byte tells nearly always, and it is the one read first.
    word.len() >= 3
        && word.len() % 2 == 1
        && word[1] == b'.'
        && word.iter().enumerate().all(|(i, &byte)| if i % 2 == 0 { byte.is_ascii_alphabetic() } else { byte == b'.' })
}

/// The words of [`WordRule::Sklearn`].
#[inline(always)]
fn sklearn_words(text: &str, mut window: Window, mut f: impl FnMut(Place, usize)) {
    let bytes = text.as_bytes();
    let mut behind = 0;
    while let Some(start) = window.next(bytes, behind) {
        let (mut at, mut n_chars) = (start, 0);
        loop {
            let end = window.run_end(bytes, at);
            n_chars += end - at;
            at = end;
            if bytes.get(at).is_none_or(|&byte| byte < 0x80) {
                break;
            }
            // U+2000 to U+203F are the spaces, dashes and quotes of print, none of them a word character.
            if bytes[at..].starts_with(&[0xE2, 0x80]) {
                break;
            }
            // A byte from 0x80 up after whole characters starts a character.
            let Some(c) = text[at..].chars().next().filter(|&c| is_python_word(c)) else { break };
            n_chars += 1;
            at += c.len_utf8();
        }
        if n_chars >= 2 {
            f(Place::End(at), start);
        }
        behind = at + bytes.get(at).map_or(1, |&byte| utf8_len(byte));
    }
}

/// The length of the character whose first byte is `first`.
#[inline]
fn utf8_len(first: u8) -> usize {
    match first {
        0..0xC0 => 1,
        0xC0..0xE0 => 2,
        0xE0..0xF0 => 3,
        0xF0.. => 4,
    }
}

/// Whether Python's `\w` matches a character outside ASCII: `str.isalnum()`, that is, general categories L and N.
///
/// Rust's `is_alphanumeric` is wider by the code points of `Other_Alphabetic`: combining marks and the letters in circles and squares.
fn is_python_word(c: char) -> bool {
    let is_enclosed_letter =
        matches!(c, 'Ⓐ'..='ⓩ' | '\u{1F130}'..='\u{1F149}' | '\u{1F150}'..='\u{1F169}' | '\u{1F170}'..='\u{1F189}');
    c.is_alphanumeric() && !is_enclosed_letter && !is_combining_mark(c)
}

/// The part a byte plays in a word; the names follow the properties of UAX #29.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Parts words, always.
    Other,
    Letter,
    Digit,
    Underscore,
    /// `:`, inside a word between letters.
    MidLetter,
    /// `,` and `;`, inside a word between digits.
    MidNum,
    /// The apostrophe, inside a word between letters or digits.
    MidBoth,
    /// As the apostrophe; besides, it may end an abbreviation.
    Period,
    Hyphen,
    /// Part of a character outside ASCII.
    Foreign,
}

const CLASS: [Class; 256] = {
    let mut table = [Class::Other; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            b'_' => Class::Underscore,
            b':' => Class::MidLetter,
            b',' | b';' => Class::MidNum,
            b'\'' => Class::MidBoth,
            b'.' => Class::Period,
            b'-' => Class::Hyphen,
            0x80.. => Class::Foreign,
            _ => Class::Other,
        };
        byte += 1;
    }
    table
};

/// The length of the mark that `bytes` start with, if it is one of those that news is full of and that part words as surely as a space:
/// en and em dash, curly double quotes, bullet, ellipsis (all three bytes long). None of them needs the slow path.
#[inline]
fn plain_punctuation_len(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [0xE2, 0x80, 0x93 | 0x94 | 0x9C | 0x9D | 0xA2 | 0xA6, ..] => Some(3),
        _ => None,
    }
}

/// Whether `bytes` start with U+2019, which UAX #29 treats as the straight apostrophe.
#[inline]
fn is_curly_apostrophe(bytes: &[u8]) -> bool {
    bytes.starts_with("’".as_bytes())
}

/// Bytes in a [`Window`].
const WIDTH: usize = 64;

/// What stands in sixty-four bytes of a text, one bit each; nothing stands behind its end.
#[derive(Debug)]
struct Window {
    start: usize,
    /// ASCII letters, digits and underscores.
    words: u64,
    /// Parts of characters outside ASCII.
    foreign: u64,
}

impl Window {
    /// The first byte from `from` on, which is not before the window, that is a word character or not ASCII.
    #[inline(always)]
    fn next(&mut self, bytes: &[u8], mut from: usize) -> Option<usize> {
        loop {
            let skipped = from - self.start;
            if skipped < WIDTH {
                let ahead = (self.words | self.foreign) >> skipped;
                if ahead != 0 {
                    return Some(from + ahead.trailing_zeros() as usize);
                }
                from = self.start + WIDTH;
            }
            if from >= bytes.len() {
                return None;
            }
            *self = Self::load(bytes, from);
        }
    }

    /// The end of the run of ASCII word characters that starts at `start`; `start` itself if there is none.
    #[inline(always)]
    fn run_end(&self, bytes: &[u8], start: usize) -> usize {
        let skipped = start - self.start;
        if skipped < WIDTH {
            let end = skipped + (!(self.words >> skipped)).trailing_zeros() as usize;
            if end < WIDTH {
                return self.start + end;
            }
        }
        run_end(bytes, start)
    }

    #[inline]
    fn load(bytes: &[u8], start: usize) -> Self {
        let rest = &bytes[start..];
        let (words, foreign) = match rest.first_chunk::<WIDTH>() {
            Some(chunk) => marks(chunk),
            None => {
                let mut chunk = [0; WIDTH];
                chunk[..rest.len()].copy_from_slice(rest);
                marks(&chunk)
            }
        };
        Self { start, words, foreign }
    }
}

/// The marks of a [`Window`].
#[inline(always)]
fn marks(chunk: &[u8; WIDTH]) -> (u64, u64) {
    let (sixteens, _) = chunk.as_chunks::<16>();
    sixteens.iter().enumerate().fold((0, 0), |(words, foreign), (i, &sixteen)| {
        let here = u64::from(word_bytes(sixteen)) << (16 * i);
        (words | here, foreign | u64::from(u8x16::new(sixteen).to_bitmask() as u16) << (16 * i))
    })
}

/// The end of the run of ASCII letters, digits and underscores that starts at `start`; `start` itself if there is none.
///
/// Sixteen bytes in one step: nearly all words are shorter, so there is no loop for the processor to guess the length of.
#[inline]
fn run_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(sixteen) = bytes[at..].first_chunk::<16>() {
        let others = !word_bytes(*sixteen);
        if others != 0 {
            return at + others.trailing_zeros() as usize;
        }
        at += 16;
    }
    at + bytes[at..].iter().take_while(|&&byte| byte.is_ascii_alphanumeric() || byte == b'_').count()
}

/// One bit for each byte that is an ASCII letter, digit or underscore.
#[inline]
fn word_bytes(sixteen: [u8; 16]) -> u16 {
    let bytes = u8x16::new(sixteen);
    let lower = bytes | u8x16::splat(0x20);
    // A byte is from a to b exactly if limiting it to that range does not change it.
    let is_within = |bytes: u8x16, a: u8, b: u8| bytes.max(u8x16::splat(a)).min(u8x16::splat(b)).simd_eq(bytes);
    let is_word = is_within(lower, b'a', b'z') | is_within(bytes, b'0', b'9') | bytes.simd_eq(u8x16::splat(b'_'));
    is_word.to_bitmask() as u16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str, rule: WordRule) -> Vec<&str> {
        let mut words = Vec::new();
        for_each_word(text, rule, |word, start| {
            words.push(if text[start..].starts_with(word) { &text[start..start + word.len()] } else { URL_WORD })
        });
        words
    }

    fn spans(text: &str) -> Vec<(usize, usize)> {
        let mut spans = Vec::new();
        for_each_word(text, WordRule::Unicode, |word, start| spans.push((start, start + word.len())));
        spans
    }

    /// UAX #29 as the crate has it, without our tailorings.
    fn untailored(text: &str) -> Vec<(usize, usize)> {
        text.unicode_word_indices().filter(|(_, word)| has_base(word)).map(|(start, word)| (start, start + word.len())).collect()
    }

    /// Pieces that meet in nasty ways: everything that any rule of UAX #29 or of this module looks at.
    fn nasty_text() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec![
            "a",
            "B",
            "U",
            "S",
            "word",
            "7",
            "42",
            "_",
            "__",
            ".",
            ".",
            ",",
            ";",
            ":",
            "'",
            "-",
            "-",
            "\"",
            " ",
            " ",
            "/",
            "#",
            "@",
            "é",
            "e\u{301}",
            "’",
            "“",
            "”",
            "—",
            "…",
            "•",
            "‘",
            "\u{200d}",
            "\u{ad}",
            "😀",
            "אב",
            "क",
            "\u{93f}",
            "中",
            "カ",
            "한",
            "ی",
            "\u{feff}",
            "·",
            "\u{301}",
            "\u{2024}",
            "٣",
            "٫",
            "\r",
            "\n",
            "longerwordthaneight",
            "ⓐ",
            "www.",
            "http://",
            "×",
        ]);
        prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat())
    }

    #[test]
    fn words_follow_the_unicode_rule_with_its_tailorings() {
        let cases: &[(&str, &[&str])] = &[
            ("It's state-sponsored.", &["It's", "state-sponsored"]),
            ("It’s “over” — done…", &["It’s", "over", "done"]),
            ("the U.S. and the U.K.", &["the", "U.S.", "and", "the", "U.K."]),
            ("at 5 a.m. sharp", &["at", "5", "a.m.", "sharp"]),
            ("a U.S.-led force", &["a", "U.S.-led", "force"]),
            ("J. Smith", &["J", "Smith"]),
            ("the end.", &["the", "end"]),
            ("$1,000.50 and 5-4", &["1,000.50", "and", "5-4"]),
            ("yes--no", &["yes", "no"]),
            ("well-to-do", &["well-to-do"]),
            ("- dash -x x-", &["dash", "x", "x"]),
            ("snake_case __ _x", &["snake_case", "_x"]),
            ("a__-__b x-__", &["a__-__b", "x"]),
            ("#MAGA @POTUS", &["MAGA", "POTUS"]),
            ("अमेरिका ने कहा।", &["अमेरिका", "ने", "कहा"]),
            ("امریکہ نے کہا۔", &["امریکہ", "نے", "کہا"]),
            ("naïve café-owner", &["naïve", "café-owner"]),
            ("É.U. et U.É.", &["É.U.", "et", "U.É."]),
            ("", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(words(text, WordRule::Unicode), *expected, "{text}");
        }
    }

    #[test]
    fn social_words_keep_their_sign_and_urls_are_one_word() {
        let cases: &[(&str, &[&str])] = &[
            ("#MAGA @POTUS #2020", &["#MAGA", "@POTUS", "#2020"]),
            ("(#a) “#b” 😀#c ##d", &["#a", "#b", "#c", "#d"]),
            ("mail jane.doe@example.com", &["mail", "jane.doe", "example.com"]),
            ("x#y é#z", &["x", "y", "é", "z"]),
            ("see https://t.co/AbC?d=1#e, ok", &["see", "http", "ok"]),
            ("HTTP://X.ORG/a", &["HTTP"]),
            ("www.example.org/é ok", &["http", "é", "ok"]),
            ("“https://t.co/x”", &["http"]),
            ("é:http://t.co/x y", &["é", "http", "y"]),
            ("link:https://t.co/x it.http://a", &["link", "http", "it", "http"]),
            ("http and https alone", &["http", "and", "https", "alone"]),
            ("# @", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(words(text, WordRule::Social), *expected, "{text}");
        }
    }

    #[test]
    fn sklearn_words_are_runs_of_two_or_more_word_characters() {
        let cases: &[(&str, &[&str])] = &[
            ("It's a U.S. test_case 7 42", &["It", "test_case", "42"]),
            ("naïve é éé", &["naïve", "éé"]),
            // From Python: re.findall(r"(?u)\b\w\w+\b", "अमेरिका ने"); vowel signs are no word characters.
            ("अमेरिका ने", &["अम"]),
            ("x² ½½ ⓐⓑ 中国", &["x²", "½½", "中国"]),
            ("__ a_", &["__", "a_"]),
        ];
        for (text, expected) in cases {
            assert_eq!(words(text, WordRule::Sklearn), *expected, "{text}");
        }
    }

    #[test]
    fn hashtags_split_where_case_or_digits_change() {
        let cases: &[(&str, &[&str])] = &[
            ("#MakeAmericaGreat2020", &["Make", "America", "Great", "2020"]),
            ("#USAToday", &["USA", "Today"]),
            ("#black_lives_matter", &["black", "lives", "matter"]),
            ("@JoeBiden", &["Joe", "Biden"]),
            ("#2020Election", &["2020", "Election"]),
            ("#MAGA", &["MAGA"]),
            ("#ÉcoleNormale", &["École", "Normale"]),
            ("#", &[]),
            ("__", &[]),
        ];
        for (tag, expected) in cases {
            assert_eq!(split_hashtag(tag).collect::<Vec<_>>(), *expected, "{tag}");
        }
    }

    #[test]
    fn sixteen_bytes_at_once_know_every_byte() {
        for byte in 0..=255u8 {
            let expected = byte.is_ascii_alphanumeric() || byte == b'_';
            for place in 0..16 {
                let mut sixteen = [0xFF; 16];
                sixteen[place] = byte;
                let found = word_bytes(sixteen) >> place & 1 != 0;
                assert_eq!(found, expected, "byte {byte:#x} at {place}");
            }
        }
    }

    #[test]
    fn lower_case_is_that_of_the_standard_library() {
        for text in ["ABC def", "", "ÉCOLE", "İstanbul", "ΟΔΟΣ", "ΣΑΣ σ", "ẞ", "हिन्दी"] {
            let (mut string, mut bytes) = (String::from("X"), vec![b'X']);
            lower_into(text, &mut string);
            lower_bytes_into(text, &mut bytes);
            assert_eq!(string, format!("X{}", text.to_lowercase()));
            assert_eq!(bytes, string.as_bytes());
        }
    }

    /// Hyphens and abbreviations aside, the words are those of UAX #29: text without either must agree with the crate as it is.
    fn has_no_tailoring(text: &str) -> bool {
        !text.contains('-') && ReferenceWords::new(text).all(|(start, end)| !text[start..end].ends_with('.'))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn fast_words_equal_the_tailored_reference_on_nasty_text(text in nasty_text()) {
            prop_assert_eq!(spans(&text), ReferenceWords::new(&text).collect::<Vec<_>>());
        }

        #[test]
        fn fast_words_equal_the_tailored_reference_on_ascii(text in "[a-cA-C0-2_.,;:'\" -]{0,40}|[ -~]{0,60}") {
            prop_assert_eq!(spans(&text), ReferenceWords::new(&text).collect::<Vec<_>>());
        }

        #[test]
        fn words_without_tailoring_are_those_of_the_crate(text in prop_oneof![nasty_text(), "[ -~]{0,40}", "\\PC{0,40}"]) {
            if has_no_tailoring(&text) {
                prop_assert_eq!(spans(&text), untailored(&text));
            }
            let plain = text.replace(['-', '.'], " ");
            prop_assert_eq!(spans(&plain), untailored(&plain));
        }

        #[test]
        fn fast_words_equal_the_reference_on_any_string(text in any::<String>()) {
            prop_assert_eq!(spans(&text), ReferenceWords::new(&text).collect::<Vec<_>>());
        }

        #[test]
        fn social_words_are_in_order_and_in_the_text(text in nasty_text()) {
            let mut last = 0;
            for_each_word(&text, WordRule::Social, |word, start| {
                assert!(start >= last && (text[start..].starts_with(word) || word == URL_WORD));
                last = start + 1;
            });
        }

        #[test]
        fn sklearn_words_equal_a_plain_split(text in prop_oneof![nasty_text(), any::<String>()]) {
            let is_word = |c: char| c == '_' || if c.is_ascii() { c.is_ascii_alphanumeric() } else { is_python_word(c) };
            let expected: Vec<&str> = text.split(|c| !is_word(c)).filter(|run| run.chars().count() >= 2).collect();
            prop_assert_eq!(words(&text, WordRule::Sklearn), expected);
        }

        #[test]
        fn lower_case_equals_the_standard_library_on_any_string(text in any::<String>()) {
            let (mut string, mut bytes) = (String::new(), Vec::new());
            lower_into(&text, &mut string);
            lower_bytes_into(&text, &mut bytes);
            prop_assert_eq!(&string, &text.to_lowercase());
            prop_assert_eq!(bytes, string.as_bytes());
        }

        #[test]
        fn hashtag_parts_lose_nothing_but_signs_and_underscores(tag in "#?[a-zA-Z0-9_é]{0,20}") {
            let parts: String = split_hashtag(&tag).collect();
            prop_assert_eq!(parts, tag.replace(['#', '_'], ""));
        }
    }
}
