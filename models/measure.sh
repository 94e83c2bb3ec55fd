#!/usr/bin/env bash
# Prints every figure of models/README.md, one after the other: scores on test.csv, baselines, what pruning costs, and what is lost on a region, a genre or a
# drafting pass that the training has not seen. About ten minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
stance=${STANCE:-target/release/stance}
data=datasets/diplomacy
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
step() { printf '\n== %s\n' "$*"; }

step "scores on test.csv; majority baselines stand under each head"
"$stance" evaluate "$data/test.csv" --model models/diplomacy.stance --quiet

step "scores on the statements alone, sentences on no topic left out"
"$stance" evaluate "$data/test.csv" --model models/diplomacy.stance --where topic!=other --no-breakdown --quiet

step "lexicon baseline: word classes only, no n-grams"
"$stance" train "$data/train.csv" --model "$work/lexicon.stance" --word-ngrams none --char-ngrams none --lexicon "$data/lexicon.csv" \
    -C 0.4 --balanced --quiet
"$stance" evaluate "$data/test.csv" --model "$work/lexicon.stance" --no-breakdown --quiet

step "without the other sentences of the article"
"$stance" inspect models/diplomacy.stance --settings > "$work/settings.toml"
sed 's/^context = true$/context = false/' "$work/settings.toml" > "$work/alone.toml"
"$stance" train "$data/train.csv" --model "$work/alone.stance" --settings "$work/alone.toml" --quiet
"$stance" evaluate "$data/test.csv" --model "$work/alone.stance" --no-breakdown --quiet

step "what pruning costs, in cross-validation on train.csv: pruned, then whole"
sed '/^keep_features/d' "$work/settings.toml" > "$work/whole.toml"
for settings in settings whole; do
    "$stance" evaluate "$data/train.csv" --cross-validate 5 --settings "$work/$settings.toml" --no-breakdown --quiet | grep -E 'cases in|macro-F1'
done

for column in region genre writer; do
    step "left out in turn: $column"
    "$stance" evaluate "$data/train.csv" --leave-out "$column" --settings "$work/settings.toml" --quiet
done
