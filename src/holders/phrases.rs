//! Noun phrases of a sentence that may name a party, and what each stands for.
//!
//! A phrase grows around a name of the gazetteer, capitalised words or a word for an office: "Pakistan's Foreign Office spokesperson", "the defence minister",
//! "Karsan growers' union". It is cut before lower-case words that belong to no office. Not here: which of the phrases holds a stance.

use crate::holders::gazetteer::{Gazetteer, Hit, NameForm, Office, PartyKind};

/// What a phrase is built on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum PhraseKind {
    /// A name of the gazetteer, perhaps with offices around it.
    Party,
    /// Capitalised words that the gazetteer does not know.
    Name,
    /// An office or body alone: "the ministry".
    Office,
    /// A pronoun or "the country".
    Pronoun,
    /// "both sides".
    Both,
}

/// A phrase: bytes of the sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Phrase {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) kind: PhraseKind,
    /// The phrase without article, in lower case.
    pub(crate) text: String,
    /// Canonical name where the phrase itself gives it.
    pub(crate) canonical: Option<String>,
    /// The party of the gazetteer, even where the phrase is about a body of its own.
    pub(crate) form: Option<NameForm>,
    pub(crate) office: Option<Office>,
    /// Last capitalised word, by which a person is named again.
    pub(crate) surname: Option<String>,
    /// First and last word in [`Words`].
    pub(crate) words: (usize, usize),
    pub(crate) is_possessive: bool,
}

/// A word of the sentence with what is known of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WordAt<'a> {
    pub(crate) text: &'a str,
    pub(crate) start: usize,
    pub(crate) end: usize,
    hit: Option<Hit>,
    is_capital: bool,
    office: Option<Office>,
    is_possessive: bool,
}

const DETERMINERS: [&str; 9] = ["the", "a", "an", "its", "his", "her", "their", "both", "two"];
const PRONOUNS: [&str; 8] = ["he", "she", "they", "it", "we", "i", "his", "their"];
const COUNTRY_WORDS: [&str; 8] = ["country", "nation", "kingdom", "republic", "island", "group", "bloc", "capital"];
const PAIR_WORDS: [&str; 7] = ["sides", "governments", "capitals", "countries", "neighbours", "neighbors", "parties"];
/// Capitalised because they open a sentence, not because they name something.
const OPENERS: [&str; 60] = [
    "A",
    "After",
    "All",
    "Although",
    "An",
    "And",
    "Any",
    "As",
    "Asked",
    "At",
    "Before",
    "But",
    "By",
    "Despite",
    "Even",
    "For",
    "From",
    "He",
    "Her",
    "Here",
    "His",
    "How",
    "However",
    "I",
    "If",
    "In",
    "It",
    "Its",
    "Last",
    "Later",
    "Meanwhile",
    "Most",
    "Neither",
    "No",
    "Nobody",
    "None",
    "Not",
    "Nothing",
    "Now",
    "Of",
    "On",
    "Once",
    "One",
    "Only",
    "Or",
    "Our",
    "Several",
    "She",
    "Since",
    "So",
    "Some",
    "That",
    "The",
    "Their",
    "There",
    "They",
    "This",
    "To",
    "What",
    "When",
];
const DAYS_AND_MONTHS: [&str; 19] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The words of a sentence, with gazetteer hits as single words.
pub(crate) fn words<'a>(sentence: &'a str, gazetteer: &Gazetteer) -> Vec<WordAt<'a>> {
    let hits = gazetteer.find(sentence);
    let mut next_hit = hits.iter().peekable();
    let mut words: Vec<WordAt<'a>> = Vec::new();
    crate::text::for_each_word(sentence, crate::text::WordRule::Unicode, |text, start| {
        let text = &sentence[start..start + text.len()];
        let end = start + text.len();
        while next_hit.peek().is_some_and(|hit| hit.end <= start) {
            next_hit.next();
        }
        let hit = next_hit.peek().filter(|hit| hit.start < end).map(|hit| **hit);
        if let Some(hit) = hit
            && let Some(last) = words.last_mut()
            && last.hit == Some(hit)
        {
            last.end = last.end.max(end);
            last.text = &sentence[last.start..last.end];
            last.is_possessive |= is_possessive(text);
            return;
        }
        let bare = bare(text);
        words.push(WordAt {
            text,
            start,
            end,
            hit,
            is_capital: bare.starts_with(char::is_uppercase),
            office: gazetteer.office(&bare.to_lowercase()),
            is_possessive: is_possessive(text) || sentence[end..].starts_with(['\'', '’']),
        });
    });
    words
}

fn is_possessive(word: &str) -> bool {
    word.ends_with("'s") || word.ends_with("’s") || word.ends_with("s'") || word.ends_with("s’")
}

