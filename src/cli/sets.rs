//! The benchmark sets of `stance bench accuracy`: columns, splits, official figure, and what others have reached.
//!
//! Everything that differs between sets stands here; training, choice of settings and scoring are the same for all. Figures of others are on the same
//! split and the same figure, with their source.

use stancekit::evaluate::{Item, Scores};
use stancekit::train::Metric;

/// A set with one label column, in one table.
pub struct Set {
    /// Folder, and name in the report.
    pub name: &'static str,
    /// What is asked.
    pub what: &'static str,
    pub text: &'static str,
    pub label: &'static str,
    pub given: Option<&'static str>,
    pub group: Option<&'static str>,
    pub target_span: Option<(&'static str, &'static str)>,
    /// Condition on the rows to learn from, as `--where` has it.
    pub train: &'static str,
    /// Condition on the rows to score.
    pub test: &'static str,
    pub figure: Figure,
    /// Figures of others, in percent, with where they stand.
    pub known: &'static [(&'static str, f64)],
}

/// The official figure of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// Share of right labels.
    Accuracy,
    /// Mean F1 of all classes.
    MacroF1,
    /// Mean F1 of these classes over all rows.
    MeanF1(&'static [&'static str]),
    /// The same for each given value, averaged over them.
    MeanF1ByGiven(&'static [&'static str]),
}

/// The two sides of a question.
const SIDES: &[&str] = &["favor", "against"];

/// All sets, in the order of the report.
pub const SETS: &[Set] = &[
    Set {
        name: "semeval2016_task6a",
        what: "stance of a tweet towards a given target",
        text: "text",
        label: "stance",
        given: Some("target"),
        group: None,
        target_span: None,
        train: "split=train,trial",
        test: "split=test",
        figure: Figure::MeanF1(SIDES),
        known: &[
            ("SVM, n-grams (Mohammad et al. 2016)", 68.98),
            ("SVM, n-grams and embeddings (Mohammad et al. 2017)", 70.3),
            ("BERTweet (TweetEval leaderboard)", 71.2),
            ("TimeLMs-2021 (TweetEval leaderboard)", 72.9),
        ],
    },
    Set {
        name: "pstance",
        what: "stance of a tweet towards a politician",
        text: "text",
        label: "stance",
        given: Some("target"),
        group: None,
        target_span: None,
        train: "split=train,val",
        test: "split=test",
        figure: Figure::MeanF1ByGiven(SIDES),
        known: &[("BERTweet (Li et al. 2021)", 80.53)],
    },
    Set {
        name: "newsmtsc",
        what: "stance of a news sentence towards a marked mention",
        text: "text",
        label: "stance",
        given: None,
        group: Some("sentence_id"),
        target_span: Some(("start", "end")),
        train: "split=train",
        test: "split=devtest_mt",
        figure: Figure::MacroF1,
        known: &[("GRU-TSC, RoBERTa (Hamborg & Donnay 2021)", 82.5), ("SPC-BERT (ibid.)", 73.7)],
    },
    Set {
        name: "reuters_r52",
        what: "topic of a newswire article",
        text: "text",
        label: "topic",
        given: None,
        group: None,
        target_span: None,
        train: "split=train",
        test: "split=test",
        figure: Figure::Accuracy,
        known: &[("linear SVM (Cardoso-Cachopo 2007)", 93.8), ("S2GC (Zhu & Koniusz 2021)", 94.5)],
    },
    Set {
        name: "bbc_news",
        what: "topic of an article",
        text: "text",
        label: "topic",
        given: None,
        group: None,
        target_span: None,
        train: "split=train",
        test: "split=test",
        figure: Figure::Accuracy,
        known: &[],
    },
];

impl Figure {
    /// What the search maximises for it.
    pub fn metric(self) -> Metric {
        match self {
            Self::Accuracy => Metric::Accuracy,
            Self::MacroF1 => Metric::MacroF1,
            Self::MeanF1(labels) | Self::MeanF1ByGiven(labels) => {
                Metric::MeanF1(labels.iter().map(|l| (*l).to_owned()).collect())
            }
        }
    }

    /// Its name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::MacroF1 => "macro-F1",
            Self::MeanF1(_) => "mean F1 of favor and against",
            Self::MeanF1ByGiven(_) => "mean F1 of favor and against, mean over targets",
        }
    }

    /// Its value on items, each counted `weights[i]` times.
    pub fn value(self, items: &[Item], weights: &[f64], labels: &[String]) -> f64 {
        let n = labels.len();
        let mean_of =
            |names: &[&str]| -> Vec<usize> { names.iter().filter_map(|name| labels.iter().position(|l| l == name)).collect() };
        match self {
            Self::Accuracy => Scores::new(items, weights, n, &[]).accuracy,
            Self::MacroF1 => Scores::new(items, weights, n, &[]).macro_f1,
            Self::MeanF1(names) => Scores::new(items, weights, n, &mean_of(names)).mean_f1,
            Self::MeanF1ByGiven(names) => {
                let n_given = items.iter().map(|i| i.given + 1).max().unwrap_or(0);
                let of_given = |given: usize| {
                    let masked: Vec<f64> =
                        items.iter().zip(weights).map(|(i, w)| if i.given == given { *w } else { 0.0 }).collect();
                    Scores::new(items, &masked, n, &mean_of(names)).mean_f1
                };
                (0..n_given).map(of_given).sum::<f64>() / n_given.max(1) as f64
            }
        }
    }
}
