//! Sentences of an article, as spans that point back into it.
//!
//! Three steps. Lines first: titles, list items and paragraphs are told apart from lines that only a fixed width broke
//! ([`lines`]). Each block then goes to the `sentencex` crate, which knows abbreviations, quotes and brackets in thirty languages;
//! periods that cannot end a sentence (in a URL, in "ASP.Net", in "Ft. Worth") are hidden from it, in a copy of the same length ([`mask`]).
//! Last, a few boundaries are moved, added or dropped ([`repair`]).
//!
//! Every character that is not white space is in exactly one sentence; a sentence starts and ends with such a character. Direct speech in
//! quotes stays in the sentence around it, even when it holds several sentences.

mod lines;
mod mask;
mod repair;

use std::ops::Range;

use sentencex::languages::Language;

use super::normalize::CodePoints;
use lines::Block;

/// The language of [`sentences`].
const DEFAULT_LANGUAGE: &str = "en";

/// `sentencex` looks for the far end of each quote, which costs the square of a block's length; longer blocks are cut into windows of
/// this many bytes, each starting where the last whole sentence of the one before ended.
const WINDOW: usize = 16 * 1024;

/// What kind of line a sentence stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SentenceKind {
    /// A title or subtitle: a short line of its own, without a full stop, with more text after it.
    Headline,
    /// Part of a list item; the first sentence of an item includes its marker.
    Bullet,
    /// Anything else.
    Plain,
}

/// A sentence: bytes `start..end` of the text it was found in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sentence {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The kind of line it stands in.
    pub kind: SentenceKind,
}

/// A [`Sentence`] in code points, as the output contract counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CodePointSentence {
    /// First code point.
    pub start: usize,
    /// One past the last code point.
    pub end: usize,
    /// The kind of line it stands in.
    pub kind: SentenceKind,
}

impl Sentence {
    /// The sentence itself.
    ///
    /// # Panics
    ///
    /// If `text` is not the text the sentence was found in, and has no character boundaries at the same places.
    pub fn of<'a>(&self, text: &'a str) -> &'a str {
        &text[self.start..self.end]
    }

    /// The same span in code points; `points` belongs to the text the sentence was found in.
    pub fn in_code_points(&self, points: &CodePoints<'_>) -> CodePointSentence {
        CodePointSentence { start: points.at_byte(self.start), end: points.at_byte(self.end), kind: self.kind }
    }
}

/// Splits an English text into sentences.
///
/// # Examples
///
/// ```
/// use stancekit::text::{SentenceKind, sentences};
///
/// let text = "Visa fees rise\nThe U.S. will charge more. Sen. Lee objects.";
/// let found: Vec<_> = sentences(text).into_iter().map(|s| (s.of(text), s.kind)).collect();
/// assert_eq!(found[0], ("Visa fees rise", SentenceKind::Headline));
/// assert_eq!(found[1], ("The U.S. will charge more.", SentenceKind::Plain));
/// assert_eq!(found[2], ("Sen. Lee objects.", SentenceKind::Plain));
/// ```
pub fn sentences(text: &str) -> Vec<Sentence> {
    sentences_in(text, DEFAULT_LANGUAGE)
}

/// Splits a text of the language with the ISO 639 code `language`, "hi" or "ur" for example.
///
/// A language that `sentencex` does not know is read as a related one that it does, or as English.
pub fn sentences_in(text: &str, language: &str) -> Vec<Sentence> {
    let mut found = Vec::new();
    sentences_into(text, language, &mut found);
    found
}

/// [`sentences_in`] into a buffer, which is cleared first.
pub fn sentences_into(text: &str, language: &str, out: &mut Vec<Sentence>) {
    out.clear();
    let splitter = Splitter::new(text, language);
    for block in lines::blocks(text, &splitter.rules()) {
        splitter.split(&block, out);
    }
}

/// What the rules of this module may ask about the language.
struct Rules<'a> {
    language: &'a dyn Language,
    is_english: bool,
}

