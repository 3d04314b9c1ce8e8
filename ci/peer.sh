#!/usr/bin/env bash
# Runs llama.cpp and spark-bench in turn on the same shapes and prints the ratio of their rates with its interval.
# Usage: ci/peer.sh PATH-TO-LLAMA-BENCH MODEL.gguf [PRESET] [FORMAT], llama-3.2-1b and mxfp4 unless told.
#
# Each round visits every number of threads and every depth, one program right after the other, the next round in the
# opposite order; both get the same -p, -n, -d, -t and -r and a CPU only, llama.cpp with flash attention. The environment
# says more: SPARK_BENCH (the program, built as a release otherwise), ROUNDS (6), REPETITIONS of a test in a round (2),
# THREADS ("1 N"), DEPTHS ("0 4096"), N_PROMPT (512), N_GEN (128), ACTIVATIONS ("int8g32 int8"), ROWS (a file that keeps
# the rows). Exit codes: 0 fine, 2 could not run.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

refuse() {
    echo "peer: $*" >&2
    exit 2
}

case $# in
    2 | 3 | 4) ;;
    *) refuse "usage: ci/peer.sh PATH-TO-LLAMA-BENCH MODEL.gguf [PRESET] [FORMAT]" ;;
esac
peer=$1 weights=$2 preset=${3:-llama-3.2-1b} format=${4:-mxfp4}
if [ ! -f "$peer" ] || [ ! -x "$peer" ]; then refuse "$peer is no program; give the path of a built llama-bench"; fi
[ -f "$weights" ] || refuse "$weights is no file; ci/peer-model.py writes one with a preset's shape"
[ "$(head -c 4 "$weights" | tr -d '\0')" = GGUF ] || refuse "$weights is no GGUF file; ci/peer-model.py writes one"
command -v python3 >/dev/null || refuse "python3 is not there, which makes the table; install it"

# The activations that are like llama.cpp's first: it rounds them to int8 in blocks of 32.
case $format in
    mxfp4 | nvfp4 | q8_0 | q4_0) like="int8g32 int8" ;;
    bf16 | f32) like=usual ;;
    *) refuse "format is '$format'; it is one of mxfp4, nvfp4, q8_0, q4_0, bf16, f32" ;;
esac
read -ra activations <<<"${ACTIVATIONS:-$like}"
read -ra threads <<<"${THREADS:-$(printf '1\n%s\n' "$(getconf _NPROCESSORS_ONLN)" | sort -nu | tr '\n' ' ')}"
read -ra depths <<<"${DEPTHS:-0 4096}"
rounds=${ROUNDS:-6} repetitions=${REPETITIONS:-2} n_prompt=${N_PROMPT:-512} n_gen=${N_GEN:-128}
for number in "${threads[@]}" "$rounds" "$repetitions" "$n_prompt" "$n_gen"; do
    [[ $number =~ ^[1-9][0-9]*$ ]] || refuse "'$number' is no count; THREADS, ROUNDS, REPETITIONS, N_PROMPT and N_GEN are numbers from 1"
done
for number in "${depths[@]}"; do
    [[ $number =~ ^(0|[1-9][0-9]*)$ ]] || refuse "'$number' is no depth; DEPTHS are numbers from 0"
done

program=${SPARK_BENCH:-${CARGO_TARGET_DIR:-$root/target}/release/spark-bench}
[ -n "${SPARK_BENCH:-}" ] || (cd "$root" && cargo build --locked --release) || refuse "spark-bench does not build"
if [ ! -f "$program" ] || [ ! -x "$program" ]; then refuse "$program is no program; SPARK_BENCH names a built spark-bench"; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rows=${ROWS:-$work/rows}
: >"$rows" || refuse "$rows cannot be written; ROWS names a file"

# run WHO: one program at $t threads and depth $d; its rows go to the file with WHO and the round before each.
run() {
    local line=(-p "$n_prompt" -n "$n_gen" -d "$d" -t "$t" -r "$repetitions" -o jsonl)
    if [ "$1" = peer ]; then
        line=("$peer" -m "$weights" "${line[@]}" -fa 1 -ngl 0 -dev none)
    else
        rm -rf "$work/run"
        line=("$program" llm -m "$preset" --format "$format" --activations "$1" "${line[@]}" --no-roofs -q --out "$work/run")
    fi
    "${line[@]}" >"$work/out" 2>"$work/err" </dev/null || {
        tail -n 5 "$work/err" >&2
        refuse "it failed, its last words are above: ${line[*]}"
    }
    sed -n "s/^{/$1 $round {/p" "$work/out" >>"$rows"
}

table() {
    python3 "$root/ci/peer-table.py" "$rows" "$("$program" --version)"
}

order=(peer "${activations[@]}")
for round in $(seq "$rounds"); do
    for t in "${threads[@]}"; do
        for d in "${depths[@]}"; do
            echo "round $round of $rounds: $t threads, depth $d: ${order[*]}" >&2
            for who in "${order[@]}"; do run "$who"; done
            # Programs that turn out to run different models are told apart here and not after an hour.
            table >/dev/null || exit 2
        done
    done
    turned=()
    for who in "${order[@]}"; do turned=("$who" "${turned[@]}"); done
    order=("${turned[@]}")
done
table
