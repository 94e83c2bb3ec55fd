//! Plain text out of Markdown: front matter read, marks taken off, words and list bullets kept.
//!
//! Not a Markdown parser: it goes line by line and takes off what readers do not say aloud. What it does not know stays as it is.

/// A Markdown article.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Page {
    /// Keys and values of the front matter, keys in lower case.
    pub(super) front: Vec<(String, String)>,
    /// The first heading of the first level, which is not in the text.
    pub(super) heading: Option<String>,
    pub(super) text: String,
}

/// A link's text and target are searched for on so many bytes, so that many brackets cost no more than few.
const MAX_LINK_BYTES: usize = 2000;

/// Reads a Markdown file.
pub(super) fn parse(markdown: &str) -> Page {
    let (front, body) = split_front_matter(markdown);
    let body = without_comments(body);
    let mut page = Page { front, ..Page::default() };
    let (mut fence, mut n_blank) = (None, 0);
    for line in body.lines() {
        let trimmed = line.trim();
        if let Some(mark) = fence_mark(trimmed) {
            fence = if fence.is_none() { Some(mark) } else { fence.filter(|&open| open != mark) };
            continue;
        }
        let is_heading = fence.is_none() && heading_level(trimmed).is_some();
        let text = if fence.is_some() { line.trim_end().to_owned() } else { page.plain_line(line) };
        if text.trim().is_empty() {
            n_blank += 1;
            continue;
        }
        if !page.text.is_empty() {
            page.text.push_str(if n_blank > 0 || is_heading { "\n\n" } else { "\n" });
        }
        page.text.push_str(&text);
        // A heading is a paragraph of its own.
        n_blank = usize::from(is_heading);
    }
    page
}

impl Page {
    /// One line without its marks; empty if nothing of it is text.
    fn plain_line(&mut self, line: &str) -> String {
        let line = without_quote_marks(line);
        let trimmed = line.trim();
        if is_rule(trimmed) || is_reference(trimmed) {
            return String::new();
        }
        let Some(level) = heading_level(trimmed) else {
            return plain_inline(line.trim_end());
        };
        let heading = plain_inline(trimmed.trim_start_matches('#').trim_end_matches('#').trim());
        if level == 1 && self.heading.is_none() && self.text.is_empty() {
            self.heading = Some(heading);
            return String::new();
        }
        heading
    }
}

/// The `key: value` lines between two lines of `---` (or `+++`) at the start, and what follows them.
fn split_front_matter(markdown: &str) -> (Vec<(String, String)>, &str) {
    let markdown = markdown.strip_prefix('\u{feff}').unwrap_or(markdown);
    let mut lines = markdown.split_inclusive('\n');
    let mark = match lines.next().map(str::trim_end) {
        Some(mark @ ("---" | "+++")) => mark,
        _ => return (Vec::new(), markdown),
    };
    let mut front = Vec::new();
    let mut n_read = markdown.find('\n').map_or(markdown.len(), |n| n + 1);
    for line in lines {
        n_read += line.len();
        let trimmed = line.trim_end();
        if trimmed == mark || (mark == "---" && trimmed == "...") {
            return (front, &markdown[n_read..]);
        }
        let separator = if mark == "+++" { '=' } else { ':' };
        // Indented lines belong to the key above them.
        if let Some((key, value)) = trimmed.split_once(separator).filter(|_| !line.starts_with([' ', '\t', '-', '#'])) {
            let value = value.trim();
            let unquoted = ['"', '\''].iter().find_map(|&q| value.strip_prefix(q)?.strip_suffix(q)).unwrap_or(value);
            front.push((key.trim().to_lowercase(), unquoted.to_owned()));
        }
    }
    // Never closed: it was a rule and not front matter.
    (Vec::new(), markdown)
}

fn without_comments(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("<!--") {
        let Some(end) = rest[start..].find("-->") else { break };
        kept.push_str(&rest[..start]);
        rest = &rest[start + end + 3..];
    }
    kept.push_str(rest);
    kept
}

/// The character of a code fence.
fn fence_mark(line: &str) -> Option<char> {
    ['`', '~'].into_iter().find(|&mark| line.chars().take_while(|&c| c == mark).count() >= 3)
}

/// The level of a heading: one to six `#` and a space.
fn heading_level(line: &str) -> Option<usize> {
    let level = line.bytes().take_while(|&b| b == b'#').count();
    let rest = &line[level..];
    ((1..=6).contains(&level) && (rest.is_empty() || rest.starts_with([' ', '\t']))).then_some(level)
}

fn without_quote_marks(line: &str) -> &str {
    let mut rest = line;
    while let Some(inner) = rest.trim_start().strip_prefix('>') {
        rest = inner.strip_prefix(' ').unwrap_or(inner);
    }
    rest
}

/// A rule, or the line under a heading: three or more of one mark and nothing else.
fn is_rule(line: &str) -> bool {
    let marks = |mark: char| line.chars().all(|c| c == mark || c == ' ') && line.matches(mark).count() >= 3;
    ['-', '*', '_', '='].into_iter().any(marks)
}

/// A line `[name]: target`.
fn is_reference(line: &str) -> bool {
    line.starts_with('[') && line.find("]:").is_some_and(|end| end > 1 && !line[1..end].contains(']'))
}

