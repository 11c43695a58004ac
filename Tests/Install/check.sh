#!/usr/bin/env bash
# What `make install` leaves: programs that run without Swift, their pages and completions, and nothing after
# `make uninstall`. It builds the release, which takes minutes, so it is a make target of its own: make test-install.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
  echo "$*" >&2
  exit 1
}

make --no-print-directory install DESTDIR="$work/root" PREFIX=/usr
root=$work/root/usr

# Nothing of Swift; what is the system's is named here, so that nothing comes to it unnoticed.
for program in nexa nexadb; do
  needed=$(ldd "$root/bin/$program" | sed -n 's/^[[:space:]]*\([^ ]*\).*/\1/p' | sort)
  for library in $needed; do
    case $library in
      linux-vdso.so.* | */ld-linux-*.so.* | libc.so.* | libm.so.* | libgcc_s.so.* | libstdc++.so.* | libdl.so.* | \
        libpthread.so.* | librt.so.* | libssl.so.* | libcrypto.so.* | libz.so.* | librocksdb.so.* | \
        libpcre2-8.so.* | libargon2.so.* | libgflags.so.* | libsnappy.so.* | liblz4.so.* | libzstd.so.* | \
        libbz2.so.*) ;;
      *) fail "$program needs $library" ;;
    esac
  done
  # What the shell loads before its first prompt is little: Shell/Packaging/archives.sh.
  if [ "$program $(uname -m)" = "nexa x86_64" ] && grep -E 'libstdc|libgcc|libssl|libcrypto' <<<"$needed" >&2; then
    fail "nexa loads more than it needs for a prompt"
  fi
  size=$(stat -c %s "$root/bin/$program")
  echo "$program: $((size / 1000000)) MB"
  [ "$size" -lt 60000000 ] || fail "$program has become too large"
  # No folder of this machine is looked at for libraries.
  if readelf -d "$root/bin/$program" | grep -E 'RPATH|RUNPATH' | grep -vE '\[\$ORIGIN\]'; then
    fail "$program looks for libraries in folders of the machine that built it"
  fi
done

# They work together wherever they lie: nexa finds nexadb beside it, without a PATH or a variable of Swift.
mv "$work/root" "$work/elsewhere"
root=$work/elsewhere/usr
run() { env -i HOME="$work" LANG=C.UTF-8 PATH=/usr/bin:/bin "$@"; }
run "$root/bin/nexa" --local "$work/data" -q -e 'use films' -e 'create {"_id": "gilda", "year": 1946}' >/dev/null
[ "$(run "$root/bin/nexa" --local "$work/data" -q -e 'use films' -e 'count {"year": 1946}')" = 1 ] || fail "no film"
run "$root/bin/nexadb" start --data-dir "$work/data" --socket "$work/nexadb.sock" >/dev/null
run "$root/bin/nexadb" status --data-dir "$work/data" >/dev/null || fail "no server"
run "$root/bin/nexadb" stop --data-dir "$work/data" >/dev/null

# OpenSSL is loaded when it is called for.
if command -v openssl >/dev/null; then
  openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key.pem" -out "$work/cert.pem" -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost 2>/dev/null
  chmod 600 "$work/key.pem"
  run env NEXADB_ROOT_PASSWORD=installed "$root/bin/nexadb" start \
    --data-dir "$work/encrypted" --port 0 --tls-cert "$work/cert.pem" --tls-key "$work/key.pem" >"$work/started"
  port=$(sed -n 's/.*:\([0-9][0-9]*\).*/\1/p' "$work/started" | head -n 1)
  [ "$(run env NEXADB_PASSWORD=installed "$root/bin/nexa" --port "$port" --tls-ca-file "$work/cert.pem" --ids -q \
    -e databases)" = default ] || fail "no encrypted connection: $(cat "$work/started")"
  run "$root/bin/nexadb" stop --data-dir "$work/encrypted" >/dev/null
fi

# A start, beside that of true(1).
start() { # program argument
  local before after
  before=$(date +%s%N)
  for _ in 1 2 3 4 5 6 7 8 9 10; do run "$@" >/dev/null; done
  after=$(date +%s%N)
  echo "$(((after - before) / 100000)) hundredths of a millisecond"
}
echo "start of true: $(start true), of nexa --version: $(start "$root/bin/nexa" --version)"

for file in share/man/man1/nexa.1 share/man/man1/nexadb.1 share/bash-completion/completions/nexadb \
  share/zsh/site-functions/_nexa share/fish/vendor_completions.d/nexadb.fish; do
  [ -s "$root/$file" ] || fail "$file is missing"
done
if command -v man >/dev/null && command -v groff >/dev/null; then
  run env MANPATH="$root/share/man" man --warnings=w nexadb >/dev/null || fail "man does not show nexadb"
fi

mv "$work/elsewhere" "$work/root"
make --no-print-directory uninstall DESTDIR="$work/root" PREFIX=/usr
left=$(find "$work/root" -type f)
[ -z "$left" ] || fail "left behind: $left"
echo "installed, run and removed"
