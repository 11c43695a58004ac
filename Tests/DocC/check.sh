#!/usr/bin/env bash
# The catalogue of NexaClient: every link leads somewhere, and of a function all parameters are documented or none.
# Takes the folder of a debug build.
set -euo pipefail
cd "$(dirname "$0")/../.."
modules=${1:?the folder of a build}
swift=$(command -v "${SWIFT:-swift}")
# They are in the toolchain, beside swift itself.
tools=$(dirname "$(readlink -f "$swift")")
for tool in docc swift-symbolgraph-extract; do
  if ! [ -x "$tools/$tool" ]; then echo "The toolchain has no $tool: the links of the catalogue are not checked"; exit 77; fi
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
maps=()
for map in "$modules"/*.build/module.modulemap Sources/COpenSSL/module.modulemap; do
  maps+=(-Xcc "-fmodule-map-file=$map")
done
target=$("$swift" -print-target-info | sed -n 's/.*"triple": "\(.*\)".*/\1/p' | head -1)
mkdir "$work/symbols"
"$tools/swift-symbolgraph-extract" -module-name NexaClient -target "$target" -I "$modules/Modules" "${maps[@]}" \
  -minimum-access-level public -skip-inherited-docs -output-dir "$work/symbols"
"$tools/docc" convert Sources/NexaClient/NexaClient.docc --additional-symbol-graph-dir "$work/symbols" \
  --fallback-display-name NexaClient --fallback-bundle-identifier nexa.NexaClient --output-path "$work/out" \
  --warnings-as-errors
