//! The matrix of holders and topics, and the sentences behind its cells.

use std::collections::BTreeMap;

use stancekit::classify::Statement;
use stancekit::data::Article;
use stancekit::holders::party_key;

/// Statements of one matrix, by holder and topic.
#[derive(Debug, Default)]
pub struct Cells {
    cells: BTreeMap<(String, usize), Vec<Evidence>>,
    /// The name under which a party was first seen, by what its names share.
    names: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Evidence {
    stance: usize,
    article: String,
    text: String,
}

/// How a matrix is drawn.
#[derive(Debug)]
pub struct Matrix<'a> {
    pub topics: &'a [String],
    pub stances: &'a [String],
    pub is_coloured: bool,
}

impl Cells {
    /// Adds a statement.
    pub fn add(&mut self, article: &Article, statement: &Statement) {
        let holder = statement.holder.as_deref().map_or_else(|| "(the article)".to_owned(), |name| self.row(name));
        let evidence = Evidence { stance: statement.stance, article: article.id.clone(), text: statement.text.clone() };
        self.cells.entry((holder, statement.topic)).or_default().push(evidence);
    }

    /// The row of a party: spellings that differ in case, article or the order around "of" share one, under the first name seen.
    fn row(&mut self, name: &str) -> String {
        self.names.entry(party_key(name)).or_insert_with(|| name.to_owned()).clone()
    }

    /// Holders, most statements first.
    fn holders(&self) -> Vec<(&str, usize)> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for ((holder, _), statements) in &self.cells {
            *counts.entry(holder).or_default() += statements.len();
        }
        let mut holders: Vec<(&str, usize)> = counts.into_iter().collect();
        holders.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        holders
    }

    /// Topics, most statements first.
    fn topics(&self) -> Vec<usize> {
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        for ((_, topic), statements) in &self.cells {
            *counts.entry(*topic).or_default() += statements.len();
        }
        let mut topics: Vec<(usize, usize)> = counts.into_iter().collect();
        topics.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        topics.into_iter().map(|t| t.0).collect()
    }
}

impl Matrix<'_> {
    /// One line per topic and holder: what the holder favors, opposes, or leaves open, with the number of statements of each stance.
    pub fn render(&self, cells: &Cells) -> String {
        let holders = cells.holders();
        if holders.is_empty() {
            return "no statement on any topic\n\n".to_owned();
        }
        let topics = cells.topics();
        let width = holders.iter().map(|(h, _)| h.chars().count()).max().unwrap_or(0).clamp(6, 32);
        let columns: Vec<usize> = topics.iter().map(|&t| self.topics[t].len().max(7)).collect();
        let mut text = format!("{:<width$}", "holder");
        for (&topic, column) in topics.iter().zip(&columns) {
            text += &format!("  {:<column$}", self.topics[topic]);
        }
        text = text.trim_end().to_owned() + "\n";
        for (holder, _) in &holders {
            let name: String = holder.chars().take(width).collect();
            text += &format!("{name:<width$}");
            for (&topic, column) in topics.iter().zip(&columns) {
                let (plain, painted) = self.cell(cells, holder, topic);
                text += &format!("  {painted}{}", " ".repeat(column.saturating_sub(plain)));
            }
            text = text.trim_end().to_owned() + "\n";
        }
        let legend: Vec<String> = self
            .stances
            .iter()
            .enumerate()
            .map(|(s, name)| format!("{} {name}", paint(sign(name), s, self.is_coloured)))
            .collect();
        text + &format!("({}; the number is that of statements)\n\n", legend.join(", "))
    }

    /// Width and text of a cell.
    fn cell(&self, cells: &Cells, holder: &str, topic: usize) -> (usize, String) {
        let Some(statements) = cells.cells.get(&(holder.to_owned(), topic)) else { return (1, ".".to_owned()) };
        let mut parts = Vec::new();
        let mut width = 0;
        for (stance, name) in self.stances.iter().enumerate() {
            let n = statements.iter().filter(|s| s.stance == stance).count();
            if n > 0 {
                let part = format!("{}{n}", sign(name));
                width += part.chars().count() + 1;
                parts.push(paint(&part, stance, self.is_coloured));
            }
        }
        (width - 1, parts.join(" "))
    }

    /// Every cell with its sentences.
    pub fn evidence(&self, cells: &Cells) -> String {
        let mut text = String::new();
        for (holder, _) in cells.holders() {
            for ((_, topic), statements) in cells.cells.iter().filter(|((h, _), _)| h == holder) {
                text += &format!("{holder} on {}\n", self.topics[*topic]);
                for s in statements {
                    let sentence = s.text.split_whitespace().collect::<Vec<_>>().join(" ");
                    text += &format!(
                        "  {:<8} {}: {sentence}\n",
                        paint(&self.stances[s.stance], s.stance, self.is_coloured),
                        s.article
                    );
                }
            }
        }
        text + "\n"
    }
}

/// A sign for a stance: its usual one, or its first letter.
fn sign(stance: &str) -> &str {
    match stance {
        "favor" => "+",
        "against" => "-",
        "neutral" => "=",
        other => other.get(..1).unwrap_or("?"),
    }
}

/// Red, green or grey by the number of the stance.
pub fn paint(text: &str, stance: usize, is_coloured: bool) -> String {
    const COLOURS: [&str; 3] = ["31", "32", "90"];
    match COLOURS.get(stance) {
        Some(colour) if is_coloured => format!("\u{1b}[{colour}m{text}\u{1b}[0m"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(holder: &str, stance: usize) -> Statement {
        Statement {
            sentence: 0,
            span: None,
            text: "x".to_owned(),
            holder: Some(holder.to_owned()),
            holder_span: None,
            via: None,
            mode: None,
            topic: 0,
            topic_probability: 1.0,
            stance,
            stance_probabilities: vec![],
            abstained: None,
        }
    }

    #[test]
    fn one_party_under_two_names_is_one_row_and_the_longest_row_comes_first() {
        let mut cells = Cells::default();
        let article = Article::default();
        for (holder, stance) in [("Oman", 0), ("Dairy farmers in Quebec", 1), ("Quebec dairy farmers", 1)] {
            cells.add(&article, &statement(holder, stance));
        }
        let (topics, stances) = (["trade".to_owned()], ["against".to_owned(), "favor".to_owned()]);
        let text = Matrix { topics: &topics, stances: &stances, is_coloured: false }.render(&cells);
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(rows[1].split_whitespace().collect::<Vec<_>>(), ["Dairy", "farmers", "in", "Quebec", "+2"]);
        assert_eq!(rows[2].split_whitespace().collect::<Vec<_>>(), ["Oman", "-1"]);
    }
}
