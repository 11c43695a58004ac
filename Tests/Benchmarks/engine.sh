#!/usr/bin/env bash
# Compares the engine with PostgreSQL's jsonb in one run: queries, indexes, aggregation and transactions.
#
#   engine.sh [COUNT [ROUNDS [SIZES]]]
#
# 200000 documents, 5 rounds, and the sizes 1000,10000,100000,1000000 for cost against size, when it is not said; "" for
# no further sizes. DuckDB, from PyPI into .build/bench-engine-venv, is quoted beside them; it is left out where it cannot
# be had. PLOT is a file for a plot of the sizes. All of it takes about five minutes.
#
# Both servers listen on a Unix socket, keep their data below $BENCH_DIR (default /var/tmp: a disk, where /tmp may be
# memory), wait for the disk at each commit, and end with this script. SKIP_BUILD=1 takes the programs as they are.
set -euo pipefail
cd "$(dirname "$0")/../.."
swift=${SWIFT:-swift}
count=${1:-200000} rounds=${2:-5} sizes=${3-1000,10000,100000,1000000}
binaries=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1 || true)
[ -n "$binaries" ] || { echo "PostgreSQL is not installed: make deps-bench" >&2; exit 1; }

pids=() root=""
finish() {
  local status=$? pid
  trap - EXIT
  for pid in "${pids[@]}"; do kill -INT "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  [ -z "$root" ] || rm -rf "$root"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

await() { # pid, log, command...
  local pid=$1 log=$2; shift 2
  for _ in $(seq 300); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  echo "a server did not start:" >&2
  tail -n 20 "$log" >&2
  exit 1
}

if [ "${SKIP_BUILD:-0}" = 0 ]; then
  "$swift" build -c release --product nexadb >&2
  "$swift" build -c release --package-path Tests/Benchmarks --scratch-path .build/bench \
    --product nexa-engine-bench >&2
fi

python=${PYTHON:-$PWD/.build/bench-engine-venv/bin/python}
if ! "$python" -c 'import duckdb' 2>/dev/null; then
  { python3 -m venv .build/bench-engine-venv \
    && .build/bench-engine-venv/bin/pip install -q --disable-pip-version-check -r Tests/Benchmarks/engine.txt; } >&2 \
    || echo "DuckDB is left out" >&2
  [ -x "$python" ] || python=python3
fi

root=$(mktemp -d "${BENCH_DIR:-/var/tmp}/nexa-engine.XXXXXX")
chmod 711 "$root"
mkdir "$root/nexadb" "$root/postgresql"
NEXADB_ROOT_PASSWORD=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n') \
  .build/release/nexadb --data-dir "$root/nexadb" --socket "$root/nexadb.sock" >"$root/nexadb.log" 2>&1 &
pids+=("$!")
await "$!" "$root/nexadb.log" test -S "$root/nexadb.sock"

as=() # PostgreSQL refuses to run as root.
if [ "$(id -u)" = 0 ]; then
  as=(setpriv --reuid=postgres --regid=postgres --init-groups --)
  chown postgres: "$root/postgresql"
fi
(cd "$root/postgresql" && "${as[@]}" "$binaries/initdb" -D data -U postgres -A trust --locale=C.UTF-8 -E UTF8 \
  >"$root/postgresql.log" 2>&1)
"${as[@]}" "$binaries/postgres" -D "$root/postgresql/data" -k "$root/postgresql" -c listen_addresses= \
  -c fsync=on >>"$root/postgresql.log" 2>&1 &
pids+=("$!")
await "$!" "$root/postgresql.log" "$binaries/pg_isready" -h "$root/postgresql" -U postgres

# In the background, because a trap waits for what runs in the foreground.
"$python" Tests/Benchmarks/engine.py --bench .build/bench/release/nexa-engine-bench --socket "$root/nexadb.sock" \
  --postgresql "$root/postgresql" --binaries "$binaries" --directory "$root" --count "$count" --rounds "$rounds" \
  --sizes "$sizes" --plot "${PLOT:-}" &
pids=("$!" "${pids[@]}")
wait "$!"
