#!/usr/bin/env bash
# The existing PyPI client against the nexadb that was built. Usage: check.sh DIRECTORY-OF-THE-BINARIES
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
binaries=$1
work=$(mktemp -d)
server=
finish() {
  [ -z "$server" ] || { kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; }
  rm -rf "$work"
}
trap finish EXIT

python3 -m venv "$work/venv"
if ! "$work/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"; then
  # Without PyPI there is nothing to test. Continuous integration has it.
  [ "${CI:-}" = true ] && exit 1
  echo "The client of PyPI could not be installed: this test needs https://pypi.org"
  exit 77
fi

NEXADB_ROOT_PASSWORD=interop "$binaries/nexadb" --data-dir "$work/data" --port 0 2>"$work/log" &
server=$!
for _ in $(seq 200); do
  port=$(sed -n 's/.* ready .*port=\([0-9]*\).*/\1/p' "$work/log")
  [ -n "$port" ] && break
  kill -0 "$server" 2>/dev/null || { cat "$work/log"; exit 1; }
  sleep 0.05
done
"$work/venv/bin/python" "$here/existing_client.py" "$port" interop

# SIGTERM finishes what it acknowledged and exits 0.
kill -TERM "$server"
wait "$server"
server=
