//! `spark-bench import`: a file of each format comes to the records that are kept beside it, and nothing else gets in.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod program;

use program::Place;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

fn files() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import")
}

/// Every file, and the format that it is taken for by its look.
const FILES: &[(&str, &str)] = &[
    ("llama-bench.json", "llama-bench"),
    ("llama-bench.jsonl", "llama-bench"),
    ("llama-bench.csv", "llama-bench"),
    ("llama-bench.sql", "llama-bench"),
    ("llama-bench.md", "llama-bench"),
    ("llama-bench-flags.jsonl", "llama-bench"),
    ("llama-bench-flags.md", "llama-bench"),
    ("llama-bench-columns.md", "llama-bench"),
    ("batched-bench.jsonl", "llama-batched-bench"),
    ("backend-ops.sql", "test-backend-ops"),
    ("llama-benchy.json", "llama-benchy"),
    ("nvbandwidth.json", "nvbandwidth"),
    ("vllm.json", "vllm"),
    ("aiperf.json", "aiperf"),
    ("aiperf.jsonl", "aiperf"),
    ("localscore.json", "localscore"),
    ("mlx-lm.txt", "mlx-lm"),
    ("hyperfine.json", "hyperfine"),
    ("criterion-estimates.json", "criterion"),
    ("cargo-criterion.jsonl", "criterion"),
];

/// The records that a file comes to.
fn imported(place: &Place, file: &str, out: &str) -> Value {
    let path = files().join(file);
    let done = place.fine(&["import", path.to_str().unwrap(), "--json", "--quiet", "--out", out]);
    let document: Value = serde_json::from_str(&done.out).unwrap();
    document["records"].clone()
}

fn value(records: &Value, at: usize, name: &str) -> Option<f64> {
    let all = records[at]["metrics"].as_array()?;
    all.iter().find(|m| m["name"] == name)?["value"].as_f64()
}

#[test]
fn each_format_comes_to_what_is_kept_of_it() {
    let place = Place::new();
    for (file, tool) in FILES {
        let records = imported(&place, file, file);
        for record in records.as_array().unwrap() {
            assert_eq!(
                (&record["status"], &record["workload"]),
                (&Value::from("reported"), &Value::from(*tool)),
                "{file}"
            );
            assert_eq!(record["origin"]["file"], *file);
            assert!(record["roof"].is_null() && record["time"].is_null() && record["rates"].is_null(), "{record}");
        }
        let golden = files().join("golden").join(format!("{file}.json"));
        let now = format!("{records:#}\n");
        if std::env::var_os("UPDATE_GOLDEN").is_some_and(|v| v == "1") {
            fs::create_dir_all(golden.parent().unwrap()).unwrap();
            fs::write(&golden, &now).unwrap();
        }
        let kept = fs::read_to_string(&golden).unwrap_or_default().replace("\r\n", "\n");
        assert!(kept == now, "{file} does not come to {}: UPDATE_GOLDEN=1 shows the difference", golden.display());
        place.fine(&["verify", file]);
    }
}

#[test]
fn llama_benchs_five_outputs_say_the_same() {
    let place = Place::new();
    let all = ["json", "jsonl", "csv", "sql", "md"].map(|of| imported(&place, &format!("llama-bench.{of}"), of));
    for records in &all {
        assert_eq!(records.as_array().unwrap().len(), 2, "{records}");
        for at in [0, 1] {
            // Each output is of a run of its own: the rates are near each other, not equal.
            assert!(
                value(records, at, "avg_ts").unwrap() > 0.0 && value(records, at, "stddev_ts").is_some(),
                "{records}"
            );
        }
    }
    let axes = |records: &Value, at: usize| records[at]["axes"]["n_prompt"].clone();
    for records in &all[..4] {
        assert_eq!((axes(records, 0), axes(records, 1)), (Value::from(8), Value::from(0)));
    }
    assert_eq!((&all[4][0]["axes"]["test"], &all[4][1]["axes"]["test"]), (&Value::from("pp8"), &Value::from("tg4")));
}

