#!/usr/bin/env bash
# Compares the shell with psql, redis-cli, sqlite3 and duckdb in one run: start, a single command, import and export.
#
#   shell.sh [COUNT [ROUNDS]]     1000000 documents and 3 rounds, when it is not said
#
# Every server listens on a Unix socket and keeps its data below $BENCH_DIR (default /var/tmp: a disk, where /tmp may be
# memory), and ends with this script. What is not installed is left out; duckdb is the Python module of $PYTHON (python3).
# SKIP_BUILD=1 takes the programs as they are.
set -euo pipefail
cd "$(dirname "$0")/../.."
swift=${SWIFT:-swift}
python=${PYTHON:-python3}
count=${1:-1000000} rounds=${2:-3}
binaries=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1 || true)

pids=() root=""
finish() {
  local status=$? pid
  trap - EXIT
  for pid in "${pids[@]}"; do kill -INT "$pid" 2>/dev/null || kill -TERM "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do
    for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -TERM "$pid" 2>/dev/null && sleep 1
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
  "$swift" build -c release --product nexa >&2
fi

root=$(mktemp -d "${BENCH_DIR:-/var/tmp}/nexa-shell.XXXXXX")
chmod 711 "$root"
# The server of a folder lives as long as a shell uses it.
.build/release/nexa --local "$root/nexadb" -q -e 'watch keeper' >/dev/null 2>"$root/nexadb.log" &
pids+=("$!")
await "$!" "$root/nexadb.log" .build/release/nexa --local "$root/nexadb" -q -e databases

if [ -n "$binaries" ]; then
  mkdir "$root/postgresql"
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
fi
if command -v redis-server >/dev/null; then
  mkdir "$root/redis"
  redis-server --port 0 --unixsocket "$root/redis/socket" --dir "$root/redis" --save "" --appendonly yes \
    --appendfsync everysec >"$root/redis.log" 2>&1 &
  pids+=("$!")
  await "$!" "$root/redis.log" redis-cli -s "$root/redis/socket" ping
fi

# In the background, because a trap waits for what runs in the foreground.
"$python" Tests/Benchmarks/shell.py --nexa .build/release/nexa --directory "$root" --count "$count" \
  --rounds "$rounds" ${binaries:+--psql "$binaries/psql"} &
pids=("$!" "${pids[@]}")
wait "$!"
