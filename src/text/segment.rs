//! Sentences of an article, as spans that point back into it.
//!
//! Three steps. Lines first: titles, list items and paragraphs are told apart from lines that only a fixed width broke
//! (`lines`). Each block then goes to the `sentencex` crate, which knows abbreviations, quotes and brackets in thirty languages;
//! periods that cannot end a sentence (in a URL, in "ASP.Net", in "Ft. Worth") are hidden from it, in a copy of the same length (`mask`).
//! Last, a few boundaries are moved, added or dropped (`repair`).
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
            out[first..]
                .iter_mut()
                .filter(|sentence| sentence.kind == SentenceKind::Headline)
                .for_each(|s| s.kind = SentenceKind::Plain);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Splits, and puts spaces for line breaks, so that the cases below stay readable.
    fn split(text: &str, language: &str) -> Vec<String> {
        sentences_in(text, language).iter().map(|s| s.of(text).split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    fn kinds(text: &str) -> Vec<SentenceKind> {
        sentences(text).iter().map(|sentence| sentence.kind).collect()
    }

    /// In each case the bars are the boundaries: they are taken out (with the space behind them, if it is doubled) to get the text.
    ///
    /// "||" is a boundary where the text has no space.
    const ENGLISH: &[&str] = &[
        // Plain ends.
        "The council met on Tuesday.| It voted for the plan.",
        "Will the mayor sign it?| Nobody knows.",
        "Stop the bill now!| We mean it.",
        "What?!| They passed it anyway.",
        "Nothing at all",
        // Titles and initials.
        "Sen. Ortiz and Rep. Lowe oppose the bill.| Gov. White does not.",
        "Gen. Harker met Lt. Col. Diaz and Capt. Young on Friday.",
        "Dr. New said Mr. Second and Mrs. Will agree.",
        "The J. Smith plan was written by A. B. Carter.| It failed.",
        "Critics of George W. Harmon spoke first.",
        "The amendment by Prof. Lena K. Moss passed.",
        "He met Pres. Obuya in Nairobi.",
        "Supporters of St. John Rivers cheered.",
        // Places and firms.
        "The rally in Ft. Worth drew thousands.| Police counted 4,000.",
        "They hiked Mt. Elbert before the vote.",
        "Harlan Corp. said so.| Ridge & Co. disagreed.",
        "Vance Inc. backs the tariff.| The union does not.",
        // Acronyms.
        "U.S. Visit Approaching for Lena Marsh: Talks on Trade and Troops",
        "The U.S. Senate rejected the treaty.| The U.K. Parliament did not.",
        "Aid went to the U.S.| They thanked Congress.",
        "I moved to the U.S.| I like it here.",
        "The U.S.A. joined in May.| Canada waited.",
        "He left the E.U. in anger.",
        "The U.N.||The vote was 51 to 49.",
        // Times and numbers.
        "The polls close at 8 p.m. on Monday.| Counting starts at 9 p.m.| The result follows.",
        "Doors open at 7 a.m.| Mrs. Hall speaks first.",
        "At 7 a.m. Mrs. Hall spoke.",
        "Amendment No. 5 failed.| No. 6 passed.",
        "The B-52 is model No. B52 here.",
        "See Art. 12 and Sec. 230 of the act.",
        "Prices rose 3.5 percent.| Wages rose 1.2.",
        "Turn to p. 14 of the report.",
        "The cost, approx. 40 million dollars, is too high.",
        "The govt. officials declined to comment.",
        "It cost $1.5 million.| Nobody paid.",
        "On Jan. 20 he resigned.| On Feb. 3 he returned.",
        // A missing space.
        "Peace came to the region.||The Simla accord held.",
        "She denied it.||She did not resign.",
        "It began in 1972.||The war ended later.",
        "They left early.||I stayed.",
        "The firm runs on ASP.Net and Node.Js today.",
        "Open report.Final.pdf before the meeting.",
        "Read Draft.Budget.docx first.",
        "Shares of Booking.Com fell.",
        "Her Ph.D. thesis is about taxes.",
        // Words that look like abbreviations.
        "They asked me.| Obama said no.| Clinton agreed.",
        "It is a work of art.| Critics disagree.",
        "He arrived in LA.| Lakers fans booed.",
        // Addresses.
        "Write to Jane.Doe@example.org today.| She answers.",
        "See https://www.example.org/News?Id=4.Part for details.| Then call.",
        "The site is www.example.org.| It is slow.",
        "More at example.org/a.Html now.",
        // Quotes.
        "\"We will fight this,\" she said.| \"We will win.\"",
        "“We will fight this,” she said.| “We will win.”",
        "“The ban is wrong.”| The senator left.",
        "He said, “Stop the war.”| The crowd cheered.",
        "He shouted \"Enough!\" and left.",
        "The 'fair share' tax is dead.| Nobody wants it.",
        "Voters in the '90s liked it.| Voters now don't.",
        "Tell 'em no.| They aren't listening, and it's late.",
        "That is Hal Reed Jr.'s seat.| Voters' anger may cost him it.",
        "The deal is “not done. Not even close. Ask them,” he said.",
        // Brackets.
        "The act (passed in 1996. Amended since.) stands.",
        "(The vote was 5-4.)| Protests followed.",
        "The bill passed (see p. 3).| It is law.",
        "Sad day :( for us.| We lost (again).",
        // Ellipses and dashes.
        "Nothing came…| The end was near.",
        "We hoped... and waited.",
        "Well… I thought so… and still do.",
        "He said “it is… The end” and left.",
        "I never wanted this....| He left.",
        "It was over.| . . . Nobody spoke.",
        "The plan -- surprise! -- failed.| Nobody cried.",
        "Leave us alone! he cried.| Nobody moved.",
        // Names with marks.
        "He works for Yahoo.| They sell news.",
        "Yahoo! said it will appeal.",
        // Lists inside a line.
        "1. Cut taxes |2. Raise wages |3. Build homes",
        "1) Cut taxes. |2) Raise wages.",
        "• Cut taxes |• Raise wages",
        "a. Cut taxes |b. Raise wages |c. Build homes",
        "The goals: |1. Cut taxes. |2. Raise wages.",
        "Section 1) of the act and part 2) of the code",
        // Interviews.
        "Q. Do you back it?| A. No.| Q. Why not?| A. It costs too much.",
    ];

    /// The same for texts of several lines.
    const LINES: &[&str] = &[
        "Visa fees rise\n|The government raised the fees.| Students object.",
        "Visa fees rise\n\n|The government raised the fees.",
        "Will Visa Fees Rise?\n|The government says no.",
        "1. Cut\n|2. Raise\n|3. Build",
        "1. Cut taxes.| It helps.\n|2. Raise wages.",
        "Demands:\n|- Amid the talks, a truce\n|- Food\n|- water",
        "* one thing\n|* another thing",
        "• one thing\n|• another thing",
        "Why?\n|– Because it works.\n|– And because it is cheap.",
        "(a) lower rates\n|(b) fewer rules",
        "i) first\n|ii) second\n|iii) third",
        "Members:\n|A. Smith\n|B. Jones",
        "the minister said that the new\nlaw would not pass this year.| She left.",
        "The talks in Oslo, led by\nNorway, failed.",
        "He met Gen.\nHarker in May.",
        "The senator from the great state of Ohio told the committee that the\nUnited States should leave the treaty, and that the Pentagon in turn\nWashington's largest employer, agreed.| Nobody else did.",
        "Long Title of the Story\n|The senator from the great state of Ohio told the committee that the\nunited front against the treaty had failed, and that the Pentagon was\nready.",
        "Fuel prices are up again.\n|Voters are angry.",
        "First paragraph ends here.\r\n\r\n|Second one starts.\r\n|Third.",
        "One\u{2028}|Two\u{2029}|Three",
        "By Ana Reyes\n|Staff Writer\n|The vote is off.",
        "The bill passed\n\n|* * *\n\n|The next day it was signed.",
    ];

    /// Other languages: the code, and the text with its bars.
    const OTHERS: &[(&str, &str)] = &[
        ("hi", "सरकार ने कर बढ़ाया।| विपक्ष ने विरोध किया।"),
        ("hi", "क्या यह सही है?| नहीं।"),
        ("ur", "حکومت نے ٹیکس بڑھا دیا۔| اپوزیشن نے مخالفت کی۔"),
        ("ur", "کیا یہ درست ہے؟| نہیں۔"),
        ("ar", "هل هذا صحيح؟| لا."),
        ("es", "¿Qué pasó?| El Sr. Gómez no lo sabe.| Nadie lo sabe."),
        ("de", "Das ist z. B. falsch.| Dr. Weiß sagt nein."),
        ("fr", "Mme Dupont a voté non.| Il est parti."),
        ("en-GB", "The U.S. Senate met.| It voted."),
        ("xx", "One sentence.| Two sentences."),
    ];

    #[track_caller]
    fn check(language: &str, case: &str) {
        let text = case.replace("||", "").replace('|', "");
        let expected: Vec<String> = case
            .split('|')
            .map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "))
            .filter(|part| !part.is_empty())
            .collect();
        assert_eq!(split(&text, language), expected, "{text:?}");
    }

    #[test]
    fn english_splits_at_the_bars() {
        ENGLISH.iter().for_each(|case| check("en", case));
    }

    #[test]
    fn lines_split_at_the_bars() {
        LINES.iter().for_each(|case| check("en", case));
    }

    #[test]
    fn other_languages_split_at_the_bars() {
        OTHERS.iter().for_each(|(language, case)| check(language, case));
    }

    #[test]
    fn kinds_tell_titles_items_and_prose_apart() {
        use SentenceKind::{Bullet, Headline, Plain};
        assert_eq!(
            kinds("Visa fees rise\n\nThe fees rose. Few care.\n\nWhat next\n- One thing. More.\n- Two"),
            [Headline, Plain, Plain, Headline, Bullet, Bullet, Bullet]
        );
        assert_eq!(kinds("Just a tweet without a stop"), [Plain]);
        assert_eq!(kinds("1. Cut taxes 2. Raise wages"), [Bullet, Bullet]);
        assert_eq!(kinds("Is it over?\nYes."), [Plain, Plain]);
    }

    #[test]
    fn an_item_includes_its_marker_and_spans_are_trimmed() {
        let text = "  - Cut taxes.  \n\n";
        assert_eq!(sentences(text), [Sentence { start: 2, end: 14, kind: SentenceKind::Bullet }]);
    }

    #[test]
    fn offsets_turn_into_code_points() {
        let text = "É só isso. Não há “mais”.";
        let points = CodePoints::new(text);
        let chars: Vec<char> = text.chars().collect();
        for sentence in sentences_in(text, "pt") {
            let CodePointSentence { start, end, .. } = sentence.in_code_points(&points);
            assert_eq!(chars[start..end].iter().collect::<String>(), sentence.of(text));
        }
    }

    #[test]
    fn text_without_words_has_no_sentence_or_one() {
        assert!(sentences("").is_empty());
        assert!(sentences(" \n\t\u{a0}\r\n").is_empty());
        assert_eq!(split("---", "en"), ["---"]);
        assert_eq!(split("- ", "en"), ["-"]);
    }

    #[test]
    fn a_block_longer_than_a_window_splits_as_a_short_one_does() {
        let text = "The council met on Tuesday. ".repeat(3 * WINDOW / 28);
        assert!(split(&text, "en").iter().all(|sentence| sentence == "The council met on Tuesday."));
        let word = "x".repeat(3 * WINDOW);
        assert_eq!(sentences(&word).iter().map(|s| s.end - s.start).sum::<usize>(), word.len());
    }

    /// Every character but white space is in exactly one sentence, in order, and no sentence is empty or has space at its ends.
    fn assert_covers(text: &str, language: &str) {
        let mut at = 0;
        for sentence in sentences_in(text, language) {
            assert!(text[at..sentence.start].trim().is_empty(), "lost {:?}", &text[at..sentence.start]);
            assert!(!sentence.of(text).is_empty() && sentence.of(text).trim() == sentence.of(text));
            at = sentence.end;
        }
        assert!(text[at..].trim().is_empty(), "lost {:?}", &text[at..]);
    }

    /// Pieces that all rules of this module look at.
    fn nasty_text() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec![
            "a",
            "B",
            "The",
            "he said",
            "word",
            "U.S.",
            "Mr.",
            "Ft.",
            "No.",
            "5",
            "1.",
            "2.",
            "a)",
            "(b)",
            "ii.",
            "1972.",
            " ",
            " ",
            " ",
            "\n",
            "\n",
            "\n\n",
            "\r\n",
            "\u{2028}",
            "\u{2029}",
            "\u{c}",
            "\u{85}",
            "\t",
            ".",
            ".",
            "!",
            "?",
            "…",
            "...",
            ". . .",
            " . . . .",
            "\"",
            "'",
            "“",
            "”",
            "‘",
            "’",
            "''",
            "`",
            "«",
            "»",
            "(",
            ")",
            "[",
            "]",
            "<",
            ">",
            ":(",
            "'s",
            "'90s",
            "- ",
            "* ",
            "• ",
            "⁃",
            "–",
            "—",
            "।",
            "۔",
            "؟",
            "。",
            "é",
            "😀",
            "\u{301}",
            "\u{feff}",
            "\u{a0}",
            "\u{200b}",
            "www.A.B",
            "x@y.Zed",
            "http://a.B/?C",
            "N°.",
            "Yahoo!",
            "Yahoo.",
            "I'm",
            "I am",
            ",",
            ":",
            "Q.",
            "A.",
            "[1]",
            "अ",
            "ی",
            "中",
        ]);
        prop::collection::vec(pieces, 0..30).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn nothing_is_lost_of_nasty_text(text in nasty_text(), language in prop::sample::select(vec!["en", "hi", "ur", "de", "ja", "hy", "xx"])) {
            assert_covers(&text, language);
        }

        #[test]
        fn nothing_is_lost_of_any_string(text in any::<String>()) {
            assert_covers(&text, "en");
        }

        #[test]
        fn hiding_marks_keeps_the_length(text in nasty_text()) {
            let splitter = Splitter::new(&text, "en");
            if let Some(masked) = mask::mask(&text, &splitter.rules()) {
                prop_assert_eq!(masked.len(), text.len());
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn nothing_is_lost_where_windows_meet(text in nasty_text(), n_bytes in WINDOW..3 * WINDOW) {
            // Without line breaks it is one block.
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_covers(&text.repeat(n_bytes / text.len().max(1) + 1), "en");
        }
    }
}
