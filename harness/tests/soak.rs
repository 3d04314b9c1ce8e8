//! `soak` and `monitor` as a stranger meets them: a record like any other, whose summary follows from what is stored.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod program;

use program::Place;
use serde_json::Value;
use spark_results::soak::Soak;
use spark_results::store;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("one JSON document and nothing else: {e}: {text:.200}"))
}

const SHORT: [&str; 8] = ["soak", "--load", "both", "--model", "tiny", "--minutes", "0.05", "--m"];

#[test]
fn a_soak_is_a_record_that_verifies_and_shows_in_the_report() {
    let place = Place::new();
    let line = [&SHORT[..], &["8", "--n", "64", "--k", "64", "--out", "d", "--json", "--quiet"]].concat();
    let document = json(&place.fine(&line).out);
    let record = &document["records"][0];
    assert_eq!(record["workload"], "soak");
    assert_eq!(record["axes"]["load"], "both");
    assert!(record["soak"]["burst"].as_f64().unwrap() > 0.0 && record["soak"]["item"] == "token", "{record}");
    assert!(record["facts"]["verified"].as_str().unwrap().contains("none was not"));
    let schema = json(&place.fine(&["schema"]).out);
    let wrong: Vec<_> =
        jsonschema::validator_for(&schema).unwrap().iter_errors(&document).map(|e| e.to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    place.fine(&["verify", "d"]);

    // What is shown follows from the windows: one that took longer moves it, and the report that stands is then found wrong.
    let run = store::read(&place.at("d")).unwrap();
    let m = run.records[0].measured().unwrap();
    assert_eq!(m.at_ns.len(), m.samples_ns.len());
    assert!(m.phases.iter().any(|p| p.name == "rest") && m.phases.iter().any(|p| p.name == "load 1"));
    let mut slower = m.clone();
    slower.samples_ns.iter_mut().for_each(|ns| *ns *= 2);
    let (was, is) = (Soak::of(m).unwrap(), Soak::of(&slower).unwrap());
    assert!((was.burst / is.burst - 2.0).abs() < 1e-6);
    let page = std::fs::read_to_string(place.at("d/report.html")).unwrap();
    assert!(page.contains("Sustained load") && page.contains("The run over time"));
    let path = place.at("d/records.jsonl");
    let mut changed = run.records[0].clone();
    changed.outcome = spark_results::Outcome::Measured(Box::new(slower));
    std::fs::write(&path, serde_json::to_string(&changed).unwrap() + "\n").unwrap();
    let done = place.run(&["verify", "d"]);
    assert!(done.code == Some(1) && done.out.contains("MISMATCH"), "{done:?}");
}

#[test]
fn the_monitor_says_once_what_every_sensor_says() {
    let place = Place::new();
    let once = place.fine(&["monitor", "--once"]).out;
    assert!(once.contains("load") && once.contains("available"), "{once}");
    let all = json(&place.fine(&["monitor", "--once", "--json"]).out);
    assert!(all["sensors"].as_array().is_some_and(|s| s.len() > 3), "{all}");
    let readings = all["readings"].as_array().unwrap();
    assert!(readings.iter().any(|r| r["quantity"] == "available" && r["value"].as_f64().unwrap() > 0.0), "{all}");
}

#[cfg(unix)]
#[test]
fn a_soak_that_is_interrupted_keeps_what_it_measured() {
    use std::process::Command;
    let place = Place::new();
    let line = ["soak", "--model", "tiny", "--minutes", "2", "--out", "d", "--quiet"];
    // The rest before so long a soak takes five seconds: the telemetry tells when the load must have begun.
    let child = place.started(&line, "d/telemetry.jsonl", 45);
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let done: program::Done = child.wait_with_output().unwrap().into();
    assert_eq!(done.code, Some(130), "{done:?}");
    let run = store::read(&place.at("d")).unwrap();
    match run.records.first().and_then(|r| r.measured()) {
        Some(m) => assert!(m.notes.iter().any(|n| n.contains("stopped before its time")), "{:?}", m.notes),
        // Stopped while it rested: then there is nothing, and the manifest says so.
        None => assert!(!run.manifest.ended.unwrap().complete),
    }
    place.fine(&["verify", "d"]);
}
