//! Experiments between a host and a GPU that is a double: each is a record that proves what it moved, and no rate of it is shown.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod program;

use program::{Done, Place, library};
use serde_json::Value;

/// `run LINE` on the first of so many GPUs of that profile and those faults.
fn run_on(place: &Place, gpus: &str, profile: &str, faults: &str, line: &[&str]) -> Done {
    let all = ["run"].iter().chain(line).chain(&["--device", "cuda:0", "--suite", "smoke", "--out", "d", "--quiet"]);
    let mut command = place.command(&all.copied().collect::<Vec<_>>());
    command
        .env("SPARK_BENCH_CUDA", library("cuda"))
        .env("SPARK_BENCH_NVRTC", library("nvrtc"))
        .env("SPARK_CUDA_DOUBLE_COUNT", gpus)
        .env("SPARK_CUDA_DOUBLE_PROFILE", profile)
        .env("SPARK_CUDA_DOUBLE_FAULTS", faults)
        .env("SPARK_BENCH_CACHE", concat!(env!("CARGO_TARGET_TMPDIR"), "/cuda-double"));
    command.output().unwrap().into()
}

/// The same where there is one.
fn run(place: &Place, profile: &str, faults: &str, line: &[&str]) -> Done {
    run_on(place, "1", profile, faults, line)
}

/// The one record of a run that went well, measured and marked.
fn record(place: &Place, profile: &str, line: &[&str]) -> Value {
    told(place, run(place, profile, "", line))
}

/// The one record that a run left.
fn told(place: &Place, done: Done) -> Value {
    assert_eq!(done.code, Some(0), "{done:?}");
    let document: Value = serde_json::from_str(&place.fine(&["export", "d", "--format", "json"]).out).unwrap();
    let record = document["records"][0].clone();
    assert_eq!((&record["status"], &record["simulated"]), (&"measured".into(), &Value::Bool(true)), "{record}");
    // What is moved is the same bytes; a gemv beside it is rounded.
    let [error, bound] = ["max_error", "tolerance"].map(|key| record[key].as_f64().unwrap());
    assert!(error <= bound, "{record}");
    let page = std::fs::read_to_string(place.at("d/report.html")).unwrap();
    let shown = page.split("<script").next().unwrap();
    for rate in [
        "where it stands at",
        "copy engine</th>",
        "passed on to the",
        "beside GPU",
        ", peer</th>",
        "paged out to the host",
    ] {
        assert!(!shown.contains(rate), "{rate:?} of a double is shown");
    }
    record
}

fn names(record: &Value) -> Vec<String> {
    record["metrics"].as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn copies_of_every_kind_are_one_record() {
    let place = Place::new();
    let names = names(&record(&place, "gb10", &["transfer", "--bytes", "4096"]));
    for name in [
        "copy pinned engine in",
        "copy managed-advised kernel both",
        "copy pageable kernel out",
        "copy device engine in",
    ] {
        assert!(names.iter().any(|one| one == name), "{name} in {names:?}");
    }
    // GB10 registers nothing: six allocators, two engines, three directions.
    assert_eq!(names.len(), 6 * 2 * 3, "{names:?}");
}

#[test]
fn one_buffer_is_read_by_both_and_more_than_there_is_only_where_it_does_no_harm() {
    let place = Place::new();
    let names = names(&record(&place, "gb10", &["unified", "--bytes", "65536"]));
    for name in ["gpu reads managed by cpu", "cpu first reads pinned by gpu", "gpu reads copy by gpu", "copied to gpu"]
    {
        assert!(names.iter().any(|one| one == name), "{name} in {names:?}");
    }
    let line = ["unified", "--bytes", "65536", "--oversubscribe", "150"];
    let place = Place::new();
    let done = run(&place, "gb10", "", &line);
    assert!(format!("{done:?}").contains("stands still"), "{done:?}");
    let place = Place::new();
    let done = run(&place, "wsl", "", &line);
    assert!(format!("{done:?}").contains("does not page managed memory out"), "{done:?}");
}

#[test]
fn cards_copy_to_each_other_and_what_passes_the_host_is_said() {
    for (faults, direct) in [("", true), ("no-peer", false)] {
        let place = Place::new();
        let record = told(&place, run_on(&place, "2", "discrete", faults, &["transfer", "--bytes", "4096"]));
        let metrics = record["metrics"].as_array().unwrap();
        for name in ["copy cuda:1 peer out", "copy cuda:1 peer in"] {
            let rate = metrics.iter().find(|m| m["name"] == name).and_then(|m| m["value"].as_f64());
            assert!(rate.is_some_and(|rate| rate > 0.0), "{name} in {record}");
        }
        let notes = record["notes"].to_string();
        assert_eq!(notes.contains("copies pass the host"), !direct, "{notes}");
    }
}

#[test]
fn more_than_a_card_has_is_declined_unless_it_is_asked_for() {
    // A card of 1 GiB: five buffers of half as much stand beside each other while they are compared.
    let place = Place::new();
    let done = run(&place, "discrete", &format!("memory@{}", 1 << 30), &["unified", "--bytes", "536870912"]);
    let document: Value = serde_json::from_str(&place.fine(&["export", "d", "--format", "json"]).out).unwrap();
    let record = &document["records"][0];
    assert_eq!(record["status"], "skipped", "{done:?}");
    assert!(record["reason"].as_str().unwrap().starts_with("needs 2.50 GiB of memory"), "{record}");
}

#[test]
fn a_card_without_coherence_measures_what_it_has() {
    let place = Place::new();
    let record = record(&place, "discrete", &["coherence"]);
    let names = names(&record);
    assert!(names.iter().any(|name| name == "handover on pinned") && names.iter().all(|name| name.ends_with("pinned")));
    assert!(!names.iter().any(|name| name.contains("both")), "its atomics are not the host's: {names:?}");
    assert!(record["notes"].to_string().contains("to and fro"), "{record}");
}

#[test]
fn cores_and_gpu_work_beside_each_other() {
    let place = Place::new();
    let line = ["contention", "--one", "read", "--other", "gemv", "--bytes", "1048576", "--format", "mxfp4"];
    let record = record(&place, "gb10", &line);
    let (names, notes) = (names(&record), record["notes"].to_string());
    for name in ["one: read beside nothing", "other: gemv beside read", "other: gemv beside nothing"] {
        // Where others hold the processor, no run may have been wholly beside the other side: then that is said.
        let said = notes.contains(&format!("{name}: no run was wholly beside"));
        assert!(names.iter().any(|one| one == name) || said, "{name} in {names:?}, {notes}");
    }
}
