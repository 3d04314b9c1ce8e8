#!/usr/bin/env bash
# What the gate's verdicts are worth on this machine: the long series of A/A trials, which can be stopped at any moment and goes on
# where it was when it is started again. No part of ci/verify.sh: it takes hours, with nothing else running beside.
#
# Two separate builds of HEAD meet: equal ones, quiet and with hogs beside, and one slowed by real work. Each trial is a line of
# STORE/FINGERPRINT.jsonl, which may be committed; a table ends it. Exit codes: 0 done, 2 could not, 130 stopped.
#
#   A, B       two programs instead of the two builds                  STORE   results/calibration
#   QUIET      equal trials on the quiet machine, 150                  FILTER  which benchmarks, gemm*
#   HOGS       the same with hogs beside, 150                          BUDGET  of each trial, 30s
#   SLOW       trials of each slowdown, quiet, 40                      FACTORS the slowdowns, "1.05"
#   SLOW_HOGS  the same with hogs beside, 40                           STEP    trials of one kind in a row, 10
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
. ci/built.sh

A=${A:-} B=${B:-} STORE=${STORE:-results/calibration} FILTER=${FILTER:-gemm*} BUDGET=${BUDGET:-30s} STEP=${STEP:-10}
QUIET=${QUIET:-150} HOGS=${HOGS:-150} SLOW=${SLOW:-40} SLOW_HOGS=${SLOW_HOGS:-40} FACTORS=${FACTORS:-1.05}
commit=$(git rev-parse --verify HEAD) || exit 2
for place in A B; do
    if [ -z "${!place}" ]; then
        built "$commit" "calibrate-$place" || { echo "error: $commit cannot be built; its errors are above" >&2 && exit 2; }
        printf -v "$place" %s "$program"
    fi
done

cores=$(getconf _NPROCESSORS_ONLN 2>/dev/null || nproc)
case $cores in 1) beside="one hog" ;; 2) beside="two hogs" ;; *) beside="$cores hogs" ;; esac
hogs=()

# A hog takes a core: arithmetic in the shell, then a quarter of a gigabyte written three times, and so on until this script ends.
hog() {
    local i
    while kill -0 "$$" 2>/dev/null; do
        for ((i = 0; i < 200000; i++)); do :; done
        dd if=/dev/zero of=/dev/null bs=268435456 count=3 2>/dev/null
    done
}
start_hogs() {
    local core
    if [ $((HOGS + SLOW_HOGS)) = 0 ]; then return; fi
    for ((core = 0; core < cores; core++)); do
        hog </dev/null >/dev/null 2>&1 &
        hogs+=($!)
    done
}
end_hogs() {
    if [ ${#hogs[@]} -gt 0 ]; then
        kill "${hogs[@]}" 2>/dev/null
        wait "${hogs[@]}" 2>/dev/null
    fi
    hogs=()
}
trap end_hogs EXIT
trap 'exit 130' INT TERM

# trials NOTE FACTOR COUNT: goes on until there are COUNT, as far as this round reaches; notes whether a later one has to go further.
trials() {
    local until=$(($3 < reached ? $3 : reached)) status
    if [ "$until" -lt "$3" ]; then more=yes; fi
    "$A" gate calibrate --baseline-bin "$A" --candidate-bin "$B" --filter "$FILTER" --budget "$BUDGET" --store "$STORE" \
        --note "$1" --handicap "$2" --until "$until" >/dev/null
    status=$?
    if [ "$status" != 0 ]; then exit "$status"; fi
}

# In small steps of each kind, so that what is stopped holds something of all and none owns an hour of the day.
for ((reached = STEP; ; reached += STEP)); do
    more=
    trials quiet 1 "$QUIET"
    for factor in $FACTORS; do trials quiet "$factor" "$SLOW"; done
    start_hogs
    trials "$beside" 1 "$HOGS"
    for factor in $FACTORS; do trials "$beside" "$factor" "$SLOW_HOGS"; done
    end_hogs
    if [ -z "$more" ]; then break; fi
done
"$A" gate calibrate --trials 0 --store "$STORE"
