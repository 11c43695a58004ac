#!/usr/bin/env bash
# Measures the goals of the shell, and psql, redis-cli, sqlite3 and duckdb by the side of it, in one run.
#
#   shell.sh [COUNT [ROUNDS]]     1000000 documents and 3 rounds, when it is not said
#
# Every server listens on a Unix socket and keeps its data below $BENCH_DIR (default /var/tmp: a disk, where /tmp may be
# memory), and ends with this script. What is not installed is left out, and said; duckdb comes from PyPI, or is $DUCKDB.
# SKIP_BUILD=1 takes the programs as they are; QUICK=1 repeats little, to see that it works, and ONLY=4,13
# measures these goals.
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

# The programs as they are installed: with Swift's runtime in them.
[ "${SKIP_BUILD:-0}" = 1 ] || make --no-print-directory SWIFT="$swift" standalone >&2
nexa=$PWD/.build/standalone/nexa

duckdb=${DUCKDB:-$PWD/.build/bench-venv/bin/duckdb}
if ! [ -x "$duckdb" ]; then
  if ! { "$python" -m venv .build/bench-venv && .build/bench-venv/bin/pip install -q duckdb-cli; } >&2; then
    duckdb=""
  fi
fi

root=$(mktemp -d "${BENCH_DIR:-/var/tmp}/nexa-shell.XXXXXX")
chmod 711 "$root"
# The server of a folder lives as long as a shell uses it.
"$nexa" --local "$root/nexadb" -q -e 'watch keeper' >/dev/null 2>"$root/nexadb.log" &
pids+=("$!")
await "$!" "$root/nexadb.log" "$nexa" --local "$root/nexadb" -q -e databases
# And one with a password, on a port.
password=measured-$RANDOM$RANDOM
NEXADB_ROOT_PASSWORD=$password "${nexa}db" --data-dir "$root/tcp" --port 0 >"$root/tcp.log" 2>&1 &
pids+=("$!")
await "$!" "$root/tcp.log" grep -q 'port=' "$root/tcp.log"
port=$(sed -n 's/.*port=\([0-9]*\).*/\1/p' "$root/tcp.log" | head -n 1)

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
"$python" Tests/Benchmarks/shell.py --nexa "$nexa" --directory "$root" --count "$count" --rounds "$rounds" \
  --port "$port" --password "$password" ${binaries:+--psql "$binaries/psql"} ${duckdb:+--duckdb "$duckdb"} \
  ${QUICK:+--quick} ${ONLY:+--only "$ONLY"} &
pids=("$!" "${pids[@]}")
wait "$!"
