//! The experiments on memory as a stranger meets them: records like any other, a section of the report, reasons where there is no GPU.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod program;

use program::Place;
use serde_json::Value;

#[test]
fn latency_under_load_and_handovers_are_records_and_stand_in_the_report() {
    if spark_kernels::cpu::pool::allowed_cpus().len() < 2 {
        let refused = Place::new().refused(&["run", "loaded", "--bytes", "1048576"]);
        assert!(refused.contains("two groups of cores"), "{refused}");
        return;
    }
    let place = Place::new();
    let line = ["run", "loaded", "pingpong", "--bytes", "1048576", "--no-roofs", "--out", "d", "--json", "--quiet"];
    let document: Value = serde_json::from_str(&place.fine(&line).out).unwrap();
    let records = document["records"].as_array().unwrap();
    assert_eq!(records.len(), 2);
    let value = |record: &Value, name: &str| {
        let metrics = record["metrics"].as_array().unwrap();
        metrics.iter().find(|m| m["name"] == name).map(|m| m["value"].as_f64().unwrap())
    };
    for (record, name) in [(&records[0], "latency at 0"), (&records[0], "latency at 7"), (&records[0], "injected at 7")]
    {
        assert!(value(record, name).is_some_and(|v| v > 0.0), "{name} in {record}");
    }
    assert_eq!(records[1]["work"]["item"], "handover");
    let schema: Value = serde_json::from_str(&place.fine(&["schema"]).out).unwrap();
    let wrong: Vec<_> =
        jsonschema::validator_for(&schema).unwrap().iter_errors(&document).map(|e| e.to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    place.fine(&["verify", "d"]);
    let page = std::fs::read_to_string(place.at("d/report.html")).unwrap();
    assert!(page.contains("Latency under load") && page.contains("From core to core"));
}

#[test]
fn what_needs_a_gpu_says_so() {
    let place = Place::new();
    for workload in ["transfer", "unified", "coherence"] {
        let done = place.run(&["run", workload, "--device", "cpu"]);
        assert_eq!(done.code, Some(2), "{done:?}");
        assert!(done.err.contains("between a host and a GPU"), "{done:?}");
    }
}

#[test]
fn the_plan_knows_how_long_an_experiment_lasts() {
    let place = Place::new();
    let plan: Value = serde_json::from_str(&place.fine(&["plan", "--suite", "standard", "--json"]).out).unwrap();
    let task = |start: &str| {
        let tasks = plan["tasks"].as_array().unwrap().clone();
        tasks.into_iter().find(|t| t["id"].as_str().unwrap().starts_with(start)).unwrap()
    };
    let contention = task("contention/");
    assert!(contention["declined"].is_string() || contention["estimate_s"].as_f64().unwrap() > 5.0, "{contention}");
    assert!(task("pingpong/")["memory_bytes"].as_u64().is_none_or(|bytes| bytes < 1 << 20));
}
