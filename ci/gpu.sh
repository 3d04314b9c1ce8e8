#!/usr/bin/env bash
# On a machine with an NVIDIA GPU, without a network: is every kernel right, how fast is each, and how does the whole go?
#
# ci/gpu.sh [BINARY [FOLDER]]: a release binary of spark-bench that was copied there (default: target/release/spark-bench) and the
# folder for what it writes (default: gpu-run). Nothing is built. NVRTC is looked for as the program does; SPARK_BENCH_NVRTC names its
# folder. SPARK_BENCH_GPU=1 takes another device, SPARK_BENCH_SUITE=smoke is shorter. The table last is what to look at; exit
# codes: 0 all right, 1 a kernel is wrong or failed, 2 nothing could be run.
set -uo pipefail
binary=${1:-target/release/spark-bench}
out=${2:-gpu-run}
device=cuda:${SPARK_BENCH_GPU:-0}
suite=${SPARK_BENCH_SUITE:-standard}
[ -x "$binary" ] || { echo "$binary is no program; build it elsewhere with cargo build --release and copy it here" >&2 && exit 2; }
mkdir -p "$out" || exit 2
table=
failed=0

# step NAME COMMAND...: runs it, keeps its words, and notes its exit code and seconds.
step() {
    local name=$1 started=$SECONDS status
    shift
    printf '\n==> %s: %s\n' "$name" "$*"
    "$@" >"$out/$name.txt" 2>"$out/$name.err" </dev/null
    status=$?
    tail -n 5 "$out/$name.err"
    table+=$(printf '%-12s exit %d %6d s' "$name" "$status" $((SECONDS - started)))$'\n'
    [ "$status" = 0 ] || [ "$status" = 3 ] || failed=1
    return 0
}

"$binary" list devices 2>&1 | tee "$out/devices.txt"
grep -q "$device" "$out/devices.txt" || { echo "no $device here" >&2 && exit 2; }
step doctor "$binary" doctor
# Every implementation of every op: each is checked against the f64 reference before it is timed, and a wrong one is a failed record.
step kernels "$binary" run '*' --device "$device" --implementation all --suite "$suite" --out "$out/kernels" --no-progress
# The same model on both sides of the machine, from the same seed.
logits="not compared: this build has no verb for them"
if "$binary" logits --help >/dev/null 2>&1; then
    step logits-gpu "$binary" logits --model tiny --device "$device"
    step logits-cpu "$binary" logits --model tiny --device cpu
    logits="not the same bytes: compare $out/logits-gpu.txt with $out/logits-cpu.txt within the formats' bound"
    if cmp -s "$out/logits-gpu.txt" "$out/logits-cpu.txt"; then logits="the same bytes"; fi
fi
step all "$binary" all --device "$device" --suite "$suite" --baseline none --out "$out/all" --no-progress

printf '\n'
for run in kernels all; do
    "$binary" export "$out/$run" --format json >"$out/$run.json" 2>/dev/null || continue
    python3 - "$run" "$out/$run.json" <<'EOF_PYTHON' || failed=1
import json, sys
name, path = sys.argv[1:]
records = json.load(open(path, encoding="utf-8"))["records"]
wrong = [r for r in records if r["status"] == "failed"]
for r in records:
    if r["status"] == "measured" and r.get("device", "").startswith("cuda"):
        rates, time = r.get("rates", {}), r["time"]
        print(f'{r["id"]:<100.100} {time["median_ns"] / 1e3:11.1f} us {rates.get("flops_per_s", 0) / 1e12:9.2f} TFLOP/s '
              f'{rates.get("bytes_per_s", 0) / 1e9:9.1f} GB/s')
for r in wrong:
    print("WRONG", r["id"], r.get("reason", ""))
print(f'{name}: {len(records)} records, {len(wrong)} wrong or failed, '
      f'{sum(r["status"] == "skipped" for r in records)} not done, with a reason each')
sys.exit(1 if wrong else 0)
EOF_PYTHON
done
printf '\n%slogits of tiny, GPU and CPU: %s\nwhat was said and measured: %s\n' "$table" "$logits" "$out"
exit "$failed"
