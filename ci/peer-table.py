#!/usr/bin/env python3
"""The table of ci/peer.sh: rates of llama.cpp and spark-bench, and the ratio of each round's pair with its 95 % interval.

    ci/peer-table.py ROWS VERSION      a line of ROWS is WHO ROUND {a row of llama-bench -o jsonl}; WHO is peer or activations

Rounds are pairs: what the machine does in one of them slows both programs, so that the ratio is taken inside each and the
interval is Student's over the logarithms of these ratios. Fewer than three rounds give their range.
"""

import json
import math
import statistics
import sys

# Two-sided 95 % quantiles of Student's t by degrees of freedom, from 2; beyond the list the last is taken, which is wider.
STUDENT = [4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120]
# Two counts of one model's parameters or bytes differ by a tensor of rotary factors, not by more.
SAME = 0.01


def refuse(what):
    print(f"peer-table: {what}", file=sys.stderr)
    sys.exit(2)


def read(path):
    """{who: {(n_prompt, n_gen, depth, threads): {round: row}}}"""
    all_rows = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            who, turn, row = line.split(" ", 2)
            row = json.loads(row)
            test = tuple(int(row[name]) for name in ("n_prompt", "n_gen", "n_depth", "n_threads"))
            all_rows.setdefault(who, {}).setdefault(test, {})[int(turn)] = row
    return all_rows


def rate(row):
    """Tokens a second of the middle repetition."""
    return (row["n_prompt"] + row["n_gen"]) / (statistics.median(row["samples_ns"]) * 1e-9)


def interval(ratios):
    """The geometric mean of the rounds' ratios, and as text its interval."""
    logs = [math.log(ratio) for ratio in ratios]
    mean = statistics.fmean(logs)
    if len(logs) < 3:
        return math.exp(mean), f"range {min(ratios):.2f} … {max(ratios):.2f}"
    half = STUDENT[min(len(logs) - 3, len(STUDENT) - 1)] * statistics.stdev(logs) / math.sqrt(len(logs))
    return math.exp(mean), f"{math.exp(mean - half):.2f} … {math.exp(mean + half):.2f}"


def name(test):
    prompt, answer, depth, _ = test
    words = [f"pp{prompt}"] * (prompt > 0) + [f"tg{answer}"] * (answer > 0)
    return "+".join(words) + (f" @ d{depth}" if depth else "")


def main():
    if len(sys.argv) != 3:
        refuse("usage: ci/peer-table.py ROWS VERSION")
    rows = read(sys.argv[1])
    peers = rows.pop("peer", None)
    if not peers or not rows:
        refuse("one of the programs printed no row; run it by hand and see what it says")
    theirs = next(iter(next(iter(peers.values())).values()))
    ours = next(iter(next(iter(rows.values())).values()))
    ours = next(iter(ours.values()))
    if theirs["backends"] != "CPU":
        refuse(f"llama-bench ran on {theirs['backends']}; build it for the CPU only")
    for what, size in (("parameters", "model_n_params"), ("bytes of weights", "model_size")):
        if abs(math.log(ours[size] / theirs[size])) > SAME:
            refuse(f"not the same model: {ours[size]} {what} here, {theirs[size]} in the GGUF file; give its PRESET and FORMAT")

    print(f"{ours['cpu_info']}; median tokens a second, ratio spark-bench / llama.cpp paired by round")
    print(f"llama.cpp {theirs['build_commit']} ({theirs['build_number']}), {theirs['model_type']}, "
          f"{theirs['model_size']} bytes of weights, cache {theirs['type_k']}")
    print(f"{sys.argv[2]} ({ours['build_commit']}), {ours['model_type'].split(' (')[0]}, "
          f"{ours['model_size']} bytes of weights, cache {ours['type_k']}, activations {', '.join(rows)}")
    print()
    print("| test | threads | rounds | llama.cpp |" + "".join(f" {who} | ratio, 95 % |" for who in rows))
    print("|---|--:|--:|--:|" + "--:|--:|" * len(rows))
    for test, turns in peers.items():
        cells = [name(test), str(test[3]), str(len(turns)), f"{statistics.median(map(rate, turns.values())):.1f}"]
        for who in rows.values():
            mine = who.get(test, {})
            both = sorted(turns.keys() & mine.keys())
            if not both:
                cells += ["n/a: no row", ""]
                continue
            mean, spread = interval([rate(mine[turn]) / rate(turns[turn]) for turn in both])
            cells += [f"{statistics.median(map(rate, mine.values())):.1f}", f"{mean:.2f} ({spread})"]
        print("| " + " | ".join(cells) + " |")


main()
