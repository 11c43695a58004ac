#!/usr/bin/env bash
# Compares the encoder and the decoder of TOON with the official Python implementation (PyPI toon-format):
# `Tests/TOON/run.sh [ROUNDS [SEED]]`. A round is one random value, written here and read there, and the other way.
set -euo pipefail
cd "$(dirname "$0")/../.."
swift=${SWIFT:-swift}
rounds=${1:-2000}
seed=${2:-${SEED:-1}}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
if ! "$work/venv/bin/pip" install --quiet --disable-pip-version-check -r Tests/TOON/requirements.txt; then
  # Without PyPI there is nothing to compare with. Continuous integration has it.
  [ "${CI:-}" = true ] && exit 1
  echo "toon-format could not be installed: this test needs https://pypi.org"
  exit 77
fi
"$swift" build --package-path Tests/TOON -c release --scratch-path .build/toon --product nexa-toon
"$work/venv/bin/python" Tests/TOON/oracle.py .build/toon/release/nexa-toon "$rounds" "$seed"