impl Rules<'_> {
    /// Whether `word` opens sentences and hardly ever stands capitalised inside one: "The", "However".
    fn is_starter(&self, word: &str) -> bool {
        self.language.next_word_is_sentence_starter(word)
    }

    /// Whether `head`, without its last period, ends with an abbreviation of the language.
    fn ends_with_abbreviation(&self, head: &str) -> bool {
        self.language.is_abbreviation(head, "", ".")
    }
}

/// Splits the blocks of one text.
struct Splitter<'a> {
    text: &'a str,
    language: Box<dyn Language>,
    is_english: bool,
}

impl<'a> Splitter<'a> {
    fn new(text: &'a str, language: &str) -> Self {
        let is_english = language == "en" || language.starts_with("en-") || language.starts_with("en_");
        Self { text, language: sentencex::language_factory(language), is_english }
    }

    fn rules(&self) -> Rules<'_> {
        Rules { language: &*self.language, is_english: self.is_english }
    }

    /// Appends the sentences of one block.
    fn split(&self, block: &Block, out: &mut Vec<Sentence>) {
        let body = &self.text[block.body..block.end];
        let mut spans = self.body_spans(body);
        repair::repair(body, &mut spans, self.is_english);
        let first = out.len();
        for span in spans {
            let sentence = &body[span.clone()];
            let (start, end) = (span.start + leading_space(sentence), span.start + sentence.trim_end().len());
            if start < end {
                out.push(Sentence { start: block.body + start, end: block.body + end, kind: block.kind });
            }
        }
        match out.get_mut(first) {
            Some(sentence) => sentence.start = block.start,
            // A marker with nothing behind it.
            None => out.push(Sentence { start: block.start, end: block.end, kind: block.kind }),
        }
        // A paragraph that only lacks its last full stop is no title.
        if out.len() - first > 1 {
            out[first..].iter_mut().filter(|sentence| sentence.kind == SentenceKind::Headline).for_each(|s| s.kind = SentenceKind::Plain);
        }
    }

    /// The spans between the boundaries that `sentencex` finds; together they are all of `body`.
    fn body_spans(&self, body: &str) -> Vec<Range<usize>> {
        let mut spans = Vec::new();
        let mut start = 0;
        while body.len() - start > WINDOW {
            let window = window_end(body, start);
            let first = spans.len();
            self.window_spans(body, start..window, &mut spans);
            // The last sentence may go on behind the window; one that fills it is cut there.
            if spans.len() - first > 1 {
                spans.pop();
            }
            start = spans.last().map_or(window, |span| span.end);
        }
        self.window_spans(body, start..body.len(), &mut spans);
        spans
    }

    fn window_spans(&self, body: &str, window: Range<usize>, spans: &mut Vec<Range<usize>>) {
        let text = &body[window.clone()];
        let masked = mask::mask(text, &self.rules());
        let mut start = window.start;
        for piece in self.language.segment(masked.as_deref().unwrap_or(text)) {
            spans.push(start..start + piece.len());
            start += piece.len();
        }
        debug_assert_eq!(start, window.end, "sentencex gives back every byte");
    }
}

/// The end of the window that starts at `start`: behind the last white space in it, or else at a character boundary.
fn window_end(body: &str, start: usize) -> usize {
    let limit = body.floor_char_boundary(start + WINDOW);
    let window = &body[start..limit];
    window.rfind(char::is_whitespace).filter(|&at| at > 0).map_or(limit, |at| start + at)
}

fn leading_space(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

/// Marks that end a sentence.
fn is_terminal(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '…' | '।' | '॥' | '۔' | '؟' | '。' | '！' | '？' | '｡' | '։' | '።' | '။')
}

/// Quotes and brackets that may follow the mark that ends a sentence.
fn is_closer(c: char) -> bool {
    matches!(c, '"' | '\'' | '”' | '’' | '»' | '›' | ')' | ']' | '}' | '」' | '』' | '）')
}

/// Quotes and brackets that may stand before the first word of a sentence.
fn is_opener(c: char) -> bool {
    matches!(c, '"' | '\'' | '“' | '‘' | '«' | '‹' | '„' | '(' | '[' | '{' | '「' | '『' | '（' | '¿' | '¡')
}
