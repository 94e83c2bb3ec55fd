//! The words and marks of a sentence, with all that the tables say of each; and what stands in quotation marks.

use std::borrow::Cow;

use crate::holders::gazetteer::{Gazetteer, Hit, Loose, Office, OfficeKind, Role, Shared, VerbKind, WordClass};
use crate::holders::weights::Word;

/// A word or mark of the sentence; a name of the gazetteer is one token.
#[derive(Debug, Clone)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    /// In lower case, without a possessive ending.
    pub(crate) lower: Cow<'a, str>,
    /// Key of `lower`, as of a [`Word`].
    key: u64,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) hit: Option<Hit>,
    pub(crate) office: Option<Office>,
    pub(crate) verb: Option<VerbKind>,
    pub(crate) class: WordClass,
    pub(crate) loose: Option<Loose>,
    pub(crate) shared: Option<Shared>,
    pub(crate) rank: Option<OfficeKind>,
    pub(crate) is_capital: bool,
    pub(crate) is_possessive: bool,
    pub(crate) is_mark: bool,
    /// Inside double quotation marks, the marks included.
    pub(crate) is_quoted: bool,
}

impl Token<'_> {
    /// The word in lower case.
    pub(crate) fn word(&self) -> Word<'_> {
        Word::known(self.key, &self.lower)
    }

    /// Whether the word may belong to a name: no verb, no mark, and none of the words that end a phrase.
    pub(crate) fn is_free(&self) -> bool {
        !self.is_mark && self.verb.is_none() && self.class == WordClass::Open
    }
}

/// Cuts a sentence into words and marks, and looks each up.
pub(crate) fn tokens<'a>(sentence: &'a str, quotes: &[(usize, usize)], gazetteer: &Gazetteer) -> Vec<Token<'a>> {
    tokens_in(Vec::new(), sentence, quotes, gazetteer)
}

/// An empty list in the memory of another; the standard library reuses it where both elements are laid out alike.
pub(crate) fn emptied<'b>(mut tokens: Vec<Token<'_>>) -> Vec<Token<'b>> {
    tokens.clear();
    tokens.into_iter().map(|_| unreachable!("the list is empty")).collect()
}

/// [`tokens`] in the memory of `list`, which is empty.
pub(crate) fn tokens_in<'a>(
    list: Vec<Token<'_>>,
    sentence: &'a str,
    quotes: &[(usize, usize)],
    gazetteer: &Gazetteer,
) -> Vec<Token<'a>> {
    let hits = gazetteer.find(sentence);
    let mut next_hit = hits.iter().peekable();
    let mut tokens: Vec<Token<'a>> = emptied(list);
    tokens.reserve(sentence.len() / 4);
    let mut next_quote = 0;
    let mut at = 0;
    while let Some((start, mut end)) = next_piece(sentence, at) {
        while next_hit.peek().is_some_and(|hit| hit.end <= start) {
            next_hit.next();
        }
        let hit = next_hit.peek().filter(|hit| hit.start <= start && start < hit.end).map(|hit| **hit);
        if let Some(hit) = hit {
            // The last word of a name may go on with a possessive ending.
            let tail = &sentence[hit.end..];
            let ending = ["'s", "’s"].iter().find(|e| tail.starts_with(**e)).map_or(0, |e| e.len());
            end = hit.end + ending;
        }
        while next_quote < quotes.len() && quotes[next_quote].1 <= start {
            next_quote += 1;
        }
        let is_quoted = quotes.get(next_quote).is_some_and(|q| q.0 <= start);
        tokens.push(token(sentence, start, end, hit, is_quoted, gazetteer));
        at = end;
    }
    tokens
}

