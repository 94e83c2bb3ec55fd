#!/usr/bin/env bash
# Trains the two shipped models from datasets/diplomacy/train.csv; the same bytes on any machine and any number of threads.
# Usage: models/train.sh [DIRECTORY]   (default: models)
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-models}
stance=${STANCE:-target/release/stance}
"$stance" train datasets/diplomacy/train.csv --model "$out/diplomacy.stance" --word-ngrams 1,2 --char-ngrams 3,5 \
    --lexicon datasets/diplomacy/lexicon.csv --lexicon-weight 0.15 -C 0.4 --balanced --context --keep-features 100000 --weights i16 \
    --card models/card.txt --quiet
"$stance" train-holders datasets/diplomacy/train.csv --model "$out/diplomacy.holders" --quiet
