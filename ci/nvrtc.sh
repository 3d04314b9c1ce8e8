#!/usr/bin/env bash
# The real NVRTC over every .cu file for every architecture it claims, and what code comes out: no GPU, driver or toolkit is needed.
#
# Compiler and disassembler are NVIDIA's packages of Python, of fixed versions: registers and instructions depend on them. They are
# unpacked into a cache folder (110 MB down). Each file is compiled for all its architectures, each choice in it for the newest, Spark's;
# SPARK_BENCH_TEST_ALL=1 asks for all of both. What comes out is compared with kernels/tests/nvrtc/snapshot, a file for each .cu, and
# SPARK_BENCH_BLESS=1 takes it as what should.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/toolchain.sh

[ "$(uname -sm)" = "Linux x86_64" ] || [ "$(uname -sm)" = "Linux aarch64" ] || cannot "NVIDIA's packages are for Linux here"
nvrtc=13.0.88 tools=13.5.37
folder=$cache/nvrtc-$nvrtc-$tools
if [ ! -e "$folder/whole" ]; then
    need python3 python3
    if ! python3 -m pip --version >/dev/null 2>&1; then
        [ "${CI:-}" = true ] && [ "$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-pip >/dev/null
        python3 -m pip --version >/dev/null 2>&1 || cannot "there is no pip; on Debian or Ubuntu: apt-get install python3-pip"
    fi
    rm -rf "$folder"
    python3 -m pip install --quiet --no-deps --no-compile --target "$folder" "nvidia-cuda-nvrtc==$nvrtc" \
        "nvidia-cuda-nvdisasm==$tools" "nvidia-cuda-cuobjdump==$tools" || cannot "the packages nvidia-cuda-nvrtc, -nvdisasm, -cuobjdump were not had"
    touch "$folder/whole"
fi
export SPARK_BENCH_NVRTC=$folder/nvidia/cu13/lib SPARK_BENCH_CUDA_TOOLS=$folder/nvidia/cu13/bin SPARK_BENCH_TEST_NVRTC=1
# With the features of the whole workspace, so that the kernels are not compiled a second time.
cargo test --locked --workspace --test nvrtc -- --nocapture
