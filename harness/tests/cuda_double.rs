//! The engine on a GPU that is none: the program drives the doubles of driver and compiler through the path that a GPU takes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod program;

use program::{Done, Place, library};
use serde_json::Value;

/// The program in `place` with a GPU of that profile and those faults.
fn on_gpu(place: &Place, profile: &str, faults: &str, line: &[&str]) -> Done {
    let mut command = place.command(line);
    command
        .env("SPARK_BENCH_CUDA", library("cuda"))
        .env("SPARK_BENCH_NVRTC", library("nvrtc"))
        .env("SPARK_CUDA_DOUBLE_PROFILE", profile)
        .env("SPARK_CUDA_DOUBLE_FAULTS", faults)
        // What one test compiled another need not: keyed by all that goes in.
        .env("SPARK_BENCH_CACHE", concat!(env!("CARGO_TARGET_TMPDIR"), "/cuda-double"));
    command.output().unwrap().into()
}

fn records(place: &Place) -> Vec<Value> {
    let done = place.fine(&["export", "d", "--format", "json"]);
    let document: Value = serde_json::from_str(&done.out).unwrap();
    document["records"].as_array().unwrap().clone()
}

const DECODE: &[&str] = &[
    "run", "decode", "--n_gen", "3", "--depth", "5", "--suite", "smoke", "--device", "cuda:0", "--out", "d", "--quiet",
];

#[test]
fn a_double_decodes_and_is_marked_as_one() {
    for (profile, model) in [("gb10", "tiny"), ("h200", "tiny-moe")] {
        let place = Place::new();
        let line: Vec<&str> = DECODE.iter().copied().chain(["--model", model]).collect();
        let done = on_gpu(&place, profile, "", &line);
        assert_eq!(done.code, Some(0), "{done:?}");
        for record in records(&place) {
            assert_eq!(record["status"], "measured", "{record}");
            assert_eq!(record["simulated"], true, "{record}");
            assert!(record["max_error"].as_f64().unwrap() <= record["tolerance"].as_f64().unwrap(), "{record}");
        }
    }
}

#[test]
fn no_rate_of_a_double_reaches_a_reader() {
    let place = Place::new();
    let line = ["llm", "-m", "tiny", "--device", "cuda:0", "-p", "4", "-n", "2", "-r", "1", "--out", "d"];
    let done = on_gpu(&place, "gb10", "", &line);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(!done.err.contains("tok/s"), "{done:?}");
    assert_eq!(done.out.matches("simulated: a test double has no speed").count(), 2, "{done:?}");
    assert_eq!(done.err.matches("simulated: a test double has no speed").count(), 2, "{done:?}");
}

#[test]
fn a_prompt_of_two_sequences_is_read_in_passes() {
    let place = Place::new();
    let line = [
        "run",
        "prefill",
        "--n_prompt",
        "9",
        "--batch",
        "2",
        "--suite",
        "smoke",
        "--device",
        "cuda:0",
        "--out",
        "d",
        "--quiet",
    ];
    let done = on_gpu(&place, "gb10", "", &line);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(records(&place).iter().all(|record| record["status"] == "measured" && record["simulated"] == true));
}

#[test]
fn a_gpu_is_listed_or_its_absence_has_a_reason() {
    let place = Place::new();
    let devices = |done: Done| -> Vec<Value> {
        let all: Value = serde_json::from_str(&done.out).unwrap();
        all["devices"].as_array().unwrap().clone()
    };
    let found = devices(on_gpu(&place, "gb10", "", &["list", "devices", "--json"]));
    let gpu = found.iter().find(|device| device["name"] == "cuda:0").unwrap();
    assert_eq!((&gpu["simulated"], &gpu["unavailable"]), (&Value::Bool(true), &Value::Null), "{gpu}");
    let none = devices(place.fine(&["list", "devices", "--json"]));
    assert!(none.iter().all(|device| device["name"] == "cpu" || device["unavailable"].is_string()), "{none:?}");
    let done = on_gpu(&place, "gb10", "", &["run", "gemm", "--device", "cuda:7"]);
    assert!(done.code == Some(2) && done.err.contains("counted from 0"), "{done:?}");
}

#[test]
fn an_error_that_takes_the_gpu_away_costs_its_task_and_no_other_is_left() {
    let place = Place::new();
    let line =
        ["run", "rmsnorm", "softcap", "swiglu", "--suite", "smoke", "--device", "cuda:0", "--out", "d", "--quiet"];
    // The second launch of every process: each task meets it in a process of its own.
    let done = on_gpu(&place, "gb10", "illegal-address@2", &line);
    assert_eq!(done.code, Some(1), "{done:?}");
    let records = records(&place);
    assert_eq!(records.len(), 3, "each task has its record: {records:?}");
    for record in records {
        assert!(
            record["status"] == "failed" && record["reason"].as_str().unwrap().contains("ILLEGAL_ADDRESS"),
            "{record}"
        );
    }
}
