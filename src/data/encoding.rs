//! From bytes to UTF-8 while streaming: what is UTF-8 passes untouched, all else is converted, and what was assumed is said.
//!
//! The decision falls at the first byte that is not ASCII, on the 64 KB that follow it, so that a long English start does not hide the
//! accents after it. A byte order mark decides alone. Text that is UTF-8 but for a few bad bytes stays UTF-8: whoever takes rows out of it
//! refuses those with the bad bytes. This module does not validate.

use std::fmt;
use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE};

use crate::error::{Error, Result};

/// Bytes on which the encoding is decided.
const WINDOW_BYTES: usize = 64 * 1024;

/// Says that a file was not UTF-8 and as what it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The file, `-` for standard input.
    pub file: PathBuf,
    /// Name of the encoding that was assumed.
    pub encoding: &'static str,
    /// Whether bytes that this encoding does not know were replaced by U+FFFD.
    pub has_replacements: bool,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: not UTF-8, read as {}", self.file.display(), self.encoding)?;
        if self.has_replacements {
            write!(f, " with some unknown bytes replaced")?;
        }
        write!(f, "; if that is wrong, say --encoding NAME")
    }
}

/// A reader that gives UTF-8 (or bytes that were meant to be).
pub struct TextReader {
    inner: Box<dyn BufRead + Send>,
    state: State,
    /// Bytes read for a decision and not given out or decoded yet.
    held: Vec<u8>,
    held_at: usize,
    /// Decoded bytes not given out yet.
    decoded: Vec<u8>,
    decoded_at: usize,
    has_replacements: bool,
    is_guess: bool,
}

enum State {
    /// Nothing read yet.
    Start,
    /// All bytes so far were ASCII.
    Ascii,
    /// Bytes pass as they are.
    Utf8,
    Decoding(Box<Decoder>),
}

impl TextReader {
    /// Reads `inner`, in the encoding given or in the one it seems to be in.
    pub fn new(inner: Box<dyn BufRead + Send>, encoding: Option<&'static Encoding>) -> Self {
        let state = match encoding {
            None => State::Start,
            Some(encoding) if encoding == UTF_8 => State::Start,
            Some(encoding) => State::Decoding(Box::new(encoding.new_decoder_with_bom_removal())),
        };
        Self {
            inner,
            state,
            held: Vec::new(),
            held_at: 0,
            decoded: Vec::new(),
            decoded_at: 0,
            has_replacements: false,
            is_guess: encoding.is_none(),
        }
    }

    /// What has been assumed so far, if the bytes are not UTF-8 and no encoding was given.
    pub fn notice(&self, file: &Path) -> Option<Notice> {
        match &self.state {
            State::Decoding(decoder) if self.is_guess => Some(Notice {
                file: file.to_path_buf(),
                encoding: decoder.encoding().name(),
                has_replacements: self.has_replacements,
            }),
            _ => None,
        }
    }

    /// Decides on a byte order mark or the zeros of UTF-16 without one.
    fn start(&mut self) -> io::Result<()> {
        self.hold_window()?;
        self.state = match self.held[..] {
            [0xef, 0xbb, 0xbf, ..] => {
                self.held_at = 3;
                State::Utf8
            }
            [0xff, 0xfe, ..] if self.is_guess => State::Decoding(Box::new(UTF_16LE.new_decoder_with_bom_removal())),
            [0xfe, 0xff, ..] if self.is_guess => State::Decoding(Box::new(UTF_16BE.new_decoder_with_bom_removal())),
            _ if !self.is_guess => State::Utf8,
            _ => match utf16_without_mark(&self.held) {
                Some(encoding) => State::Decoding(Box::new(encoding.new_decoder_without_bom_handling())),
                None => State::Ascii,
            },
        };
        if matches!(self.state, State::Ascii) && !self.held.is_ascii() {
            self.decide();
        }
        Ok(())
    }

