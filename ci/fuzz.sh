#!/usr/bin/env bash
# Fuzzes every target of fuzz/ for a bounded time. Usage: ci/fuzz.sh [SECONDS], of each target; 60 unless told.
# With cargo-fuzz and a nightly compiler it is libFuzzer that tries; without, the corpus test of harness/tests tries changed copies of
# the corpus, SPARK_BENCH_FUZZ_COPIES of each file (20 for each second asked for), which finds less and needs nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
case $seconds in '' | *[!0-9]* | 0) echo "ci/fuzz.sh: '$seconds' is no number of seconds; give one from 1" >&2; exit 2 ;; esac
if cargo +nightly fuzz --version >/dev/null 2>&1; then
    for target in fuzz/fuzz_targets/*.rs; do
        name=$(basename "$target" .rs)
        echo "== $name for $seconds s"
        cargo +nightly fuzz run "$name" "fuzz/corpus/$name" -- -max_total_time="$seconds" -rss_limit_mb=2048 -print_final_stats=1
    done
else
    echo "cargo-fuzz or a nightly compiler is missing: changed copies of the corpus instead"
    copies=$((20 * seconds))
    SPARK_BENCH_FUZZ_COPIES=$copies cargo test --locked -p spark-bench --test corpus
    files=$(find fuzz/corpus -type f | wc -l)
    echo "$((copies * files)) inputs tried"
fi
