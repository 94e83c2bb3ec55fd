//! From an article to its statements: sentences, topics, stances, holders.
//!
//! A [`Classifier`] joins the parts; it is immutable and shared by all threads. Each sentence gives one record per topic found in it, or one record with the none
//! label. Offsets count Unicode code points of the article's text as it was given, end exclusive.

use std::sync::Arc;

use crate::data::Article;
use crate::documents::scores_of;
use crate::encoder::{Encoder, Vectors};
use crate::error::{Error, Result};
use crate::features::Passage;
use crate::holders::{self, HolderFinder, Mode};
use crate::predict::{Abstention, Answer, Predictor, Reading, Scratch};
use crate::text::{CodePoints, Normalized, SentenceKind, sentences};

/// So many parts of an article are judged together; memory stays bounded, and news articles are shorter.
const MAX_PARTS: usize = 512;

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
    encoder: Option<Arc<Encoder>>,
    heads: Heads,
    holders: Option<HolderFinder>,
    /// Canonical names that the user has overruled.
    aliases: Vec<(String, String)>,
    abstain: Option<f64>,
}

/// What is read at once: a headline, a sentence, or a clause of one.
#[derive(Debug, Clone, Copy)]
struct Part<'t> {
    sentence: usize,
    text: &'t str,
    /// First byte in the normalised text; none for a headline that stands apart.
    start: Option<usize>,
    is_headline: bool,
}

/// The buffers of one thread.
#[derive(Debug, Default)]
pub struct ClassifyScratch {
    model: Scratch,
    /// One for each part of the longest article so far.
    readings: Vec<Reading>,
    /// What the article tells of its parties.
    article: holders::Article,
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
    /// If the model has no such heads, or needs an encoder.
    pub fn new(predictor: Predictor, holders: Option<HolderFinder>) -> Result<Self> {
        Self::with_encoder(predictor, None, holders)
    }

    /// The same with the model's encoder, as [`Encoder::for_model`] gives it.
    ///
    /// # Errors
    ///
    /// If the model has no such heads, or needs another encoder.
    pub fn with_encoder(predictor: Predictor, encoder: Option<Encoder>, holders: Option<HolderFinder>) -> Result<Self> {
        if predictor.encoder().map(|id| &id.files) != encoder.as_ref().map(|encoder| &encoder.id().files) {
            return Err(Error::model("the encoder is not the model's").help("load it with Encoder::for_model (--encoder DIR)"));
        }
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
        Ok(Self { predictor, encoder: encoder.map(Arc::new), heads, holders, aliases: Vec::new(), abstain: None })
    }

    /// The compiled-in model for diplomatic news, with holders.
    ///
    /// # Panics
    ///
    /// Never: a test checks the compiled-in files.
    pub fn builtin() -> Self {
        let predictor = Predictor::new(crate::Model::builtin());
        Self::new(predictor, Some(HolderFinder::builtin(holders::Gazetteer::builtin())))
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
        ClassifyScratch { model: self.predictor.scratch(), readings: Vec::new(), article: holders::Article::default() }
    }

    /// All statements of an article, in text order.
    pub fn classify(&self, article: &Article, scratch: &mut ClassifyScratch) -> Vec<Statement> {
        let normalized = Normalized::new(&article.text);
        let text = normalized.text();
        // Normalisation keeps its own offsets: both steps lead back to code points of the text as it was given.
        let points = CodePoints::new(text);
        let span = |start: usize, end: usize| normalized.original_span(points.at_byte(start), points.at_byte(end));
        let parts = self.parts(article, text);
        let mut statements = Vec::new();
        scratch.article.clear();
        for parts in parts.chunks(MAX_PARTS) {
            let topics = self.topics_of(parts, scratch);
            let sentences = self.read_all(parts, &topics, scratch);
            for (place, ((part, topic), sentence)) in parts.iter().zip(&topics).zip(sentences).enumerate() {
                let first = statements.len();
                self.statements_of(part, topic, place, sentence, scratch, &mut statements);
                for statement in &mut statements[first..] {
                    statement.span = part.start.map(|start| span(start, start + part.text.len()));
                    statement.holder_span = statement.holder_span.map(|(start, end)| span(start, end));
                }
            }
        }
        statements
    }

    /// The parts of an article that are read one by one: its headline, and its sentences or their clauses.
    fn parts<'t>(&self, article: &'t Article, text: &'t str) -> Vec<Part<'t>> {
        // A title that the text repeats as its first line is read once.
        let title = article.title.as_deref().filter(|t| !t.trim().is_empty() && !article.text.trim_start().starts_with(t.trim()));
        let mut parts: Vec<Part<'t>> =
            title.map(|text| Part { sentence: 0, text, start: None, is_headline: true }).into_iter().collect();
        let first = parts.len();
        for (number, sentence) in sentences(text).into_iter().enumerate() {
            let is_headline = sentence.kind == SentenceKind::Headline;
            for (start, end) in self.clauses(sentence.of(text)) {
                let (start, end) = (sentence.start + start, sentence.start + end);
                parts.push(Part { sentence: first + number, text: &text[start..end], start: Some(start), is_headline });
            }
        }
        parts
    }