    /// Decides between UTF-8 and an older encoding on the held window.
    fn decide(&mut self) {
        self.state = if looks_like_utf8(&self.held) {
            State::Utf8
        } else {
            let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
            detector.feed(&self.held, false);
            State::Decoding(Box::new(detector.guess(None, Utf8Detection::Deny).new_decoder_without_bom_handling()))
        };
    }

    /// Fills `held` to a whole window, or to the end of the stream.
    fn hold_window(&mut self) -> io::Result<()> {
        let missing = WINDOW_BYTES.saturating_sub(self.held.len());
        (&mut self.inner).take(missing as u64).read_to_end(&mut self.held)?;
        Ok(())
    }

    /// Gives out held bytes as they are.
    fn give_held(&mut self, out: &mut [u8]) -> usize {
        let n = out.len().min(self.held.len() - self.held_at);
        out[..n].copy_from_slice(&self.held[self.held_at..self.held_at + n]);
        self.held_at += n;
        n
    }

    /// Reads ASCII directly into `out`; at the first other byte holds a window and decides.
    fn read_ascii(&mut self, out: &mut [u8]) -> io::Result<Option<usize>> {
        let n = self.inner.read(out)?;
        if out[..n].is_ascii() {
            return Ok(Some(n));
        }
        self.held.clear();
        self.held_at = 0;
        self.held.extend_from_slice(&out[..n]);
        self.hold_window()?;
        self.decide();
        Ok(None)
    }

    /// Decodes the next piece; `false` at the end of the stream.
    fn decode_more(&mut self) -> io::Result<bool> {
        let State::Decoding(decoder) = &mut self.state else { return Ok(false) };
        let is_held = self.held_at < self.held.len();
        let input = if is_held { &self.held[self.held_at..] } else { self.inner.fill_buf()? };
        let is_last = input.is_empty();
        self.decoded.resize(WINDOW_BYTES, 0);
        let (result, n_read, n_written, replaced) = decoder.decode_to_utf8(input, &mut self.decoded, is_last);
        self.decoded.truncate(n_written);
        self.decoded_at = 0;
        self.has_replacements |= replaced;
        if is_held {
            self.held_at += n_read;
        } else {
            self.inner.consume(n_read);
        }
        let is_done = is_last && result == CoderResult::InputEmpty;
        if is_done {
            // A finished decoder panics when it is asked again; a fresh one finds the stream empty.
            **decoder = decoder.encoding().new_decoder_without_bom_handling();
        }
        Ok(!is_done || n_written > 0)
    }
}

impl Read for TextReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            if self.decoded_at < self.decoded.len() {
                let n = out.len().min(self.decoded.len() - self.decoded_at);
                out[..n].copy_from_slice(&self.decoded[self.decoded_at..self.decoded_at + n]);
                self.decoded_at += n;
                return Ok(n);
            }
            let has_held = self.held_at < self.held.len();
            match self.state {
                State::Start => self.start()?,
                State::Ascii | State::Utf8 if has_held => return Ok(self.give_held(out)),
                State::Utf8 => return self.inner.read(out),
                State::Ascii => {
                    if let Some(n) = self.read_ascii(out)? {
                        return Ok(n);
                    }
                }
                State::Decoding(_) => {
                    if !self.decode_more()? {
                        return Ok(0);
                    }
                }
            }
        }
    }
}

/// The encoding of this label, as the web knows them (`windows-1252`, `latin1`, `utf-16le`).
///
/// # Errors
///
/// If there is none.
pub fn encoding_for_label(label: &str) -> Result<&'static Encoding> {
    Encoding::for_label(label.as_bytes()).ok_or_else(|| {
        Error::parameter("unknown encoding")
            .expected("a name such as utf-8, windows-1252, utf-16le, gb18030")
            .found(format!("{label:?}"))
    })
}

