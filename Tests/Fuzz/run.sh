#!/usr/bin/env bash
# Feeds mutated inputs to everything that reads bytes of a peer: `Tests/Fuzz/run.sh [RUNS]`, RUNS for each target.
# `Tests/Fuzz/run.sh explore SECONDS [TARGET...]` looks for new paths with libFuzzer and adds what it finds to the corpus.
set -euo pipefail
cd "$(dirname "$0")/../.."
swift=${SWIFT:-swift}
package=(--package-path Tests/Fuzz -c release)
targets=(frame messagepack rawdocument request reply json toon uri model scram tls)
# The server that TLS records are sent to needs a certificate.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
  -keyout "$work/key.pem" -out "$work/certificate.pem" 2>/dev/null; then
  cat "$work/key.pem" >>"$work/certificate.pem"
  export NEXA_FUZZ_CERTIFICATE=$work/certificate.pem
fi
if [ "${1:-}" = explore ]; then
  seconds=${2:-60}
  shift $(($# < 2 ? $# : 2))
  [ $# -eq 0 ] || targets=("$@")
  "$swift" build "${package[@]}" --scratch-path .build/fuzz-explore --sanitize=fuzzer --product nexa-fuzz
  for target in "${targets[@]}"; do
    found=$(mktemp -d)
    cp Tests/Fuzz/Corpus/"$target"/* "$found" 2>/dev/null || true
    .build/fuzz-explore/release/nexa-fuzz "$target" "$found" --libfuzzer -max_total_time="$seconds" -max_len=512 \
      -print_final_stats=1 -rss_limit_mb=1024 -artifact_prefix="$found/crash-"
    # Only the inputs that add something, the smallest ones.
    mkdir -p Tests/Fuzz/Corpus/"$target"
    .build/fuzz-explore/release/nexa-fuzz "$target" "$found" --libfuzzer -merge=1 -max_len=512 Tests/Fuzz/Corpus/"$target"
    rm -rf "$found"
  done
  exit
fi
"$swift" build "${package[@]}" --scratch-path .build/fuzz --product nexa-fuzz
for target in "${targets[@]}"; do
  runs=${1:-1000000}
  # OpenSSL makes keys for each input: a hundredth of the speed of the others.
  if [ "$target" = tls ]; then runs=$((runs / 100 + 1)); fi
  .build/fuzz/release/nexa-fuzz "$target" Tests/Fuzz/Corpus/"$target" --runs "$runs" ${SEED:+--seed "$SEED"}
done
