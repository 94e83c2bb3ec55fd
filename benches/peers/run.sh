#!/bin/sh
# One command: the peers in a virtual environment, our program and the native peers built, all of them run alternately.
#
#     benches/peers/run.sh [--data DIR] [--rounds N] [--native] [--large N] [--name MACHINE]
#
# Writes benches/record/MACHINE/DATE.md and .csv. Options are those of run.py; without --native the crates linfa and fasttext and the solver alone are left out.
set -eu
cd "$(dirname "$0")/../.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"
venv="${PEERS_VENV:-$CARGO_TARGET_DIR/peers-venv}"
if [ ! -x "$venv/bin/python" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --requirement benches/peers/requirements.txt
fi
cargo build --release --quiet
case " $* " in *" --native "*) cargo build --release --quiet --manifest-path benches/peers/native/Cargo.toml ;; esac
exec "$venv/bin/python" benches/peers/run.py "$@"