#[test]
fn every_column_of_llama_benchs_table_is_understood_and_its_rate_stands_first() {
    let place = Place::new();
    for (file, rows) in [("llama-bench-flags.jsonl", 6), ("llama-bench-flags.md", 6), ("llama-bench-columns.md", 1)] {
        let records = imported(&place, file, file);
        let records = records.as_array().unwrap();
        assert_eq!(records.len(), rows, "{file}");
        for record in records {
            assert!(record["notes"].is_null(), "{file}: {record}");
            assert_eq!(record["metrics"][0]["name"], "avg_ts", "{file}: {record}");
            // All of Debian's builds name the same commit.
            assert_eq!(record["implementation"], "Debian (11669)", "{file}");
        }
    }
}

#[test]
fn the_same_row_many_thousand_times_is_as_many_records() {
    let place = Place::new();
    let row = "x,1,2.5\n";
    fs::write(place.at("rows.csv"), format!("model_type,n_prompt,avg_ts\n{}", row.repeat(4000))).unwrap();
    place.fine(&["import", "rows.csv", "--quiet", "--out", "many"]);
    let stored = fs::read_to_string(place.at("many/records.jsonl")).unwrap();
    let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["id"].to_string();
    assert_eq!(stored.lines().map(id).collect::<std::collections::BTreeSet<_>>().len(), 4000);
}

/// What this program writes as llama-bench's rows is read again as the same numbers.
#[test]
fn what_is_exported_in_llama_benchs_words_comes_back_the_same() {
    let place = Place::new();
    place.fine(&[
        "llm",
        "-m",
        "tiny",
        "-p",
        "8",
        "-n",
        "4",
        "-d",
        "0,8",
        "-r",
        "2",
        "-q",
        "--no-roofs",
        "--out",
        "ours",
    ]);
    let seen: Vec<Vec<(String, String, String)>> = ["json", "jsonl", "csv", "sql"]
        .map(|output| {
            let file = format!("rows.{output}");
            place.fine(&["export", "ours", "--format", "llama-bench", "--output", output, "--out", &file]);
            let done = place.fine(&["import", &file, "--json", "--quiet", "--out", output]);
            let document: Value = serde_json::from_str(&done.out).unwrap();
            let told = |r: &Value| {
                let tokens = |name: &str| r["axes"][name].to_string();
                (tokens("n_prompt"), tokens("n_gen") + &tokens("n_depth"), r["metrics"].to_string())
            };
            document["records"].as_array().unwrap().iter().map(told).collect()
        })
        .into();
    assert!(seen[0].len() == 4 && seen[0].iter().all(|(_, _, metrics)| metrics.contains("avg_ts")), "{seen:?}");
    assert!(seen.iter().all(|rows| *rows == seen[0]), "{seen:#?}");
}

