//! Which phrase of a sentence holds the stance: candidates, what is known of each, and the choice.
//!
//! A candidate is a phrase of the sentence, the holder of an earlier sentence, or nobody (the article's own voice). Each is described by a few dozen
//! facts, written as words, so that the model that ranks candidates is an ordinary model of this crate: trained, stored, inspected and explained as any other.
//! Its one head says `holder` or `no`; the candidate with the highest score wins.

use crate::features::Passage;
use crate::holders::gazetteer::{NameForm, Office};
use crate::holders::phrases::{Phrase, PhraseKind, WordAt};
use crate::predict::{Predictor, Scratch};

/// Verbs and nouns that report what someone says or thinks, by stem.
const REPORTING: [&str; 64] = [
    "said",
    "say",
    "says",
    "saying",
    "told",
    "tell",
    "tells",
    "stated",
    "states",
    "announced",
    "announce",
    "announces",
    "declared",
    "declares",
    "insisted",
    "insists",
    "argued",
    "argues",
    "warned",
    "warns",
    "added",
    "adds",
    "noted",
    "notes",
    "claimed",
    "claims",
    "asserted",
    "maintains",
    "maintained",
    "acknowledged",
    "conceded",
    "admitted",
    "admits",
    "confirmed",
    "confirms",
    "denied",
    "denies",
    "explained",
    "replied",
    "answered",
    "asked",
    "asks",
    "wrote",
    "writes",
    "tweeted",
    "posted",
    "remarked",
    "muttered",
    "quipped",
    "shouted",
    "signalled",
    "hinted",
    "suggested",
    "suggests",
    "reiterated",
    "repeated",
    "vowed",
    "vows",
    "pledged",
    "promised",
    "threatened",
    "according",
    "believes",
    "thinks",
];
/// Verbs by which a party takes a position or acts on one.
const STANCE: [&str; 84] = [
    "rejected",
    "rejects",
    "reject",
    "refused",
    "refuses",
    "refuse",
    "opposed",
    "opposes",
    "oppose",
    "condemned",
    "condemns",
    "condemn",
    "denounced",
    "denounces",
    "criticised",
    "criticized",
    "backed",
    "backs",
    "back",
    "supported",
    "supports",
    "support",
    "endorsed",
    "endorses",
    "welcomed",
    "welcomes",
    "welcome",
    "called",
    "calls",
    "urged",
    "urges",
    "demanded",
    "demands",
    "demand",
    "wants",
    "want",
    "wanted",
    "sought",
    "seeks",
    "seek",
    "offered",
    "offers",
    "offer",
    "accepted",
    "accepts",
    "agreed",
    "agrees",
    "approved",
    "approves",
    "voted",
    "signed",
    "ratified",
    "banned",
    "bans",
    "barred",
    "blocked",
    "blocks",
    "suspended",
    "suspends",
    "ruled",
    "rules",
    "dismissed",
    "dismisses",
    "favours",
    "favors",
    "praised",
    "praises",
    "defended",
    "defends",
    "imposed",
    "lifted",
    "sent",
    "sends",
    "launched",
    "struck",
    "ordered",
    "withdrew",
    "quit",
    "halted",
    "closed",
    "opened",
    "declined",
    "declines",
    "threatened",
];
const BARRIERS: [&str; 12] = ["by", "to", "with", "against", "from", "of", "on", "for", "between", "in", "over", "than"];

/// One possible holder.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Candidate {
    /// Phrase number of the sentence.
    Phrase(usize),
    /// The holder of the last statement before this sentence.
    Earlier,
    /// The article's own voice.
    Nobody,
}

/// What the ranker may look at.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) sentence: &'a str,
    pub(crate) words: &'a [WordAt<'a>],
    pub(crate) phrases: &'a [Phrase],
    /// Canonical name of each phrase, after resolution.
    pub(crate) resolved: &'a [Option<String>],
    /// The last holder of an earlier sentence.
    pub(crate) earlier: Option<&'a str>,
    pub(crate) topic: &'a str,
    pub(crate) stance: &'a str,
    pub(crate) is_headline: bool,
    /// Byte ranges in quotation marks.
    pub(crate) quotes: &'a [(usize, usize)],
}

