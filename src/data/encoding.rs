//! Text in any encoding becomes UTF-8, on the way through.
//!
//! A byte-order mark decides; else the first 64 KB. Where they are UTF-8, bytes pass untouched and a bad sequence later on is the table reader's to refuse, row
//! by row. Where they are not, but hold at least as much good multi-byte UTF-8 as bad, they count as UTF-8 with damage. Otherwise `chardetng` names the encoding
//! and `encoding_rs` converts.

use std::io::{self, Cursor, Read};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8};

const SAMPLE: usize = 1 << 16;

/// A reader of UTF-8, and the name of the encoding that was assumed where it was another.
pub(super) fn to_utf8(mut raw: Box<dyn Read + Send>) -> io::Result<(Box<dyn Read + Send>, Option<&'static str>)> {
    let mut sample = Vec::with_capacity(SAMPLE);
    raw.by_ref().take(SAMPLE as u64).read_to_end(&mut sample)?;
    let is_whole = sample.len() < SAMPLE;
    let (encoding, mark) = match Encoding::for_bom(&sample) {
        Some((encoding, length)) => (encoding, length),
        None => (guess(&sample, is_whole), 0),
    };
    let rest = Cursor::new(sample.split_off(mark)).chain(raw);
    if encoding == UTF_8 {
        return Ok((Box::new(rest), None));
    }
    let decoding = Decoding { raw: rest, decoder: encoding.new_decoder_without_bom_handling(), input: Vec::new(), output: Vec::new(), at: 0, is_done: false };
    Ok((Box::new(decoding), Some(encoding.name())))
}

fn guess(sample: &[u8], is_whole: bool) -> &'static Encoding {
    let (good, bad) = count_sequences(sample, is_whole);
    if bad == 0 || good >= bad {
        return UTF_8;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(sample, is_whole);
    detector.guess(None, Utf8Detection::Deny)
}

/// Good multi-byte sequences and bad ones; a sequence cut by the end of the sample is neither.
fn count_sequences(sample: &[u8], is_whole: bool) -> (usize, usize) {
    let (mut good, mut bad, mut rest) = (0, 0, sample);
    loop {
        match std::str::from_utf8(rest) {
            Ok(text) => return (good + multi_byte(text), bad),
            Err(error) => {
                let (valid, after) = rest.split_at(error.valid_up_to());
                good += std::str::from_utf8(valid).map_or(0, multi_byte);
                let Some(length) = error.error_len() else { return (good, bad + usize::from(is_whole)) };
                bad += 1;
                rest = &after[length..];
            }
        }
    }
}

fn multi_byte(text: &str) -> usize {
    text.bytes().filter(|b| *b >= 0xC0).count()
}

/// Converts a chunk at a time.
struct Decoding<R> {
    raw: R,
    decoder: Decoder,
    input: Vec<u8>,
    output: Vec<u8>,
    at: usize,
    is_done: bool,
}

impl<R: Read> Decoding<R> {
    fn refill(&mut self) -> io::Result<()> {
        self.input.resize(SAMPLE, 0);
        let n_read = self.raw.read(&mut self.input)?;
        self.is_done = n_read == 0;
        self.at = 0;
        let mut input = &self.input[..n_read];
        let needed = self.decoder.max_utf8_buffer_length(n_read).unwrap_or(n_read * 3 + 16);
        self.output.resize(needed, 0);
        let mut written = 0;
        loop {
            let (result, read, wrote, _) = self.decoder.decode_to_utf8(input, &mut self.output[written..], self.is_done);
            written += wrote;
            input = &input[read..];
            if result == CoderResult::InputEmpty {
                break;
            }
            self.output.resize(self.output.len() * 2, 0);
        }
        self.output.truncate(written);
        Ok(())
    }
}

impl<R: Read> Read for Decoding<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.output.len() {
            if self.is_done {
                return Ok(0);
            }
            self.refill()?;
        }
        let n = buffer.len().min(self.output.len() - self.at);
        buffer[..n].copy_from_slice(&self.output[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> (String, Option<&'static str>) {
        let (mut reader, encoding) = to_utf8(Box::new(Cursor::new(bytes.to_vec()))).unwrap();
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        (String::from_utf8_lossy(&bytes).into_owned(), encoding)
    }

    #[test]
    fn utf8_passes_with_and_without_mark() {
        assert_eq!(read("Łódź".as_bytes()), ("Łódź".to_owned(), None));
        assert_eq!(read("\u{feff}Łódź".as_bytes()), ("Łódź".to_owned(), None));
        assert_eq!(read(b""), (String::new(), None));
    }

    #[test]
    fn western_text_is_converted_and_named() {
        let (bytes, _, _) = encoding_rs::WINDOWS_1252.encode("Le président a refusé la médiation de l’été à Genève.");
        let (text, encoding) = read(&bytes);
        assert_eq!(text, "Le président a refusé la médiation de l’été à Genève.");
        assert_eq!(encoding, Some("windows-1252"));
    }

    #[test]
    fn utf16_is_known_by_its_mark() {
        let bytes: Vec<u8> = "\u{feff}Görüş".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(read(&bytes), ("Görüş".to_owned(), Some("UTF-16LE")));
    }

    #[test]
    fn damaged_utf8_stays_utf8() {
        let bytes = ["Łódź ".as_bytes(), b"\xff", " Gdańsk".as_bytes()].concat();
        assert_eq!(read(&bytes).1, None);
    }
}
