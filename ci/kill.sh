#!/usr/bin/env bash
# Kills `spark-bench all --suite smoke` with SIGKILL at random moments, and demands each time that what is left can be
# reported and verified, and that the run continued to its end verifies. Usage: ci/kill.sh [TIMES], 20 unless told.
# PROGRAM names the program, which is built as a release otherwise. It takes minutes and is no part of ci/verify.sh;
# harness/tests/kill.rs is the short form of it.
set -euo pipefail
cd "$(dirname "$0")/.."
times=${1:-20}
program=${PROGRAM:-${CARGO_TARGET_DIR:-target}/release/spark-bench}
[ -n "${PROGRAM:-}" ] || cargo build --locked --release
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# How long a whole run takes here, so that the moments spread over all of it.
started=$(date +%s%N)
"$program" all --suite smoke --out "$work/whole" --quiet >/dev/null
whole_ms=$((($(date +%s%N) - started) / 1000000))
echo "a whole run takes $whole_ms ms"

fail() {
    echo "kill $round after $wait_ms ms: $*" >&2
    cp -r "$folder" "${CARGO_TARGET_DIR:-target}/killed" && echo "the folder is kept as ${CARGO_TARGET_DIR:-target}/killed" >&2
    exit 1
}

for round in $(seq "$times"); do
    folder=$work/$round
    # Two random numbers of 15 bits: one alone would not reach beyond 33 s.
    wait_ms=$(((RANDOM * 32768 + RANDOM) % whole_ms))
    "$program" all --suite smoke --out "$folder" --quiet >/dev/null &
    pid=$!
    until [ -e "$folder/run.json" ] || ! kill -0 "$pid" 2>/dev/null; do sleep 0.01; done
    sleep "$(printf '%d.%03d' $((wait_ms / 1000)) $((wait_ms % 1000)))"
    kill -9 "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    records=$(wc -l <"$folder/records.jsonl" 2>/dev/null || echo 0)
    "$program" report "$folder" >/dev/null || fail "report"
    "$program" verify "$folder" >/dev/null || fail "verify"
    # Going on takes as long as the rest of the run: every fourth is enough.
    if [ $((round % 4)) = 0 ]; then
        "$program" all --resume "$folder" --quiet >/dev/null || fail "resume"
        "$program" verify "$folder" >/dev/null || fail "verify after resume"
        grep -q '"complete": true' "$folder/run.json" || fail "not complete after resume"
    fi
    echo "kill $round after $wait_ms ms, $records records: reported, verified"
done
