//! `llm --peer` with programs that print made-up numbers in their engines' own forms: both in turn, each with its own times, and what is
//! refused.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod program;

use program::Place;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// A `llama-bench` that answers every test with times of 2 ms and 4 ms, and says how many processors it may use.
const ANSWERS: &str = r#"#!/bin/sh
echo "$*" >>calls
while [ $# -gt 0 ]; do
    case $1 in -p) p=$2 ;; -n) n=$2 ;; -d) d=$2 ;; -pg) p=${2%,*}; n=${2#*,} ;; esac
    shift
done
echo "a log" >&2
echo "{\"build_commit\": \"abc\", \"build_number\": 7, \"backends\": \"CPU\", \"model_type\": \"made up\", \"cpu_info\": \"$(nproc)\",
" | tr -d '\n'
echo "\"n_prompt\": $p, \"n_gen\": $n, \"n_depth\": $d, \"samples_ns\": [2000000, 4000000]}"
"#;

fn program(place: &Place, name: &str, text: &str) {
    fs::write(place.at(name), text).unwrap();
    fs::set_permissions(place.at(name), fs::Permissions::from_mode(0o755)).unwrap();
}

fn place() -> Place {
    let place = Place::new();
    program(&place, "llama-bench", ANSWERS);
    fs::write(place.at("m.gguf"), "GGUF and nothing else").unwrap();
    place
}

const LINE: [&str; 10] = ["llm", "-m", "tiny", "-p", "8", "-n", "4", "-r", "2", "-q"];

#[test]
fn both_run_in_turn_and_each_has_its_own_times() {
    let place = place();
    let more = [
        "--peer",
        "./llama-bench",
        "--peer-model",
        "m.gguf",
        "--rounds",
        "2",
        "--peer-arg",
        "-b",
        "--peer-arg",
        "64",
        "--out",
        "r",
    ];
    let done = place.fine(&[&LINE[..], &more].concat());
    assert!(
        done.out.contains("| pp8 |") && done.out.contains("| tg4 |") && done.out.contains("llama-bench: abc (7)"),
        "{done:?}"
    );
    // Joules of both, or why there are none.
    let row = done.out.lines().find(|line| line.starts_with("| pp8 |")).unwrap();
    let joules: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).skip(5).collect();
    assert_eq!(joules.len(), 2, "{row}");
    assert!(
        joules.iter().all(|cell| *cell == "n/a" || cell.split(' ').next().unwrap().parse::<f64>().is_ok()),
        "{row}"
    );
    assert_eq!(joules.contains(&"n/a"), done.out.contains("tok/J n/a: "), "{done:?}");
    let document: Value = serde_json::from_str(&place.fine(&["export", "r"]).out).unwrap();
    let records = document["records"].as_array().unwrap();
    let ids: Vec<&str> = records.iter().map(|r| r["id"].as_str().unwrap().split('?').next().unwrap()).collect();
    assert_eq!(ids.len(), 4);
    assert_eq!((ids[1], ids[3]), ("peer/cpu/llama-bench", "peer/cpu/llama-bench"));
    let theirs = &records[1];
    // Two rounds of 2 ms and 4 ms for 8 tokens.
    assert_eq!((&theirs["time"]["samples"], &theirs["time"]["median_ns"]), (&Value::from(4), &Value::from(3e6)));
    assert_eq!((&theirs["work"]["items"], &theirs["facts"]["version"]), (&Value::from(8), &Value::from("abc (7)")));
    assert_eq!(records[0]["time"]["samples"], 4);
    assert!(records[0]["max_error"].is_f64(), "ours was checked before");
    // Whatever this engine is pinned to, the other one may use all there is.
    let all = String::from_utf8(std::process::Command::new("nproc").output().unwrap().stdout).unwrap();
    assert_eq!(theirs["facts"]["cpu_info"], all.trim());
    let calls = fs::read_to_string(place.at("calls")).unwrap();
    assert_eq!(calls.lines().count(), 4);
    assert!(calls.lines().all(|line| line.contains("-m m.gguf")
        && line.contains("-r 2")
        && line.contains("-o jsonl")
        && line.ends_with("-b 64")));
    place.fine(&["verify", "r"]);
}

#[test]
fn one_that_breaks_is_a_failed_record_beside_ours() {
    let place = place();
    program(&place, "broken", "#!/bin/sh\necho out of luck >&2\nexit 3\n");
    let more = ["-n", "0", "--peer", "./broken", "--peer-model", "m.gguf", "--rounds", "1", "--out", "r", "--json"];
    let line = [&["llm", "-m", "tiny", "-p", "8", "-r", "1", "-q"][..], &more].concat();
    let done = place.run(&line);
    assert_eq!(done.code, Some(1), "{done:?}");
    let document: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(document["records"][0]["status"], "measured");
    assert!(document["records"][1]["reason"].as_str().unwrap().contains("out of luck"), "{done:?}");
}

