#!/bin/sh
# Instructions per round of each stage, by callgrind: the difference of two numbers of rounds, so that preparation does not count.
#
#     benches/counts.sh [STAGE...]        tokenise words all train fit choose load; by default the first three and load
#
# Prints STAGE and instructions, tab-separated. Needs valgrind.
set -eu
cd "$(dirname "$0")/.."
binary=$(cargo bench --bench counts --no-run --message-format=json 2>/dev/null | sed -n 's/.*"executable":"\([^"]*counts-[^"]*\)".*/\1/p' | tail -n 1)
count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$binary" "$1" "$2" 2>&1 | sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}
for stage in ${*:-tokenise words all load}; do
    one=$(count "$stage" 1)
    two=$(count "$stage" 2)
    printf '%s\t%s\n' "$stage" "$((two - one))"
done
