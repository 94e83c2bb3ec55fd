//! Hides from `sentencex` the marks that cannot end a sentence.
//!
//! The copy has the same length, so offsets stay what they are: each hidden mark, always one byte, becomes a letter or an underscore.

use std::ops::Range;

use super::{Rules, is_closer, is_opener, is_terminal};

/// What a hidden mark becomes: a word character that is no capital.
const HIDDEN: u8 = b'_';

/// Titles and the like, which a name always follows. `sentencex` ends sentences after some of them ("Ft."), and before names that look like
/// the start of a sentence ("Gov. White").
const TITLES: &[&str] = &[
    "Adm", "Amb", "Atty", "Brig", "Capt", "Cmdr", "Col", "Cpl", "Det", "Dr", "Fr", "Ft", "Gen", "Gov", "Hon", "Insp", "Lt",
    "Maj", "Messrs", "Mlle", "Mme", "Mr", "Mrs", "Ms", "Msgr", "Mt", "Mx", "Pres", "Prof", "Pvt", "Rep", "Reps", "Rev", "Sen",
    "Sens", "Sgt", "Supt",
];

/// Abbreviations that end no sentence when a small letter or a digit follows, beyond those `sentencex` has.
const ABBREVIATIONS: &[&str] = &[
    "admin", "approx", "avg", "cf", "dept", "depts", "dist", "ed", "eds", "esp", "est", "fig", "figs", "govt", "govts", "incl",
    "intl", "lit", "max", "min", "misc", "natl", "orig", "resp", "univ", "vol", "vols",
];

/// Words that `sentencex` takes for abbreviations (of Maine, of "number") and that, in this case and before a capital, are words.
const PLAIN_WORDS: &[&str] = &[
    "LA", "May", "No", "OK", "Yahoo", "art", "con", "id", "ill", "man", "mass", "may", "me", "miss", "no", "ok", "ore", "pa",
    "ref",
];

/// What follows a period inside the name of a file or a site.
const SUFFIXES: &[&str] = &[
    "ai", "app", "co", "com", "css", "csv", "doc", "docx", "edu", "eu", "exe", "gov", "html", "in", "info", "io", "jpeg", "jpg",
    "js", "json", "mil", "mp3", "mp4", "net", "org", "pdf", "php", "pk", "png", "ppt", "pptx", "py", "tv", "txt", "uk", "us",
    "xls", "xlsx", "xml", "zip",
];

/// Words that lose their start to an apostrophe, which is no opening quote.
const CLIPPED: &[&str] = &["em", "til", "tis", "twas", "cause", "bout", "n", "round"];

/// The text to give to `sentencex` in place of `text`, or nothing if it may have it as it is.
pub(super) fn mask(text: &str, rules: &Rules<'_>) -> Option<String> {
    let bytes = text.as_bytes();
    let mut hidden = Hidden { text, bytes: Vec::new() };
    let mut from = 0;
    while let Some(len) = bytes[from..].iter().position(|byte| matches!(byte, b'.' | b'!' | b'?' | b'\'' | b'(' | b'<')) {
        let at = from + len;
        from = at + 1;
        if may_hide(bytes, at) {
            let start = text[..at]
                .rfind(char::is_whitespace)
                .map_or(0, |space| space + text[space..].chars().next().map_or(1, char::len_utf8));
            let end = text[at..].find(char::is_whitespace).map_or(text.len(), |len| at + len);
            hide_in_word(text, start..end, rules, &mut hidden);
            from = end;
        }
    }
    hidden.into_text()
}

/// A first look at the mark at `at`: the apostrophe of "don't" and the bracket of "(a" are most common, and never hidden.
fn may_hide(bytes: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).map_or(b' ', |before| bytes[before]);
    match bytes[at] {
        b'\'' => before == b'.' || before.is_ascii_whitespace(),
        b'(' => before.is_ascii_punctuation(),
        _ => true,
    }
}

/// Whether a line ends with a title whose name must be on the next line.
pub(super) fn ends_with_title(line: &str, rules: &Rules<'_>) -> bool {
    let word = line.rsplit(char::is_whitespace).next().unwrap_or(line);
    rules.is_english
        && word.strip_suffix('.').is_some_and(|word| TITLES.binary_search(&word.trim_start_matches(is_opener)).is_ok())
}

