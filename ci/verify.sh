#!/usr/bin/env bash
# What every commit must pass: ci/verify.sh, and before a merge ci/verify.sh --full. ci/verify.sh --gate: is it slower?
#
# The quick part: format, lints, the tree, all tests. --full adds the documentation, every .cu file through the real NVRTC, Linux on
# aarch64 under qemu, Windows and macOS linted, and the report in a browser. A part that this machine cannot do is named with its mend and
# does not fail, except in CI (CI=true), where what is missing is installed and what stays missing is a failure. Exit codes: 0 fine, 1
# failed, 2 misuse.
#
# --gate is apart from both, because it has to be alone on the machine: the working tree against the commit it comes from, in
# ratios, over a handful of kernels, in two minutes and the time of the builds (ci/gate.sh). What cannot be told fails nothing.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2

full=
case "${1:-}" in
    "") ;;
    --full) full=yes ;;
    --gate) exec bash ci/gate.sh --inconclusive-ok --budget 2m ;;
    *) echo "usage: ci/verify.sh [--full | --gate]" >&2 && exit 2 ;;
esac
logs=${CARGO_TARGET_DIR:-target}/verify
mkdir -p "$logs"
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-auto}
table=
failed=0

# part NAME COMMAND...: runs it, times it, keeps its words in a log and its outcome for the table.
part() {
    local name=$1 started=$SECONDS status result said
    shift
    printf '\n==> %s: %s\n' "$name" "$*"
    "$@" 2>&1 </dev/null | tee "$logs/$name.log"
    status=${PIPESTATUS[0]}
    result=ok
    if [ "$status" = 77 ] && [ "${CI:-}" != true ]; then
        result="not here"
    elif [ "$status" != 0 ]; then
        result=FAILED
        failed=1
    fi
    table+=$(printf '%-10s %-9s %5d s' "$name" "$result" $((SECONDS - started)))$'\n'
    # Under it the closing lines of the test runner, or why the part could not be done.
    said=$(grep -E '^ *Summary \[|^test result:|^cannot here' "$logs/$name.log" | grep -v '^test result: ok. 0 passed; 0 failed; 0 ignored')
    if [ -n "$said" ]; then table+=$said$'\n'; fi
}

part tree bash ci/tree.sh
part format cargo fmt --all -- --check
part lints cargo clippy --locked --workspace --all-targets -- -D warnings
part tests bash ci/tests.sh
part doctests cargo test --locked --workspace --doc --quiet
if [ -n "$full" ]; then
    part docs env RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items
    part nvrtc bash ci/nvrtc.sh
    part aarch64 bash ci/aarch64.sh
    part platforms bash ci/platforms.sh
    part page bash ci/page.sh
    if cargo deny --version >/dev/null 2>&1; then part licences cargo deny --locked check; fi
fi

printf '\n%s%-20s %5d s\n' "$table" "in all" "$SECONDS"
if [ "$failed" = 0 ]; then echo "verified"; else echo "failed: the parts marked so; their words are in $logs"; fi
exit "$failed"
