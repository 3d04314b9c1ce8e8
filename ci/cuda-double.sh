#!/usr/bin/env bash
# The CUDA kernels on the CPU under AddressSanitizer: an access out of bounds is told with its line of the .cu file.
#
# Takes minutes, so that it is no part of ci/verify.sh, whose tests run the same kernels without it. Further arguments choose tests.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/toolchain.sh

[ "$(uname -s)" = Linux ] || cannot "the doubles' shared objects are Linux's"
need c++ g++
asan=$(c++ -print-file-name=libasan.so)
[ -e "$asan" ] || cannot "the C++ compiler has no libasan; on Debian or Ubuntu: apt-get install g++"
# Kernels are made anew: the flags enter the key of the cache of objects. One optimisation less, so that lines are exact.
export SPARK_CUDA_DOUBLE_CXXFLAGS="-fsanitize=address -fno-omit-frame-pointer -g -O1"
# Stacks change under the sanitizer's feet, which is not what it should look for, and the program keeps what it allocated.
export ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0:abort_on_error=0:exitcode=86
cargo test --locked -p spark-kernels --test cuda --no-run
binary=$(cargo test --locked -p spark-kernels --test cuda --no-run --message-format=json 2>/dev/null |
    sed -n 's/.*"executable":"\([^"]*\/cuda-[^"]*\)".*/\1/p' | tail -n 1)
SPARK_TEST_PRELOAD=$asan "$binary" --test-threads=2 "${@:-parity}"
