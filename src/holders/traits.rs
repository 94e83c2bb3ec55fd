//! What the tagger sees of a token beside its letters: traits with few values each (its shape, what the tables say, where it stands), and facts made of one
//! or two of them.
//!
//! Two traits have so few values between them that the weights of a fact for all of these are a small table. The tagger adds up tables,
//! two numbers leading to a row of each, where keys would have to be made and looked up for twenty facts a token.

use crate::holders::gazetteer::{Gazetteer, NameForm, Office, PartyKind, VerbKind};
use crate::holders::tokens::Token;
use crate::holders::weights::{Facts, Sums, Weights, Word, small, word};

/// The traits, in the order of their numbers in [`Traits`].
#[derive(Debug, Clone, Copy)]
enum Trait {
    Shape,
    Party,
    Office,
    Verb,
    Quoted,
    /// How many tokens of the sentence stand in quotation marks, in fours.
    ManyQuoted,
    /// Tokens since a quotation mark closed.
    SinceQuote,
    /// Tokens to the next and from the last verb of saying, and to the next of any kind.
    NextSay,
    LastSay,
    NextVerb,
    /// Tokens before and behind it.
    Place,
    FromEnd,
    /// Of a possessive: the verb behind it.
    OwnerVerb,
    /// Before a mark or the end: the shape of the token before.
    EdgeShape,
}

const N_TRAITS: usize = Trait::EdgeShape as usize + 1;
/// The traits of a token, as places in the list of each trait's values; all 0 beyond the ends of a sentence.
pub(crate) type Traits = [u8; N_TRAITS];
/// Tokens beyond each end that facts ask for.
const MARGIN: usize = 2;
/// Distances from here on are one value.
const FAR: u8 = 6;

