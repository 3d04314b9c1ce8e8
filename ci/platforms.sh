#!/usr/bin/env bash
# Windows on Arm, Windows on x86-64 and macOS, linted: all the code of those systems that ships is compiled, nothing is linked or run.
# Tests are compiled where they run, on machines of those systems (.github/workflows): what they alone need would be half of the work here.
# SPARK_BENCH_PLATFORMS names fewer of them.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/toolchain.sh

failed=0
host=$(rustc -vV | sed -n 's/^host: //p')
for target in ${SPARK_BENCH_PLATFORMS:-aarch64-pc-windows-msvc x86_64-pc-windows-msvc aarch64-apple-darwin}; do
    if [ "$target" = "$host" ]; then
        echo "$target is this machine: linted already"
        continue
    fi
    standard_library "$target"
    triple=${target//-/_}
    export "CC_$triple=$PWD/ci/no-cc" "CXX_$triple=$PWD/ci/no-cc" "AR_$triple=$PWD/ci/no-cc"
    echo "for $target, second $SECONDS:"
    clippy --locked --workspace --lib --bins --target "$target" -- -D warnings || failed=1
done
exit "$failed"
