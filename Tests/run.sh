#!/usr/bin/env bash
# All tests: the format, the Swift tests of the three packages, the links of the articles, mutated inputs, mongomock's
# answers, a consumer of the library, the existing PyPI client, and the examples with their expected output. The last
# line is "N passed, N failed", one for each step; before it stands what failed.
set -uo pipefail
cd "$(dirname "$0")/.."
swift=${SWIFT:-swift}
# A machine that others use as well may be late where a test waits for a process: there a step that failed may be tried
# again, which is said at the end together with what had failed.
attempts=${NEXA_TEST_ATTEMPTS:-1}
# All tests at once would share two processors: each would take as long as all of them.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=${SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH:-12}
passed=0 failed=0 skipped=0 repeated=0
printed=$(mktemp)
failures=$(mktemp)
trap 'rm -f "$printed" "$failures"' EXIT

step() { # name, command...
  local name=$1 start attempt status
  shift
  for ((attempt = 1; attempt <= attempts; attempt++)); do
    start=$SECONDS
    echo "== $name"
    "$@" 2>&1 | tee "$printed"
    status=${PIPESTATUS[0]}
    case $status in
      0)
        passed=$((passed + 1))
        [ "$attempt" = 1 ] || repeated=$((repeated + 1))
        echo "== $name: passed in $((SECONDS - start)) s"
        return
        ;;
      77) # It has said what this machine lacks.
        skipped=$((skipped + 1))
        echo "== $name: skipped"
        return
        ;;
    esac
    echo "== $name: FAILED after $((SECONDS - start)) s"
    # Said again at the end: a failure in the middle of a long output is what a reader looks for.
    {
      echo "== $name failed (attempt $attempt of $attempts, status $status):"
      grep -aE '✘|^[^◇]*(error|warning):|Fatal|Sanitizer|Segmentation|Traceback|FAILED|differs' "$printed" | head -40
      echo "-- its last lines:"
      tail -12 "$printed"
    } >>"$failures"
  done
  failed=$((failed + 1))
}
build() {
  # The tests start both programs, which SwiftPM does not build for them.
  "$swift" build --build-tests && "$swift" build --product nexadb && "$swift" build --product nexa
}

[ -d ../shared/data ] || [ -d ../../shared/data ] ||
  echo "There is no ../shared/data: the tests that need its JSON, MessagePack and film data sets are skipped."
step "format and documentation" make --no-print-directory lint
step "build" build
# The articles' code waits for nothing longer than their readers would: beside tests that block threads it could not
# keep up.
step "the articles' code" "$swift" test --skip-build --filter DocumentationTests
step "the articles' links" Tests/DocC/check.sh "$("$swift" build --show-bin-path)"
step "tests" "$swift" test --skip-build \
  --skip 'DocumentationTests|TerminalTests|FirstHourTests|NexaClientTests|NexaTransportTests'
# One after the other, in a process of their own: each says what descriptors and threads it left behind.
step "the client, and what it leaves behind" env NEXA_PROCESS_LEDGER=1 "$swift" test --skip-build --no-parallel \
  --filter 'NexaClientTests|NexaTransportTests'
step "the shell at terminals and in pipes" "$swift" test --skip-build --filter 'TerminalTests|FirstHourTests'
step "mutated inputs" Tests/Fuzz/run.sh "${NEXA_FUZZ_RUNS:-20000}"
step "MongoDB's semantics by mongomock" Tests/Differential/run.sh "${NEXA_DIFFERENTIAL_ROUNDS:-300}"
step "TOON by toon-format" Tests/TOON/run.sh "${NEXA_TOON_ORACLE_ROUNDS:-2000}"
step "a package that depends on NexaClient" Tests/Consumer/check.sh
step "the existing PyPI client" Tests/Interop/check.sh "$("$swift" build --show-bin-path)"
step "examples" Examples/check.sh "$("$swift" build --show-bin-path)"
cat "$failures"
[ "$skipped" = 0 ] || echo "$skipped skipped"
[ "$repeated" = 0 ] || echo "$repeated passed only when they were tried again"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
