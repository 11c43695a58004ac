#!/usr/bin/env bash
# Builds nexa and nexadb for machines without Swift, with their manual pages and completions. Usage: build.sh DIRECTORY
#
# The Swift runtime is linked in. RocksDB, OpenSSL, libedit and the like stay libraries of the system, whose updates reach
# them.
set -euo pipefail
cd "$(dirname "$0")/../.."
swift=${SWIFT:-swift}
target=$1
mkdir -p "$target"
target=$(cd "$target" && pwd)

for program in nexadb nexa; do
  "$swift" build -c release --static-swift-stdlib --scratch-path "$target/build" --product "$program"
  cp "$("$swift" build -c release --static-swift-stdlib --scratch-path "$target/build" --show-bin-path)/$program" \
    "$target/$program.new"
  strip "$target/$program.new"
  mv "$target/$program.new" "$target/$program"
  "$target/$program" --man >"$target/$program.1"
  for shell in bash zsh fish; do "$target/$program" --completions "$shell" >"$target/$program.$shell"; done
done
