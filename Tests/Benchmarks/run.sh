#!/usr/bin/env bash
# Compares nexadb with redis-server and PostgreSQL in one run; `nexa-bench --help` lists the arguments it takes.
#
# `run.sh client` compares the client with a plain socket instead, against a peer of its own and against nexadb;
# `nexa-client-bench --help` lists its arguments.
#
# Every server runs on loopback, with its data in a directory of its own below $BENCH_DIR (default /var/tmp: a disk,
# where /tmp may be memory), and ends with this script, however that ends. A server that is not installed is left out.
# SKIP_BUILD=1 takes the programs as they were built last.
set -euo pipefail
cd "$(dirname "$0")/../.."
swift=${SWIFT:-swift}
name=nexa-bench
if [ "${1:-}" = client ]; then name=nexa-client-bench; shift; fi
bench=.build/bench/release/$name

pids=() root=""
finish() {
  local status=$? pid
  trap - EXIT
  for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
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

fail() { # what, log
  echo "$1 did not start:" >&2
  tail -n 20 "$2" >&2 || true
  exit 1
}

# Waits until a command works; gives up when the process ends or after 30 s.
await() { # pid, command...
  local pid=$1; shift
  for _ in $(seq 300); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    kill -0 "$pid" 2>/dev/null || return 1
    sleep 0.1
  done
  return 1
}

build() { # arguments of swift build; silent when all is well
  local output
  output=$("$swift" build -c release "$@" 2>&1) || { echo "$output" >&2; return 1; }
}

if [ "${SKIP_BUILD:-0}" = 0 ]; then
  echo "Building the server and the load generator (release)"
  build --product nexadb
  build --package-path Tests/Benchmarks --scratch-path .build/bench --product "$name"
fi
case " $* " in *" --help "*) "$bench" --help; exit ;; esac

root=$(mktemp -d "${BENCH_DIR:-/var/tmp}/nexa-bench.XXXXXX")
chmod 711 "$root"
servers=()
NEXADB_ROOT_PASSWORD=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
export NEXADB_ROOT_PASSWORD

# nexadb picks its port itself and names it in the line that says it is ready.
nexadb=${NEXADB:-.build/release/nexadb}
if [ -x "$nexadb" ]; then
  mkdir "$root/nexadb"
  log=$root/nexadb.log
  "$nexadb" --data-dir "$root/nexadb" --port 0 2>"$log" >&2 &
  pid=$!
  pids+=("$pid")
  nexadb_port() { sed -n '/ ready /s/.*port=\([1-9][0-9]*\).*/\1/p' "$log" | grep -m 1 .; }
  if await "$pid" nexadb_port; then
    servers+=(--nexadb "$(nexadb_port),$pid")
  else
    # The peers can still be measured.
    echo "nexadb did not start:" >&2
    tail -n 20 "$log" >&2
  fi
fi

version=$("$swift" --version 2>/dev/null | sed -n 's/.*Swift version \([^ ]*\).*/\1/p' | head -n 1)

if [ "$name" = nexa-client-bench ]; then
  "$bench" "${servers[@]}" --thresholds Tests/Benchmarks/thresholds.json --swift-version "$version" "$@" &
  pids=("$!" "${pids[@]}")
  wait "$!"
  exit
fi

ports=$("$bench" --free-ports 2)
redis_port=${ports% *} postgres_port=${ports#* }

if command -v redis-server >/dev/null; then
  mkdir "$root/redis"
  log=$root/redis.log
  redis-server --port "$redis_port" --bind 127.0.0.1 --dir "$root/redis" --appendonly yes --save "" \
    --daemonize no >"$log" 2>&1 &
  pid=$!
  pids+=("$pid")
  await "$pid" redis-cli -h 127.0.0.1 -p "$redis_port" ping || fail redis-server "$log"
  servers+=(--redis "$redis_port,$pid")
fi

binaries=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1 || true)
if [ -n "$binaries" ]; then
  mkdir "$root/postgresql"
  log=$root/postgresql.log
  # PostgreSQL refuses to run as root.
  as=()
  if [ "$(id -u)" = 0 ]; then
    as=(setpriv --reuid=postgres --regid=postgres --init-groups --)
    chown postgres: "$root/postgresql"
  fi
  (cd "$root/postgresql" && "${as[@]}" "$binaries/initdb" -D data -U postgres -A trust --locale=C.UTF-8 -E UTF8 \
    >"$log" 2>&1) || fail initdb "$log"
  "${as[@]}" "$binaries/postgres" -D "$root/postgresql/data" -p "$postgres_port" -k "$root/postgresql" \
    -c listen_addresses=127.0.0.1 -c fsync=on >"$log" 2>&1 &
  pid=$!
  pids+=("$pid")
  await "$pid" "$binaries/pg_isready" -h 127.0.0.1 -p "$postgres_port" -U postgres || fail postgres "$log"
  servers+=(--postgresql "$postgres_port,$pid")
fi

movies=()
for file in ../shared/data/movies/movies.ndjson ../../shared/data/movies/movies.ndjson; do
  if [ -r "$file" ]; then movies=(--movies "$file"); break; fi
done

# In the background, because a trap waits for what runs in the foreground; first in the list, because PostgreSQL
# does not stop while it has clients.
"$bench" "${servers[@]}" "${movies[@]}" --data-directory "$root" --swift-version "$version" "$@" &
pids=("$!" "${pids[@]}")
wait "$!"
