#!/usr/bin/env bash
# Builds nexa and nexadb for machines without Swift, with their manual pages and completions. Usage: build.sh DIRECTORY
#
# The Swift runtime is linked in. RocksDB, OpenSSL and the like stay libraries of the system, whose updates reach them.
# Of those, the shell has to load as few as it can before the first prompt: see archives.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
swift=${SWIFT:-swift}
target=$1
mkdir -p "$target"
target=$(cd "$target" && pwd)

build() { # program option...
  local program=$1 options=(-c release --static-swift-stdlib --scratch-path "$target/build")
  shift
  "$swift" build "${options[@]}" "$@" --product "$program"
  cp "$("$swift" build "${options[@]}" "$@" --show-bin-path)/$program" "$target/$program.new"
  strip "$target/$program.new"
  mv "$target/$program.new" "$target/$program"
  "$target/$program" --man >"$target/$program.1"
  for shell in bash zsh fish; do "$target/$program" --completions "$shell" >"$target/$program.$shell"; done
}

build nexadb
Shell/Packaging/archives.sh "$target/archives" "$target/build/release/NexaTLS.build"
build nexa --pkg-config-path "$target/archives"
