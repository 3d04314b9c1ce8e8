# shellcheck shell=bash
# Programs of this repository's commits, built apart from the working tree and kept. Sourced, not run.
#
# Each place has a worktree of its own while it builds and a target folder that stays, under CARGO_TARGET_DIR/builds/; a program
# is kept by commit, compiler and RUSTFLAGS, so that the same one is not built twice.

case $(uname -s) in MINGW* | MSYS* | CYGWIN*) exe=.exe ;; *) exe= ;; esac
mkdir -p "${CARGO_TARGET_DIR:-target}"
target=$(cd "${CARGO_TARGET_DIR:-target}" && pwd)

# built COMMIT PLACE: sets $program to the release program of the commit. Fails where it cannot be built.
built() {
    local commit=$1 place=$target/builds/$2 key status=0
    key=$(printf '%s\n%s' "$(rustc -vV)" "${RUSTFLAGS:-}" | cksum | cut -d' ' -f1)
    program=$place/programs/$commit-$key/spark-bench$exe
    if [ -x "$program" ]; then return 0; fi
    echo "building ${commit:0:12} in $place" >&2
    # What a kill left of an earlier worktree.
    rm -rf "$place/tree" && git worktree prune
    git worktree add --quiet --detach "$place/tree" "$commit" || return 1
    (cd "$place/tree" && SPARK_BENCH_REVISION=${commit:0:12} CARGO_TARGET_DIR=$place/target \
        cargo build --release --locked --quiet --package spark-bench) || status=$?
    git worktree remove --force "$place/tree"
    if [ "$status" != 0 ]; then return 1; fi
    # Whole or not at all: what was cut short would be taken for a program the next time.
    mkdir -p "${program%/*}" && cp "$place/target/release/spark-bench$exe" "$program.part" && mv "$program.part" "$program"
}
