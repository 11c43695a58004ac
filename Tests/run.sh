#!/usr/bin/env bash
# All tests: the format, the Swift tests of the three packages, and the examples with their expected output.
# The last line is "N passed, N failed": one for each step, after each step has said its own.
set -uo pipefail
cd "$(dirname "$0")/.."
swift=${SWIFT:-swift}
passed=0 failed=0
step() { # name, command...
  local name=$1; shift
  echo "== $name"
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $name"; fi
}
step "format and documentation" make --no-print-directory lint
step "build" "$swift" build --build-tests
step "tests" "$swift" test --skip-build
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
