//! stub
pub mod tokenize {
    #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum WordRule {
        Unicode,
        Social,
        Sklearn,
    }
    pub fn for_each_word(text: &str, rule: WordRule, mut f: impl FnMut(&str, usize)) {
        use unicode_segmentation::UnicodeSegmentation;
        let _ = rule;
        for (i, w) in text.unicode_word_indices() {
            f(w, i)
        }
    }
    pub fn lower_into(text: &str, out: &mut String) {
        out.clear();
        out.push_str(&text.to_lowercase());
    }
}
