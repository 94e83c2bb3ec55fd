"""Makes tests/parity/linear.json: what scikit-learn's linear models learn from a small random problem.

    python3 -m venv venv && venv/bin/pip install numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
    venv/bin/python tests/parity/make_linear.py > tests/parity/linear.json

The rows are random but shaped like texts: a few frequent columns, many rare ones, rows of length one, labels that no plane separates.
Everything is computed from the float32 values that the file holds, at tight tolerances.
"""

import json
import warnings

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import ComplementNB, MultinomialNB
from sklearn.svm import LinearSVC

warnings.filterwarnings("ignore")
N_ROWS, N_COLUMNS = 260, 160
rng = np.random.default_rng(20)

popularity = 1.0 / np.arange(1, N_COLUMNS + 1) ** 0.8
popularity /= popularity.sum()
centres = rng.normal(size=(N_COLUMNS, 3))
dense = np.zeros((N_ROWS, N_COLUMNS), dtype=np.float32)
for row in dense:
    columns = rng.choice(N_COLUMNS, size=rng.integers(3, 15), replace=False, p=popularity)
    row[columns] = rng.integers(1, 4, size=len(columns))
    row /= np.linalg.norm(row)
X = csr_matrix(dense.round(4).astype(np.float32))
X.sort_indices()
scores = X @ centres + rng.normal(scale=0.7, size=(N_ROWS, 3)) + [0.6, 0.0, -0.4]
three = scores.argmax(axis=1)
two = (scores[:, 1] > scores[:, 0]).astype(int)
weights = rng.choice([0.25, 0.5, 1.0, 2.0, 3.0], size=N_ROWS)
given = rng.integers(0, 4, size=N_ROWS)
X = X.astype(np.float64)


def loss_of(name, margins):
    slack = np.maximum(0.0, 1.0 - margins)
    return {"hinge": slack, "squared_hinge": slack**2, "logistic": np.logaddexp(0.0, -margins)}[name]


def costs_of(case, y, positive, c):
    """LIBLINEAR's costs: class weights of both classes if there are two, else of the output's own class only."""
    sample = weights if case["sample_weights"] else np.ones(N_ROWS)
    by_class = np.ones(y.max() + 1)
    if case["class_weights"] == "balanced":
        total = np.bincount(y, weights=sample)
        by_class = total.sum() / (len(total) * total)
    elif case["class_weights"]:
        by_class = np.array(case["class_weights"])
    rest = by_class[0] if len(by_class) == 2 else 1.0
    return c * sample * np.where(y == positive, by_class[positive], rest)


def objectives(case, y, scores, coef, intercept):
    outputs = [1] if y.max() == 1 else range(y.max() + 1)
    result = []
    for at, positive in enumerate(outputs):
        margins = scores[:, at] * np.where(y == positive, 1, -1)
        penalty = 0.5 * (coef[at] @ coef[at] + (intercept[at] / case["intercept_scaling"]) ** 2)
        result.append(float(penalty + costs_of(case, y, positive, case["c"]) @ loss_of(case["loss"], margins)))
    return result


def weights_option(case):
    option = case["class_weights"]
    return dict(enumerate(option)) if isinstance(option, list) else option


def linear_case(loss, classes="three", c=1.0, class_weights=None, sample_weights=False, intercept=True, intercept_scaling=1.0):
    case = dict(loss=loss, classes=classes, c=c, class_weights=class_weights, sample_weights=sample_weights, intercept=intercept)
    case["intercept_scaling"] = intercept_scaling
    y = three if classes == "three" else two
    options = dict(C=c, fit_intercept=intercept, intercept_scaling=intercept_scaling, class_weight=weights_option(case))
    options |= dict(tol=1e-9, max_iter=1_000_000, random_state=1)
    if loss == "logistic":
        model = LogisticRegression(solver="liblinear", dual=True, **options)
    else:
        model = LinearSVC(loss=loss, dual=True, **options)
    model.fit(X, y, sample_weight=weights if sample_weights else None)
    coef, bias = model.coef_, np.broadcast_to(model.intercept_, len(model.coef_))
    case["objectives"] = objectives(case, y, X @ coef.T + bias, coef, bias)
    case["coef"], case["bias"] = coef.round(7).tolist(), bias.round(7).tolist()
    case["predictions"] = model.predict(X).tolist()
    return case


