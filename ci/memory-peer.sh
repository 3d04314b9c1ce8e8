#!/usr/bin/env bash
# Holds `read`, `copy`, `triad` and `chase` against the best loops of C with intrinsics (ci/memory-peer.c): the same sizes, pages and
# threads, both programs in turn, medians of all turns. Whether doubled work takes doubled time says `cargo bench --bench doubling`.
#   ci/memory-peer.sh [PROGRAM] [OP…]      default: target/release/spark-bench, all four
# Ends with 1 where a figure is more than 3 % behind the peer's, with 77 where there is no C compiler.
set -euo pipefail
cd "$(dirname "$0")/.."
program=${1:-target/release/spark-bench}
shift || true
ops=${*:-read copy triad chase}
turns=${TURNS:-5} bytes=${BYTES:-1073741824} threads=${THREADS:-$(nproc)}
compiler=$(command -v "${CC:-cc}" || command -v gcc || command -v clang || true)
[ -n "$compiler" ] || { echo "no C compiler: the peer was not built (Debian or Ubuntu: apt-get install gcc)" >&2; exit 77; }
[ -x "$program" ] || { echo "$program: no such program; cargo build --release, or name one" >&2; exit 2; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$compiler" -O3 -march=native -std=gnu11 -pthread ci/memory-peer.c -o "$scratch/peer"
for op in $ops; do
    [ "$op" = chase ] && how=() || how=(--threads "$threads")
    for turn in $(seq "$turns"); do
        "$scratch/peer" "$op" "$bytes" "$threads" 250 >>"$scratch/peer.$op"
        "$program" run "$op" --bytes "$bytes" "${how[@]}" --suite smoke --no-roofs --quiet --no-progress --json \
            --out "$scratch/run.$op.$turn" >"$scratch/ours.$op.$turn.json"
    done
done
python3 - "$scratch" $ops <<'EOF_PYTHON'
import glob, json, statistics, sys
scratch, ops, behind = sys.argv[1], sys.argv[2:], False
for op in ops:
    peers = {}
    for line in open(f"{scratch}/peer.{op}"):
        _, name, ns, amount, *_ = line.split()
        peers.setdefault(name, []).append(float(amount) / float(ns))
    name, rates = max(peers.items(), key=lambda p: statistics.median(p[1]))
    ours, variants = [], set()
    for path in glob.glob(f"{scratch}/ours.{op}.*.json"):
        entry = next(e for e in json.load(open(path))["records"] if e["workload"] == op)
        work = entry["work"]
        ours.append((work["items"] if op == "chase" else work["bytes"]) / entry["time"]["median_ns"])
        variants.add(entry.get("facts", {}).get("variant", entry["implementation"]))
    theirs, mine = statistics.median(rates), statistics.median(ours)
    if op == "chase":
        shown = f"{1 / mine:7.2f} ns against {1 / theirs:7.2f} ns a read"
    else:
        shown = f"{mine:7.2f} GB/s against {theirs:7.2f} GB/s"
    ratio = mine / theirs
    behind |= ratio < 0.97
    spread = lambda v: f"{min(v) / statistics.median(v):.3f} to {max(v) / statistics.median(v):.3f}"
    print(f"{op:5} {shown}: {ratio:.3f} of the peer's {name} ({', '.join(sorted(variants))}); "
          f"turns {spread(ours)} and {spread(rates)} of their medians")
sys.exit(1 if behind else 0)
EOF_PYTHON
