#!/usr/bin/env bash
# Builds nexa and nexadb for machines without Swift, with their manual pages and completions. Usage: build.sh DIRECTORY
#
# The Swift runtime is linked in, and so is everything of the system that a fresh machine lacks (RocksDB, libedit, …).
# What stays a dependency is the C and C++ runtime, and OpenSSL: the system's updates must reach that.
set -euo pipefail
cd "$(dirname "$0")/.."
swift=${SWIFT:-swift}
target=$1
mkdir -p "$target"
target=$(cd "$target" && pwd)

# The linker takes the first library that it finds: here are archives only.
archives=$target/archives
rm -rf "$archives" && mkdir -p "$archives"
folders="/usr/lib/$(uname -m)-linux-gnu /usr/local/lib /usr/lib64 /usr/lib"
options=(-Xlinker "-L$archives")
take() { # library...: links an archive, if this machine has it; otherwise the shared library does
  local library folder
  for library; do
    for folder in $folders; do
      if [ -f "$folder/lib$library.a" ]; then
        ln -s "$folder/lib$library.a" "$archives/"
        break
      fi
    done
  done
}
needs() { # library library...: what an archive needs of others, which shared libraries say of themselves
  local library=$1
  shift
  [ -e "$archives/lib$library.a" ] || return 0
  take "$@"
  for library; do options+=(-Xlinker "-l$library"); done
}
take edit rocksdb argon2 pcre2-8
needs edit bsd md tinfo
needs rocksdb snappy lz4 zstd bz2 z gflags

for program in nexadb nexa; do
  "$swift" build -c release --static-swift-stdlib --scratch-path "$target/build" --product "$program" "${options[@]}"
  cp "$("$swift" build -c release --static-swift-stdlib --scratch-path "$target/build" --show-bin-path)/$program" \
    "$target/$program.new"
  strip "$target/$program.new"
  mv "$target/$program.new" "$target/$program"
  "$target/$program" --man >"$target/$program.1"
  for shell in bash zsh fish; do "$target/$program" --completions "$shell" >"$target/$program.$shell"; done
done