def given_case(loss, scale):
    """The doubled rows of Daumé III, spelled out: x and 1, then the same times `scale` in the block of the row's given value."""
    case = dict(loss=loss, classes="two", c=1.0, class_weights=None, sample_weights=False, scale=scale)
    own = hstack([X, np.ones((N_ROWS, 1))]).tocsr()
    blocks = [own] + [own.multiply((given == g)[:, None] * scale) for g in range(4)]
    doubled = hstack(blocks).tocsr()
    options = dict(fit_intercept=False, tol=1e-9, max_iter=1_000_000, random_state=1, dual=True)
    model = LogisticRegression(solver="liblinear", **options) if loss == "logistic" else LinearSVC(loss=loss, **options)
    model.fit(doubled, two)
    case |= dict(intercept_scaling=1.0)
    case["objectives"] = objectives(case, two, doubled @ model.coef_.T, model.coef_, [0.0])
    case["scores"] = (doubled @ model.coef_[0]).round(7).tolist()
    return case


def softmax_case(c, class_weights):
    model = LogisticRegression(C=c, fit_intercept=False, tol=1e-12, max_iter=1_000_000, class_weight=class_weights)
    with_bias = hstack([X, np.ones((N_ROWS, 1))]).tocsr()
    model.fit(with_bias, three)
    return dict(c=c, class_weights=class_weights, log_probabilities=model.predict_log_proba(with_bias).round(7).tolist())


def bayes_case(kind, sample_weights=False, **options):
    model = (MultinomialNB if kind == "multinomial" else ComplementNB)(**options)
    model.fit(X, three, sample_weight=weights if sample_weights else None)
    scores = model._joint_log_likelihood(X)
    return dict(kind=kind, sample_weights=sample_weights, options=options, scores=scores.round(6).tolist())


linear = [linear_case(loss, classes) for loss in ("squared_hinge", "hinge", "logistic") for classes in ("two",)]
linear += [linear_case(loss, c=c) for loss in ("squared_hinge", "hinge") for c in (0.1, 1.0, 10.0)]
linear += [
    linear_case(loss, classes, class_weights=option, sample_weights=sampled)
    for loss, classes in (("squared_hinge", "three"), ("hinge", "two"), ("logistic", "two"))
    for option, sampled in (("balanced", False), (None, True), ("balanced", True))
]
linear += [
    linear_case("squared_hinge", class_weights=[1.0, 2.5, 0.5]),
    linear_case("logistic", "two", class_weights=[2.0, 0.7], c=5.0),
    linear_case("squared_hinge", intercept=False),
    linear_case("squared_hinge", intercept_scaling=10.0),
    linear_case("logistic", "two", c=0.05, intercept_scaling=3.0),
]
json.dump(
    dict(
        n_columns=N_COLUMNS,
        starts=X.indptr.tolist(),
        indices=X.indices.tolist(),
        values=[float(f"{v:.4f}") for v in X.data],
        two=two.tolist(),
        three=three.tolist(),
        sample_weights=weights.tolist(),
        given=given.tolist(),
        linear=linear,
        with_given=[given_case(loss, scale) for loss in ("squared_hinge", "hinge", "logistic") for scale in (1.0, 0.5)],
        softmax=[softmax_case(c, option) for c, option in ((1.0, None), (20.0, None), (1.0, "balanced"))],
        bayes=[
            bayes_case("multinomial"),
            bayes_case("multinomial", alpha=0.1, fit_prior=False),
            bayes_case("multinomial", sample_weights=True),
            bayes_case("complement"),
            bayes_case("complement", alpha=0.3, norm=True),
            bayes_case("complement", sample_weights=True),
        ],
    ),
    __import__("sys").stdout,
    separators=(",", ":"),
)
print()