/// A copy of a text, made when the first byte is hidden.
struct Hidden<'a> {
    text: &'a str,
    bytes: Vec<u8>,
}

impl Hidden<'_> {
    /// Hides the mark at `at`, an ASCII character.
    fn hide(&mut self, at: usize, by: u8) {
        if self.bytes.is_empty() {
            self.bytes = self.text.as_bytes().to_vec();
        }
        debug_assert!(self.bytes[at].is_ascii());
        self.bytes[at] = by;
    }

    fn into_text(self) -> Option<String> {
        // One ASCII character in place of another keeps UTF-8 valid.
        (!self.bytes.is_empty()).then(|| String::from_utf8(self.bytes).ok()).flatten()
    }
}

/// Hides what is to be hidden in the word at `span`, which is between spaces.
fn hide_in_word(text: &str, span: Range<usize>, rules: &Rules<'_>, hidden: &mut Hidden<'_>) {
    let (start, word, next) = (span.start, &text[span.clone()], text[span.end..].trim_start());
    hide_false_openers(word, start, hidden);
    let core_start = word.len() - word.trim_start_matches(|c| is_opener(c) || c == '<').len();
    let core = &word[core_start..];
    if rules.is_english && (is_abbreviated(core, next) || is_speaker(word, &text[..start], next)) {
        return hidden.hide(span.end - 1, HIDDEN);
    }
    if rules.is_english && is_plain_word(core, next) {
        // Another first letter makes it a word that is in no list.
        hidden.hide(start + core_start, HIDDEN);
    }
    let core = core.trim_end_matches(|c: char| is_closer(c) || matches!(c, '.' | ',' | ';' | ':' | '!' | '?' | '…' | '>'));
    let (is_address, n_periods) = (is_address(core), n_periods(core));
    for (at, _) in core.char_indices().filter(|&(_, c)| matches!(c, '.' | '!' | '?')) {
        if is_address || stands_inside(core, at, n_periods, rules) {
            hidden.hide(start + core_start + at, HIDDEN);
        }
    }
}

/// Whether `word`, "Q." or "A." between `head` and `next`, says who speaks in an interview.
fn is_speaker(word: &str, head: &str, next: &str) -> bool {
    let head = head.trim_end();
    let is_name = matches!(word, "Q." | "A.");
    is_name
        && (head.is_empty() || head.trim_end_matches(is_closer).ends_with(is_terminal))
        && next.trim_start_matches(is_opener).starts_with(char::is_uppercase)
}

/// Whether the word is one whose last period ends no sentence before `next`.
fn is_abbreviated(word: &str, next: &str) -> bool {
    let Some(word) = word.strip_suffix('.') else { return false };
    let Some(next) = next.trim_start_matches(is_opener).chars().next() else { return false };
    if next.is_uppercase() {
        return TITLES.binary_search(&word).is_ok();
    }
    (next.is_lowercase() || next.is_numeric()) && ABBREVIATIONS.binary_search(&word.to_ascii_lowercase().as_str()).is_ok()
}

/// Whether the word is one of [`PLAIN_WORDS`] with a period, before a capital that is not that of a number ("No. B-52").
fn is_plain_word(word: &str, next: &str) -> bool {
    let Some(word) = word.trim_end_matches(is_closer).strip_suffix('.') else { return false };
    let next = next.trim_start_matches(is_opener).split(char::is_whitespace).next().unwrap_or("");
    let is_capital = next.starts_with(char::is_uppercase) && !next.contains(|c: char| c.is_ascii_digit());
    is_capital && PLAIN_WORDS.binary_search(&word).is_ok()
}

/// URLs, e-mail addresses, and paths on a site.
fn is_address(word: &str) -> bool {
    let is_mail = || word.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
    word.contains("://") || word.starts_with("www.") || is_mail()
}

