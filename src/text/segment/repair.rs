//! Boundaries of `sentencex` that are moved, added or dropped.

use std::ops::Range;

use super::{is_closer, is_opener, is_terminal};

/// Words that go on with a sentence behind direct speech without quotes: "Leave me alone! he yelled."
const SPEECH_VERBS: &[&str] = &[
    "added", "argued", "asked", "cried", "explained", "insisted", "joked", "replied", "said", "says", "shouted", "told", "tweeted", "warned",
    "whispered", "wondered", "wrote", "yelled",
];

const SPEAKERS: &[&str] = &["he", "she", "they", "we", "it"];

/// Repairs the spans of `body`; together they are all of it, before and after.
pub(super) fn repair(body: &str, spans: &mut Vec<Range<usize>>, is_english: bool) {
    let mut starts: Vec<usize> = spans.iter().map(|span| span.start).collect();
    for start in &mut starts[1..] {
        *start = before_spaced_ellipsis(body, *start);
    }
    add_breaks_behind_brackets(body, &mut starts);
    let mut kept: Vec<usize> = Vec::with_capacity(starts.len());
    for (i, &start) in starts.iter().enumerate() {
        let end = starts.get(i + 1).copied().unwrap_or(body.len());
        let before = kept.last().map_or("", |&before| &body[before..start]);
        if kept.is_empty() || (is_boundary(before, &body[start..end], is_english) && start > *kept.last().unwrap_or(&0)) {
            kept.push(start);
        }
    }
    let ends = kept.iter().skip(1).copied().chain([body.len()]);
    *spans = kept.iter().copied().zip(ends).map(|(start, end)| start..end).collect();
}

/// "…compounds. . . . The practice": of four periods the first, if it stands at the word, ends the sentence, and the spaced three are an
/// ellipsis of the next one. Gives the boundary there, or `start` as it is.
fn before_spaced_ellipsis(body: &str, start: usize) -> usize {
    let head = body[..start].trim_end();
    let Some(sentence) = head.strip_suffix(" . . .").and_then(|head| head.strip_suffix('.')) else { return start };
    if sentence.ends_with(|c: char| c.is_alphanumeric() || is_closer(c)) { sentence.len() + 1 } else { start }
}

/// "(The vote was close.) Protests": a sentence in brackets of its own ends behind the bracket.
fn add_breaks_behind_brackets(body: &str, starts: &mut Vec<usize>) {
    let mut i = 0;
    while i < starts.len() {
        let end = starts.get(i + 1).copied().unwrap_or(body.len());
        if let Some(at) = bracketed_sentence_end(&body[starts[i]..end]) {
            starts.insert(i + 1, starts[i] + at);
        }
        i += 1;
    }
}

/// Where the bracket that `span` starts with is closed, if it holds a whole sentence and another sentence follows.
fn bracketed_sentence_end(span: &str) -> Option<usize> {
    let open = super::leading_space(span);
    if !span[open..].starts_with('(') {
        return None;
    }
    let mut depth = 0;
    let close = span.char_indices().find(|&(_, c)| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ')' && depth == 0
    });
    let (close, _) = close?;
    let (inside, rest) = (&span[..close], &span[close + 1..]);
    let is_sentence = inside.trim_end_matches(is_closer).ends_with(is_terminal);
    let goes_on = rest.trim_start().trim_start_matches(is_opener).starts_with(|c: char| c.is_uppercase() || c.is_numeric());
    (is_sentence && rest.starts_with(char::is_whitespace) && goes_on).then_some(close + 1)
}

/// Whether a sentence ends between two spans.
fn is_boundary(before: &str, span: &str, is_english: bool) -> bool {
    let has_words = |text: &str| text.contains(char::is_alphanumeric);
    let is_speech_tag = is_english && before.trim_end().ends_with(['!', '?']) && is_speech_tag(span);
    has_words(before) && has_words(span) && !is_speech_tag
}

/// Whether `span` starts like "he yelled" or "said she".
fn is_speech_tag(span: &str) -> bool {
    let mut words = span.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    let (first, second) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let is_verb = |word: &str| SPEECH_VERBS.binary_search(&word).is_ok();
    is_verb(first) || (SPEAKERS.contains(&first) && is_verb(second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_speech_verbs_are_sorted_for_the_search() {
        assert!(SPEECH_VERBS.is_sorted());
    }

    #[test]
    fn a_bracket_inside_a_sentence_is_no_sentence() {
        assert_eq!(bracketed_sentence_end("(He left.) She stayed."), Some(10));
        assert_eq!(bracketed_sentence_end("(He left.) she stayed."), None);
        assert_eq!(bracketed_sentence_end("(D., Mass.)"), None);
        assert_eq!(bracketed_sentence_end("(a (b.) c.) D"), Some(11));
        assert_eq!(bracketed_sentence_end("(open. Still"), None);
    }
}
