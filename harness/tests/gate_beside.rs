//! What stands beside a gate's verdicts: counted instructions, the history of estimates, and the trials that say what they are worth.
#![cfg(unix)]

mod program;

use program::Place;
use std::fs;
use std::os::unix::fs::PermissionsExt;

const THIS: &str = env!("CARGO_BIN_EXE_spark-bench");

/// Stands for valgrind: counts 5,000,000 instructions for preparing and 1,000 for each iteration that was answered for.
const COUNTER: &str = r#"#!/bin/sh
if [ "$1" = --version ]; then echo valgrind-0; exit; fi
for word; do case $word in --log-file=*) log=${word#--log-file=} ;; esac; done
while [ "${1#--}" != "$1" ]; do shift; done
exec 3<&0
"$@" <&3 | tee "$log.said"
n=$(sed -n 's/.*"ran".*"iterations":\([0-9]*\).*/\1/p' "$log.said" | awk '{ n += $1 } END { print n }')
rm "$log.said"
echo "==1== I   refs:      $((5000000 + 1000 * n))" >"$log"
"#;

#[test]
fn instructions_are_counted_so_that_preparing_cancels_and_estimates_are_kept() {
    let place = Place::new();
    let counter = place.at("valgrind");
    fs::write(&counter, COUNTER).expect("a file can be written");
    fs::set_permissions(&counter, fs::Permissions::from_mode(0o755)).expect("it can be made to run");
    let path = format!("{}:{}", place.at("").display(), std::env::var("PATH").expect("a path"));
    let gate = |more: &[&str]| {
        let bins = ["gate", "--baseline-bin", THIS, "--candidate-bin", THIS, "--filter", "decode/*model=tiny*"];
        let flags = ["--threads", "1", "--budget", "10s", "--json", "--history", "h.jsonl", "--inconclusive-ok"];
        let line = [&bins[..], &flags, more].concat();
        let done: program::Done = place.command(&line).env("PATH", &path).output().expect("it starts").into();
        serde_json::from_str::<serde_json::Value>(&done.out).unwrap_or_else(|e| panic!("{e}: {done:?}"))
    };
    let told = gate(&["--explain"]);
    let explanation = &told["rows"][0]["explanation"];
    assert_eq!(explanation["instructions"], serde_json::json!([1000.0, 1000.0]), "{told}");
    assert!(explanation["counted_on"].as_str().is_some_and(|id| id.starts_with("decode/cpu/")), "{told}");
    assert!(explanation["bytes"][0].as_u64().is_some_and(|n| n > 0), "{told}");
    assert_eq!(explanation["bytes"][0], explanation["bytes"][1], "{told}");
    let _ = gate(&[]);
    let history = fs::read_to_string(place.at("h.jsonl")).expect("a history");
    assert_eq!(history.lines().count(), 2, "{history}");
    let drift = place.fine(&["gate", "drift", "h.jsonl"]);
    assert!(drift.out.contains("0 of 1 series changed") && drift.out.contains("too few to tell"), "{drift:?}");
    let drift = place.fine(&["gate", "drift", "h.jsonl", "--json"]);
    let drift: serde_json::Value = serde_json::from_str(&drift.out).expect("JSON");
    assert_eq!((&drift["series"][0]["points"], &drift["series"][0]["enough"]), (&2.into(), &false.into()));
}

#[test]
fn drift_names_what_it_cannot_read() {
    let place = Place::new();
    assert!(place.refused(&["gate", "drift", "none.jsonl"]).contains("none.jsonl"));
    fs::write(place.at("h.jsonl"), "{\"at\":1}\n").expect("a file can be written");
    assert!(place.refused(&["gate", "drift", "h.jsonl"]).contains("line 1"));
}

#[test]
fn trials_are_added_up_to_a_number_and_older_ones_are_read() {
    let place = Place::new();
    let calibrate = |more: &[&str]| {
        let flags = ["gate", "calibrate", "--store", "s", "--filter", "decode/*model=tiny*", "--budget", "1s"];
        place.fine(&[&flags[..], &["--note", "quiet"], more].concat())
    };
    let empty = calibrate(&["--trials", "0", "--json"]);
    let empty: serde_json::Value = serde_json::from_str(&empty.out).expect("JSON");
    assert_eq!(empty["calibration"]["together"]["trials"], 0);
    let host = empty["host"].as_str().expect("a fingerprint").to_owned();
    // A line of the first form, with paths for builds.
    let old = r#"{"at":"t","id":"gemm/cpu/x","factor":1.0,"verdict":"PASS","ratio":1.0,"blocks":10,"seconds":5.0,"seed":1,"note":"quiet","builds":["./a","./b"]}"#;
    let file = place.at(&format!("s/{host}.jsonl"));
    fs::create_dir_all(place.at("s")).expect("a folder");
    fs::write(&file, format!("{old}\n")).expect("a file can be written");
    let added = calibrate(&["--until", "2"]);
    assert!(added.err.contains("one build against itself"), "{added:?}");
    assert!(added.out.contains("(n = ") && added.out.contains("condition"), "{added:?}");
    let again = calibrate(&["--until", "2", "--json"]);
    let again: serde_json::Value = serde_json::from_str(&again.out).expect("JSON");
    // The first trial came to a look; a second is only as long as its second allows.
    let looked = &again["calibration"]["conditions"][0]["equal"]["trials"];
    assert!(looked.as_u64().is_some_and(|looked| (1..=2).contains(&looked)), "{again}");
    let lines = fs::read_to_string(&file).expect("trials");
    assert_eq!(lines.lines().count(), 2, "{lines}");
    let new: serde_json::Value = serde_json::from_str(lines.lines().last().expect("a line")).expect("JSON");
    let build = new["builds"][0].as_str().expect("words");
    assert!(build.contains("program ") && !build.contains('/'), "{build}");
    fs::write(&file, "nonsense}\n").expect("a file can be written");
    let said = place.refused(&["gate", "calibrate", "--trials", "0", "--store", "s"]);
    assert!(said.contains("line 1") && said.contains("--store"), "{said}");
}