/// Whether the mark at `at`, in a word with `n_periods` inside, stands in a name or a number, and not between two sentences that lack the
/// space.
///
/// Small letters and digits behind a mark need no answer here: `sentencex` never ends a sentence before them.
fn stands_inside(word: &str, at: usize, n_periods: usize, rules: &Rules<'_>) -> bool {
    let (head, tail) = (&word[..at], &word[at + 1..]);
    let left =
        &head[head.rfind(|c: char| !c.is_alphanumeric()).map_or(0, |i| i + head[i..].chars().next().map_or(1, char::len_utf8))..];
    let right = &tail[..tail.find(|c: char| !c.is_alphanumeric()).unwrap_or(tail.len())];
    let Some(first) = right.chars().next().filter(|c| c.is_uppercase()) else { return false };
    let (n_left, n_right) = (left.chars().count(), right.chars().count());
    if word.as_bytes()[at] != b'.' {
        return n_left == 1 || n_right == 1;
    }
    // Behind a quote or a bracket a sentence may end; initials and abbreviations `sentencex` knows best as they are.
    if left.is_empty() || n_left == 1 || rules.ends_with_abbreviation(left) {
        return false;
    }
    let left_is_word = left.chars().next_back().is_some_and(char::is_lowercase);
    if n_right == 1 {
        // "it.I went" are two sentences, "Plan.B" is a name.
        return !(matches!(first, 'I' | 'A') && left_is_word && tail.len() == right.len());
    }
    if rules.is_starter(right) {
        return false;
    }
    let last_part = word.rsplit('.').next().unwrap_or(word);
    let is_name = is_suffix(right) || is_suffix(last_part) || n_periods > 1;
    let is_year = n_left == 4 && left.bytes().all(|byte| byte.is_ascii_digit());
    let right_is_word = right.chars().nth(1).is_some_and(char::is_lowercase);
    is_name || !(left_is_word || (is_year && right_is_word))
}

fn is_suffix(word: &str) -> bool {
    SUFFIXES.binary_search(&word.to_ascii_lowercase().as_str()).is_ok()
}

/// Periods between two letters or digits.
fn n_periods(word: &str) -> usize {
    word.as_bytes()
        .windows(3)
        .filter(|three| three[1] == b'.' && !three[0].is_ascii_punctuation() && !three[2].is_ascii_punctuation())
        .count()
}

/// Hides apostrophes and brackets that open nothing: "Jr.'s", "'90s", "'em", ":(", "<3".
fn hide_false_openers(word: &str, start: usize, hidden: &mut Hidden<'_>) {
    for (at, mark) in word.char_indices().filter(|&(_, c)| matches!(c, '\'' | '(' | '<')) {
        let (before, rest) = (&word[..at], &word[at + 1..]);
        let by = match mark {
            '\'' if before.ends_with('.') && rest.starts_with(char::is_alphabetic) => b's',
            '\'' if before.is_empty() && is_clipped(rest) => b's',
            '(' if before.ends_with([':', ';', '=']) || before.ends_with(":-") => HIDDEN,
            '<' if rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_digit() || c == '=') => HIDDEN,
            _ => continue,
        };
        hidden.hide(start + at, by);
    }
}

/// Whether the word behind an apostrophe is one that lost its start, or a decade.
fn is_clipped(word: &str) -> bool {
    let word = word.trim_end_matches(|c: char| !c.is_alphanumeric());
    let is_decade = word.len() >= 2 && word.bytes().take(2).all(|byte| byte.is_ascii_digit()) && matches!(&word[2..], "" | "s");
    is_decade || CLIPPED.contains(&word.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_for_the_search() {
        assert!(TITLES.is_sorted() && PLAIN_WORDS.is_sorted() && ABBREVIATIONS.is_sorted() && SUFFIXES.is_sorted());
    }

    #[test]
    fn a_mask_keeps_the_length_and_hides_only_marks_inside_names() {
        let language = sentencex::languages::English {};
        let rules = Rules { language: &language, is_english: true };
        let cases = [
            ("ASP.Net rose. Then", Some("ASP_Net rose. Then")),
            ("region.The end", None),
            ("see https://x.org/a?B=1. It", Some("see https://x_org/a_B=1. It")),
            ("report.Final.pdf.", Some("report_Final.pdf.")),
            ("in Ft. Worth.", Some("in Ft_ Worth.")),
            ("U.S.A. won.", None),
            ("the U.N.The vote", None),
            ("JFK Jr.'s book", Some("JFK Jr.ss book")),
        ];
        for (text, expected) in cases {
            assert_eq!(mask(text, &rules).as_deref(), expected, "{text}");
        }
    }
}
