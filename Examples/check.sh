#!/usr/bin/env bash
# Runs every example and compares what it prints with what its reader is told to expect.
# Usage: check.sh DIRECTORY-OF-THE-BINARIES
set -euo pipefail
cd "$(dirname "$0")"
binaries=$(cd "$1" && pwd)
swift=${SWIFT:-swift}

"$swift" build --package-path QuickStart --scratch-path ../.build/examples 2>&1 | tail -1
diff QuickStart/expected.txt <(../.build/examples/debug/QuickStart)
echo "QuickStart: as expected"

# One scratch path, so that the second example finds the library built.
"$swift" build --package-path MovieSearch --scratch-path ../.build/examples 2>&1 | tail -1
diff MovieSearch/expected.txt <(../.build/examples/debug/MovieSearch --sample a submarine crew)
echo "MovieSearch: as expected"

diff pipeline.expected.txt <(NEXA="$binaries/nexa" ./pipeline.sh 2>/dev/null)
echo "pipeline.sh: as expected"
