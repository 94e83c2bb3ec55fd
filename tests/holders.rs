//! Hard cases of holders, by rule of the codebook: `tests/fixtures/holders.txt`, through the compiled-in model.

use stancekit::classify::Classifier;
use stancekit::data::Article as Text;
use stancekit::holders::{Article, Gazetteer, HolderFinder, Mode, same_party};

const CASES: &str = include_str!("fixtures/holders.txt");

struct Case<'a> {
    rule: &'a str,
    before: &'a str,
    sentence: &'a str,
    topic: &'a str,
    stance: &'a str,
    holders: Vec<&'a str>,
    via: Option<&'a str>,
}

fn cases() -> Vec<Case<'static>> {
    CASES
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            let fields: Vec<&str> = line.split('|').collect();
            let holders = if fields[5] == "-" { Vec::new() } else { fields[5].split(" + ").collect() };
            Case {
                rule: fields[0],
                before: fields[1],
                sentence: fields[2],
                topic: fields[3],
                stance: fields[4],
                holders,
                via: fields.get(6).copied(),
            }
        })
        .collect()
}

/// Holders of the parts of the sentence, the one before it read first, and the party that reports.
fn found(case: &Case<'_>, finder: &HolderFinder) -> (Vec<String>, Option<String>) {
    let mut article = Article::default();
    if !case.before.is_empty() {
        let mut before = finder.read(case.before, 0, false, &mut article);
        finder.find(&mut before, case.topic, case.stance, &mut article);
    }
    let offset = case.before.len() + 1;
    let (mut holders, mut via) = (Vec::new(), None);
    for (start, end) in finder.clauses(case.sentence) {
        let is_headline = case.rule == "headline";
        let mut part = finder.read(&case.sentence[start..end], offset + start, is_headline, &mut article);
        let (holder, _) = finder.find(&mut part, case.topic, case.stance, &mut article);
        if let Some(holder) = holder {
            let partner = finder.find_partner(&mut part, &holder, case.topic, case.stance, &mut article);
            via = via.or(holder.via);
            holders.push(holder.name);
            holders.extend(partner.map(|p| p.name));
        }
    }
    (holders, via)
}

#[test]
fn every_rule_of_the_codebook_holds() {
    let finder = HolderFinder::builtin(Gazetteer::builtin());
    let cases = cases();
    assert!(cases.len() >= 120, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let (holders, via) = found(case, &finder);
        let fits = holders.len() == case.holders.len()
            && case.holders.iter().all(|wanted| holders.iter().any(|h| same_party(h, wanted)))
            && (case.via.is_none() || case.via == via.as_deref());
        if !fits {
            wrong.push(format!("{}: {} → {holders:?}, via {via:?}", case.rule, case.sentence));
        }
    }
    assert!(wrong.is_empty(), "{} of {} wrong:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn modes_follow_quotation_marks_and_reporting_verbs() {
    let finder = HolderFinder::builtin(Gazetteer::builtin());
    let cases = [
        ("\"We will never accept a mediator,\" the Indian minister said.", Mode::Direct),
        ("India's foreign minister said that it would never accept a mediator.", Mode::Indirect),
        ("India's foreign minister called the offer \"a joke\" and said it would be refused.", Mode::Mixed),
        ("India closed the crossing.", Mode::Author),
    ];
    for (sentence, wanted) in cases {
        let mut article = Article::default();
        let mut read = finder.read(sentence, 0, false, &mut article);
        let (_, mode) = finder.find(&mut read, "third-party-mediation", "against", &mut article);
        assert_eq!(mode, wanted, "{sentence}");
    }
}

#[test]
fn spans_point_to_the_holder_or_to_its_earlier_mention() {
    let finder = HolderFinder::builtin(Gazetteer::builtin());
    let text = "Islamabad reads it differently. It insists that the resolutions still stand.";
    let mut article = Article::default();
    let mut first = finder.read(&text[..31], 0, false, &mut article);
    finder.find(&mut first, "self-determination", "favor", &mut article);
    let mut second = finder.read(&text[32..], 32, false, &mut article);
    let (holder, _) = finder.find(&mut second, "self-determination", "favor", &mut article);
    let (start, end) = holder.unwrap().span;
    assert_eq!(&text[start..end], "Islamabad");
}

#[test]
fn any_text_is_read_without_error() {
    let classifier = Classifier::builtin();
    for text in [
        "\"",
        "“",
        "”",
        "„»«",
        "'s",
        "’",
        "\"We will not",
        "- ",
        "a\u{0}b",
        "India's",
        "the",
        "U.S.",
        "…",
        "His",
        "; ; ,",
        "भारत ने कहा",
    ] {
        let article = Text { text: text.to_owned(), ..Text::default() };
        classifier.classify(&article, &mut classifier.scratch());
    }
}
