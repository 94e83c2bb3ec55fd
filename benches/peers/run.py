"""Our program beside what a user would pick instead: the same texts, features and classes, run alternately (A B A B ...).

Each figure is the median over the rounds; a ratio is the median of the rounds' ratios, with the smallest and the largest. Both sides of a round run one
after the other, so that a busy machine slows both. See run.sh for how to run it and what it writes.
"""

import argparse
import csv
import datetime
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
STANCE = TARGET / "release" / "stance"
NATIVE = TARGET / "release" / "peers-native"
EPS = 0.01  # tolerance of every solver, where it has one

BLOCK = '[[features.blocks]]\nanalyzer = "{}"\nngrams = [{}, {}]\nwords = "sklearn"\nsublinear_tf = true\n'
SETTINGS = {
    "word 1-2": BLOCK.format("word", 1, 2),
    "word 1-3 + char 2-5": BLOCK.format("word", 1, 3) + BLOCK.format("char_wb", 2, 5),
}


def vectoriser(name):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_union

    if name == "word 1-2":
        return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    words = TfidfVectorizer(ngram_range=(1, 3), sublinear_tf=True)
    return make_union(words, TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True))


def pipeline(name):
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    return make_pipeline(vectoriser(name), LinearSVC(tol=EPS))


def read_data(directory):
    """Texts, labels, and where they are from: P-Stance where the public data is, else our own sentences."""
    path = Path(directory) / "pstance" / "data.csv" if directory else None
    if path is None or not path.is_file():
        path = ROOT / "datasets" / "diplomacy" / "train.csv"
    with open(path, newline="", encoding="utf-8") as file:
        rows = [(" ".join(row["text"].split()), row["stance"]) for row in csv.DictReader(file)]
    source = "P-Stance" if path.parent.name == "pstance" else "datasets/diplomacy (public data not found)"
    return [r[0] for r in rows], [r[1] for r in rows], source


def write_csv(path, texts, labels, n_times=1):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "stance"])
        for _ in range(n_times):
            writer.writerows(zip(texts, labels))


def seconds(work):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def run(command):
    """Wall seconds, peak memory in MB and standard output of a process."""
    start = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    output, errors = process.communicate()
    elapsed = time.perf_counter() - start
    if process.returncode:
        sys.exit(f"{command}: {errors}")
    return elapsed, output


def run_measured(command):
    """As run, with the peak memory of the process alone, by a child that does nothing else."""
    child = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)"
    )
    elapsed, output = run([sys.executable, "-c", child, *command])
    return elapsed, float(output)


def bench(data, model):
    """What `stance bench` says of one process (medians of three, so that buffers are warm, as the peers' are): seconds by stage and threads, and the load time."""
    report = json.loads(run([STANCE, "bench", data, "--text", "text", "--model", model, "--runs", "3", "--json"])[1])
    found = {(stage["stage"], stage["n_threads"]): stage["seconds"] for stage in report["stages"]}
    found["load"] = report["load_ms"] / 1e3
    return found


class Table:
    """Figures with a ratio of two sides, round by round."""

    def __init__(self):
        self.lines = []

    def add(self, figure, goal, ours, theirs, unit, of="theirs / ours", peer=""):
        ratios = [t / o for o, t in zip(ours, theirs)] if of == "theirs / ours" else [o / t for o, t in zip(ours, theirs)]
        line = {
            "figure": figure, "peer": peer, "unit": unit,
            "ours": statistics.median(ours), "theirs": statistics.median(theirs),
            "ratio": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios), "goal": goal, "rounds": len(ratios),
        }
        self.lines.append(line)
        print(f"{figure} | {peer}: {line['ratio']:.2f} [{line['lowest']:.2f}, {line['highest']:.2f}], goal {goal}", file=sys.stderr)

    def note(self, figure, goal, value, unit):
        self.lines.append({"figure": figure, "peer": "", "unit": unit, "ours": value, "theirs": "", "ratio": "", "lowest": "", "highest": "",
                           "goal": goal, "rounds": 1})
        print(f"{figure}: {value} {unit}, goal {goal}", file=sys.stderr)

    def write(self, path, head):
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path.with_suffix(".csv"), "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(self.lines[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.lines)
        shown = lambda value: f"{value:.4g}" if isinstance(value, float) else str(value)
        text = head + "\n| figure | peer | ours | peer's | unit | ratio [lowest, highest] | goal |\n|---|---|---|---|---|---|---|\n"
        for line in self.lines:
            ratio = f"{line['ratio']:.2f} [{line['lowest']:.2f}, {line['highest']:.2f}]" if line["ratio"] != "" else ""
            cells = [line["figure"], line["peer"], shown(line["ours"]), shown(line["theirs"]), line["unit"], ratio, line["goal"]]
            text += "| " + " | ".join(cells) + " |\n"
        path.with_suffix(".md").write_text(text, encoding="utf-8")