/// The word without a possessive ending.
fn bare(word: &str) -> &str {
    let word = word.strip_suffix("'s").or(word.strip_suffix("’s")).unwrap_or(word);
    word.trim_end_matches(['\'', '’'])
}

/// All phrases of a sentence, in order, none overlapping.
pub(crate) fn phrases(sentence: &str, words: &[WordAt<'_>], gazetteer: &Gazetteer) -> Vec<Phrase> {
    let mut phrases = Vec::new();
    let mut at = 0;
    while at < words.len() {
        if let Some(phrase) = pronoun(words, at, sentence) {
            at = phrase.words.1 + 1;
            phrases.push(phrase);
            continue;
        }
        let is_head = |w: &WordAt<'_>, i: usize| w.hit.is_some() || w.office.is_some() || is_name(w, i);
        let begins = is_head(&words[at], at);
        if !begins {
            at += 1;
            continue;
        }
        let first = at;
        let mut last = at;
        while last + 1 < words.len() && continues(words, first, last, sentence) {
            last += 1;
        }
        while last > first && !is_head(&words[last], last) {
            last -= 1;
        }
        phrases.extend(phrase(sentence, words, first, last, gazetteer));
        at = last + 1;
    }
    phrases
}

fn is_name(word: &WordAt<'_>, position: usize) -> bool {
    let bare = bare(word.text);
    let is_opener = OPENERS.contains(&bare) && (position == 0 || bare.len() < 5);
    word.is_capital && !is_opener && !DAYS_AND_MONTHS.contains(&bare)
}

/// Whether the word after `last` belongs to the phrase that began at `first`.
fn continues(words: &[WordAt<'_>], first: usize, last: usize, sentence: &str) -> bool {
    let (here, next) = (&words[last], &words[last + 1]);
    let gap = &sentence[here.end..next.start];
    if !gap.trim_matches(['\'', '’']).trim().is_empty() {
        return false;
    }
    let next_is_head = next.office.is_some() || is_name(next, last + 1);
    // Two parties side by side are two phrases, but for "Indian" before a body: "Indian Congress".
    if next.hit.is_some() {
        return words[first..=last].iter().all(|w| w.hit.is_none()) && here.office.is_none()
            || here.hit.is_some_and(|h| h.form == NameForm::Demonym);
    }
    if next_is_head {
        return true;
    }
    let bridges = matches!(next.text, "of" | "for" | "and" | "de" | "al" | "bin");
    let after = words.get(last + 2);
    match next.text {
        "of" | "for" => {
            (here.office.is_some() || here.is_capital)
                && after.is_some_and(|w| (w.is_capital && w.hit.is_none()) || matches!(w.text, "the" | "state"))
        }
        "the" => here.text == "of" || here.text == "for",
        "and" => {
            here.is_capital
                && here.hit.is_none()
                && here.office.is_none()
                && after.is_some_and(|w| w.office.is_some())
                && last > first
        }
        _ if bridges => after.is_some_and(|w| w.is_capital),
        // One lower-case word between a party and its office: "Kenyan water minister".
        lower => {
            (here.hit.is_some() || here.is_possessive || here.is_capital || last > first)
                && lower.chars().all(|c| c.is_lowercase() || c == '-')
                && after.is_some_and(|w| w.office.is_some() && !w.is_capital)
                && !matches!(
                    lower,
                    "said"
                        | "says"
                        | "told"
                        | "that"
                        | "to"
                        | "in"
                        | "on"
                        | "with"
                        | "by"
                        | "is"
                        | "was"
                        | "were"
                        | "has"
                        | "had"
                        | "will"
                        | "from"
                        | "as"
                        | "at"
                        | "or"
                        | "its"
                        | "his"
                        | "her"
                        | "their"
                        | "a"
                        | "an"
                )
        }
    }
}

fn pronoun(words: &[WordAt<'_>], at: usize, sentence: &str) -> Option<Phrase> {
    let word = &words[at];
    let lower = word.text.to_lowercase();
    let make = |kind, last: usize| Phrase {
        start: word.start,
        end: words[last].end,
        kind,
        text: String::new(),
        canonical: None,
        form: None,
        office: None,
        surname: None,
        words: (at, last),
        is_possessive: words[last].is_possessive || matches!(lower.as_str(), "his" | "their"),
    };
    if PRONOUNS.contains(&lower.as_str()) && (lower != "i" || word.text == "I") {
        return Some(make(PhraseKind::Pronoun, at));
    }
    let next = words.get(at + 1)?;
    let is_adjacent = sentence[word.end..next.start].trim().is_empty();
    let next_lower = bare(next.text).to_lowercase();
    match lower.as_str() {
        "both" | "two" if is_adjacent && PAIR_WORDS.contains(&next_lower.as_str()) => Some(make(PhraseKind::Both, at + 1)),
        "the" if is_adjacent && COUNTRY_WORDS.contains(&next_lower.as_str()) => Some(make(PhraseKind::Pronoun, at + 1)),
        "the" if is_adjacent && next_lower == "two" => {
            let after = words.get(at + 2)?;
            PAIR_WORDS.contains(&after.text).then(|| make(PhraseKind::Both, at + 2))
        }
        _ => None,
    }
}

fn phrase(sentence: &str, words: &[WordAt<'_>], first: usize, last: usize, gazetteer: &Gazetteer) -> Option<Phrase> {
    let inside = &words[first..=last];
    let hit = inside.iter().find_map(|w| w.hit);
    let office = inside.iter().rev().find_map(|w| w.office);
    let names: Vec<&WordAt<'_>> = inside
        .iter()
        .enumerate()
        .filter(|(i, w)| w.hit.is_none() && w.office.is_none() && is_name(w, first + i))
        .map(|(_, w)| w)
        .collect();
    let surname = names.last().map(|w| bare(w.text).to_owned());
    let kind = match (hit, names.is_empty(), office) {
        (Some(_), ..) => PhraseKind::Party,
        (None, false, _) => PhraseKind::Name,
        (None, true, _) => PhraseKind::Office,
    };
    // An office in lower case without article or party is mostly a common noun: it needs a determiner before it.
    let before = first.checked_sub(1).map(|i| &words[i]);
    let determiner = before.filter(|w| {
        DETERMINERS.contains(&w.text.to_lowercase().as_str()) && sentence[w.end..words[first].start].trim().is_empty()
    });
    let start = determiner.filter(|w| !matches!(w.text, "both" | "two")).map_or(words[first].start, |w| w.start);
    let is_possessive = words[last].is_possessive;
    let end = words[first..=last].last().map(|w| w.start + bare(&sentence[w.start..w.end]).len())?;
    // A body of its own ends the name: "Malian trade union sources" speak for the union.
    let own_body = inside.iter().rev().find(|w| w.office == Some(Office::OwnBody) && w.hit.is_none());
    let own_end = own_body.map_or(end, |w| w.start + bare(w.text).len());
    // "ISLAMABAD — ": a dateline says where, not who.
    let is_dateline = first == 0 && sentence[words[last].end..].trim_start().starts_with(['—', '–']);
    if is_dateline || hit.is_some_and(|hit| gazetteer.kind(hit.party) == PartyKind::Place) && own_body.is_none() {
        return None;
    }
    let own_name = || sentence[words[first].start..own_end].trim_start_matches("The ").to_owned();
    let canonical = match (hit, office) {
        (Some(hit), _) if own_body.is_some() && gazetteer.kind(hit.party) == PartyKind::State && last > first => Some(own_name()),
        (Some(hit), _) => Some(gazetteer.canonical(hit.party).to_owned()),
        (None, Some(Office::OfState | Office::StateBody)) => None,
        (None, _) if kind == PhraseKind::Name => Some(own_name()),
        (None, Some(Office::OwnBody)) => Some(own_name()),
        (None, None) => None,
    };
    let text = sentence[words[first].start..end].to_lowercase();
    Some(Phrase {
        start,
        end,
        kind,
        text,
        canonical,
        form: hit.map(|h| h.form),
        office,
        surname,
        words: (first, last),
        is_possessive,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(sentence: &str) -> Vec<(String, Option<String>)> {
        let gazetteer = Gazetteer::builtin();
        let words = words(sentence, &gazetteer);
        phrases(sentence, &words, &gazetteer).into_iter().map(|p| (sentence[p.start..p.end].to_owned(), p.canonical)).collect()
    }

    #[test]
    fn an_office_belongs_to_its_state() {
        let phrases = found("Pakistan's Foreign Office spokesperson Amjad Rana welcomed it");
        assert_eq!(phrases[0], ("Pakistan's Foreign Office spokesperson Amjad Rana".to_owned(), Some("Pakistan".to_owned())));
    }

    #[test]
    fn a_body_of_its_own_keeps_its_name() {
        assert_eq!(found("Malian trade union sources")[0].1.as_deref(), Some("Malian trade union"));
        assert_eq!(found("the Harvesters' League said")[0].1.as_deref(), Some("Harvesters' League"));
    }

    #[test]
    fn two_parties_are_two_phrases() {
        let names: Vec<_> = found("India and Pakistan agreed").into_iter().map(|p| p.1.unwrap()).collect();
        assert_eq!(names, ["India", "Pakistan"]);
    }

    #[test]
    fn pairs_and_pronouns_are_phrases() {
        assert_eq!(found("Both sides said they would go")[0].0, "Both sides");
        assert_eq!(found("the country will not yield")[0].0, "the country");
    }
}
