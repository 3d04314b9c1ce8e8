#!/usr/bin/env bash
# On a machine with an NVIDIA GPU, without a network: is every kernel right, how fast is each, and how far from the roofs is the whole?
#
# ci/gpu.sh [BINARY [FOLDER]]: a release binary of spark-bench that was copied there (default: target/release/spark-bench) and the
# folder for what it writes (default: gpu-run). This file and the binary are all it needs beside bash, awk and coreutils; nothing is built. NVRTC is
# looked for as the program does; SPARK_BENCH_NVRTC names its folder. SPARK_BENCH_GPU=1 takes another device, SPARK_BENCH_SMALL=1 small
# shapes, as a test double can do. It ends within ten minutes: each step has a time of its own, and what is cut off is said.
# ci/gpu.sh --table CSV...: only the last table, of flat exports. Exit codes: 0 all right, 1 a kernel is wrong or failed, 2 nothing could be run.
set -uo pipefail

# What was asked of the kernels, each as a share of what the same machine did in the same run; "not there" where a row is missing.
table() {
    awk -F, '
        # Of a measured row only: a reason may hold commas.
        FNR > 1 && $5 == "measured" && $7 == "false" {
            flops = $12 + 0; bytes = $13 + 0; items = $14 + 0; share = $18 + 0; id = $1
            split("", axis)
            n = split(substr(id, index(id, "?") + 1), parts, "&")
            for (i = 1; i <= n; i++) { split(parts[i], pair, "="); axis[pair[1]] = pair[2] }
            square = axis["n"] == axis["k"]
            if ($2 == "read" && axis["bytes"] >= 1073741824 && bytes > read) read = bytes
            if ($2 == "copy" && axis["bytes"] >= 1073741824 && bytes > copied) copied = bytes
            if ($2 == "peak" && axis["type"] == "bf16" && axis["sparse"] != "yes" && flops > peak) peak = flops
            if ($2 == "gemm" && axis["m"] == 8192 && square && axis["format"] == "bf16") {
                if ($4 ~ /cublas/ && flops > library) library = flops
                if ($4 ~ /wgmma/ && flops > wgmma) wgmma = flops
            }
            if ($2 == "gemm" && axis["m"] == 4096 && axis["format"] ~ /fp4/ && flops > fp4) { fp4 = flops; fp4_as = $4 ", " axis["format"] " x " axis["activations"] }
            if ($2 == "gemm" && axis["m"] == 1 && axis["format"] ~ /fp4/ && $16 == "memory") {
                shape = axis["format"] " " axis["n"] "x" axis["k"]
                if (share > gemv[shape]) gemv[shape] = share
            }
            if ($2 == "attention" && axis["phase"] == "decode" && axis["depth"] == 32768 && bytes > decoding) decoding = bytes
            if ($2 == "attention" && axis["phase"] == "prefill" && axis["activations"] == "bf16" && flops > prefilling) prefilling = flops
            if ($2 == "decode" && axis["model"] == "llama-3.1-8b" && axis["format"] == "mxfp4" && bytes > llama) llama = bytes
            if ($2 == "launch" && items > 0) launch[axis["way"]] = 1e9 / items
        }
        function row(name, part, whole, target, more) {
            if (part > 0 && whole > 0) printf "%-58s %7.3f   %5s   %s%s\n", name, part / whole, target, (part / whole >= target ? "reached" : "missed"), more
            else printf "%-58s %7s   %5s   not there\n", name, "", target
        }
        END {
            printf "%-58s %7s   %5s\n", "share", "here", "asked"
            row("device read / what a large copy moves", read, copied, 0.92)
            row("bf16 gemm by wgmma / cublaslt, 8192 x 8192 x 8192", wgmma, library, 0.80)
            row("FP4-weight gemm, m = 4096 / cublaslt in bf16", fp4, library, 0.75, fp4_as ? ", " fp4_as : "")
            any = 0
            for (shape in gemv) { any = 1; row("GEMV " shape " / read", gemv[shape], 1, 0.85) }
            if (!any) row("FP4 GEMV / read", 0, 1, 0.85)
            row("attention, decode at 32768 / read", decoding, read, 0.85)
            row("attention, prefill / bf16 peak", prefilling, peak, 0.60)
            row("llama-3.1-8b mxfp4 decode / (read / bytes a token)", llama, read, 0.70)
            for (way in launch) printf "%-58s %7.2f us\n", "a launch, " way, launch[way] / 1e3
            if (!("graph" in launch)) printf "%-58s %7s           not there\n", "a launch", ""
        }' "$@" /dev/null
}
if [ "${1:-}" = --table ]; then
    shift
    table "$@"
    exit
fi

binary=${1:-target/release/spark-bench}
out=${2:-gpu-run}
device=cuda:${SPARK_BENCH_GPU:-0}
[ -x "$binary" ] || { echo "$binary is no program; build it elsewhere with cargo build --release and copy it here" >&2 && exit 2; }
mkdir -p "$out" || exit 2
lines=
failed=0
began=$SECONDS

