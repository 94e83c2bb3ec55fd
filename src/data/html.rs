//! An article out of a web page: the page's own words about itself, and its main text with paragraphs and list marks.
//!
//! The finding is done by `dom_smoothie`, a port of the reader view of Firefox. List items get a mark before that, because its text output
//! has none.

use dom_smoothie::{Config, Readability, TextMode};
use encoding_rs::Encoding;

/// Elements beyond which a page is no article; parsing takes time and memory in proportion.
const MAX_ELEMENTS: usize = 500_000;

/// Open tags inside one another beyond which a page is not even parsed: the parser's time grows with their square.
const MAX_OPEN_TAGS: usize = 4096;

/// Elements inside one another beyond which a page is no article, as in browsers; the extraction descends by recursion.
const MAX_DEPTH: usize = 512;

/// Elements that another one's start closes, or that have no content: many open tags of them do not nest.
const UNNESTED: &[&[u8]] = &[
    b"p", b"li", b"dt", b"dd", b"td", b"th", b"tr", b"option", b"br", b"img", b"hr", b"input", b"meta", b"link", b"source",
    b"wbr", b"col", b"area", b"base", b"embed", b"track", b"param",
];

/// Bytes in which a page may declare its encoding, as browsers look for it.
const DECLARATION_BYTES: usize = 1024;

/// What stands before a list item.
const BULLET: &str = "- ";

/// A page's article.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Page {
    pub(super) title: Option<String>,
    pub(super) byline: Option<String>,
    pub(super) site: Option<String>,
    pub(super) date: Option<String>,
    pub(super) url: Option<String>,
    pub(super) text: String,
}

/// Finds the article; the error says why there is none.
pub(super) fn extract(html: &str) -> Result<Page, String> {
    if n_open_tags(html.as_bytes()) > MAX_OPEN_TAGS {
        return Err(format!("more than {MAX_OPEN_TAGS} tags inside one another"));
    }
    let config = Config { text_mode: TextMode::Formatted, max_elements_to_parse: MAX_ELEMENTS, ..Config::default() };
    let mut readability = Readability::new(html, None, Some(config)).map_err(|e| e.to_string())?;
    if depth(&readability) > MAX_DEPTH {
        return Err(format!("more than {MAX_DEPTH} elements inside one another"));
    }
    readability.doc.select("li").prepend_html(BULLET);
    let found = readability.parse().map_err(|e| e.to_string())?;
    let text = join_bullets(&found.text_content);
    if text.is_empty() {
        return Err("no text".to_owned());
    }
    Ok(Page {
        title: filled(Some(found.title)),
        byline: filled(found.byline),
        site: filled(found.site_name),
        date: filled(found.published_time),
        url: filled(found.url),
        text,
    })
}

/// The encoding that a page declares for itself.
pub(super) fn declared_encoding(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = bytes[..bytes.len().min(DECLARATION_BYTES)].to_ascii_lowercase();
    let start = memchr::memmem::find(&head, b"charset=")? + b"charset=".len();
    let label = head[start..].trim_ascii_start();
    let label = label.strip_prefix(b"\"").or_else(|| label.strip_prefix(b"'")).unwrap_or(label);
    let end = label.iter().position(|b| !b.is_ascii_alphanumeric() && !b"-_:.".contains(b)).unwrap_or(label.len());
    Encoding::for_label(&label[..end])
}

/// The most tags open at once, as far as can be told without parsing.
fn n_open_tags(html: &[u8]) -> usize {
    let (mut n_open, mut most) = (0usize, 0);
    for start in memchr::memchr_iter(b'<', html) {
        let tag = &html[start + 1..];
        let (is_end, name) = tag.strip_prefix(b"/").map_or((false, tag), |name| (true, name));
        let length = name.iter().take(16).position(|b| !b.is_ascii_alphanumeric()).unwrap_or(name.len().min(16));
        if length == 0 || UNNESTED.iter().any(|element| element.eq_ignore_ascii_case(&name[..length])) {
            continue;
        }
        n_open = if is_end { n_open.saturating_sub(1) } else { n_open + 1 };
        most = most.max(n_open);
    }
    most
}