def predict_in_process(table, work, texts, labels, rounds):
    """scikit-learn with both feature sets, fastText, and ours by `stance bench`."""
    import fasttext

    for name in SETTINGS:
        model = work / "words.stance" if name == "word 1-2" else work / "all.stance"
        settings = work / "settings.toml"
        settings.write_text(SETTINGS[name])
        run([STANCE, "train", work / "data.csv", "--text", "text", "--label", "stance", "--settings", settings, "--folds", "0",
             "--eps", "0.0001", "--model", model, "--quiet"])
        theirs = pipeline(name).set_params(linearsvc__tol=1e-4).fit(texts, labels)
        check_agreement(table, work, model, name, theirs.predict(texts))
        ours, peers, tokenise, one, two = [], [], [], [], []
        for _ in range(rounds):
            measured = bench(work / "data.csv", model)
            ours.append(measured["predict", 1])
            tokenise.append(measured["tokenise", 1])
            peers.append(seconds(lambda: theirs.predict(texts))[0])
            # Threads start and end together only roughly, which is much of a round of ten milliseconds.
            measured = bench(work / "many.csv", model)
            one.append(measured["predict", 1])
            two.append(measured.get(("predict", 2), measured["predict", 1]))
        rates = lambda times: [len(texts) / t for t in times]
        goal = "35" if name == "word 1-2" else "50"
        table.add(f"predict, {name}, one thread, in process", goal, rates(ours), rates(peers), "texts/s", "ours / theirs", "scikit-learn")
        table.add(f"predict, {name}, in process, copies of the texts, two threads over one", "1.8", rates(two), rates(one), "texts/s", "ours / theirs", "one thread")
        if name == "word 1-2":
            table.add("predict, word 1-2, share of the tokenise-only rate", "0.6", rates(ours), rates(tokenise), "texts/s", "ours / theirs", "tokenise")

    train_file = work / "fasttext.txt"
    train_file.write_text("".join(f"__label__{label} {text}\n" for text, label in zip(texts, labels)), encoding="utf-8")
    peer = fasttext.train_supervised(str(train_file), wordNgrams=2, thread=1, verbose=0)
    peer.save_model(str(work / "fasttext.bin"))
    ours, peers = [], []
    for _ in range(rounds):
        ours.append(bench(work / "data.csv", work / "words.stance")["predict", 1])
        peers.append(seconds(lambda: peer.predict(texts))[0])
    rates = lambda times: [len(texts) / t for t in times]
    table.add("predict, word 1-2, one thread, in process", "12", rates(ours), rates(peers), "texts/s", "ours / theirs", "fastText")


def check_agreement(table, work, model, name, expected):
    run([STANCE, "predict", work / "data.csv", "--text", "text", "--model", model, "--output", work / "labels.csv", "--quiet"])
    with open(work / "labels.csv", newline="", encoding="utf-8") as file:
        ours = [row["predicted_stance"] for row in csv.DictReader(file)]
    share = sum(a == b for a, b in zip(ours, expected)) / len(ours)
    table.note(f"labels that agree with scikit-learn's, {name}", "0.998", share, "share")
    if share < 0.998:
        sys.exit(f"{name}: only {share:.4f} of the labels agree")


