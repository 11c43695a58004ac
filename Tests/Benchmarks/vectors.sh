#!/usr/bin/env bash
# Compares the vector index with hnswlib, usearch and Faiss in one run, in this process's memory: the time to build,
# queries a second at a recall of 0.90, 0.95 and 0.99, memory, and searches with a filter. Then the same through a server
# and NexaClient, with the inserts before it. Tables in Markdown come at the end, how far it is goes to standard error.
#
#   vectors.sh [CLUSTERS [THREADS]]    50000 synthetic vectors and "1,2" threads, when it is not said; 0 for none
#
# MOVIES is a folder with embeddings.f32, queries.f32 and truth.i32; without them, or as "none", only the synthetic vectors
# are measured. MINUTES (12) is when it ends at the latest; what was not measured until then is left out. SKIP_BUILD=1 takes
# the programs as they are; PYTHON is one that has the packages of vectors.txt. A short try: MOVIES=none vectors.sh 3000
set -euo pipefail
cd "$(dirname "$0")/../.."
swift=${SWIFT:-swift}
root=$(mktemp -d "${BENCH_DIR:-/var/tmp}/nexa-vectors.XXXXXX")
trap 'rm -rf "$root"' EXIT
python=${PYTHON:-}
if [ -z "$python" ]; then
  python3 -m venv "$root/venv"
  python="$root/venv/bin/python"
  "$python" -m pip install --quiet --disable-pip-version-check -r Tests/Benchmarks/vectors.txt
fi
if [ "${SKIP_BUILD:-0}" = 0 ]; then
  "$swift" build -c release --product nexadb >&2
  "$swift" build -c release --package-path Tests/Benchmarks --scratch-path .build/bench \
    --product nexa-vector-bench >&2
fi
movies=${MOVIES:-}
if [ -z "$movies" ]; then
  for movies in ../shared/data/movies ../../shared/data/movies; do [ ! -d "$movies" ] || break; done
fi
"$python" Tests/Benchmarks/vectors.py --bench .build/bench/release/nexa-vector-bench --directory "$root" \
  --nexadb .build/release/nexadb --movies "$movies" --clusters "${1:-50000}" --threads "${2:-1,2}" \
  --minutes "${MINUTES:-12}"
