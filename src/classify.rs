//! From an article to its statements: sentences, topics, stances, holders.
//!
//! A [`Classifier`] joins the parts; it is immutable and shared by all threads. Each sentence gives one record per topic found in it, or one record with the none
//! label. Offsets count Unicode code points of the article's text as it was given, end exclusive.

use crate::data::Article;
use crate::error::{Error, Result};
use crate::features::Passage;
use crate::holders::{self, HolderFinder, Mode};
use crate::predict::{Abstention, Predictor, Scratch};
use crate::text::{CodePoints, Normalized, SentenceKind, sentences};

/// Position of the two heads of a model that can classify articles.
#[derive(Debug, Clone, Copy)]
struct Heads {
    topic: usize,
    stance: usize,
}

/// Reads articles.
#[derive(Debug, Clone)]
pub struct Classifier {
    predictor: Predictor,
    heads: Heads,
    holders: Option<HolderFinder>,
    /// Canonical names that the user has overruled.
    aliases: Vec<(String, String)>,
    abstain: Option<f64>,
}

/// The buffers of one thread.
#[derive(Debug, Default)]
pub struct ClassifyScratch {
    model: Scratch,
    holders: Scratch,
}

/// Holder → stance → topic, found in one sentence.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Number of the sentence, from 0; the headline is a sentence.
    pub sentence: usize,
    /// First code point of the sentence in the article's text; none for a headline that stands apart from it.
    pub span: Option<(usize, usize)>,
    /// The sentence.
    pub text: String,
    /// Canonical name of the holder; none for the article's own voice.
    pub holder: Option<String>,
    /// Code points of its mention in the article's text.
    pub holder_span: Option<(usize, usize)>,
    /// Another party that reports the position.
    pub via: Option<String>,
    /// How it is reported; none for a sentence on no topic.
    pub mode: Option<Mode>,
    /// Class number of the topic.
    pub topic: usize,
    /// Probability that the sentence is on the topic.
    pub topic_probability: f64,
    /// Class number of the stance.
    pub stance: usize,
    /// Probability per stance; sums to 1.
    pub stance_probabilities: Vec<f64>,
    /// Why topic or stance should not be relied on.
    pub abstained: Option<Abstention>,
}

impl Classifier {
    /// A classifier of a model that has a topic head and a stance head given it; without `holders` no holder is looked for.
    ///
    /// # Errors
    ///
    /// If the model has no such heads.
    pub fn new(predictor: Predictor, holders: Option<HolderFinder>) -> Result<Self> {
        let task = &predictor.model().meta().task;
        let stance = task.heads.iter().position(|h| h.given.as_ref().is_some_and(|g| task.head(g).is_some()));
        let heads = stance
            .and_then(|stance| task.heads[stance].given.as_ref().and_then(|g| task.head(g)).map(|topic| Heads { topic, stance }));
        let heads = heads.ok_or_else(|| {
            Error::model("the model cannot classify articles")
                .expected("a head that is given another, as stance given topic")
                .found(task.heads.iter().map(|h| h.name.as_str()).collect::<Vec<_>>().join(", "))
                .help("label rows with `stance predict`, or train with a task file of two heads")
        })?;
        Ok(Self { predictor, heads, holders, aliases: Vec::new(), abstain: None })
    }

    /// The compiled-in model for diplomatic news, with holders.
    ///
    /// # Panics
    ///
    /// Never: a test checks the compiled-in files.
    pub fn builtin() -> Self {
        let predictor = Predictor::new(crate::Model::builtin());
        let ranker = Predictor::new(crate::Model::builtin_holders());
        Self::new(predictor, Some(HolderFinder::new(holders::Gazetteer::builtin(), ranker)))
            .expect("the compiled-in model has both heads")
    }

    /// Renames holders: pairs of a canonical name and the one that is wanted.
    pub fn with_aliases(mut self, aliases: Vec<(String, String)>) -> Self {
        self.aliases = aliases;
        self
    }

    /// Says of each statement whether its stance can be relied on at level `alpha`.
    pub fn with_abstention(mut self, alpha: Option<f64>) -> Self {
        self.abstain = alpha;
        self
    }

    /// The model.
    pub fn predictor(&self) -> &Predictor {
        &self.predictor
    }

    /// Topic labels.
    pub fn topics(&self) -> &[String] {
        &self.predictor.head(self.heads.topic).labels
    }

    /// Stance labels.
    pub fn stances(&self) -> &[String] {
        &self.predictor.head(self.heads.stance).labels
    }

    /// What favor and against refer to, by topic.
    pub fn proposition(&self, topic: usize) -> &str {
        self.predictor.model().meta().task.propositions.get(&self.topics()[topic]).map_or("", String::as_str)
    }

    /// The topic that stands for none.
    pub fn none_topic(&self) -> Option<usize> {
        let none = self.predictor.model().meta().task.heads[self.heads.topic].none.as_ref()?;
        self.topics().iter().position(|t| t == none)
    }

    /// Fresh buffers for one thread.
    pub fn scratch(&self) -> ClassifyScratch {
        ClassifyScratch {
            model: self.predictor.scratch(),
            holders: self.holders.as_ref().map(HolderFinder::scratch).unwrap_or_default(),
        }
    }