def predict_whole_process(table, work, texts, labels, rounds, n_times):
    """CSV in and CSV out, against Vowpal Wabbit from its own format to labels. Its time is counted without the start of Python."""
    numbers = {label: number + 1 for number, label in enumerate(sorted(set(labels)))}
    clean = [text.replace(":", " ").replace("|", " ").lower() for text in texts]
    with open(work / "vw.txt", "w", encoding="utf-8") as file:
        for _ in range(n_times):
            file.writelines(f"{numbers[label]} | {text}\n" for text, label in zip(clean, labels))
    vw = "import sys, time, vowpalwabbit\nt = time.perf_counter()\nvowpalwabbit.Workspace(sys.argv[1]).finish()\nprint(time.perf_counter() - t)"
    once = f"-d {work}/vw.txt --oaa {len(numbers)} --ngram 2 -b 20 --quiet -f {work}/vw.model"
    run([sys.executable, "-c", vw, once])
    command = [STANCE, "predict", work / "many.csv", "--text", "text", "--model", work / "words.stance", "--output", work / "out.csv", "--quiet"]
    ours, one, peers = [], [], []
    for _ in range(rounds):
        ours.append(run([*command, "--threads", "2"])[0])
        one.append(run([*command, "--threads", "1"])[0])
        output = run([sys.executable, "-c", vw, f"-t -i {work}/vw.model -d {work}/vw.txt -p {work}/vw.out --quiet"])[1]
        peers.append(float(output.split()[-1]))
    if sum(1 for _ in open(work / "vw.out")) != len(texts) * n_times:
        sys.exit("Vowpal Wabbit did not label every line")
    table.add("predict, whole process, CSV to CSV, two threads", "3", ours, peers, "s", peer="Vowpal Wabbit, own format to labels")
    table.add("predict, whole process, two threads over one", "1.8", ours, one, "s", peer="one thread")


def train_whole_process(table, work, rounds):
    """P-Stance, all features, from CSV to a saved model; time and peak memory."""
    script = (
        "import sys\nsys.path.insert(0, sys.argv[1])\nimport csv, joblib, run\n"
        "rows = list(csv.DictReader(open(sys.argv[2], newline='', encoding='utf-8')))\n"
        "model = run.pipeline('word 1-3 + char 2-5').fit([r['text'] for r in rows], [r['stance'] for r in rows])\n"
        "joblib.dump(model, sys.argv[3])"
    )
    settings = work / "settings.toml"
    settings.write_text(SETTINGS["word 1-3 + char 2-5"])
    command = [STANCE, "train", work / "data.csv", "--text", "text", "--label", "stance", "--settings", settings, "--eps", str(EPS),
               "--model", work / "all.stance", "--threads", "2", "--quiet"]
    ours, folds, peers = [], [], []
    for _ in range(rounds):
        ours.append(run_measured([str(c) for c in command] + ["--folds", "0"]))
        folds.append(run_measured([str(c) for c in command]))
        peers.append(run_measured([sys.executable, "-c", script, str(Path(__file__).parent), str(work / "data.csv"), str(work / "all.joblib")]))
    column = lambda runs, i: [r[i] for r in runs]
    what = "train, word 1-3 + char 2-5, whole process, two threads"
    table.add(what, "12", column(ours, 0), column(peers, 0), "s", peer="scikit-learn")
    table.add(what + ", with 5-fold calibration", "-", column(folds, 0), column(peers, 0), "s", peer="scikit-learn without")
    table.add("peak memory of it", "3", column(ours, 1), column(peers, 1), "MB", peer="scikit-learn")


def load(table, work, rounds):
    import joblib

    ours, peers = [], []
    for _ in range(rounds):
        ours.append(bench(work / "data.csv", work / "all.stance")["load"] * 1e3)
        peers.append(seconds(lambda: joblib.load(work / "all.joblib"))[0] * 1e3)
    table.add("load the model of it (goal: under 10 ms, and 20 times faster)", "20", ours, peers, "ms", peer="joblib")


