"""Reference rows of scikit-learn's TfidfVectorizer for tests/tfidf_parity.rs.

Run with scikit-learn 1.5 or newer: python3 tests/parity/make_tfidf.py > tests/parity/tfidf.json
The texts are written for this test.
"""

import json

import sklearn
from sklearn.feature_extraction.text import TfidfVectorizer

TEXTS = [
    "The ministry ruled out talks, ruled out visits, and ruled out tea.",
    "Talks about talks: the envoy said that the talks would go on.",
    "No envoy, no talks, no truce - the ministry's answer was NO.",
    "A truce was signed at 5 a.m.; both sides broke it by noon!",
    "Zoë Müller (the envoy) praised the café where both sides met.",
    "Water, water everywhere, and the treaty of 1960 forgotten.",
    "The treaty rules the river; the river rules the delta.",
    "both sides said both sides were to blame",
    "x",
    "",
    "नदी का पानी और संधि — the river treaty",
    "An envoy's envoy met the other envoy's envoy's envoy.",
]

OPTIONS = {
    "defaults": {},
    "word 1-3": {"ngram_range": [1, 3]},
    "char_wb 2-5 sublinear": {"analyzer": "char_wb", "ngram_range": [2, 5], "sublinear_tf": True},
    "min_df 2, max_df 0.5": {"min_df": 2, "max_df": 0.5},
    "not smooth, l1": {"smooth_idf": False, "norm": "l1", "ngram_range": [1, 2]},
    "no idf, no norm, binary": {"use_idf": False, "norm": None, "binary": True},
    "case kept, stop words": {"lowercase": False, "stop_words": ["the", "The", "and", "of"], "ngram_range": [1, 2]},
    "max_features": {"max_features": 3},
    "char_wb 4-6, max_df 3": {"analyzer": "char_wb", "ngram_range": [4, 6], "max_df": 3},
}

cases = []
for name, options in OPTIONS.items():
    settings = {key: tuple(value) if key == "ngram_range" else value for key, value in options.items()}
    vectorizer = TfidfVectorizer(**settings)
    matrix = vectorizer.fit_transform(TEXTS).tocsr()
    names = vectorizer.get_feature_names_out().tolist()
    idf = vectorizer.idf_.tolist() if options.get("use_idf", True) else [1.0] * len(names)
    rows = [{names[j]: v for j, v in zip(row.indices.tolist(), row.data.tolist())} for row in matrix]
    cases.append({"name": name, "options": options, "names": names, "idf": idf, "rows": rows})

print(json.dumps({"scikit_learn": sklearn.__version__, "texts": TEXTS, "cases": cases}, ensure_ascii=False, separators=(",", ":")))