const SHAPES: [Word<'_>; 6] = [word!("#"), word!("mark"), word!("ALL"), word!("Cap"), word!("digit"), word!("low")];
const PARTIES: [Word<'_>; 7] =
    [word!("#"), word!("-"), word!("place"), word!("body"), word!("state"), word!("demonym"), word!("seat")];
const OFFICES: [Word<'_>; 4] = [word!("-"), word!("person"), word!("state"), word!("own")];
const VERBS: [Word<'_>; 4] = [word!("-"), word!("say"), word!("act"), word!("aux")];
const QUOTED: [Word<'_>; 2] = [word!("out"), word!("in")];

impl Trait {
    /// How many values it has.
    const fn n_values(self) -> usize {
        match self {
            Self::Shape => SHAPES.len(),
            Self::Party => PARTIES.len(),
            Self::Office => OFFICES.len(),
            Self::Verb => VERBS.len(),
            Self::Quoted => QUOTED.len(),
            Self::OwnerVerb => 1 + VERBS.len(),
            Self::EdgeShape => 1 + SHAPES.len(),
            _ => FAR as usize + 1,
        }
    }

    /// A value as a word; none where the fact does not apply.
    fn word(self, value: usize) -> Option<Word<'static>> {
        Some(match self {
            Self::Shape => SHAPES[value],
            Self::Party => PARTIES[value],
            Self::Office => OFFICES[value],
            Self::Verb => VERBS[value],
            Self::Quoted => QUOTED[value],
            Self::OwnerVerb => VERBS[value.checked_sub(1)?],
            Self::EdgeShape => SHAPES[value.checked_sub(1)?],
            _ => small(value),
        })
    }
}

/// A fact: its name, and one trait or two, each of the token so many places on.
type Fact = (Word<'static>, (Trait, isize), Option<(Trait, isize)>);

const FACTS: [Fact; 22] = {
    use Trait::{
        EdgeShape, FromEnd, LastSay, ManyQuoted, NextSay, NextVerb, Office, OwnerVerb, Party, Place, Quoted, Shape, SinceQuote,
        Verb,
    };
    [
        (word!("shape"), (Shape, 0), None),
        (word!("shape-1"), (Shape, -1), Some((Shape, 0))),
        (word!("shape+1"), (Shape, 0), Some((Shape, 1))),
        (word!("party"), (Party, 0), None),
        (word!("party-1"), (Party, -1), Some((Party, 0))),
        (word!("party+1"), (Party, 0), Some((Party, 1))),
        (word!("office"), (Office, -1), Some((Office, 0))),
        (word!("office+1"), (Office, 0), Some((Office, 1))),
        (word!("verb"), (Verb, -1), Some((Verb, 0))),
        (word!("verb+1"), (Verb, 0), Some((Verb, 1))),
        (word!("verb+2"), (Verb, 1), Some((Verb, 2))),
        (word!("kinds"), (Party, 0), Some((Office, 0))),
        (word!("quoted"), (Quoted, 0), Some((ManyQuoted, 0))),
        (word!("quotedshape"), (Quoted, 0), Some((Shape, 0))),
        (word!("sincequote"), (SinceQuote, 0), Some((Verb, 0))),
        (word!("nextsay"), (NextSay, 0), Some((Quoted, 0))),
        (word!("lastsay"), (LastSay, 0), Some((Quoted, 0))),
        (word!("nextverb"), (NextVerb, 0), Some((Shape, 0))),
        (word!("place"), (Place, 0), Some((Shape, 0))),
        (word!("fromend"), (FromEnd, 0), Some((Shape, 0))),
        (word!("possessive"), (OwnerVerb, 0), None),
        (word!("edge"), (EdgeShape, 0), Some((NextSay, 0))),
    ]
};

/// Writes the traits of all tokens to `list`, with those beyond both ends.
pub(crate) fn traits_into(tokens: &[Token<'_>], gazetteer: &Gazetteer, list: &mut Vec<Traits>) {
    list.clear();
    list.resize(tokens.len() + 2 * MARGIN, [0; N_TRAITS]);
    let further = |distance: u8, is_there: bool| if is_there { 0 } else { (distance + 1).min(FAR) };
    let many_quoted = tokens.iter().filter(|t| t.is_quoted).count().div_ceil(4).min(usize::from(FAR)) as u8;
    let (mut last_say, mut since_quote) = (FAR, FAR);
    for (at, token) in tokens.iter().enumerate() {
        let traits = &mut list[MARGIN + at];
        last_say = further(last_say, token.verb == Some(VerbKind::Say));
        since_quote = further(since_quote, at > 0 && tokens[at - 1].is_quoted && !token.is_quoted);
        traits[Trait::Shape as usize] = shape(token);
        traits[Trait::Party as usize] = party(token, gazetteer);
        traits[Trait::Office as usize] = office(token.office);
        traits[Trait::Verb as usize] = verb(token.verb);
        traits[Trait::Quoted as usize] = u8::from(token.is_quoted);
        traits[Trait::ManyQuoted as usize] = many_quoted;
        traits[Trait::SinceQuote as usize] = since_quote;
        traits[Trait::LastSay as usize] = last_say;
        traits[Trait::Place as usize] = at.min(usize::from(FAR)) as u8;
        traits[Trait::FromEnd as usize] = (tokens.len() - 1 - at).min(usize::from(FAR)) as u8;
    }
    let (mut next_say, mut next_verb) = (FAR, FAR);
    for (at, token) in tokens.iter().enumerate().rev() {
        next_say = further(next_say, token.verb == Some(VerbKind::Say));
        next_verb = further(next_verb, token.verb.is_some());
        let (before, behind) = (list[MARGIN + at - 1], list[MARGIN + at + 1]);
        let traits = &mut list[MARGIN + at];
        traits[Trait::NextSay as usize] = next_say;
        traits[Trait::NextVerb as usize] = next_verb;
        if token.is_possessive {
            traits[Trait::OwnerVerb as usize] = 1 + behind[Trait::Verb as usize];
        }
        if tokens.get(at + 1).is_none_or(|t| t.is_mark) {
            traits[Trait::EdgeShape as usize] = 1 + before[Trait::Shape as usize];
        }
    }
}

fn shape(token: &Token<'_>) -> u8 {
    let mut letters = token.text.chars().filter(|c| c.is_alphabetic());
    match (token.is_mark, token.is_capital, letters.next()) {
        (true, ..) => 1,
        (_, true, _) if token.text.len() > 1 && letters.all(char::is_uppercase) => 2,
        (_, true, _) => 3,
        (_, false, None) => 4,
        _ => 5,
    }
}

fn party(token: &Token<'_>, gazetteer: &Gazetteer) -> u8 {
    match token.hit.map(|hit| (gazetteer.kind(hit.party), hit.form)) {
        None => 1,
        Some((PartyKind::Place, _)) => 2,
        Some((PartyKind::Body, _)) => 3,
        Some((PartyKind::State, NameForm::Name)) => 4,
        Some((PartyKind::State, NameForm::Demonym)) => 5,
        Some((PartyKind::State, NameForm::Seat)) => 6,
    }
}

fn office(office: Option<Office>) -> u8 {
    match office {
        None => 0,
        Some(Office::OfState) => 1,
        Some(Office::StateBody) => 2,
        Some(Office::OwnBody) => 3,
    }
}

fn verb(verb: Option<VerbKind>) -> u8 {
    match verb {
        None => 0,
        Some(VerbKind::Say) => 1,
        Some(VerbKind::Stance) => 2,
        Some(VerbKind::Auxiliary) => 3,
    }
}

/// What an office says of who speaks, as a fact.
pub(crate) fn office_word(of: Option<Office>) -> Word<'static> {
    OFFICES[usize::from(office(of))]
}

/// What a verb does, as a fact.
pub(crate) fn verb_word(of: Option<VerbKind>) -> Word<'static> {
    VERBS[usize::from(verb(of))]
}

/// The value of a trait for token `at`, or one so many places on.
#[inline(always)]
fn value(traits: &[Traits], at: usize, (of, distance): (Trait, isize)) -> usize {
    usize::from(traits[(at + MARGIN).wrapping_add_signed(distance)][of as usize])
}

/// The facts of token `at`.
pub(crate) fn describe_traits(traits: &[Traits], at: usize, facts: &mut impl Facts) {
    for (name, first, second) in FACTS {
        let Some(one) = first.0.word(value(traits, at, first)) else { continue };
        match second {
            None => facts.add(&[name, one]),
            Some(second) => {
                facts.add(&[name, one, second.0.word(value(traits, at, second)).expect("second traits always apply")])
            }
        }
    }
}

/// The weights of all facts for all values of their traits.
#[derive(Debug, Clone)]
pub(crate) struct Grids {
    /// For each fact, for each value of its first trait and for each of its second, one weight for each label.
    grids: Vec<Vec<f32>>,
    n_labels: usize,
}

impl Grids {
    /// Looks all facts up in `weights`.
    pub(crate) fn new(weights: &Weights, n_labels: usize) -> Self {
        let grid = |(name, first, second): &Fact| {
            let second = second.map(|s| s.0);
            let n_second = second.map_or(1, Trait::n_values);
            let mut grid = vec![0.0; first.0.n_values() * n_second * n_labels];
            for (cell, sums) in grid.chunks_exact_mut(n_labels).enumerate() {
                let Some(one) = first.0.word(cell / n_second) else { continue };
                let mut facts = Sums::new(weights, sums);
                match second.and_then(|second| second.word(cell % n_second)) {
                    None => facts.add(&[*name, one]),
                    Some(other) => facts.add(&[*name, one, other]),
                }
                facts.finish();
            }
            grid
        };
        Self { grids: FACTS.iter().map(grid).collect(), n_labels }
    }

    /// Adds the weights of all tokens to `sums`, one per token and label.
    pub(crate) fn add(&self, traits: &[Traits], sums: &mut [f32]) {
        match self.n_labels {
            // Begin, inside and outside of one kind of span, as of holders.
            3 => self.add_rows(traits, sums.as_chunks_mut::<3>().0),
            n => self.add_rows(traits, &mut sums.chunks_exact_mut(n).collect::<Vec<_>>()),
        }
    }

    #[inline(always)]
    fn add_rows(&self, traits: &[Traits], rows: &mut [impl AsMut<[f32]>]) {
        for ((_, first, second), grid) in FACTS.iter().zip(&self.grids) {
            match second {
                None => self.add_grid(grid, rows, |at| value(traits, at, *first)),
                Some(second) => {
                    let n_second = second.0.n_values();
                    self.add_grid(grid, rows, |at| value(traits, at, *first) * n_second + value(traits, at, *second));
                }
            }
        }
    }

    #[inline(always)]
    fn add_grid(&self, grid: &[f32], rows: &mut [impl AsMut<[f32]>], cell: impl Fn(usize) -> usize) {
        for (at, sums) in rows.iter_mut().enumerate() {
            let sums = sums.as_mut();
            let weights = &grid[cell(at) * sums.len()..][..sums.len()];
            sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += weight);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::holders::tokens::{quotes, tokens};
    use crate::holders::weights::{Interner, NamedWeights, Numbering};

    #[test]
    fn tables_add_up_as_facts_do() {
        let gazetteer = Gazetteer::builtin();
        let text =
            "\"No,\" India's foreign minister said in Delhi; the UN's envoy, TWO aides of 1972 and Pakistan were not asked.";
        let mut traits = Vec::new();
        traits_into(&tokens(text, &quotes(text), &gazetteer), &gazetteer, &mut traits);
        let n_tokens = traits.len() - 2 * MARGIN;
        let (mut interner, mut ids) = (Interner::default(), Vec::new());
        (0..n_tokens).for_each(|at| describe_traits(&traits, at, &mut Numbering { interner: &mut interner, ids: &mut ids }));
        assert!(interner.len() > 60);
        // Whole numbers add up to the same in any order.
        let rows: Vec<f32> = (1..=interner.len() * 3).map(|i| (i * i % 97) as f32).collect();
        let named = NamedWeights::new(interner.names(), &rows, 3, 0.0);
        let weights = Weights::new(named.facts(), 3);
        let (mut by_facts, mut by_tables) = (vec![0.0; n_tokens * 3], vec![0.0; n_tokens * 3]);
        for (at, sums) in by_facts.chunks_exact_mut(3).enumerate() {
            let mut facts = Sums::new(&weights, sums);
            describe_traits(&traits, at, &mut facts);
            facts.finish();
        }
        Grids::new(&weights, 3).add(&traits, &mut by_tables);
        assert_eq!(by_tables, by_facts);
    }
}
