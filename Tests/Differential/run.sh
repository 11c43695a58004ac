#!/usr/bin/env bash
# Compares the engine with mongomock, an implementation of MongoDB's semantics by other people:
# `Tests/Differential/run.sh [ROUNDS [SEED]]`. A round is 20 random documents and 10 questions about them.
set -euo pipefail
cd "$(dirname "$0")/../.."
swift=${SWIFT:-swift}
rounds=${1:-200}
seed=${2:-${SEED:-1}}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
if ! "$work/venv/bin/pip" install --quiet --disable-pip-version-check -r Tests/Differential/requirements.txt; then
  # Without PyPI there is nothing to compare with. Continuous integration has it.
  [ "${CI:-}" = true ] && exit 1
  echo "mongomock could not be installed: this test needs https://pypi.org"
  exit 77
fi
"$swift" build --package-path Tests/Differential -c release --scratch-path .build/differential \
  --product nexa-differential
"$work/venv/bin/python" Tests/Differential/oracle.py .build/differential/release/nexa-differential "$work/data" \
  "$rounds" "$seed"
