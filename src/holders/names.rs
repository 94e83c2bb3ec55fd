//! Names of parties: how they are written, and when two of them are the same.

use crate::holders::gazetteer::{Gazetteer, PartyKind};

/// Words that do not tell one party from another.
const SMALL_WORDS: [&str; 16] =
    ["the", "a", "an", "of", "in", "from", "for", "and", "on", "at", "s", "to", "some", "many", "its", "their"];

/// The name without a leading article.
pub(crate) fn tidy(name: &str) -> String {
    let rest = ["The ", "the ", "A ", "a ", "An ", "an "].iter().find_map(|article| name.strip_prefix(article)).unwrap_or(name);
    rest.trim().to_owned()
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

/// Whether two names are written alike: case, leading article and kind of apostrophe or hyphen apart.
pub fn same_name(a: &str, b: &str) -> bool {
    let plain = |s: &str| tidy(&s.to_lowercase()).replace(['-', '’', '\''], " ");
    plain(a) == plain(b)
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
