//! What scripts rely on: one valid document on stdout and nothing else, a table that parses, silence where it was asked for.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod program;

use program::Place;
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("one JSON document and nothing else: {e}: {text:.200}"))
}

#[test]
fn a_run_prints_one_document_that_its_schema_allows_and_a_table_that_parses() {
    let place = Place::new();
    let line = ["run", "rmsnorm", "chase", "--width", "64", "--bytes", "4096", "--suite", "smoke", "--out", "d"];
    let printed = place.fine(&[&line[..], &["--json", "--quiet"]].concat());
    assert_eq!(printed.err, "", "--quiet says nothing where nothing is wrong");
    let document = json(&printed.out);
    assert_eq!(document["records"].as_array().map(Vec::len), Some(2), "{document}");
    let exported = place.fine(&["export", "d", "--format", "json"]);
    assert_eq!(json(&exported.out), document);

    let schema = json(&place.fine(&["schema"]).out);
    let validator = jsonschema::validator_for(&schema).unwrap();
    let wrong: Vec<_> = validator.iter_errors(&document).map(|e| e.to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let mut spoiled = document.clone();
    spoiled["records"][0]["status"] = 7.into();
    assert!(!validator.is_valid(&spoiled), "the schema has to be able to refuse");

    let table = place.fine(&["export", "d", "--format", "csv"]).out;
    assert_eq!(table, std::fs::read_to_string(place.at("d/results.csv")).unwrap());
    let mut rows = csv::Reader::from_reader(table.as_bytes());
    let id = rows.headers().unwrap().iter().position(|name| name == "id").unwrap();
    let ids: Vec<_> = rows.records().map(|row| row.unwrap()[id].to_owned()).collect();
    let records = document["records"].as_array().unwrap();
    assert_eq!(ids, records.iter().map(|r| r["id"].as_str().unwrap()).collect::<Vec<_>>());

    // A changed sample, a changed table: found.
    let path = place.at("d/results.csv");
    std::fs::write(&path, table.replacen("measured", "failed", 1)).unwrap();
    let done = place.run(&["verify", "d"]);
    assert!(done.code == Some(1) && done.out.contains("MISMATCH: results.csv line 2"), "{done:?}");
    let said = place.fine(&["report", "d", "--text"]);
    assert!(said.out.ends_with("d/report.html\n") && !said.out.contains('\u{1b}'), "{said:?}");
    place.fine(&["verify", "d"]);
}

#[test]
fn what_is_listed_planned_and_diagnosed_can_be_read_by_programs() {
    let place = Place::new();
    let list = json(&place.fine(&["list", "--json"]).out);
    for what in ["workloads", "implementations", "devices", "suites"] {
        assert!(list[what].as_array().is_some_and(|rows| !rows.is_empty()), "{what}");
    }
    let cuda = list["devices"].as_array().unwrap().iter().find(|d| d["name"] == "cuda").unwrap();
    assert!(cuda["unavailable"].is_string(), "what is not here says why: {cuda}");
    for suite in ["smoke", "standard", "full"] {
        let plan = json(&place.fine(&["plan", "--suite", suite, "--json"]).out);
        let tasks = plan["tasks"].as_array().unwrap();
        assert!(tasks.len() > 10, "{suite}");
        for task in tasks {
            assert!(task["memory_bytes"].is_u64() || task["declined"].is_string(), "{task}");
        }
    }
    let doctor = json(&place.fine(&["doctor", "--json"]).out);
    assert!(doctor["machine"].is_object() && doctor["findings"].is_array() && doctor["state"].is_object());
    assert_eq!(std::fs::read_dir(place.at(".")).unwrap().count(), 0, "none of these writes a file");
}

#[test]
fn talk_goes_to_stderr_without_escape_codes_where_nobody_sees_colours() {
    let place = Place::new();
    let mut command = place.command(&["run", "rmsnorm", "--width", "64", "--suite", "smoke", "--out", "d"]);
    let done: program::Done = command.env("CLICOLOR_FORCE", "0").output().unwrap().into();
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains("run folder: d") && done.err.contains("rmsnorm/cpu/") && !done.out.is_empty());
    assert!(!done.err.contains('\u{1b}') && !done.out.contains('\u{1b}'), "{done:?}");
    for verb in ["doctor", "list", "plan"] {
        let done = place.fine(&[verb]);
        assert!(!done.out.contains('\u{1b}') && done.err.is_empty(), "{done:?}");
    }
}

#[test]
fn a_budget_that_is_up_leaves_the_rest_unmeasured_and_says_so() {
    let place = Place::new();
    let line = ["run", "rmsnorm", "swiglu", "sample", "--suite", "smoke", "--out", "d", "--budget", "1ms"];
    let done = place.fine(&line);
    assert!(done.err.contains("not measured") && done.err.contains("--budget"), "{done:?}");
    let run = spark_results::store::read(&place.at("d")).unwrap();
    let ended = run.manifest.ended.clone().unwrap();
    assert!(!ended.complete && !run.unfinished().is_empty(), "{ended:?}");
    place.fine(&["verify", "d"]);
    // Continued without a budget it is complete.
    place.fine(&["run", "--resume", "d", "--suite", "smoke", "--quiet"]);
    assert!(spark_results::store::read(&place.at("d")).unwrap().unfinished().is_empty());
}

#[test]
fn every_verb_and_format_of_the_help_can_be_had() {
    trycmd::TestCases::new().case("tests/cmd/*.trycmd").run();
}
