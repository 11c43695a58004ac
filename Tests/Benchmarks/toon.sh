#!/usr/bin/env bash
# Measures TOON in one run: how fast it is written and read, and bytes and tokens of the same documents as TOON, JSON and
# CSV, beside the official Python implementation.
#
#   toon.sh [FILE.ndjson]          one document a line; the films of ../shared/data/movies when it is not said
set -euo pipefail
cd "$(dirname "$0")/../.."
swift=${SWIFT:-swift}
file=${1:-}
for folder in ../shared ../../shared; do
  [ -n "$file" ] || [ ! -r "$folder/data/movies/movies.ndjson" ] || file=$folder/data/movies/movies.ndjson
done
[ -n "$file" ] || { echo "There is no ../shared/data/movies: name a file of documents, one a line" >&2; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$swift" build --package-path Tests/TOON -c release --scratch-path .build/toon --product nexa-toon
.build/toon/release/nexa-toon measure "$file"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check toon-format==1.2.0 bpe-openai==0.1.4
"$work/venv/bin/python" Tests/Benchmarks/toon.py .build/toon/release/nexa-toon "$file"