#[test]
fn known_traps_are_avoided() {
    let place = Place::new();
    // A cell without a number is none, so that the least is no 0; a test that stands twice counts once; waived is no number.
    let records = imported(&place, "nvbandwidth.json", "n");
    let at = |test: &str| {
        let all = records.as_array().unwrap();
        all.iter().position(|r| r["axes"]["test"] == test).unwrap_or_else(|| panic!("{test} in {records}"))
    };
    let d2d = at("device_to_device_memcpy_read_ce");
    assert_eq!((value(&records, d2d, "min"), value(&records, d2d, "average")), (Some(380.0), Some(385.0)));
    assert_eq!(value(&records, at("host_to_device_memcpy_ce"), "average"), Some(55.5));
    assert_eq!(records[at("host_device_latency_sm")]["metrics"][0]["unit"], "ns");
    for without in ["device_to_device_latency_sm", "device_local_copy"] {
        assert_eq!(records[at(without)]["metrics"].as_array().map_or(0, Vec::len), 0);
        assert!(records[at(without)]["notes"][0].as_str().unwrap().contains("its status is"));
    }
    assert_eq!(records.as_array().unwrap().len(), 5);
    // 0 W is no power.
    let records = imported(&place, "localscore.json", "l");
    assert_eq!((value(&records, 0, "power_watts"), value(&records, 0, "gen_tps")), (None, Some(120.5)));
    // What was not supported has no time of 0.
    let records = imported(&place, "backend-ops.sql", "b");
    assert_eq!((value(&records, 1, "time_us"), value(&records, 0, "time_us")), (None, Some(151.25)));
    assert_eq!(records[1]["axes"]["op_params"], "type_src=f32,it's a copy");
    // Unknown fields are named, and nothing breaks.
    let records = imported(&place, "vllm.json", "v");
    assert!(records[0]["notes"][0].as_str().unwrap().contains("some_new_field"), "{records}");
    assert_eq!((value(&records, 0, "request_goodput"), value(&records, 0, "p50.5_e2el_ms")), (None, Some(1580.0)));
}

#[test]
fn what_is_imported_is_hollow_and_no_baseline() {
    let place = Place::new();
    imported(&place, "llama-bench.json", "theirs");
    let page = fs::read_to_string(place.at("theirs/report.html")).unwrap();
    assert!(page.contains("Reported by other programs") && page.contains("○ "));
    // Neither side of a gate, nor of a comparison.
    let gate = place.run(&["gate", "--baseline", "theirs", "--candidate", "theirs"]);
    assert_eq!(gate.code, Some(3), "{gate:?}");
    assert!(gate.out.contains("INCONCLUSIVE") && !gate.out.contains("PASS"), "{gate:?}");
    let compared = place.run(&["compare", "theirs", "theirs"]);
    assert!(compared.code == Some(2) && compared.err.contains("neither run has a measurement"), "{compared:?}");
    for format in ["bmf", "llama-bench"] {
        let told = place.fine(&["export", "theirs", "--format", format]);
        assert!(!told.out.contains("avg_ts") && told.err.contains("left out"), "{told:?}");
    }
    let long = place.fine(&["export", "theirs", "--format", "csv", "--long"]).out;
    assert!(long.lines().skip(1).all(|line| line.contains(",reported,")) && long.contains(",avg_ts,"), "{long}");
}

#[test]
fn bad_files_are_refused_in_a_line() {
    let place = Place::new();
    let write = |name: &str, bytes: &[u8]| fs::write(place.at(name), bytes).unwrap();
    write("empty", b"");
    write("words", b"nothing that is known");
    write("binary", b"\xff\xfe\x00\x01");
    write("cut.json", &fs::read(files().join("nvbandwidth.json")).unwrap()[..200]);
    write("other.json", b"{\"nvbandwidth\": 7}");
    write("deep.json", "[".repeat(200_000).as_bytes());
    write("nothing.json", b"{\"nvbandwidth\": {\"testcases\": []}}");
    write("zeros.csv", b"model_type,n_prompt,avg_ts\nx,1,0\n");
    fs::create_dir(place.at("folder")).unwrap();
    let table: &[(&[&str], &str)] = &[
        (&["import", "nowhere"], "nowhere"),
        (&["import", "folder"], "a folder"),
        (&["import", "empty"], "--from"),
        (&["import", "words"], "--from"),
        (&["import", "binary"], "no text"),
        (&["import", "cut.json"], "--from"),
        (&["import", "other.json"], "no object"),
        (&["import", "deep.json"], "--from"),
        (&["import", "nothing.json"], "no number"),
        (&["import", "words", "--from", "excel"], "'excel'"),
        (&["import", "words", "--from", "vllm"], "vllm"),
        (&["import", "zeros.csv"], "no number"),
    ];
    for (line, named) in table {
        let said = place.refused(line);
        assert!(said.contains(named), "{line:?} does not name {named}: {said}");
    }
}