/// All candidates of a sentence.
pub(crate) fn candidates(view: &View<'_>) -> Vec<Candidate> {
    let mut all: Vec<Candidate> =
        (0..view.phrases.len()).filter(|&i| view.resolved[i].is_some()).map(Candidate::Phrase).collect();
    if view.earlier.is_some() {
        all.push(Candidate::Earlier);
    }
    all.push(Candidate::Nobody);
    all
}

/// What is known of a candidate, as words.
pub(crate) fn describe(view: &View<'_>, candidate: &Candidate) -> String {
    let mut facts = String::new();
    let mut fact = |name: &str, value: &str| {
        facts.push_str(name);
        facts.extend(value.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase));
        facts.push(' ');
    };
    let n_phrases = view.resolved.iter().flatten().count();
    let has_pronoun = view.phrases.iter().any(|p| p.kind == PhraseKind::Pronoun && p.words.0 < 3);
    let has_quote = !view.quotes.is_empty();
    match candidate {
        Candidate::Nobody | Candidate::Earlier => {
            let who = if *candidate == Candidate::Nobody { "nobody" } else { "earlier" };
            fact(who, "");
            fact(who, &format!("phrases{}", n_phrases.min(4)));
            fact(who, if has_pronoun { "pronoun" } else { "nopronoun" });
            fact(who, if has_quote { "quote" } else { "noquote" });
            fact(who, if view.is_headline { "headline" } else { "body" });
            fact(who, &format!("stance{}", view.stance));
            fact(who, &format!("topic{}", view.topic));
            fact(who, &format!("{}{}", view.stance, n_phrases.min(3)));
            fact(who, &format!("first{}", view.words.first().map_or("", |w| w.text)));
            let subject = view.phrases.first().map_or("none", |p| kind_name(p));
            fact(who, &format!("subject{subject}"));
            fact(who, if has_subject(view) { "hassubject" } else { "nosubject" });
            let is_bullet = view.sentence.starts_with(['-', '*', '•']);
            fact(who, if is_bullet { "bullet" } else { "nobullet" });
        }
        Candidate::Phrase(i) => describe_phrase(view, *i, &mut fact),
    }
    facts
}

fn kind_name(phrase: &Phrase) -> &'static str {
    match (phrase.kind, phrase.form, phrase.office) {
        (PhraseKind::Party, Some(NameForm::Demonym), Some(_)) => "demonymoffice",
        (PhraseKind::Party, Some(NameForm::Demonym), None) => "demonym",
        (PhraseKind::Party, Some(NameForm::Seat), _) => "seat",
        (PhraseKind::Party, _, Some(_)) => "partyoffice",
        (PhraseKind::Party, ..) => "party",
        (PhraseKind::Name, _, Some(Office::OwnBody)) => "namebody",
        (PhraseKind::Name, _, Some(_)) => "nameoffice",
        (PhraseKind::Name, ..) => "name",
        (PhraseKind::Office, _, Some(Office::OwnBody)) => "body",
        (PhraseKind::Office, _, Some(Office::StateBody)) => "statebody",
        (PhraseKind::Office, ..) => "office",
        (PhraseKind::Pronoun, ..) => "pronoun",
        (PhraseKind::Both, ..) => "both",
    }
}

fn lower(view: &View<'_>, at: Option<usize>) -> String {
    at.and_then(|i| view.words.get(i)).map_or_else(|| "end".to_owned(), |w| w.text.to_lowercase())
}

fn is_cue(word: &str) -> Option<&'static str> {
    if REPORTING.contains(&word) {
        Some("report")
    } else if STANCE.contains(&word) {
        Some("stance")
    } else {
        None
    }
}

/// Whether any phrase stands before a cue with nothing but a few words between.
fn has_subject(view: &View<'_>) -> bool {
    view.phrases
        .iter()
        .any(|p| (1..=3).any(|d| view.words.get(p.words.1 + d).is_some_and(|w| is_cue(&w.text.to_lowercase()).is_some())))
}

