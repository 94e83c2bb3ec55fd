//! Where a sentence joins two positions: parts that are read apart.

use crate::holders::gazetteer::{Gazetteer, Office, PartyKind, VerbKind};
use crate::holders::tokens::{Token, quotes, tokens};

/// Words that begin a part of its own, behind a comma or not.
const CONTRASTS: [&str; 5] = ["while", "whereas", "but", "and", "whilst"];

/// Parts of a sentence, each with a party and a verb of its own; the whole sentence where it does not fall into such parts. Bytes of the sentence.
pub(crate) fn clauses(sentence: &str, gazetteer: &Gazetteer) -> Vec<(usize, usize)> {
    let whole = vec![(0, sentence.len())];
    if !may_break(sentence) {
        return whole;
    }
    let tokens = tokens(sentence, &quotes(sentence), gazetteer);
    let mut parts: Vec<(usize, usize)> = Vec::new();
    let mut first = 0;
    for at in 1..tokens.len() {
        let Some(next) = break_at(&tokens, at) else { continue };
        // Behind a comma the part must begin with its party; else "India, and the price, rose" would fall apart.
        if is_position(&tokens[first..at], gazetteer)
            && begins_with_party(&tokens[next..], gazetteer)
            && is_position(&tokens[next..], gazetteer)
        {
            parts.push((tokens[first].start, tokens[at - 1].end));
            first = next;
        }
    }
    if parts.is_empty() {
        return whole;
    }
    parts.push((tokens[first].start, sentence.len()));
    parts
}

/// Whether the sentence holds what [`break_at`] looks for, as letters: most do not, and need not be cut into words.
fn may_break(sentence: &str) -> bool {
    let has_contrast = |at: usize| CONTRASTS.iter().any(|word| sentence[at + 1..].trim_start().starts_with(word));
    sentence.bytes().enumerate().any(|(at, byte)| byte == b';' || byte == b',' && has_contrast(at))
        || sentence.contains(" while ")
        || sentence.contains(" whereas ")
}

/// The first token of the part behind a break at `at`.
fn break_at(tokens: &[Token<'_>], at: usize) -> Option<usize> {
    let token = &tokens[at];
    if token.is_quoted {
        return None;
    }
    let next = tokens.get(at + 1)?;
    match token.text {
        ";" => Some(at + 1 + usize::from(CONTRASTS.contains(&next.lower.as_ref()))),
        "," if CONTRASTS.contains(&next.text) => Some(at + 2),
        "while" | "whereas" if tokens[at - 1].text != "," => Some(at + 1),
        _ => None,
    }
    .filter(|&next| next < tokens.len())
}

/// Whether the first words name a party: "the Indian side", "Dhaka".
fn begins_with_party(tokens: &[Token<'_>], gazetteer: &Gazetteer) -> bool {
    tokens.iter().take(4).take_while(|t| !t.is_mark && t.verb.is_none()).any(|t| is_party(t, gazetteer))
}

fn is_party(token: &Token<'_>, gazetteer: &Gazetteer) -> bool {
    token.hit.is_some_and(|hit| gazetteer.kind(hit.party) != PartyKind::Place)
        || matches!(token.office, Some(Office::OfState | Office::StateBody | Office::OwnBody))
}

/// Whether a part has a party, and a verb behind it.
fn is_position(tokens: &[Token<'_>], gazetteer: &Gazetteer) -> bool {
    let Some(party) = tokens.iter().position(|t| is_party(t, gazetteer)) else { return false };
    tokens[party + 1..].iter().any(|t| matches!(t.verb, Some(VerbKind::Say | VerbKind::Stance)) && !t.is_quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(sentence: &str) -> Vec<&str> {
        clauses(sentence, &Gazetteer::builtin()).into_iter().map(|(s, e)| &sentence[s..e]).collect()
    }

    #[test]
    fn two_positions_are_two_parts() {
        assert_eq!(parts("India demanded a ban; Pakistan refused it."), ["India demanded a ban", "Pakistan refused it."]);
        assert_eq!(
            parts("Cairo rejected the offer, but Khartoum welcomed it."),
            ["Cairo rejected the offer", "Khartoum welcomed it."]
        );
        assert_eq!(parts("Riyadh backs the plan while Tehran opposes it").len(), 2);
        assert_eq!(parts("Turkey shelled the hills, and Syria vowed to answer.").len(), 2);
    }

    #[test]
    fn one_position_stays_whole() {
        for sentence in [
            "India, Pakistan and China agreed, and the talks went on.",
            "The minister said the talks, while long, were useful.",
            "\"We want peace; Pakistan wants it too,\" he said.",
            "Egypt condemned the strike and called for calm.",
        ] {
            assert_eq!(parts(sentence), [sentence]);
        }
    }
}
