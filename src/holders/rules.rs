//! Rules that overrule the ranker: patterns that are plain to a reader and too rare in the training data to be learnt.

use crate::holders::Sentence;
use crate::holders::article::How;
use crate::holders::gazetteer::{Office, VerbKind};
use crate::holders::mentions::{Mention, MentionKind};
use crate::holders::rank::Candidate;
use crate::holders::tokens::Token;

/// Verbs that give a position of their subject even in the mouth of another; beginnings of words.
const POSITIONS: [&str; 17] = [
    "want", "wish", "seek", "sought", "agree", "refus", "reject", "accept", "welcom", "oppos", "ask", "back", "support",
    "favour", "favor", "offer", "demand",
];

impl Sentence<'_> {
    /// The candidate that takes the place of the ranker's choice.
    pub(crate) fn overrule(&self, choice: Candidate, has_earlier: bool) -> Candidate {
        let choice = self.spoken_for(self.known_office(self.army(choice)));
        if let Some(nested) = self.nested(choice) {
            return nested;
        }
        let is_unsaid = self.tokens.iter().all(|t| t.is_quoted) || self.begins_without_subject();
        let is_here = matches!(choice, Candidate::Phrase(m, _) if !self.tokens[self.mentions[m].words.0].is_quoted && !self.begins_without_subject());
        if is_unsaid && has_earlier && !is_here && self.taken.is_empty() { Candidate::Earlier } else { choice }
    }

    /// The phrase that must be the holder's where the ranker chose another: who speaks a quotation that names others, and "No talks with rebels: Manila".
    pub(crate) fn speaker(&self, choice: Candidate) -> Option<usize> {
        match choice {
            Candidate::Nobody if self.is_headline => {
                let last = self.mentions.iter().rposition(|m| m.words.1 + 1 == self.tokens.len())?;
                let before = self.mentions[last].words.0.checked_sub(1)?;
                (self.tokens[before].text == ":" && is_bare_party(&self.mentions[last])).then_some(last)
            }
            Candidate::Nobody => self.agent(),
            Candidate::Phrase(m, _) if self.tokens[self.mentions[m].words.0].is_quoted => {
                let n_quoted = self.tokens.iter().filter(|t| t.is_quoted).count();
                let is_speaker = |m: &Mention| !self.tokens[m.words.0].is_quoted && self.says(m);
                self.mentions.iter().position(is_speaker).filter(|_| n_quoted * 2 > self.tokens.len())
            }
            _ => None,
        }
    }

    /// The phrase behind "by" and a verb in the passive that ends the sentence: "the bill was rejected by the Senate".
    fn agent(&self) -> Option<usize> {
        let is_agent = |m: &Mention| {
            let Some(by) = m.words.0.checked_sub(1).filter(|&at| self.tokens[at].lower == "by") else { return false };
            let verb = by.checked_sub(1).map(|at| &self.tokens[at]);
            let is_passive = self.tokens[..by].iter().rev().take(4).any(|t| t.verb == Some(VerbKind::Auxiliary));
            let is_last = self.tokens[m.words.1 + 1..].iter().all(|t| t.is_mark);
            is_last
                && verb.is_some_and(|t| matches!(t.verb, Some(VerbKind::Say | VerbKind::Stance)) && !t.is_quoted)
                && is_passive
        };
        self.mentions.iter().position(is_agent)
    }

    /// An army keeps its name where it was read as its state: "the Eritrean army".
    fn army(&self, choice: Candidate) -> Candidate {
        let Candidate::Phrase(m, r) = choice else { return choice };
        let has = |r: usize, how: How| self.readings_of(m)[r].hows & (1 << how as u32) != 0;
        let is_army = self.tokens[self.mentions[m].words.1].lower == "army" && has(r, How::Own);
        let whole = (0..self.readings_of(m).len()).find(|&r| has(r, How::Whole)).filter(|_| is_army);
        whole.map_or(choice, |r| Candidate::Phrase(m, r))
    }

    /// An office with a name stands for the party for which the same words stood before: "the Foreign Office".
    fn known_office(&self, choice: Candidate) -> Candidate {
        let Candidate::Phrase(m, _) = choice else { return choice };
        let mention = &self.mentions[m];
        let end = &self.tokens[mention.words.1];
        let is_named = end.office == Some(Office::StateBody) && end.is_capital && end.start > 0;
        let is_alone = is_named && mention.party.is_none() && !mention.is_owned;
        let known = self.readings_of(m).iter().position(|r| r.hows & (1 << How::Known as u32) != 0).filter(|_| is_alone);
        known.map_or(choice, |r| Candidate::Phrase(m, r))
    }

    /// A spokesman stands for the party behind "for" where both were read as one name: "a spokesman for the Taliban".
    fn spoken_for(&self, choice: Candidate) -> Candidate {
        let Candidate::Phrase(m, r) = choice else { return choice };
        let is_extended = self.readings_of(m)[r].hows & (1 << How::Extended as u32) != 0;
        let last = self.mentions[m].words.1;
        let is_spokesman =
            self.tokens[last].lower.starts_with("spokes") && self.tokens.get(last + 1).is_some_and(|t| t.text == "for");
        let next = self.mentions.get(m + 1).filter(|next| next.words.0 <= last + 3 && next.party.is_some());
        next.filter(|_| is_spokesman && is_extended).map_or(choice, |_| Candidate::Phrase(m + 1, 0))
    }

    /// Whether a verb of saying stands just before or behind a phrase.
    fn says(&self, mention: &Mention) -> bool {
        let is_say = |at: Option<usize>| {
            at.and_then(|i| self.tokens.get(i)).is_some_and(|t| t.verb == Some(VerbKind::Say) && !t.is_quoted)
        };
        is_say(mention.words.0.checked_sub(1)) || is_say(Some(mention.words.1 + 1))
    }

    /// "Trump said Modi asked him": the position is Modi's.
    fn nested(&self, choice: Candidate) -> Option<Candidate> {
        let Candidate::Phrase(m, _) = choice else { return None };
        let last = self.mentions[m].words.1;
        let says = self.tokens.get(last + 1).filter(|t| t.verb == Some(VerbKind::Say) && !t.is_quoted)?;
        let is_told = matches!(
            says.lower.as_ref(),
            "asked" | "urged" | "called" | "accused" | "blamed" | "fears" | "feared" | "hopes" | "hoped"
        );
        let next = last + 2 + usize::from(self.tokens.get(last + 2).is_some_and(|t| t.lower == "that"));
        let inner = (m + 1..self.mentions.len()).find(|&i| self.mentions[i].words.0 == next)?;
        let is_other =
            self.readings_of(inner).first().is_some_and(|r| self.readings_of(m).first().is_some_and(|own| own.name != r.name));
        let fits =
            !is_told && is_other && is_bare_party(&self.mentions[inner]) && self.takes_position(self.mentions[inner].words.1 + 1);
        fits.then_some(Candidate::Phrase(inner, 0))
    }

    /// Whether a verb of position stands at `at`, perhaps behind "has" or "would".
    fn takes_position(&self, at: usize) -> bool {
        let is_auxiliary = |t: &&Token<'_>| t.verb == Some(VerbKind::Auxiliary);
        let skipped = self.tokens[at.min(self.tokens.len())..].iter().take_while(is_auxiliary).count();
        self.tokens.get(at + skipped).is_some_and(|t| POSITIONS.iter().any(|p| t.lower.starts_with(p)))
    }

    /// A point of a list that begins with its verb: "- rejects any talk of preconditions".
    fn begins_without_subject(&self) -> bool {
        let [mark, word, ..] = &self.tokens[..] else { return false };
        matches!(mark.text, "-" | "*" | "•" | "–" | "—")
            && matches!(word.verb, Some(VerbKind::Say | VerbKind::Stance))
            && !word.is_capital
            && word.office.is_none()
    }
}

fn is_bare_party(mention: &Mention) -> bool {
    mention.kind == MentionKind::Party && !mention.is_owned && !mention.is_possessive
}