/// The text of one line: links and images resolved, emphasis, code marks, tags and escapes taken off.
fn plain_inline(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    // The bullet of a list is no emphasis.
    let indent = rest.len() - rest.trim_start().len();
    if let Some(item) = ["* ", "- ", "+ "].iter().find_map(|bullet| rest[indent..].strip_prefix(bullet)) {
        out.push_str(&rest[..indent]);
        out.push_str("- ");
        rest = item;
    }
    while let Some(c) = rest.chars().next() {
        let width = c.len_utf8();
        let used = match c {
            '\\' => take_escape(rest, &mut out),
            '!' if rest.starts_with("![") => link(&rest[1..]).map(|(_, n)| n + 1),
            '[' if rest.starts_with("[^") => rest[..floor_boundary(rest, 40)].find(']').map(|n| n + 1),
            '[' => link(rest).map(|(text, n)| {
                out.push_str(&plain_inline(text));
                n
            }),
            '<' => take_tag(rest, &mut out),
            '`' => Some(1),
            '*' => take_stars(rest, &out),
            '_' => take_underscores(rest, &out),
            '~' if rest.starts_with("~~") => Some(2),
            _ => None,
        };
        if used.is_none() {
            out.push(c);
        }
        rest = &rest[used.unwrap_or(width)..];
    }
    out
}

/// Text and length of `[text](target)` or `[text][name]`; the text holds no further bracket.
fn link(rest: &str) -> Option<(&str, usize)> {
    let reach = floor_boundary(rest, MAX_LINK_BYTES);
    let close = rest[..reach].find(']')?;
    let text = &rest[1..close];
    if text.contains('[') {
        return None;
    }
    let after = &rest[close + 1..reach];
    let (open, end) = match after.bytes().next()? {
        b'(' => ('(', ')'),
        b'[' => ('[', ']'),
        _ => return None,
    };
    let mut depth = 0;
    for (i, c) in after.char_indices() {
        depth += i32::from(c == open) - i32::from(c == end);
        if depth == 0 {
            return Some((text, close + 1 + i + 1));
        }
    }
    None
}

fn take_escape(rest: &str, out: &mut String) -> Option<usize> {
    let next = rest[1..].chars().next().filter(char::is_ascii_punctuation)?;
    out.push(next);
    Some(2)
}

/// An HTML tag is dropped, an address in angle brackets loses them.
fn take_tag(rest: &str, out: &mut String) -> Option<usize> {
    let end = rest[..floor_boundary(rest, MAX_LINK_BYTES)].find('>')?;
    let inner = &rest[1..end];
    if inner.contains("://") && !inner.contains([' ', '"', '=']) {
        out.push_str(inner);
        return Some(end + 1);
    }
    let is_tag = inner.strip_prefix('/').unwrap_or(inner).starts_with(|c: char| c.is_ascii_alphabetic());
    is_tag.then_some(end + 1)
}

/// Stars are emphasis unless spaces stand on both sides ("2 * 3").
fn take_stars(rest: &str, out: &str) -> Option<usize> {
    let n = rest.bytes().take_while(|&b| b == b'*').count();
    let is_free = out.ends_with([' ', '\t']) && rest[n..].starts_with([' ', '\t']);
    (!is_free).then_some(n)
}

/// Underscores are emphasis at the edge of a word, not inside ("snake_case").
fn take_underscores(rest: &str, out: &str) -> Option<usize> {
    let n = rest.bytes().take_while(|&b| b == b'_').count();
    let is_inside = out.ends_with(char::is_alphanumeric) && rest[n..].starts_with(char::is_alphanumeric);
    (!is_inside).then_some(n)
}

/// The last character boundary at or before `n`.
fn floor_boundary(text: &str, n: usize) -> usize {
    text.floor_char_boundary(n.min(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn front_matter_headings_links_and_emphasis_become_text() {
        let page = parse(
            "---\ntitle: \"Talks\"\ndate: 2024-05-01\ntags:\n  - x: y\n---\n\n# Big *news*\n\nThe **minister** [rejected](http://x.y/(z)) \
             the `plan`.\n## Demands\n* a [ceasefire][1]\n+ no ![map](m.png)more\n\n> quoted\n> words\n\n---\n[1]: http://a.b\n",
        );
        let front = [("title", "Talks"), ("date", "2024-05-01"), ("tags", "")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(page.front, front);
        assert_eq!(page.heading.as_deref(), Some("Big news"));
        assert_eq!(page.text, "The minister rejected the plan.\n\nDemands\n\n- a ceasefire\n- no more\n\nquoted\nwords");
    }

    #[test]
    fn what_only_looks_like_a_mark_stays() {
        for (markdown, text) in [
            ("snake_case and 2 * 3 < 4 [sic] #tag", "snake_case and 2 * 3 < 4 [sic] #tag"),
            ("1. first\n2. second", "1. first\n2. second"),
            (r"\*not\* <b>bold</b> <https://a.b/c> text[^1]", "*not* bold https://a.b/c text"),
            ("---\nnever closed", "never closed"),
            ("a<!-- gone -->b", "ab"),
        ] {
            assert_eq!(parse(markdown).text, text);
        }
    }

    #[test]
    fn many_open_brackets_cost_little() {
        let text = "[".repeat(200_000);
        assert_eq!(parse(&text).text.len(), 200_000);
        let nested = "[![".repeat(50_000) + &"](x)".repeat(50_000);
        assert!(!parse(&nested).text.is_empty());
    }
}