    /// All statements of an article, in text order.
    pub fn classify(&self, article: &Article, scratch: &mut ClassifyScratch) -> Vec<Statement> {
        let mut statements = Vec::new();
        let mut state = holders::Article::default();
        let mut number = 0;
        // A title that the text repeats as its first line is read once.
        let title = article.title.as_deref().filter(|t| !t.trim().is_empty() && !article.text.trim_start().starts_with(t.trim()));
        if let Some(title) = title {
            self.sentence(number, title, None, true, &mut state, scratch, &mut statements);
            number += 1;
        }
        let normalized = Normalized::new(&article.text);
        let (text, points) = (normalized.text(), CodePoints::new(&article.text));
        // Normalisation keeps its own offsets: both steps lead back to code points of the text as it was given.
        let normal_points = CodePoints::new(text);
        let span = |start: usize, end: usize| normalized.original_span(normal_points.at_byte(start), normal_points.at_byte(end));
        let _ = &points;
        for sentence in sentences(text) {
            let is_headline = sentence.kind == SentenceKind::Headline;
            for (start, end) in self.clauses(sentence.of(text)) {
                let first = statements.len();
                let (start, end) = (sentence.start + start, sentence.start + end);
                self.sentence(number, &text[start..end], Some(start), is_headline, &mut state, scratch, &mut statements);
                for statement in &mut statements[first..] {
                    statement.span = Some(span(start, end));
                    statement.holder_span = statement.holder_span.map(|(s, e)| span(s, e));
                }
            }
            number += 1;
        }
        statements
    }

    /// Parts of a sentence that are read apart: "India demanded …; Pakistan denied …" where each part names a party of its own. Bytes of the sentence.
    fn clauses(&self, sentence: &str) -> Vec<(usize, usize)> {
        let whole = vec![(0, sentence.len())];
        let Some(finder) = self.holders.as_ref().filter(|_| sentence.contains("; ")) else { return whole };
        let mut parts = Vec::new();
        let mut start = 0;
        for (at, _) in sentence.match_indices("; ") {
            parts.push((start, at));
            start = at + 2;
        }
        parts.push((start, sentence.len()));
        if parts.iter().all(|&(s, e)| finder.names_a_party(&sentence[s..e])) { parts } else { whole }
    }

    /// Statements of one sentence; spans are still bytes of the normalised text.
    #[expect(clippy::too_many_arguments, reason = "one sentence's place in its article, and the buffers")]
    fn sentence(
        &self,
        number: usize,
        text: &str,
        start: Option<usize>,
        is_headline: bool,
        state: &mut holders::Article,
        scratch: &mut ClassifyScratch,
        statements: &mut Vec<Statement>,
    ) {
        self.predictor.read(Passage::from(text), &mut scratch.model);
        let topic_answer = self.predictor.answer(self.heads.topic, None, &scratch.model);
        let read = self.holders.as_ref().map(|finder| (finder, finder.read(text, start.unwrap_or(0), is_headline, state)));
        for (topic, topic_probability) in self.predictor.present(self.heads.topic, &topic_answer) {
            let given = self.predictor.given(self.heads.stance, &self.topics()[topic]).ok();
            let stance = self.predictor.answer(self.heads.stance, given, &scratch.model);
            let abstained = self.abstain.and_then(|alpha| {
                let set = self.predictor.prediction_set(self.heads.stance, &stance, alpha);
                self.predictor.abstention(&scratch.model, &set)
            });
            let mut statement = Statement {
                sentence: number,
                span: None,
                text: text.to_owned(),
                holder: None,
                holder_span: None,
                via: None,
                mode: None,
                topic,
                topic_probability,
                stance: stance.class,
                stance_probabilities: stance.probabilities,
                abstained,
            };
            if let Some((finder, read)) = &read
                && Some(topic) != self.none_topic()
            {
                let (holder, mode) =
                    finder.find(read, &self.topics()[topic], &self.stances()[stance.class], state, &mut scratch.holders);
                statement.mode = Some(mode);
                if let Some(holder) = holder {
                    statement.holder = Some(self.alias(holder.name));
                    statement.holder_span = start.map(|_| holder.span);
                    statement.via = holder.via.map(|via| self.alias(via));
                }
            }
            statements.push(statement);
        }
    }

    fn alias(&self, name: String) -> String {
        self.aliases.iter().find(|(alias, _)| holders::same_party(alias, &name)).map_or(name, |(_, canonical)| canonical.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_point_back_into_the_text() {
        let classifier = Classifier::builtin();
        let text = "Café talks\n\nNew Delhi ruled out any outside mediator — “never”, its envoy said. Islamabad welcomed the offer of mediation.";
        let article = Article { text: text.to_owned(), ..Article::default() };
        let statements = classifier.classify(&article, &mut classifier.scratch());
        let points: Vec<char> = text.chars().collect();
        assert!(statements.len() >= 3);
        for statement in statements {
            let (start, end) = statement.span.unwrap();
            assert_eq!(points[start..end].iter().collect::<String>(), statement.text);
            assert!((statement.stance_probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }
}
