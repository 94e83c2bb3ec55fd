//! Where else a phrase may begin and end: "landowners" or "landowners at Panguna", "the opposition Minjoo Democrats" or "Minjoo Democrats".
//!
//! The tagger marks one span; which part of it is the name of the party is for the ranker to choose.

use crate::holders::article::{How, Place};
use crate::holders::mentions::{Bytes, Mention, core};
use crate::holders::tokens::{Token, bare};

/// Other bounds that a phrase may have, as bytes of the sentence, and how each was found.
pub(crate) fn other_bounds(mention: &Mention, place: Place<'_>) -> [(How, Option<Bytes>); 7] {
    let Place { text, tokens, .. } = place;
    let (first, last) = mention.words;
    let end = |last: usize| tokens[last].start + bare(&text[tokens[last].start..tokens[last].end]).len();
    let from = |first: usize| (first <= last).then(|| (tokens[first].start, mention.text.1)).filter(|b| b.0 > mention.text.0);
    let to = |last: usize| Some((mention.text.0, end(last))).filter(|b| b.1 > b.0 && b.1 != mention.text.1);
    let skip = |at: usize| at + core(&tokens[at.min(tokens.len())..], at);
    let joint = (first + 1..last).find(|&i| is_joint(&tokens[i]));
    let owner =
        (first..last).find(|&i| tokens[i].is_possessive).map(|i| i + usize::from(tokens[i + 1].is_mark)).filter(|&i| i < last);
    let capital = (first..=last).find(|&i| tokens[i].is_capital && (i > 0 || tokens[i].hit.is_some())).filter(|&i| i > first);
    let is_free = |i: usize| tokens.get(i).is_some_and(Token::is_free);
    let behind = tokens.get(last + 1).filter(|t| is_joint(t) && !mention.is_possessive).and_then(|_| {
        let from = skip(last + 2);
        let n_capitals = tokens[from..].iter().take_while(|t| t.is_capital && !t.is_mark).count();
        let n_words = tokens[from..].iter().take(3).take_while(|t| t.is_free()).count();
        let n = if n_capitals > 0 { n_capitals } else { n_words };
        (n > 0).then(|| from + n - 1)
    });
    [
        (How::Extended, behind.and_then(to)),
        (How::Head, joint.and_then(|at| to(at - 1))),
        (How::Tail, capital.and_then(from)),
        (How::Owned, owner.and_then(|at| from(at + 1 + core(&tokens[at + 1..=last], at + 1)))),
        (How::OfPart, joint.and_then(|at| from(skip(at + 1)))),
        (How::Wider, first.checked_sub(1).filter(|&i| is_free(i)).map(|i| (tokens[i].start, mention.text.1))),
        (How::Further, Some(last + 1).filter(|&i| is_free(i) && !mention.is_possessive).and_then(to)),
    ]
}

/// Whether a word joins two parts of a name: "growers in the delta".
fn is_joint(token: &Token<'_>) -> bool {
    matches!(
        token.text,
        "of" | "in"
            | "from"
            | "at"
            | "on"
            | "for"
            | "around"
            | "along"
            | "inside"
            | "outside"
            | "near"
            | "across"
            | "behind"
            | "with"
    )
}
