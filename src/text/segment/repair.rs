//! Boundaries of `sentencex` that are moved, added or dropped.

use std::ops::Range;

use super::{is_closer, is_opener, is_terminal};

/// A quote open for longer than this many bytes was never closed; it also bounds the work of looking for it again and again.
const LONGEST_QUOTE: usize = 4096;

/// Repairs the spans of `body`; together they are all of it, before and after.
pub(super) fn repair(body: &str, spans: &mut Vec<Range<usize>>, is_english: bool) {
    let mut starts: Vec<usize> = spans.iter().map(|span| span.start).collect();
    for i in 1..starts.len() {
        starts[i] = before_spaced_ellipsis(body, starts[i]).max(starts[i - 1]);
    }
    starts.dedup();
    add_breaks_behind_brackets(body, &mut starts);
    add_breaks_behind_ellipses(body, &mut starts);
    if is_english {
        add_breaks_before_i(body, &mut starts);
    }
    let mut kept: Vec<usize> = Vec::with_capacity(starts.len());
    // Whether the sentence that grows has a letter or digit: asked once for each span, not of the whole sentence each time.
    let mut has_words = false;
    for (i, &start) in starts.iter().enumerate() {
        let end = starts.get(i + 1).copied().unwrap_or(body.len());
        let span_has_words = body[start..end].contains(char::is_alphanumeric);
        let is_new =
            kept.last().is_none_or(|&before| has_words && span_has_words && !goes_on(&body[before..start], &body[start..end]));
        if is_new {
            kept.push(start);
            has_words = false;
        }
        has_words |= span_has_words;
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

/// "Nothing came… The end": `sentencex` ends sentences after three periods, but not after the one character for them.
fn add_breaks_behind_ellipses(body: &str, starts: &mut Vec<usize>) {
    for (at, mark) in body.match_indices('…') {
        let tail = &body[at + mark.len()..];
        let next = tail.trim_start();
        let start = body.len() - next.len();
        let word = next.trim_start_matches(is_opener);
        let is_i = word.strip_prefix('I').is_some_and(|rest| !rest.starts_with(char::is_alphanumeric));
        let may_break = start > at + mark.len() && word.starts_with(char::is_uppercase) && !is_i;
        if may_break && let Err(place) = starts.binary_search(&start) {
            // A boundary between the ellipsis and the word is there already: a window may end at any space.
            let Some(sentence) = body.get(starts[place - 1]..at) else { continue };
            if sentence.len() > LONGEST_QUOTE || !is_open(sentence) {
                starts.insert(place, start);
            }
        }
    }
}

/// Whether a quote or bracket that `text` opens is still open at its end.
fn is_open(text: &str) -> bool {
    let (mut depth, mut is_quoted) = (0, false);
    for c in text.chars() {
        match c {
            '“' | '«' | '(' | '[' => depth += 1,
            '”' | '»' | ')' | ']' => depth -= 1,
            '"' => is_quoted = !is_quoted,
            _ => {}
        }
    }
    depth > 0 || is_quoted
}

/// "the U.S. I think": of the words that start sentences, `sentencex` leaves out "I", for it may be a number ("World War I").
fn add_breaks_before_i(body: &str, starts: &mut Vec<usize>) {
    for (at, _) in body.match_indices(". I") {
        let (head, tail) = (&body[..at], &body[at + 3..]);
        let is_acronym = matches!(head.as_bytes(), [.., b'A'..=b'Z', b'.', b'A'..=b'Z']);
        let goes_on =
            tail.starts_with(['\'', '’']) || tail.strip_prefix(' ').is_some_and(|tail| tail.starts_with(char::is_lowercase));
        if is_acronym
            && goes_on
            && let Err(place) = starts.binary_search(&(at + 2))
        {
            starts.insert(place, at + 2);
        }
    }
}

/// Whether the sentence `before` goes on with `span`: one that starts with a capital does, behind "!" and "?", when a small letter follows.
/// "Leave me alone! he yelled"; "and -- voila! -- you have cake".
fn goes_on(before: &str, span: &str) -> bool {
    let starts_with = |text: &str, is_case: fn(char) -> bool| {
        text.trim_start_matches(|c: char| c.is_whitespace() || is_opener(c) || matches!(c, '-' | '–' | '—')).starts_with(is_case)
    };
    before.trim_end().ends_with(['!', '?']) && starts_with(before, char::is_uppercase) && starts_with(span, char::is_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bracket_inside_a_sentence_is_no_sentence() {
        assert_eq!(bracketed_sentence_end("(He left.) She stayed."), Some(10));
        assert_eq!(bracketed_sentence_end("(He left.) she stayed."), None);
        assert_eq!(bracketed_sentence_end("(D., Mass.)"), None);
        assert_eq!(bracketed_sentence_end("(a (b.) c.) D"), Some(11));
        assert_eq!(bracketed_sentence_end("(open. Still"), None);
    }
}
