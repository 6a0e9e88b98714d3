#!/usr/bin/env bash
# Runs each reader under libFuzzer for some seconds and tells what was found. Exit 1 on a finding.
#   scripts/fuzz.sh SECONDS [TARGET…]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly SECONDS_EACH=${1:?how many seconds for each target}
shift
targets=("$@")
((${#targets[@]})) || targets=(answer call head journal jwt policy)

host=$(rustc -vV | awk '/^host:/ { print $2 }')
# Coverage for libFuzzer on the stable compiler; one unit, so that each branch is counted once.
RUSTFLAGS="--cfg fuzzing
  -Cpasses=sancov-module
  -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
  -Cllvm-args=-sanitizer-coverage-pc-table
  -Ccodegen-units=1" \
  cargo build --profile soak --target "$host" --target-dir target/fuzz -p esbgate-fuzz --bins

# The journal's target makes files; memory is fast and wears nothing out.
if [[ -d /dev/shm && -w /dev/shm ]]; then
  TMPDIR=$(mktemp -d /dev/shm/esbgate-fuzz.XXXXXX)
else
  TMPDIR=$(mktemp -d)
fi
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

table=$(printf '%-8s %12s %10s %8s' target execs execs/s findings)
status=0
for target in "${targets[@]}"; do
  found=target/fuzz/found/$target
  grown=target/fuzz/corpus/$target
  log=target/fuzz/$target.log
  rm -rf "$found"
  mkdir -p "$found" "$grown"
  printf '%s: %s s\n' "$target" "$SECONDS_EACH"
  "target/fuzz/$host/soak/fuzz-$target" "$grown" "fuzz/corpus/$target" \
    -max_total_time="$SECONDS_EACH" -timeout=10 -rss_limit_mb=1024 -max_len=16384 \
    -print_final_stats=1 -artifact_prefix="$found/" >"$log" 2>&1 || status=1
  findings=$(find "$found" -type f | wc -l)
  execs=$(awk '/stat::number_of_executed_units:/ { print $2 }' "$log")
  rate=$(awk '/stat::average_exec_per_sec:/ { print $2 }' "$log")
  table+=$(printf '\n%-8s %12s %10s %8s' "$target" "${execs:-?}" "${rate:-?}" "$findings")
  if ((findings)); then
    printf '%s: copy what is in %s to fuzz/corpus/%s and mend it\n' "$target" "$found" "$target"
    grep -m 3 -A 2 'panicked at' "$log" || tail -n 5 "$log"
  fi
done
printf '\n%s\n' "$table"
exit "$status"
