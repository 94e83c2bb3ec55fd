//! Lines into blocks: what a line break means.
//!
//! A break is a boundary after a title, before a list item and at the end of a paragraph, and nothing but a space where text was broken at a
//! fixed width. Width is judged as a person would: a line was broken for want of room if the first word of the next one would not have fitted.

use super::{Rules, SentenceKind, is_closer, is_opener, is_terminal};

/// Code points that the widest line of a text broken at a fixed width has.
const WRAP_WIDTHS: std::ops::RangeInclusive<usize> = 40..=132;

/// The widest line must have this many code points when a single break is all the evidence.
const WRAP_WIDTH_OF_TWO_LINES: usize = 60;

/// A longer line without a full stop is a paragraph, not a title.
const HEADLINE_BYTES: usize = 200;

/// How many lines ahead the "b." that belongs to an "a." may stand.
const SIBLING_LINES: usize = 12;

/// The longest label, "(viii)" or "123.)", up to its last mark.
const LABEL_BYTES: usize = 5;

/// Words after which no English title or sentence ends.
const FUNCTION_WORDS: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "because", "been", "but", "by", "for", "from", "had", "has", "have", "her", "his", "if",
    "into", "is", "its", "my", "nor", "of", "or", "our", "than", "that", "the", "their", "these", "those", "to", "was", "were",
    "which", "while", "who", "whose", "will", "with", "would", "your",
];

/// Roman numbers of list items, from one.
const ROMAN: &[&str] = &["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii", "xiii", "xiv", "xv"];

/// A stretch of text that sentences do not cross: a title, a list item, a paragraph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    /// First byte, not white space.
    pub(super) start: usize,
    /// First byte behind the marker of a list item; `start` if there is none.
    pub(super) body: usize,
    /// One past the last byte, which is not white space.
    pub(super) end: usize,
    pub(super) kind: SentenceKind,
}

/// A line, without the white space around it.
#[derive(Debug, Clone, Copy)]
struct Line<'a> {
    text: &'a str,
    start: usize,
    /// Whether an empty line, or the start of the text, is before it.
    after_gap: bool,
    /// Length of the list marker at its start, zero if there is none.
    marker: usize,
    label: Option<Label>,
    /// Whether a fixed width, and not the author, ended the line.
    is_full: bool,
}

/// How a line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// With the mark that ends a sentence.
    Terminal,
    /// With something that nothing ends with: a comma, a dash, "of".
    Open,
    /// With a plain word.
    Word,
}

/// The number of a list item: "1.", "(b)", "iv)". A letter may be a Roman number too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Label {
    number: Option<u16>,
    letter: Option<u8>,
    roman: Option<usize>,
    style: Style,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Period,
    Paren,
    PeriodParen,
    Parens,
}

impl Label {
    /// Whether `self` is the next item after `before`.
    fn follows(&self, before: &Label) -> bool {
        let number = before.number.is_some_and(|n| self.number == Some(n + 1));
        let letter = before.letter.is_some_and(|c| self.letter == Some(c + 1));
        let roman = before.roman.is_some_and(|n| self.roman == Some(n + 1));
        self.style == before.style && (number || letter || roman)
    }

    /// Whether a list may start with it.
    fn is_first(&self) -> bool {
        self.number == Some(1) || matches!(self.letter, Some(b'a' | b'A')) || self.roman == Some(0)
    }
}

/// Cuts `text` into blocks, in order.
pub(super) fn blocks(text: &str, rules: &Rules<'_>) -> Vec<Block> {
    let mut lines = split_lines(text);
    mark_full_lines(&mut lines);
    mark_list_items(&mut lines);
    let mut blocks = Vec::new();
    let mut first = 0;
    for next in 1..=lines.len() {
        if next == lines.len() || is_break(&lines[next - 1], &lines[next], rules) {
            push_block(text, &lines[first..next], next == lines.len(), rules, &mut blocks);
            first = next;
        }
    }
    blocks
}

/// The lines that are not empty.
fn split_lines(text: &str) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    let (mut start, mut n_breaks) = (0, 2);
    while start <= text.len() {
        let (end, next, weight) = next_break(text, start);
        let line = &text[start..end];
        let trimmed = line.trim();
        if !trimmed.is_empty() {
            let start = start + super::leading_space(line);
            lines.push(Line { text: trimmed, start, after_gap: n_breaks >= 2, marker: 0, label: None, is_full: false });
            n_breaks = 0;
        }
        n_breaks += weight;
        start = next;
    }
    lines
}

