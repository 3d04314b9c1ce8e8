#!/usr/bin/env bash
# Is the working tree slower than the commit it comes from? ci/gate.sh [--base REVISION] [arguments of `spark-bench gate`].
#
# Builds both as releases (the base in a worktree of its own, kept by commit) and runs them in turn over the suite `gate`, in ratios.
# The base is the merge base with origin/main (in a pull request with its target); where HEAD is that itself, HEAD for a working
# tree that differs from it, else its first parent. Exit codes are the gate's: 0 fine, 1 regression or broken, 2 could not, 3 open.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
. ci/built.sh

fail() {
    echo "error: $*" >&2
    exit 2
}

base=
if [ "${1:-}" = --base ]; then
    base=$(git rev-parse --quiet --verify "${2:-}^{commit}") ||
        fail "--base '${2:-}': no such commit here; fetch it, in a workflow with fetch-depth: 0"
    why="as asked for"
    shift 2
else
    for main in ${GITHUB_BASE_REF:+"origin/$GITHUB_BASE_REF"} origin/main main; do
        if git rev-parse --quiet --verify "$main^{commit}" >/dev/null; then break; fi
        main=
    done
    [ -n "$main" ] || fail "there is neither origin/main nor main to compare with; name a commit with --base"
    head=$(git rev-parse HEAD)
    base=$(git merge-base HEAD "$main") || fail "no common commit with $main; fetch its history, or name one with --base"
    why="the merge base with $main"
    if [ "$base" = "$head" ] && [ -n "$(git status --porcelain --untracked-files=no)" ]; then
        why="HEAD, from which the working tree differs"
    elif [ "$base" = "$head" ]; then
        base=$(git rev-parse --quiet --verify "HEAD^1") ||
            fail "HEAD is on $main and its first parent is not here; fetch it, in a workflow with fetch-depth: 0"
        why="the first parent, because HEAD is on $main"
    fi
fi
echo "base: $(git log -1 --format='%h %s' "$base") ($why)" >&2

built "$base" base || fail "the base ${base:0:12} cannot be built; choose another one with --base"
SPARK_BENCH_REVISION=$(git describe --always --dirty --exclude='*' --abbrev=12) \
    cargo build --release --locked --quiet --package spark-bench || fail "the working tree cannot be built; its errors are above"
"$target/release/spark-bench$exe" gate --baseline-bin "$program" --candidate-bin "$target/release/spark-bench$exe" "$@"