def native(table, work, texts, labels, rounds):
    """The solver alone against LIBLINEAR, and the crates linfa and fasttext."""
    from liblinear.liblinearutil import problem, parameter, train
    from sklearn.datasets import dump_svmlight_file, load_svmlight_file
    from sklearn.preprocessing import LabelEncoder

    matrix = vectoriser("word 1-3 + char 2-5").fit_transform(texts)
    dump_svmlight_file(matrix, LabelEncoder().fit_transform(labels), str(work / "matrix.txt"), zero_based=False)
    x, y = load_svmlight_file(str(work / "matrix.txt"))
    prob = problem(y, x, bias=1)
    ours, peers = [], []
    for _ in range(rounds):
        ours.append(json.loads(run([NATIVE, "solver", work / "matrix.txt", "1", str(EPS)])[1])["train"])
        peers.append(seconds(lambda: train(prob, parameter(f"-s 1 -c 1 -e {EPS} -B 1 -q")))[0])
    table.add("solver alone, one thread, same matrix, same stopping rule", "2.5", ours, peers, "s", peer="LIBLINEAR")

    (work / "texts.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    (work / "labels.txt").write_text("\n".join(labels) + "\n", encoding="utf-8")
    rates = lambda times: [len(texts) / t for t in times]
    ours, peers = [], []
    for _ in range(rounds):
        ours.append(bench(work / "data.csv", work / "words.stance")["predict", 1])
        peers.append(json.loads(run([NATIVE, "fasttext", work / "fasttext.bin", work / "texts.txt"])[1])["predict"])
    table.add("predict, word 1-2, one thread, in process", "-", rates(ours), rates(peers), "texts/s", "ours / theirs", "crate fasttext")

    n_rows = min(3000, len(texts))
    write_csv(work / "few.csv", texts[:n_rows], labels[:n_rows])
    command = [STANCE, "train", work / "few.csv", "--text", "text", "--label", "stance", "--word-ngrams", "1,2", "--char-ngrams", "none",
               "--algorithm", "logistic", "--folds", "0", "--model", work / "few.stance", "--threads", "1", "--quiet"]
    ours, peers = [], []
    for _ in range(rounds):
        ours.append(run(command)[0])
        measured = json.loads(run([NATIVE, "linfa", work / "texts.txt", work / "labels.txt", n_rows])[1])
        peers.append(measured["fit"] + measured["transform"] + measured["train"])
    table.add(f"train, word 1-2, {n_rows} rows, one thread (linfa: n-grams of 0.2 % of the rows, as its records are dense)", "-", ours, peers, "s", peer="crate linfa")


def growth(table, work, texts, labels, n_large):
    """Seconds per sentence on a large table over those on 10,000 rows, whole process, without the start."""
    def time_of(n_rows):
        with open(work / "grow.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "stance"])
            for at in range(0, n_rows, len(texts)):
                writer.writerows(zip(texts[: n_rows - at], labels))
        command = [STANCE, "predict", work / "grow.csv", "--text", "text", "--model", work / "words.stance", "--output", work / "out.csv", "--quiet"]
        return min(run(command)[0] for _ in range(1 if n_rows > 1_000_000 else 7))

    start, small = time_of(1), time_of(10_000)
    large = time_of(n_large)
    table.note(f"cost per sentence at {n_large} over that at 10,000 sentences", "1.1 at most", (large - start) / n_large / ((small - start) / 10_000), "")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", help="directory with pstance/data.csv")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--times", type=int, default=10, help="copies of the data for whole-process prediction and for two threads")
    parser.add_argument("--large", type=int, default=2_000_000, help="rows of the large table")
    parser.add_argument("--native", action="store_true", help="the crates of peers-native too")
    parser.add_argument("--only", help="predict, whole, train, load, native or growth, with commas")
    parser.add_argument("--name", default=f"{platform.system()}-{platform.machine()}-{os.cpu_count()}-cores".lower())
    options = parser.parse_args()
    texts, labels, source = read_data(options.data)
    wanted = set(options.only.split(",")) if options.only else {"predict", "whole", "train", "load", "growth"} | ({"native"} if options.native else set())
    table = Table()
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        write_csv(work / "data.csv", texts, labels)
        write_csv(work / "many.csv", texts, labels, options.times)
        predict_in_process(table, work, texts, labels, options.rounds)
        if "whole" in wanted:
            predict_whole_process(table, work, texts, labels, options.rounds, options.times)
        if "train" in wanted or "load" in wanted:
            train_whole_process(table, work, max(1, options.rounds // 2))
        if "load" in wanted:
            load(table, work, options.rounds)
        if "native" in wanted:
            native(table, work, texts, labels, max(1, options.rounds // 2))
        if "growth" in wanted:
            growth(table, work, texts, labels, options.large)
        busy = os.getloadavg()[0]
    n_bytes = sum(len(text.encode()) for text in texts)
    date = datetime.date.today().isoformat()
    head = (f"{date}, {options.name}. Texts: {source}, {len(texts)} rows, {n_bytes / 1e6:.1f} MB, {len(set(labels))} classes. Medians of {options.rounds} "
            f"alternating rounds; load average at the end {busy:.1f} on {os.cpu_count()} processors.\n")
    table.write(ROOT / "benches" / "record" / options.name / date, head)


if __name__ == "__main__":
    main()