/// The end of the line that starts at `start`, the start of the next one, and how many line breaks lie between: two for a page break and a
/// paragraph separator.
fn next_break(text: &str, start: usize) -> (usize, usize, usize) {
    let bytes = &text.as_bytes()[start..];
    let mut from = 0;
    while let Some(len) = bytes[from..].iter().position(|byte| matches!(byte, 0x0A..=0x0D | 0xC2 | 0xE2)) {
        let at = from + len;
        let (len, weight) = match &bytes[at..] {
            [b'\r', b'\n', ..] => (2, 1),
            [b'\n' | b'\r' | 0x0B, ..] => (1, 1),
            [0x0C, ..] => (1, 2),
            // U+0085, U+2028 and U+2029.
            [0xC2, 0x85, ..] => (2, 1),
            [0xE2, 0x80, 0xA8, ..] => (3, 1),
            [0xE2, 0x80, 0xA9, ..] => (3, 2),
            _ => {
                from = at + 1;
                continue;
            }
        };
        return (start + at, start + at + len, weight);
    }
    (text.len(), text.len() + 1, 1)
}

/// Finds, paragraph by paragraph, the lines that a fixed width ended.
fn mark_full_lines(lines: &mut [Line<'_>]) {
    let mut first = 0;
    for next in 1..=lines.len() {
        if next == lines.len() || lines[next].after_gap {
            mark_full_lines_of_paragraph(&mut lines[first..next]);
            first = next;
        }
    }
}

fn mark_full_lines_of_paragraph(lines: &mut [Line<'_>]) {
    if lines.len() < 2 {
        return;
    }
    let lengths: Vec<usize> = lines.iter().map(|line| line.text.chars().count()).collect();
    let width = lengths.iter().copied().max().unwrap_or(0);
    if !WRAP_WIDTHS.contains(&width) {
        return;
    }
    let word_len = |line: &Line<'_>| line.text.split_whitespace().next().map_or(0, |word| word.chars().count());
    let is_full: Vec<bool> = (0..lines.len() - 1).map(|i| lengths[i] + 1 + word_len(&lines[i + 1]) > width).collect();
    if is_wrapped(lines, &is_full, width) {
        for (line, is_full) in lines.iter_mut().zip(is_full) {
            line.is_full = is_full;
        }
    }
}

/// Whether a paragraph was broken at a fixed width: nearly all lines that do not end a sentence are full. The first may be a title.
fn is_wrapped(lines: &[Line<'_>], is_full: &[bool], width: usize) -> bool {
    let is_witness = |i: &usize| ending(lines[*i].text, true) != Ending::Terminal && marker(lines[i + 1].text).is_none();
    let witnesses: Vec<usize> = (0..is_full.len()).filter(is_witness).filter(|&i| i > 0 || is_full[0]).collect();
    let n_full = witnesses.iter().filter(|&&i| is_full[i]).count();
    match witnesses.len() {
        0 => false,
        1 => n_full == 1 && width >= WRAP_WIDTH_OF_TWO_LINES && !is_title_case(lines[witnesses[0]].text),
        n => n_full * 5 >= n * 4,
    }
}

/// Whether nearly all longer words start with a capital.
fn is_title_case(line: &str) -> bool {
    let first_letters = line
        .split_whitespace()
        .filter(|word| word.chars().count() > 3)
        .filter_map(|word| word.chars().find(|c| c.is_alphabetic()));
    let (mut n_words, mut n_capital) = (0, 0);
    for letter in first_letters {
        n_words += 1;
        n_capital += usize::from(letter.is_uppercase());
    }
    n_words >= 3 && n_capital * 10 >= n_words * 8
}

/// Finds the lines that start a list item.
fn mark_list_items(lines: &mut [Line<'_>]) {
    let mut last: Option<Label> = None;
    for i in 0..lines.len() {
        let Some((len, label)) = marker(lines[i].text) else { continue };
        let content = &lines[i].text[len..];
        // A line that was broken for want of room goes on here, whatever it starts with.
        let goes_on = !lines[i].after_gap
            && (lines[i - 1].is_full || ending(lines[i - 1].text, true) == Ending::Open)
            && lines[i - 1].marker == 0;
        let is_item = match label {
            None => !(goes_on && starts_lower(content)),
            Some(label) => {
                last.is_some_and(|last| label.follows(&last)) || (!goes_on && starts_list(label, content, &lines[i + 1..]))
            }
        };
        if is_item {
            lines[i].marker = len;
            lines[i].label = label;
            last = label.or(last);
        }
    }
}

/// Whether a line with this label starts a list: any number does, a letter needs its successor in the line or further down ("A. Smith" has
/// none).
fn starts_list(label: Label, content: &str, below: &[Line<'_>]) -> bool {
    let is_next = |text: &str| label_at(text).is_some_and(|(_, next)| next.follows(&label));
    let has_next = || {
        item_starts(content).any(|at| is_next(&content[at..])) || below.iter().take(SIBLING_LINES).any(|line| is_next(line.text))
    };
    label.number.is_some() || (label.is_first() && has_next())
}

/// Whether the break between two lines is a boundary.
fn is_break(line: &Line<'_>, next: &Line<'_>, rules: &Rules<'_>) -> bool {
    if next.after_gap || next.marker > 0 {
        return true;
    }
    match ending(line.text, rules.is_english) {
        Ending::Open => false,
        _ if starts_lower(next.text) => false,
        Ending::Terminal => !line.is_full && !super::mask::ends_with_title(line.text, rules),
        Ending::Word => !line.is_full,
    }
}

fn ending(line: &str, is_english: bool) -> Ending {
    let text = line.trim_end_matches(is_closer);
    match text.chars().next_back() {
        Some(c) if is_terminal(c) => Ending::Terminal,
        Some(',' | ';' | '،' | '-' | '–' | '—' | '(' | '“' | '‘' | '&') => Ending::Open,
        _ if is_english && text.len() == line.len() && ends_with_function_word(line) => Ending::Open,
        _ => Ending::Word,
    }
}

/// Whether the last word is a function word in lower case; a line of one word is a title, whatever the word.
fn ends_with_function_word(line: &str) -> bool {
    line.rsplit_once(char::is_whitespace).is_some_and(|(_, word)| FUNCTION_WORDS.binary_search(&word).is_ok())
}

fn starts_lower(line: &str) -> bool {
    line.trim_start_matches(is_opener).chars().next().is_some_and(char::is_lowercase)
}

/// Appends the block of some lines, or its parts if it is a list that runs on in the line.
fn push_block(text: &str, lines: &[Line<'_>], is_last: bool, rules: &Rules<'_>, blocks: &mut Vec<Block>) {
    let (first, last) = (lines[0], lines[lines.len() - 1]);
    let (start, end) = (first.start, last.start + last.text.len());
    let mut block = Block { start, body: start + first.marker, end, kind: kind(&last, end - start, is_last, first.marker > 0) };
    for (item, item_body) in inline_items(&text[start..end], first.marker, first.label, rules) {
        // What stands before the first item, "Three steps:", is no item itself; a bullet right before a bullet is part of the marker.
        let end_before = start + text[start..start + item].trim_end().len();
        let has_content = end_before > block.body;
        blocks.extend(has_content.then_some(Block { end: end_before, ..block }));
        let item_start = if has_content { start + item } else { block.start };
        block = Block { start: item_start, body: start + item_body, end, kind: SentenceKind::Bullet };
    }
    blocks.push(block);
}

fn kind(last: &Line<'_>, len: usize, is_last: bool, is_item: bool) -> SentenceKind {
    if is_item {
        SentenceKind::Bullet
    } else if !is_last
        && len <= HEADLINE_BYTES
        && ending(last.text, false) != Ending::Terminal
        && last.text.contains(char::is_alphanumeric)
    {
        SentenceKind::Headline
    } else {
        SentenceKind::Plain
    }
}

/// The list items inside a block, as the start of each and the start of its text. The first item, if the block starts with one, is not among them.
fn inline_items(block: &str, marker: usize, label: Option<Label>, rules: &Rules<'_>) -> Vec<(usize, usize)> {
    let mut items = Vec::new();
    let mut last = label;
    // A first label in the middle of a block counts once its successor is found.
    let mut pending = None;
    for at in item_starts(block).filter(|&at| at >= marker && at > 0) {
        let rest = &block[at..];
        if rest.starts_with(is_strong_bullet) {
            let is_list = block.starts_with(is_strong_bullet) || block.matches(is_strong_bullet).nth(1).is_some();
            items.extend(self::marker(rest).filter(|_| is_list).map(|(len, _)| (at, at + len)));
        } else if let Some((len, label)) = label_at(rest)
            && !starts_lower(&rest[len..])
        {
            if last.is_some_and(|last| label.follows(&last)) {
                items.extend(pending.take());
                items.push((at, at + len));
                last = Some(label);
            } else if label.is_first() && may_precede_list(block[..at].trim_end(), rules) && items.is_empty() && marker == 0 {
                pending = Some((at, at + len));
                last = Some(label);
            }
        }
    }
    items
}

/// Whether a list may start behind `head`: after a colon, or after a sentence.
fn may_precede_list(head: &str, rules: &Rules<'_>) -> bool {
    match head.chars().next_back() {
        Some(':' | ';' | '!' | '?') => true,
        Some('.') => !rules.ends_with_abbreviation(&head[..head.len() - 1]),
        _ => false,
    }
}

/// Where a bullet or a label may start inside `block`: words that start with a bullet's first byte, or end early with a label's last.
fn item_starts(block: &str) -> impl Iterator<Item = usize> {
    let bytes = block.as_bytes();
    let mut last = None;
    bytes.iter().enumerate().filter(|&(_, byte)| matches!(byte, b'.' | b')' | 0xE2)).filter_map(move |(at, &byte)| {
        let head = &bytes[at.saturating_sub(LABEL_BYTES)..at];
        let len = head.iter().rev().take_while(|byte| !byte.is_ascii_whitespace()).count();
        let start = at - if byte == 0xE2 { 0 } else { len };
        let is_start = start == 0 || bytes[start - 1].is_ascii_whitespace();
        (is_start && last.replace(start) != Some(start)).then_some(start).filter(|&start| block.is_char_boundary(start))
    })
}

/// The list marker at the start of `line`, with the space behind it: a bullet, a label, or both.
fn marker(line: &str) -> Option<(usize, Option<Label>)> {
    let Some(bullet) = bullet_len(line) else { return label_at(line).map(|(len, label)| (len, Some(label))) };
    let label = label_at(&line[bullet..]).map_or(0, |(len, _)| len);
    line[bullet + label..].contains(char::is_alphanumeric).then_some((bullet + label, None))
}

/// The length of a bullet with the space behind it. The bullets that are ordinary marks too need that space.
fn bullet_len(line: &str) -> Option<usize> {
    let first = line.chars().next()?;
    let is_mark = matches!(first, '*' | '-' | '+' | '–' | '—' | '−' | '·');
    let rest = &line[first.len_utf8()..];
    let space = super::leading_space(rest);
    let is_bullet = is_strong_bullet(first) || (is_mark && space > 0);
    is_bullet.then_some(first.len_utf8() + space)
}

/// Characters that are for list items and nothing else.
fn is_strong_bullet(c: char) -> bool {
    matches!(c, '•' | '◦' | '▪' | '▫' | '■' | '□' | '●' | '○' | '⁃' | '‣' | '∙' | '►' | '▶' | '▸' | '➤' | '➢')
}

/// The label at the start of `text`, and its length with the space behind it. Something must follow.
fn label_at(text: &str) -> Option<(usize, Label)> {
    let bytes = text.as_bytes();
    let open = usize::from(bytes.first() == Some(&b'('));
    let len = bytes[open..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let name = &text[open..open + len];
    let style = match (open, &bytes[open + len..]) {
        (1, [b')', ..]) => Style::Parens,
        (0, [b'.', b')', ..]) => Style::PeriodParen,
        (0, [b'.', ..]) => Style::Period,
        (0, [b')', ..]) => Style::Paren,
        _ => return None,
    };
    let marker = open + len + if style == Style::PeriodParen { 2 } else { 1 };
    let space = super::leading_space(&text[marker..]);
    let label = Label { number: number(name), letter: letter(name), roman: ROMAN.iter().position(|&roman| roman == name), style };
    let is_label = label.number.is_some() || label.letter.is_some() || label.roman.is_some();
    (is_label && space > 0 && marker + space < text.len()).then_some((marker + space, label))
}

/// Up to three digits; four are a year.
fn number(name: &str) -> Option<u16> {
    let is_number = (1..=3).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| name.parse().ok()).flatten()
}

fn letter(name: &str) -> Option<u8> {
    match *name.as_bytes() {
        [letter] if letter.is_ascii_alphabetic() => Some(letter),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn function_words_are_sorted_for_the_search() {
        assert!(FUNCTION_WORDS.is_sorted());
    }

    #[test]
    fn labels_are_read_with_their_style() {
        let label = |text| label_at(text).map(|(len, label)| (len, label.number, label.letter.map(char::from), label.style));
        assert_eq!(label("12. Raise"), Some((4, Some(12), None, Style::Period)));
        assert_eq!(label("1.) Raise"), Some((4, Some(1), None, Style::PeriodParen)));
        assert_eq!(label("(b) raise"), Some((4, None, Some('b'), Style::Parens)));
        assert_eq!(label("1972. The"), None);
        assert_eq!(label("1.5 million"), None);
        assert_eq!(label("1. "), None);
    }

    #[test]
    fn roman_items_follow_each_other_through_the_single_letters() {
        let label = |text| label_at(text).map(|(_, label)| label).unwrap();
        assert!(label("v) x").follows(&label("iv) x")));
        assert!(label("ii) x").follows(&label("i) x")));
        assert!(!label("iii) x").follows(&label("i) x")));
        assert!(!label("2. x").follows(&label("1) x")));
    }
}