/// UTF-16 without a mark: in Western text every second byte is zero.
fn utf16_without_mark(window: &[u8]) -> Option<&'static Encoding> {
    let head = &window[..window.len().min(4096) & !1];
    let pairs = head.len() / 2;
    let zeros = |offset: usize| head.iter().skip(offset).step_by(2).filter(|&&b| b == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    match pairs {
        0..2 => None,
        _ if odd * 10 >= pairs * 7 && even * 20 <= pairs => Some(UTF_16LE),
        _ if even * 10 >= pairs * 7 && odd * 20 <= pairs => Some(UTF_16BE),
        _ => None,
    }
}

/// Whether a window was meant to be UTF-8: it has at least as many good multi-byte characters as bad spots. In older encodings good ones
/// come about by chance only ("Ã©" in a Latin text), so the bound is safe on both sides.
fn looks_like_utf8(mut window: &[u8]) -> bool {
    let (mut good, mut bad) = (0, 0);
    loop {
        let (valid, skip) = match std::str::from_utf8(window) {
            Ok(_) => (window.len(), None),
            Err(error) => (error.valid_up_to(), error.error_len()),
        };
        good += window[..valid].iter().filter(|&&b| b >= 0xc0).count();
        match skip {
            // The window ends here, perhaps in the middle of a character.
            None => {
                let tail = &window[valid..];
                bad += usize::from(!tail.is_empty() && good == 0);
                return bad == 0 || good >= bad;
            }
            Some(skip) => {
                bad += 1;
                window = &window[valid + skip..];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> (String, Option<&'static str>) {
        let mut reader = TextReader::new(Box::new(io::Cursor::new(bytes.to_vec())), None);
        let mut out = Vec::new();
        reader.read_to_end(&mut out).unwrap();
        (String::from_utf8_lossy(&out).into_owned(), reader.notice(Path::new("f")).map(|n| n.encoding))
    }

    fn utf16(text: &str, mark: bool) -> Vec<u8> {
        let mark = mark.then_some(0xfeff);
        mark.into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn utf8_passes_with_or_without_a_mark() {
        assert_eq!(read("naïve café".as_bytes()), ("naïve café".to_owned(), None));
        assert_eq!(read("\u{feff}café".as_bytes()), ("café".to_owned(), None));
        assert_eq!(read(b""), (String::new(), None));
    }

    #[test]
    fn windows_1252_is_converted_and_said() {
        let (text, encoding) = read(b"The caf\xe9 said \x93no\x94 to the na\xefve plan of the Qu\xe9bec government.");
        assert_eq!(text, "The café said “no” to the naïve plan of the Québec government.");
        assert_eq!(encoding, Some("windows-1252"));
    }

    #[test]
    fn an_accent_after_a_long_ascii_start_is_still_found() {
        let mut bytes = "Plain words. ".repeat(50_000).into_bytes();
        bytes.extend_from_slice(b"Un caf\xe9 tr\xe8s na\xeff.");
        let (text, encoding) = read(&bytes);
        assert!(text.ends_with("Un café très naïf."));
        assert_eq!(encoding, Some("windows-1252"));
    }

    #[test]
    fn utf16_is_read_with_and_without_a_mark() {
        let text = "Talks in Geneva – “no” deal. ".repeat(9000);
        assert_eq!(read(&utf16(&text, true)), (text.clone(), Some("UTF-16LE")));
        assert_eq!(read(&utf16(&text, false)), (text, Some("UTF-16LE")));
    }

    #[test]
    fn one_bad_byte_does_not_make_utf8_something_else() {
        let (text, encoding) = read(b"caf\xc3\xa9, na\xc3\xafve, bad \xff byte");
        assert_eq!(text, "café, naïve, bad \u{fffd} byte");
        assert_eq!(encoding, None);
    }

    #[test]
    fn small_reads_give_the_same_text() {
        let bytes = utf16("añb", true);
        let mut reader = TextReader::new(Box::new(io::Cursor::new(bytes)), None);
        let (mut out, mut one) = (Vec::new(), [0u8; 1]);
        while reader.read(&mut one).unwrap() == 1 {
            out.push(one[0]);
        }
        assert_eq!(out, "añb".as_bytes());
    }
}
