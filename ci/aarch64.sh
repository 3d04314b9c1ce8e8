#!/usr/bin/env bash
# Linux on aarch64 under qemu: the tests of what computes by instructions of its own, and the program's first words.
#
# Lints see its code elsewhere: the processor's on Windows on Arm and macOS (platforms.sh), the system's where it is native. Results,
# reports and the gate know no processor.
#
# Twice: on the largest processor qemu knows (dotprod, i8mm, bf16, SVE2), then on a Cortex-A72 that has none of it, so that
# the fall-backs are taken; there only the tests of the kernels, which choose among instructions. SPARK_BENCH_TEST_SCALE=small asks the tests
# for small shapes: qemu is 20 to 1000 times slower.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/toolchain.sh

target=aarch64-unknown-linux-gnu
if [ "$(rustc -vV | sed -n 's/^host: //p')" = "$target" ]; then
    echo "$target is this machine: tested already"
    exit 0
fi
[ "$(uname -s)" = Linux ] || cannot "programs for Linux are emulated on Linux only"
need qemu-aarch64 qemu-user
need aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu libc6-dev-arm64-cross
standard_library "$target"

export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export SPARK_BENCH_TEST_SCALE=small PROPTEST_CASES=${PROPTEST_CASES:-16}
# The program and the tests are one choice of packages and targets: with another choice other features are on, and the kernels would be
# compiled twice. harness is in it for its program, which its test `memory` brings along; that and the others of its tests start
# the program itself, which only a kernel with binfmt_misc could do, so that none of them runs.
chosen=(-p spark-kernels -p spark-workloads -p spark-bench --lib)
for test in parity_\* formats cuda nvrtc llm_\* memory; do chosen+=(--test "$test"); done
program=${CARGO_TARGET_DIR:-target}/$target/debug/spark-bench

failed=0
for cpu in max cortex-a72; do
    echo "on qemu's $cpu, second $SECONDS:"
    emulated=(qemu-aarch64 -cpu "$cpu" -L /usr/aarch64-linux-gnu)
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="${emulated[*]}"
    packages=(spark-kernels spark-workloads)
    if [ "$cpu" != max ]; then packages=(spark-kernels); fi
    if cargo nextest --version >/dev/null 2>&1; then
        these=$(printf ' + package(%s)' "${packages[@]}")
        cargo nextest run --locked --profile qemu "${chosen[@]}" --target "$target" -E "${these# + }" || failed=1
    else
        cargo test --locked "${chosen[@]}" --target "$target" --no-run || failed=1
        for package in "${packages[@]}"; do
            cargo test --locked -p "$package" --lib --tests --target "$target" || failed=1
        done
    fi
    "${emulated[@]}" "$program" --version || failed=1
done
exit "$failed"
