#!/usr/bin/env bash
# A stranger's package depends on this one by version and imports NexaClient. It must build with nothing but
# the toolchain: no server, no shell, no RocksDB, no libedit.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
swift=${SWIFT:-swift}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The files as they are now, as a repository with a version tag.
mkdir "$work/nexa"
files() { # Of an unpacked archive, or a checkout of another user, git says nothing: then all but what was built.
  git ls-files -z --cached --others --exclude-standard 2>/dev/null || find . -name .build -prune -o -type f -print0
}
(cd "$root" && files | xargs -0 tar -cf - --ignore-failed-read 2>/dev/null) | tar -xf - -C "$work/nexa"
# Whatever the settings of the user are.
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
git -C "$work/nexa" -c init.defaultBranch=main init -q
git -C "$work/nexa" add -A
git -C "$work/nexa" -c user.name=tests -c user.email=tests@example.invalid commit -qm "as it is"
git -C "$work/nexa" tag 9.9.9

# Builds and runs the program, with these traits of the package.
consume() { # folder, traits, what it says
  mkdir -p "$work/$1/Sources/app"
  cat >"$work/$1/Package.swift" <<SWIFT
// swift-tools-version: 6.2
import PackageDescription
let package = Package(
    name: "app",
    dependencies: [.package(url: "file://$work/nexa", exact: "9.9.9"$2)],
    targets: [
        .executableTarget(name: "app", dependencies: [.product(name: "NexaClient", package: "nexa")])
    ]
)
SWIFT
  cp "$root/Tests/Consumer/main.swift.txt" "$work/$1/Sources/app/main.swift"
  cd "$work/$1"
  # No shared caches: what is built here comes from the tag alone.
  "$swift" build --cache-path "$work/cache" 2>&1 | tail -5
  # Into a variable first: behind a pipe, `grep -q` would end while the other still writes, and `pipefail` call that wrong.
  resolved=$("$swift" package show-dependencies --cache-path "$work/cache")
  if grep -Eq 'nexa-(server|shell)' <<<"$resolved"; then
    echo "the consumer resolved the server or the shell"; exit 1
  fi
  said=$(.build/debug/app)
  if [ "$said" != "$3" ]; then echo "$said"; echo "the consumer should have said: $3"; exit 1; fi
  libraries=$(ldd .build/debug/app)
}

consume plain "" "nexadb: connectFailed
nexadbs: invalidConfiguration"
# The library itself needs neither Foundation nor any C library that is not part of the system.
if grep -Eq 'rocksdb|libedit|pcre|argon2|libssl|libcrypto|Foundation' <<<"$libraries"; then
  echo "$libraries"; echo "the client links more than the toolchain"; exit 1
fi
# OpenSSL comes with the trait, and nothing else does.
consume encrypted ', traits: ["TLS"]' "nexadb: connectFailed
nexadbs: connectFailed"
if grep -Eq 'rocksdb|libedit|pcre|argon2|Foundation' <<<"$libraries" || ! grep -q libssl <<<"$libraries"; then
  echo "$libraries"; echo "the client with TLS links something else than OpenSSL"; exit 1
fi