    /// What the topic head says of every part, in the company of the others.
    fn topics_of(&self, parts: &[Part<'_>], scratch: &mut ClassifyScratch) -> Vec<Answer> {
        let ClassifyScratch { model, readings, .. } = scratch;
        if readings.len() < parts.len() {
            readings.resize_with(parts.len(), Reading::default);
        }
        let vectors = self.vectors_of(parts);
        let passages: Vec<Passage<'_>> =
            parts.iter().enumerate().map(|(i, part)| Passage { vector: vectors.row(i), ..part.text.into() }).collect();
        self.predictor.read_all(&passages, model, readings);
        let scores = scores_of(&self.predictor, self.heads.topic, model, &mut readings[..parts.len()]);
        self.predictor.answer_together(self.heads.topic, scores)
    }

    /// All parts as the holder step reads them; none without that step. Names that an article gives in full later only are known when its first statement is asked for.
    fn read_all<'t>(
        &self,
        parts: &[Part<'t>],
        topics: &[Answer],
        scratch: &mut ClassifyScratch,
    ) -> Vec<Option<holders::Sentence<'t>>> {
        let Some(finder) = &self.holders else { return parts.iter().map(|_| None).collect() };
        let none = self.none_topic();
        let has_statement =
            |topic: &Answer| self.predictor.present(self.heads.topic, topic).into_iter().any(|(topic, _)| Some(topic) != none);
        let read = |(part, topic): (&Part<'t>, &Answer)| {
            let offset = part.start.unwrap_or(0);
            Some(if has_statement(topic) {
                finder.read(part.text, offset, part.is_headline, &mut scratch.article)
            } else {
                finder.skim(part.text, offset, part.is_headline, &mut scratch.article)
            })
        };
        parts.iter().zip(topics).map(read).collect()
    }

    /// The vectors of all parts; empty ones without an encoder.
    fn vectors_of(&self, parts: &[Part<'_>]) -> Vectors {
        let Some(encoder) = &self.encoder else { return Vectors::default() };
        let passages: Vec<Passage<'_>> = parts.iter().map(|part| part.text.into()).collect();
        encoder.encode(&passages).expect("an encoder that was loaded takes every text")
    }

    /// Parts of a sentence that are read apart: "India demanded …; Pakistan denied …" where each part has a party of its own. Bytes of the sentence.
    fn clauses(&self, sentence: &str) -> Vec<(usize, usize)> {
        self.holders.as_ref().map_or_else(|| vec![(0, sentence.len())], |finder| finder.clauses(sentence))
    }

    /// Statements of one part; spans are still bytes of the normalised text.
    fn statements_of(
        &self,
        part: &Part<'_>,
        topic_answer: &Answer,
        place: usize,
        sentence: Option<holders::Sentence<'_>>,
        scratch: &mut ClassifyScratch,
        statements: &mut Vec<Statement>,
    ) {
        let ClassifyScratch { model: model_scratch, readings, article: state } = scratch;
        model_scratch.exchange(&mut readings[place]);
        let mut read = self.holders.as_ref().zip(sentence);
        if let Some((finder, sentence)) = &mut read {
            finder.enter(sentence, state);
        }
        for (topic, topic_probability) in self.predictor.present(self.heads.topic, topic_answer) {
            let given = self.predictor.given(self.heads.stance, &self.topics()[topic]).ok();
            let stance = self.predictor.answer(self.heads.stance, given, model_scratch);
            let abstained = self.abstain.and_then(|alpha| {
                let set = self.predictor.prediction_set(self.heads.stance, &stance, alpha);
                self.predictor.abstention(model_scratch, &set)
            });
            let mut statement = Statement {
                sentence: part.sentence,
                span: None,
                text: part.text.to_owned(),
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
            let mut partner = None;
            if let Some((finder, read)) = &mut read
                && Some(topic) != self.none_topic()
            {
                let (topic, stance) = (&self.topics()[topic], &self.stances()[stance.class]);
                let (holder, mode) = finder.find(read, topic, stance, state);
                statement.mode = Some(mode);
                if let Some(holder) = holder {
                    partner = finder.find_partner(read, &holder, topic, stance, state);
                    self.set_holder(&mut statement, holder, part);
                }
            }
            // "India and Pakistan agreed" is a statement of each.
            let second = partner.map(|holder| {
                let mut second = statement.clone();
                self.set_holder(&mut second, holder, part);
                second
            });
            statements.push(statement);
            statements.extend(second);
        }
        if let Some((finder, sentence)) = read {
            finder.leave(sentence, state);
        }
    }

    fn set_holder(&self, statement: &mut Statement, holder: holders::Holder, part: &Part<'_>) {
        statement.holder = Some(self.alias(holder.name));
        statement.holder_span = part.start.map(|_| holder.span);
        statement.via = holder.via.map(|via| self.alias(via));
    }

    fn alias(&self, name: String) -> String {
        self.aliases.iter().find(|(alias, _)| holders::same_name(alias, &name)).map_or(name, |(_, canonical)| canonical.clone())
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
