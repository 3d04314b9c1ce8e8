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
# The tests of harness start the program itself, which only a kernel with binfmt_misc could do.
tested=(-p spark-kernels -p spark-workloads)

failed=0
cargo build --locked -p spark-bench --target "$target"
for cpu in max cortex-a72; do
    echo "on qemu's $cpu, second $SECONDS:"
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -cpu $cpu -L /usr/aarch64-linux-gnu"
    if cargo nextest --version >/dev/null 2>&1; then
        # The same packages, or cargo would compile them anew.
        these='all()'
        if [ "$cpu" != max ]; then these='package(spark-kernels)'; fi
        cargo nextest run --locked --profile qemu "${tested[@]}" --target "$target" -E "$these" || failed=1
    else
        cargo test --locked "${tested[@]}" --lib --tests --target "$target" || failed=1
    fi
    cargo run --quiet --locked -p spark-bench --target "$target" -- --version
done
exit "$failed"