# step NAME SECONDS COMMAND...: runs it, keeps its words, and notes its exit code and time. Inconclusive (3) is no failure; cut off (124, and
# 130, which is what the program says of itself then) is said.
step() {
    local name=$1 most=$2 started=$SECONDS status said=
    shift 2
    # Never beyond ten minutes in all.
    local left=$((580 - (SECONDS - began)))
    [ "$most" -le "$left" ] || most=$((left > 1 ? left : 1))
    printf '\n==> %s: %s\n' "$name" "$*"
    timeout --signal=INT --kill-after=20 "$most" "$@" >"$out/$name.txt" 2>"$out/$name.err" </dev/null
    status=$?
    tail -n 3 "$out/$name.err"
    case $status in
    0 | 3) ;;
    124 | 130 | 137) said=", its time of $most s was up" ;;
    *) failed=1 ;;
    esac
    lines+=$(printf '%-16s exit %3d %5d s%s' "$name" "$status" $((SECONDS - started)) "$said")$'\n'
    return 0
}
# measure NAME SECONDS WHAT...: a run on the GPU with a folder of its own.
measure() {
    local name=$1 most=$2
    shift 2
    rm -rf "${out:?}/$name"
    step "$name" "$most" "$binary" run "$@" --device "$device" --suite smoke --out "$out/$name" --no-progress
}

"$binary" list devices 2>&1 | tee "$out/devices.txt"
grep -q "$device" "$out/devices.txt" || { echo "no $device here" >&2 && exit 2; }
step doctor 30 "$binary" doctor

# The same model on both sides of the machine, from the same seed: the largest difference of a logit over their root mean square, with
# activations as they are, since rounded ones fall to different sides of a half. What cached keys and values that do so add is the bound.
for side in "$device" cpu; do
    step "logits-${side%%:*}" 60 "$binary" logits --model tiny --tokens 1,2,3,5,8,13,21,34 --activations f32 --device "$side"
done
logits=$(awk 'NR == FNR { cpu[$1] = $2; next } $1 in cpu { d = $2 - cpu[$1]; if (d < 0) d = -d; if (!(d <= most)) most = d; sum += cpu[$1] ^ 2; n++ }
    END { if (n) { e = most / sqrt(sum / n); printf "%.4f of their rms apart, 0.05 allowed: %s", e, e <= 0.05 ? "right" : "WRONG" } else printf "not compared" }' \
    "$out/logits-cpu.txt" "$out/logits-cuda.txt" 2>/dev/null)
case $logits in *right) ;; *) failed=1 ;; esac

# Every implementation of every op is checked against the f64 reference before it is timed: a wrong one is a failed record.
if [ "${SPARK_BENCH_SMALL:-0}" = 1 ]; then
    measure streams 60 read copy --bytes 1048576
    measure kernels 200 gemm --m 1,16 --n 256 --k 256 --format bf16,mxfp4 --activations bf16 --implementation all
    measure attention 100 attention --depth 64 --rows 1,64 --activations bf16 --heads 4 --kv_heads 2 --implementation all
    measure launch 60 launch --launches 8
    measure decode 60 decode --model tiny --n_gen 4
else
    measure streams 40 read copy --bytes 4294967296
    measure peak 40 peak --type bf16,int8,fp8,mxfp4,nvfp4
    measure library 60 gemm --m 8192 --n 8192 --k 8192 --format bf16 --activations bf16 --implementation all
    measure fp4 60 gemm --m 4096 --n 8192 --k 8192 --format mxfp4,nvfp4 --activations bf16,int8
    measure mxfp4 30 gemm --m 4096 --n 8192 --k 8192 --format mxfp4 --activations mxfp4
    measure nvfp4 30 gemm --m 4096 --n 8192 --k 8192 --format nvfp4 --activations nvfp4
    measure gemv 60 gemm --m 1 --n 8192 --k 8192 --format mxfp4,nvfp4 --activations int8,bf16
    measure gemv-8b 60 gemm --m 1 --n 4096,6144,28672 --k 4096,14336 --format mxfp4 --activations int8
    measure attention 40 attention --depth 32768 --rows 1 --implementation all
    measure prefill 50 attention --depth 0 --rows 4096,8192 --activations bf16 --implementation flash
    measure launch 20 launch
    measure decode 60 decode --model llama-3.1-8b --format mxfp4 --n_gen 128
    measure small 50 rmsnorm rope swiglu route experts embed sample softcap triad write chase --implementation all
fi
# The whole as a user meets it, with what is left of nine minutes.
left=$((540 - (SECONDS - began)))
if [ "$left" -ge 30 ]; then
    rm -rf "$out/all"
    step all "$left" "$binary" all --device "$device" --suite smoke --baseline none --out "$out/all" --no-progress --budget "$((left - 10))s" \
        ${SPARK_BENCH_SMALL:+--filter 'rmsnorm*' --filter 'swiglu*'}
fi

printf '\n'
tables=()
for folder in "$out"/*/; do
    run=$(basename "$folder")
    "$binary" export "$out/$run" --format csv >"$out/$run.csv" 2>/dev/null || continue
    tables+=("$out/$run.csv")
done
awk -F, 'FNR > 1 && $3 ~ /^cuda/ {
    if ($5 == "measured" && $7 == "false") { printf "%-92.92s %11.1f us %9.2f TFLOP/s %9.1f GB/s\n", $1, $8 / 1e3, $12 / 1e12, $13 / 1e9 }
    if ($5 == "measured") right++; else if ($5 == "failed") { wrong++; print "WRONG " $0 } else none++
} END { printf "%d right, %d wrong or failed, %d not done, with a reason each\n", right, wrong, none; exit wrong > 0 }' "${tables[@]}" /dev/null || failed=1
printf '\n%slogits of tiny, GPU and CPU: %s\nwhat was said and measured: %s, in %d s\n\n' "$lines" "$logits" "$out" $((SECONDS - began))
table "${tables[@]}"
exit "$failed"
