//! `llm --peer` with a program that prints made-up rows: both engines in turn, each with its own times, and what is refused.
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

#[test]
fn what_cannot_be_run_is_refused() {
    let place = place();
    fs::write(place.at("text"), "no model").unwrap();
    for (more, named) in [
        (&["--peer", "nowhere", "--peer-model", "m.gguf"][..], "nowhere"),
        (&["--peer", "./llama-bench"], "--peer-model"),
        (&["--peer", "./llama-bench", "--peer-model", "text"], "no GGUF"),
        (&["--peer-model", "m.gguf"], "--peer"),
        (&["--peer", "./llama-bench", "--peer-model", "m.gguf", "-npl", "2"], "one sequence"),
    ] {
        let said = place.refused(&[&LINE[..], more].concat());
        assert!(said.contains(named), "{more:?} does not name {named}: {said}");
    }
}
