#!/usr/bin/env bash
# Libraries for the shell's stand-alone build, which the linker takes in place of the system's. Usage:
#
#   archives.sh DIRECTORY OBJECTS     OBJECTS is where the object files are that call OpenSSL
#
# Loading libraries was most of the time to the first prompt, OpenSSL the longest, which few sessions use. So libedit with
# what it needs, and the C++ library, become part of the program where there are archives of them; OpenSSL is loaded when it
# is first called. What is missing here, or is another processor, is linked as ever.
set -euo pipefail
export LC_ALL=C
packaging=$(dirname "$0")
target=$1 objects=$2
rm -rf "$target"
mkdir -p "$target"

tools=$(dirname "$(command -v "${SWIFT:-swift}")")
clang=$tools/clang
[ -x "$clang" ] || clang=$(command -v clang || command -v cc || true)
[ -n "$clang" ] || exit 0

find_library() { # file name: its path, or nothing
  local path
  path=$("$clang" -print-file-name="$1")
  if [ -e "$path" ]; then readlink -f "$path"; fi
}

# For SwiftPM, which asks pkg-config's files what to link. They name no folder that comes before this one.
describe() { # package, libraries, flags of the compiler
  printf 'Name: %s\nDescription: for the stand-alone build\nVersion: 1\nLibs: -L%s %s\nCflags: %s\n' \
    "$1" "$target" "$2" "${3:-}" >"$target/$1.pc"
}
describe libedit -ledit -I/usr/include/editline
describe openssl "-lssl -lcrypto"
describe zlib -lz

archives=""
for name in edit bsd md tinfo; do
  path=$(find_library "lib$name.a")
  [ -n "$path" ] || break
  archives="$archives $path"
done
# A file of names is an archive to the linker.
[ "$name" != tinfo ] || [ -z "$path" ] || echo "GROUP($archives )" >"$target/libedit.a"

standard=$(find_library libstdc++.a)
unwinder=$(find_library libgcc_eh.a)
if [ -n "$standard" ] && [ -n "$unwinder" ]; then
  echo "GROUP( $standard )" >"$target/libstdc++.a"
  echo "GROUP( $unwinder )" >"$target/libgcc_s.a"
fi

ssl=$(find_library libssl.so)
crypto=$(find_library libcrypto.so)
if [ "$(uname -m)" = x86_64 ] && [ -n "$ssl" ] && [ -n "$crypto" ]; then
  # Every function that is called, and that these libraries have.
  find "$objects" -name '*.o' -exec nm -u {} + | sed -n 's/^ *U //p' | sort -u >"$target/called"
  nm -D --defined-only "$ssl" "$crypto" | sed -n 's/^[0-9a-f]* T \([^@]*\)@.*/\1/p' | sort -u >"$target/offered"
  comm -12 "$target/called" "$target/offered" | sed 's/.*/FUNCTION(&)/' >"$target/functions.h"
  "$clang" -O2 -fPIC -I"$target" -DLIBRARY="\"$(basename "$ssl")\"" -c "$packaging/lazy-openssl.c" \
    -o "$target/lazy-openssl.o"
  ar rcs "$target/libssl.a" "$target/lazy-openssl.o"
  ar rcs "$target/libcrypto.a"
fi
