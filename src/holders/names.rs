//! Names of parties: how they are written, and when two of them are the same.

use crate::holders::gazetteer::{Gazetteer, PartyKind};
use crate::holders::weights::{ByKey, Word, append};

/// Number of a name in the [`Names`] of an article.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NameId(u32);

/// The names of an article, each way of writing once. All letters stand in two buffers, so that a new name seldom needs memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    ids: ByKey<NameId>,
    list: Vec<Name>,
    text: String,
    lower: String,
}

#[derive(Debug, Clone)]
struct Name {
    /// Bytes of [`Names::text`].
    text: (usize, usize),
    /// Equal for names that [`same_name`] joins.
    plain: u64,
    n_words: usize,
    /// First word: bytes of [`Names::lower`], and its key.
    first_word: ((usize, usize), u64),
}

impl Names {
    /// Forgets all names, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.ids.clear();
        self.list.clear();
        self.text.clear();
        self.lower.clear();
    }

    /// The number of a name.
    pub(crate) fn id(&mut self, text: &str) -> NameId {
        let key = Word::new(text).key();
        if let Some(&id) = self.ids.get(&key) {
            return id;
        }
        let id = NameId(self.list.len() as u32);
        let plain = plain_key(text);
        let start = self.lower.len();
        push_lower(tidy(text), &mut self.lower);
        let lower = &self.lower[start..];
        let n = lower.find(' ').unwrap_or(lower.len());
        let first_word = ((start, start + n), Word::new(&lower[..n]).key());
        let from = self.text.len();
        self.text.push_str(text);
        let n_words = text.bytes().filter(|b| *b == b' ').count() + 1;
        self.list.push(Name { text: (from, self.text.len()), plain, n_words, first_word });
        self.ids.insert(key, id);
        id
    }

    /// The name of a number.
    pub(crate) fn text(&self, id: NameId) -> &str {
        let (start, end) = self.list[id.0 as usize].text;
        &self.text[start..end]
    }

    /// Whether two names are written alike, as [`same_name`] says.
    pub(crate) fn is_same(&self, a: NameId, b: NameId) -> bool {
        a == b || self.list[a.0 as usize].plain == self.list[b.0 as usize].plain
    }

    /// A key that names which are one, as [`same_name`] says, share.
    pub(crate) fn plain(&self, id: NameId) -> u64 {
        self.list[id.0 as usize].plain
    }

    /// First word of a name, in lower case.
    pub(crate) fn first_word(&self, id: NameId) -> Word<'_> {
        let ((start, end), key) = self.list[id.0 as usize].first_word;
        Word::known(key, &self.lower[start..end])
    }

    /// Words of a name.
    pub(crate) fn n_words(&self, id: NameId) -> usize {
        self.list[id.0 as usize].n_words
    }
}

/// Words that do not tell one party from another.
const SMALL_WORDS: [&str; 16] =
    ["the", "a", "an", "of", "in", "from", "for", "and", "on", "at", "s", "to", "some", "many", "its", "their"];

/// The name without a leading article.
pub(crate) fn tidy(name: &str) -> &str {
    let rest = ["The ", "the ", "A ", "a ", "An ", "an "].iter().find_map(|article| name.strip_prefix(article)).unwrap_or(name);
    rest.trim()
}

/// Whether two names mean the same party: case, articles, hyphens, plural endings, demonyms and the order around "of" and "in" apart, so that "dairy farmers
/// in Quebec" are "Quebec dairy farmers" and the "Congress of Peru" is the "Peruvian congress".
pub fn same_party(a: &str, b: &str) -> bool {
    a == b || !a.is_empty() && !b.is_empty() && (same_name(a, b) || essence(a) == essence(b))
}

/// The name with every name, demonym and seat of a state replaced by the state's canonical name, and that of a body where it is the whole: "Peruvian
/// congress" is "Peru congress", "UN" is "United Nations", and "Congress of Peru" names no party of India.
fn by_canonical(name: &str) -> String {
    let gazetteer = Gazetteer::builtin();
    let mut text = String::with_capacity(name.len());
    let mut at = 0;
    let is_whole = |start: usize, end: usize| start == 0 && end == name.len();
    for hit in gazetteer.find(name).into_iter().filter(|h| match gazetteer.kind(h.party) {
        PartyKind::State => true,
        PartyKind::Body => is_whole(h.start, h.end),
        PartyKind::Place => false,
    }) {
        text.push_str(&name[at..hit.start]);
        text.push_str(gazetteer.canonical(hit.party));
        at = hit.end;
    }
    text + &name[at..]
}

/// The words that tell a party from others, sorted.
fn essence(name: &str) -> Vec<String> {
    let name = by_canonical(name);
    let lower = name.to_lowercase().replace(['’', '\''], " ").replace(['-', ',', '.', '"', '“', '”'], " ");
    let mut words: Vec<String> = lower
        .split_whitespace()
        .filter(|w| !SMALL_WORDS.contains(w))
        .map(|w| if w.len() > 3 { w.trim_end_matches('s').to_owned() } else { w.to_owned() })
        .collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// What all names of a party share: equal for names that [`same_party`] joins.
pub fn party_key(name: &str) -> String {
    essence(name).join(" ")
}

/// Key of the letters of a name that tell it from others; nearly all names are of ASCII, which needs no tables.
fn plain_key(name: &str) -> u64 {
    match name.is_ascii() {
        true => plain_ascii(name).fold(0, |key, byte| append(key, u64::from(byte))),
        false => plain(name).fold(0, |key, c| append(key, u64::from(c))),
    }
}

/// Adds a text in lower case.
pub(crate) fn push_lower(text: &str, lower: &mut String) {
    if text.is_ascii() {
        let start = lower.len();
        lower.push_str(text);
        lower[start..].make_ascii_lowercase();
    } else {
        lower.extend(text.chars().flat_map(char::to_lowercase));
    }
}

/// Whether two names are written alike: case, leading article and kind of apostrophe or hyphen apart.
pub fn same_name(a: &str, b: &str) -> bool {
    plain(a).eq(plain(b))
}

/// The letters of a name that tell it from others.
fn plain(name: &str) -> impl Iterator<Item = char> + '_ {
    without_article(name).chars().map(|c| if matches!(c, '-' | '’' | '\'') { ' ' } else { c }).flat_map(char::to_lowercase)
}

/// [`plain`] of a name of ASCII.
fn plain_ascii(name: &str) -> impl Iterator<Item = u8> + '_ {
    without_article(name).bytes().map(|byte| if matches!(byte, b'-' | b'\'') { b' ' } else { byte.to_ascii_lowercase() })
}

/// A name without its leading article, in any case.
fn without_article(name: &str) -> &str {
    const ARTICLES: [&str; 3] = ["the ", "an ", "a "];
    let has = |article: &&&str| name.get(..article.len()).is_some_and(|start| start.eq_ignore_ascii_case(article));
    ARTICLES.iter().find(has).map_or(name, |article| &name[article.len()..]).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_articles_do_not_part_a_party_from_itself() {
        assert!(same_party("Dairy farmers in Quebec", "Quebec dairy farmers"));
        assert!(same_party("the Growers' League", "Growers’ League"));
        assert!(same_party("Congress of Peru", "Peruvian congress"));
        assert!(same_party("", ""));
        assert!(!same_party("", "the"));
        assert!(!same_party("North Korea", "South Korea"));
    }

    #[test]
    fn names_written_alike_are_stricter() {
        assert!(same_name("The growers' league", "Growers’ League"));
        assert!(!same_name("Dairy farmers in Quebec", "Quebec dairy farmers"));
    }
}
