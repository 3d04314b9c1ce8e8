#!/usr/bin/env bash
# Fuzzes every target of fuzz/ for a bounded time. Usage: ci/fuzz.sh [SECONDS], of each target; 60 unless told.
# With cargo-fuzz (cargo install cargo-fuzz) it is libFuzzer that tries: with the nightly compiler where one is installed, else with the
# stable one, told to take nightly's flags. Without it the corpus test of harness/tests tries changed copies of the corpus,
# SPARK_BENCH_FUZZ_COPIES of each file (20 for each second asked for), which finds less and needs nothing.
# What libFuzzer keeps goes to a folder of its own, FUZZ_KEPT; the corpus in the repository is only read.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
case $seconds in '' | *[!0-9]* | 0) echo "ci/fuzz.sh: '$seconds' is no number of seconds; give one from 1" >&2; exit 2 ;; esac
if cargo fuzz --version >/dev/null 2>&1; then
    if rustup run nightly rustc --version >/dev/null 2>&1; then
        toolchain=+nightly
    else
        toolchain=
        export RUSTC_BOOTSTRAP=1
    fi
    kept=${FUZZ_KEPT:-$(mktemp -d)}
    for target in fuzz/fuzz_targets/*.rs; do
        name=$(basename "$target" .rs)
        echo "== $name for $seconds s, new inputs in $kept/$name"
        mkdir -p "$kept/$name"
        # Files of other programs lie with the tests that read them.
        seeds=()
        for folder in "fuzz/corpus/$name" "harness/tests/$name"; do [ ! -d "$folder" ] || seeds+=("$folder"); done
        cargo ${toolchain:+"$toolchain"} fuzz run "$name" "$kept/$name" "${seeds[@]}" -- \
            -max_total_time="$seconds" -rss_limit_mb=2048 -print_final_stats=1
    done
else
    echo "cargo-fuzz is missing: changed copies of the corpus instead"
    copies=$((20 * seconds))
    SPARK_BENCH_FUZZ_COPIES=$copies cargo test --locked -p spark-bench --test corpus
    files=$(find fuzz/corpus harness/tests/import -maxdepth 2 -path '*/golden/*' -prune -o -type f -print | wc -l)
    echo "$((copies * files)) inputs tried"
fi
