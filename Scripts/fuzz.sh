#!/usr/bin/env bash
# Runs each fuzzer of Fuzzing/ for SECONDS_EACH seconds, two at a time: ends non-zero if one finds something.
#
# usage: Scripts/fuzz.sh [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${SECONDS_EACH:-600}
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(http2 grpc requests json peer command log snapshot
  yaml toml jsonfile glob reference schema pattern incremental stored)
FUZZ=1 swift build --sanitize fuzzer --scratch-path .build-fuzz --product fuzz
failed=0
# Something to begin with, where a fuzzer would be long in finding it.
seed() {
  local corpus=.build-fuzz/corpus/incremental
  mkdir -p "$corpus"
  local before='a: 1\nb: ${/p/a/a}\n\0c: ${/d/x}\n\0{"x": 2}\0t = "${../p/a/c}"\n\0{"required": ["c"]}'
  local after='a: 2\nb: x\n\0c: ${/d/x}\n\0{"x": 3}\0\0{"type": "object"}'
  printf '%b' "$before\\0$after" > "$corpus/seed"
}
seed
run() {
  local target=$1
  mkdir -p ".build-fuzz/corpus/$target"
  if FUZZ_TARGET=$target SWIFT_BACKTRACE=enable=no .build-fuzz/debug/fuzz \
    -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=4096 -verbosity=0 \
    -print_final_stats=1 -artifact_prefix=".build-fuzz/$target-" ".build-fuzz/corpus/$target" \
    > ".build-fuzz/$target.log" 2>&1; then
    echo "$target: $(grep -o 'number_of_executed_units: .*' ".build-fuzz/$target.log") in $seconds s, clean"
  else
    echo "$target: FAILED, see .build-fuzz/$target.log" >&2
    return 1
  fi
}
for ((i = 0; i < ${#targets[@]}; i += 2)); do
  run "${targets[i]}" & first=$!
  second=
  if ((i + 1 < ${#targets[@]})); then run "${targets[i + 1]}" & second=$!; fi
  wait "$first" || failed=1
  if [ -n "$second" ]; then wait "$second" || failed=1; fi
done
exit "$failed"