/// How deep the elements of a parsed page lie in one another.
fn depth(page: &Readability) -> usize {
    let root = page.doc.root();
    let (mut node, mut depth, mut most) = (root, 0, 0);
    loop {
        if let Some(child) = node.first_child() {
            (node, depth) = (child, depth + 1);
            most = most.max(depth);
            continue;
        }
        loop {
            if let Some(sibling) = node.next_sibling() {
                node = sibling;
                break;
            }
            match node.parent() {
                Some(parent) => (node, depth) = (parent, depth - 1),
                None => return most,
            }
        }
    }
}

/// Tidies the text: a mark that a paragraph was put below goes back to it, lines lose the space around them, two blank lines become one.
fn join_bullets(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len());
    let (mut n_newlines, mut is_waiting) = (0, false);
    for line in text.lines().map(str::trim) {
        if line.is_empty() {
            n_newlines += 1;
            continue;
        }
        if line == BULLET.trim_end() {
            is_waiting = true;
            continue;
        }
        if !tidy.is_empty() {
            tidy.push_str(if n_newlines > 0 { "\n\n" } else { "\n" });
        }
        if is_waiting && !line.starts_with(BULLET) {
            tidy.push_str(BULLET);
        }
        tidy.push_str(line);
        (n_newlines, is_waiting) = (0, false);
    }
    tidy
}

fn filled(text: Option<String>) -> Option<String> {
    text.map(|t| t.trim().to_owned()).filter(|t| !t.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<!DOCTYPE html><html><head><title>Talks collapse | The Daily</title>
<meta property="og:site_name" content="The Daily"><meta property="article:published_time" content="2024-05-01T10:00:00Z">
<meta name="author" content="A. Writer"></head><body><nav><ul><li><a href="/">Home</a></li></ul></nav>
<article><h1>Talks collapse</h1><p>The foreign minister rejected the proposal on Monday, saying that it ignored every point
of the earlier agreement between the two sides, and left the room.</p><p>His counterpart regretted the step. "We are still
ready to talk," she said, and added that the door remained open to all who want to come back to the table.</p>
<p>The demands, as the mediators listed them after the meeting in Geneva:</p>
<ul><li>A ceasefire, to hold for at least a month</li><li><p>The exchange of all prisoners, under the eyes of observers</p></li></ul>
</article><footer>Imprint</footer></body></html>"#;

    #[test]
    fn an_article_keeps_paragraphs_and_list_marks() {
        let page = extract(PAGE).unwrap();
        assert_eq!(page.site.as_deref(), Some("The Daily"));
        assert_eq!(page.date.as_deref(), Some("2024-05-01T10:00:00Z"));
        assert_eq!(page.byline.as_deref(), Some("A. Writer"));
        assert!(page.title.unwrap().starts_with("Talks collapse"));
        assert!(page.text.contains("left the room.\n\nHis counterpart"), "{}", page.text);
        assert!(page.text.contains("\n- A ceasefire, to hold for at least a month\n"), "{}", page.text);
        assert!(page.text.contains("\n- The exchange of all prisoners"), "{}", page.text);
        assert!(!page.text.contains("Imprint"), "{}", page.text);
    }

    #[test]
    fn a_page_without_text_has_no_article() {
        assert!(extract("<html><body><script>x()</script></body></html>").is_err());
        assert!(extract("").is_err());
    }

    #[test]
    fn the_declared_encoding_is_found() {
        let name = |html: &[u8]| declared_encoding(html).map(Encoding::name);
        assert_eq!(name(b"<meta charset=\"iso-8859-2\">"), Some("ISO-8859-2"));
        assert_eq!(name(b"<meta http-equiv=x content='text/html; charset=Shift_JIS'>"), Some("Shift_JIS"));
        assert_eq!(name(b"<p>charset"), None);
    }

    #[test]
    fn deep_nesting_is_survived() {
        for tag in ["div", "b", "blockquote", "li", "table><tr><td", "font", "svg", "x-y"] {
            for n in [120, 480, 4000, 100_000] {
                let _ = extract(&(format!("<{tag}>").repeat(n) + "They rejected the plan."));
            }
        }
    }
}