/// `vllm bench latency`, after `vllm/benchmarks/latency.py`: a file of seconds, and the mean on a line.
const VLLM: &str = r#"#!/bin/sh
echo "$*" >>calls
[ "$1" = --version ] && { echo 0.11.2; exit; }
while [ $# -gt 0 ]; do case $1 in --output-json) file=$2 ;; esac; shift; done
echo "INFO loading" >&2
echo "Warming up..."
echo "Avg latency: 0.003 seconds"
echo '{"avg_latency": 0.003, "std_latency": 0.001, "latencies": [0.002, 0.004], "percentiles": {"10": 0.002}}' >"$file"
"#;

/// `mlx_lm.benchmark`, after `mlx_lm/benchmark.py`: tokens a second, trial by trial.
const MLX: &str = r#"#!/bin/sh
echo "$*" >>calls
[ "$1" = --version ] && { echo 0.31.0; exit; }
[ "$1" = benchmark ] || { echo "no such program" >&2; exit 1; }
echo "Running warmup.."
echo "Timing with prompt_tokens=8, generation_tokens=4, batch_size=1."
echo "Trial 1:  prompt_tps=4000.000, generation_tps=2000.000, peak_memory=1.850"
echo "Trial 2:  prompt_tps=2000.000, generation_tps=1000.000, peak_memory=1.850"
echo "Averages: prompt_tps=3000.000, generation_tps=1500.000, peak_memory=1.850"
"#;

/// `ollama run --verbose`, after `Summary` in `api/types.go`: counts and durations as Go writes them, behind the answer.
const OLLAMA: &str = r#"#!/bin/sh
echo "$*" >>calls
[ "$1" = --version ] && { echo "ollama version is 0.12.3"; exit; }
echo "one two three"
cat >&2 <<'END'

total duration:       8.1ms
load duration:        1ms
prompt eval count:    16 token(s)
prompt eval duration: 6ms
prompt eval rate:     2666.67 tokens/s
eval count:           2 token(s)
eval duration:        1.5ms
eval rate:            1333.33 tokens/s
END
"#;

#[test]
fn other_engines_are_read_in_their_own_words() {
    for (name, text, model, version, asked, medians) in [
        ("vllm", VLLM, "folder", "0.11.2", "bench latency --model folder --output-json", [3e6, 3e6]),
        ("mlx_lm", MLX, "folder", "0.31.0", "benchmark --model folder -p 8 -g 1 -b 1 -n 2", [3e6, 3e6]),
        ("ollama", OLLAMA, "small:1b", "ollama version is 0.12.3", "run --verbose small:1b ", [3e6, 3e6]),
    ] {
        let place = place();
        program(&place, name, text);
        fs::create_dir(place.at("folder")).unwrap();
        let path = format!("./{name}");
        let more = ["--peer", &path, "--peer-model", model, "--rounds", "1", "--out", "r"];
        let done = place.fine(&[&LINE[..], &more].concat());
        assert!(done.out.contains(version), "{name}: {done:?}");
        let document: Value = serde_json::from_str(&place.fine(&["export", "r"]).out).unwrap();
        let records = document["records"].as_array().unwrap();
        for (at, median) in [1, 3].into_iter().zip(medians) {
            let (theirs, id) =
                (&records[at], format!("peer/cpu/{}", if name == "mlx_lm" { "mlx_lm.benchmark" } else { name }));
            assert!(theirs["id"].as_str().unwrap().starts_with(&id), "{theirs}");
            assert_eq!(
                (&theirs["time"]["samples"], &theirs["time"]["median_ns"]),
                (&2.into(), &median.into()),
                "{theirs}"
            );
            assert_eq!(theirs["facts"]["version"], version);
        }
        let calls = fs::read_to_string(place.at("calls")).unwrap();
        assert!(calls.contains(asked), "{name}: {calls}");
        place.fine(&["verify", "r"]);
        // None of them has a depth, and one that says nothing of the kind is a failed record.
        assert!(
            place.refused(&[&LINE[..], &["-d", "8", "--peer", &path, "--peer-model", model]].concat()).contains("-d")
        );
        program(&place, name, "#!/bin/sh\necho something else\n");
        let line =
            [&LINE[..], &["--peer", &path, "--peer-model", model, "--rounds", "1", "--out", "s", "--json"]].concat();
        let done = place.run(&line);
        assert_eq!(done.code, Some(1), "{done:?}");
        assert!(done.out.contains("something else"), "{done:?}");
    }
}

#[test]
fn what_cannot_be_run_is_refused() {
    let place = place();
    fs::write(place.at("text"), "no model").unwrap();
    for (more, named) in [
        (&["--peer", "nowhere", "--peer-model", "m.gguf"][..], "nowhere"),
        (&["--peer", "./llama-bench"], "--peer-model"),
        (&["--peer", "./llama-bench", "--peer-model", "text"], "no GGUF"),
        (&["--peer-model", "m.gguf"], "--peer"),
        (&["--peer", "ollama-that-is-not-there"], "is in PATH"),
        (&["--peer", "./llama-bench", "--peer-model", "m.gguf", "-npl", "2"], "one sequence"),
    ] {
        let said = place.refused(&[&LINE[..], more].concat());
        assert!(said.contains(named), "{more:?} does not name {named}: {said}");
    }
}