fn token<'a>(sentence: &'a str, start: usize, end: usize, hit: Option<Hit>, is_quoted: bool, gazetteer: &Gazetteer) -> Token<'a> {
    let text = &sentence[start..end];
    let bare = bare(text);
    let lower = if bare.chars().any(char::is_uppercase) { Cow::Owned(bare.to_lowercase()) } else { Cow::Borrowed(bare) };
    let is_mark = !text.chars().any(char::is_alphanumeric);
    let is_possessive = bare.len() < text.len() || text.ends_with('s') && sentence[end..].starts_with(['\'', '’']);
    let key = Word::new(&lower).key();
    let Role { office, verb, class, loose, shared, rank } = if is_mark { Role::default() } else { gazetteer.role(key) };
    let is_capital = text.starts_with(char::is_uppercase);
    Token {
        text,
        lower,
        key,
        start,
        end,
        hit,
        office,
        verb,
        class,
        loose,
        shared,
        rank,
        is_capital,
        is_possessive,
        is_mark,
        is_quoted,
    }
}

/// Bytes of the next word or mark at or after `at`.
fn next_piece(sentence: &str, at: usize) -> Option<(usize, usize)> {
    let start = at + sentence[at..].find(|c: char| !c.is_whitespace())?;
    let rest = &sentence[start..];
    let first = rest.chars().next()?;
    if !first.is_alphanumeric() {
        return Some((start, start + first.len_utf8()));
    }
    let mut end = 0_usize;
    let mut chars = rest.char_indices().peekable();
    while let Some((i, c)) = chars.next() {
        let joins = matches!(c, '-' | '\'' | '’' | '.' | ',' | '_' | '&' | '/');
        let next = chars.peek().map(|(_, c)| *c);
        let goes_on = match c {
            c if c.is_alphanumeric() => true,
            // "U.S." ends with its full stop; so does "Mr."
            '.' => next.is_some_and(char::is_alphanumeric) || (i >= 2 && rest.as_bytes()[i - 2] == b'.'),
            ',' => next.is_some_and(|c| c.is_ascii_digit()) && rest[..i].ends_with(|c: char| c.is_ascii_digit()),
            _ => joins && next.is_some_and(char::is_alphanumeric),
        };
        if !goes_on {
            break;
        }
        end = i + c.len_utf8();
    }
    Some((start, start + end))
}

/// The word without a possessive ending.
pub(crate) fn bare(word: &str) -> &str {
    let word = word.strip_suffix("'s").or(word.strip_suffix("’s")).unwrap_or(word);
    word.trim_end_matches(['\'', '’'])
}

/// Byte ranges inside double quotation marks, curly or straight; an unclosed quote runs to the end, and a closing mark without an opening one closes what
/// began before the sentence.
pub(crate) fn quotes(text: &str) -> Vec<(usize, usize)> {
    let mut quotes = Vec::new();
    let mut open = None;
    for (i, c) in text.char_indices() {
        match (c, open) {
            ('"', None) if quotes.is_empty() && closes(text, i) => quotes.push((0, i + 1)),
            ('“' | '«' | '„' | '"', None) => open = Some(i),
            ('”' | '»' | '"', Some(start)) => {
                quotes.push((start, i + c.len_utf8()));
                open = None;
            }
            ('”', None) if quotes.is_empty() => quotes.push((0, i + c.len_utf8())),
            _ => {}
        }
    }
    if let Some(start) = open {
        quotes.push((start, text.len()));
    }
    quotes
}

/// Whether a straight mark can only close: behind a mark of punctuation, and before a space.
fn closes(text: &str, at: usize) -> bool {
    text[..at].ends_with([',', '.', '!', '?']) && text[at + 1..].starts_with(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_marks_and_names_are_tokens() {
        let text = "\"No,\" the U.S. envoy told New Delhi's press; 1,200 left.";
        let tokens = tokens(text, &quotes(text), &Gazetteer::builtin());
        let texts: Vec<&str> = tokens.iter().map(|t| t.text).collect();
        let expected = ["\"", "No", ",", "\"", "the", "U.S.", "envoy", "told", "New Delhi's", "press", ";", "1,200", "left", "."];
        assert_eq!(texts, expected);
        assert!(tokens[1].is_quoted && !tokens[4].is_quoted && tokens[8].is_possessive);
    }

    #[test]
    fn an_unclosed_quote_runs_to_the_end() {
        assert_eq!(quotes("He said: \"never"), [(9, 15)]);
        assert_eq!(quotes("we shall see,\" he said"), [(0, 14)]);
        assert_eq!(quotes("and not ever.” He left"), [(0, 16)]);
    }
}