fn describe_phrase(view: &View<'_>, i: usize, fact: &mut impl FnMut(&str, &str)) {
    let phrase = &view.phrases[i];
    let kind = kind_name(phrase);
    let (first, last) = phrase.words;
    let before = lower(view, first.checked_sub(1));
    let before = if matches!(before.as_str(), "the" | "a" | "an" | "its" | "their" | "his" | "her") {
        lower(view, first.checked_sub(2))
    } else {
        before
    };
    let after = lower(view, Some(last + 1));
    let after_two = lower(view, Some(last + 2));
    let in_quote = view.quotes.iter().any(|(s, e)| *s <= phrase.start && phrase.end <= *e);
    fact("kind", kind);
    fact("before", &before);
    fact("after", &after);
    fact("aftertwo", &after_two);
    fact("kindbefore", &format!("{kind}{}", if BARRIERS.contains(&before.as_str()) { before.as_str() } else { "free" }));
    fact("order", &(i.min(5)).to_string());
    fact("orderkind", &format!("{}{kind}", i.min(3)));
    fact(
        "place",
        if first <= 1 {
            "start"
        } else if last + 2 >= view.words.len() {
            "end"
        } else {
            "middle"
        },
    );
    fact("quoted", if in_quote { "yes" } else { "no" });
    fact("quotedorder", &format!("{in_quote}{}", i.min(3)));
    fact("possessive", if phrase.is_possessive { "yes" } else { "no" });
    if phrase.is_possessive {
        fact("possessed", &after);
    }
    fact("headline", &format!("{}{}", view.is_headline, i.min(3)));
    fact("stance", &format!("{}{}", view.stance, kind));
    fact("alone", if view.resolved.iter().flatten().count() == 1 { "yes" } else { "no" });
    let is_earlier = view.resolved[i].as_deref() == view.earlier;
    fact("sameasearlier", if is_earlier { "yes" } else { "no" });
    let n_same = view.resolved.iter().filter(|r| **r == view.resolved[i]).count();
    fact("times", &n_same.min(3).to_string());
    // The nearest cue behind, and what stands between.
    let behind =
        (1..=8).find_map(|d| view.words.get(last + d).and_then(|w| is_cue(&w.text.to_lowercase()).map(|cue| (d, cue, w.text))));
    match behind {
        Some((d, cue, word)) => {
            let crosses = view.phrases.iter().any(|p| p.words.0 > last && p.words.1 < last + d);
            fact("cuebehind", &format!("{cue}{}", d.min(4)));
            fact("cueword", &word.to_lowercase());
            fact("cuecross", &format!("{cue}{crosses}"));
        }
        None => fact("cuebehind", "none"),
    }
    let ahead =
        (1..=5).find_map(|d| first.checked_sub(d).and_then(|at| is_cue(&view.words[at].text.to_lowercase()).map(|cue| (d, cue))));
    fact("cueahead", &ahead.map_or("none".to_owned(), |(d, cue)| format!("{cue}{}", d.min(3))));
    // Behind a closing quotation mark stands the speaker.
    let after_quote = view.quotes.iter().any(|(_, e)| *e <= phrase.start && phrase.start - e < 24);
    fact("afterquote", if after_quote { "yes" } else { "no" });
    let passive = before == "by"
        && first >= 2
        && view.words[..first].iter().rev().take(4).any(|w| w.text.ends_with("ed") || w.text == "out");
    fact("passive", if passive { "yes" } else { "no" });
    let is_first_free = !BARRIERS.contains(&before.as_str())
        && !view.phrases[..i]
            .iter()
            .enumerate()
            .any(|(j, p)| view.resolved[j].is_some() && !BARRIERS.contains(&lower(view, p.words.0.checked_sub(1)).as_str()));
    fact("firstfree", if is_first_free { "yes" } else { "no" });
}

/// The candidate with the highest score for `holder`, and its probability; ties go to the first.
pub(crate) fn choose(view: &View<'_>, ranker: &Predictor, scratch: &mut Scratch) -> (Candidate, f64) {
    let mut best = (Candidate::Nobody, f64::NEG_INFINITY, 0.0);
    for candidate in candidates(view) {
        ranker.read(Passage::from(describe(view, &candidate).as_str()), scratch);
        let answer = ranker.answer(0, None, scratch);
        if answer.scores[0] > best.1 {
            best = (candidate, answer.scores[0], answer.probabilities[0]);
        }
    }
    (best.0, best.2)
}

/// Whether a word reports speech.
pub(crate) fn is_reporting(word: &str) -> bool {
    REPORTING.contains(&word.to_lowercase().as_str())
}
