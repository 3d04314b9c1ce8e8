//! `spark-bench export`: one run, made by hand, in every form; what has no number has none in any of them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod program;

use program::Place;
use serde_json::Value;
use spark_results::conditions::{Conditions, Energy, EnergyReading, State, Throttling};
use spark_results::record::{Better, Cache, Check, Measurement, Metric, Outcome, Record, Work};
use spark_results::reported::{Origin, Reported};
use spark_results::run::{Build, DeviceInfo, Ended, Manifest, SCHEMA, Settings};
use spark_results::store::Store;
use spark_results::{BenchmarkId, Machine};
use std::fs;
use std::path::{Path, PathBuf};

fn measured(work: Work, iterations: u64, ns: u64, energy: Energy) -> Measurement {
    Measurement {
        clock: "monotonic".into(),
        samples_ns: (0..8).map(|at| ns + at % 3 * (ns / 100)).collect(),
        at_ns: Vec::new(),
        dropped: Vec::new(),
        iterations,
        cache: Cache::Cold,
        work,
        phases: Vec::new(),
        ops: Vec::new(),
        metrics: Vec::new(),
        requests: Vec::new(),
        roofs: Vec::new(),
        conditions: Conditions {
            energy,
            core_clocks: Vec::new(),
            throttling: Throttling::Unavailable { reason: "none".into() },
            before: State::default(),
            after: State::default(),
            during: None,
            pages: None,
        },
        check: Some(Check { max_error: 1e-7, tolerance: 1e-6, compared: 64 }),
        facts: Default::default(),
        notes: Vec::new(),
    }
}

/// A run with a decode, a prefill, a gemm, a test double's gemm, and one of each that has no number.
fn run(folder: &Path) {
    let none = || Energy::Unavailable { reason: "no sensor".into() };
    let joules = Energy::Measured {
        readings: vec![EnergyReading {
            scope: "cpu".into(),
            source: "rapl \"a\"".into(),
            joules: 64.0,
            watts: 8.0,
            plus_minus: 0.05,
            coverage: 1.0,
            covers_device: true,
            ..EnergyReading::default()
        }],
        invalid: Vec::new(),
        window_ns: None,
    };
    let tokens = |items| Work { flops: 1000, bytes: 500, items, item: "token".into() };
    let on = |workload: &str, device: &str| BenchmarkId::new(workload, device, "avx2");
    let gemm = Work { flops: 1 << 20, bytes: 1 << 12, ..Work::default() };
    let done = |m| Outcome::Measured(Box::new(m));
    let outcomes = [
        (
            on("prefill", "cpu").with("model", "tiny").with("format", "mxfp4").with("n_prompt", 16u64),
            done(measured(tokens(16), 1, 2_000_000, none())),
        ),
        (
            on("decode", "cpu").with("model", "tiny").with("format", "mxfp4").with("n_gen", 4u64).with("depth", 32u64),
            done(measured(tokens(1), 4, 4_000_000, joules)),
        ),
        (on("gemm", "cpu").with("format", "<&\">"), done(measured(gemm.clone(), 1, 1000, none()))),
        (on("gemm", "cuda:0").with("m", 1u64), done(measured(gemm, 1, 10, none()))),
        (on("gemm", "cpu").with("m", 2u64), Outcome::Skipped { reason: "needs 9 GiB".into() }),
        (on("gemm", "cpu").with("m", 3u64), Outcome::Failed { error: "element 17 is NaN".into() }),
        (
            BenchmarkId::new("llama-bench", "CPU", "abc").with("test", "pp8"),
            Outcome::Reported(Box::new(Reported {
                origin: Origin {
                    tool: "llama-bench".into(),
                    file: "x.json".into(),
                    hash: "00".into(),
                    ..Origin::default()
                },
                metrics: vec![Metric {
                    name: "avg_ts".into(),
                    value: 5.0,
                    unit: "tok/s".into(),
                    better: Better::Higher,
                }],
                ..Reported::default()
            })),
        ),
    ];
    let device = |id: &str, simulated| DeviceInfo { id: id.into(), name: None, unavailable: None, simulated };
    let mut machine = Machine { host: Some("a host".into()), ..Machine::default() };
    machine.cpu.brand = Some("a CPU".into());
    let mut planned: Vec<String> = outcomes.iter().map(|(id, _)| id.to_string()).collect();
    planned.push("read/cpu/never".into());
    let manifest = Manifest {
        schema: SCHEMA.into(),
        id: "a-run".into(),
        started_at: "2026-01-02T03:04:05Z".into(),
        ended: Some(Ended { at: "2026-01-02T03:04:09Z".into(), complete: false, reason: Some("budget".into()) }),
        command: vec!["spark-bench".into(), "all".into()],
        build: Build {
            version: "1.2.3".into(),
            revision: Some("abc1234".into()),
            profile: "release".into(),
            target: "x86_64-linux".into(),
        },
        settings: Settings { threads: Some(2), ..Settings::default() },
        machine,
        devices: vec![device("cpu", false), device("cuda:0", true)],
        planned,
        telemetry_cost: None,
        canaries: Vec::new(),
        absent: Vec::new(),
    };
    let mut store = Store::create(folder, &manifest).unwrap();
    for (at, (id, outcome)) in (0..).zip(outcomes) {
        let began_ns = at * 1_000_000_000;
        store.append(&Record { id, began_ns, ended_ns: began_ns + 500_000_000, outcome }).unwrap();
    }
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/export").join(name)
}

/// `now` has to be what is kept as `name`.
fn kept(name: &str, now: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|v| v == "1") {
        fs::create_dir_all(golden("")).unwrap();
        fs::write(golden(name), now).unwrap();
    }
    let kept = fs::read_to_string(golden(name)).unwrap_or_default().replace("\r\n", "\n");
    assert!(kept == now, "{name} is not what it was; UPDATE_GOLDEN=1 shows the difference. Now:\n{now}");
}

#[test]
fn every_form_is_what_is_kept_of_it() {
    let place = Place::new();
    run(&place.at("r"));
    for (format, name) in
        [("csv", "run.csv"), ("bmf", "run.bmf.json"), ("junit", "run.xml"), ("openmetrics", "run.openmetrics")]
    {
        kept(name, &place.fine(&["export", "r", "--format", format]).out);
    }
    kept("long.csv", &place.fine(&["export", "r", "--format", "csv", "--long"]).out);
    for output in ["json", "jsonl", "csv", "sql", "md"] {
        let out = place.fine(&["export", "r", "--format", "llama-bench", "--output", output]).out;
        kept(&format!("llama-bench.{output}"), &out);
    }
    place.fine(&["export", "r", "--format", "github", "--out", "g"]);
    for name in ["bigger-is-better.json", "smaller-is-better.json"] {
        kept(name, &fs::read_to_string(place.at("g").join(name)).unwrap());
    }
    let document: Value = serde_json::from_str(&place.fine(&["export", "r"]).out).unwrap();
    assert_eq!(document["records"].as_array().unwrap().len(), 7);
    assert_eq!(document["records"][6]["status"], "reported");
}

#[test]
fn what_has_no_number_has_none_in_any_form() {
    let place = Place::new();
    run(&place.at("r"));
    let text = |format: &str| place.fine(&["export", "r", "--format", format]);
    // Skipped, failed, reported by another program, made by a test double: no value, never 0.
    let bmf: Value = serde_json::from_str(&text("bmf").out).unwrap();
    let names: Vec<_> = bmf.as_object().unwrap().keys().cloned().collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(text("bmf").err.contains("4 records are left out"));
    assert!(
        bmf.as_object().unwrap().values().all(|of| of
            .as_object()
            .unwrap()
            .values()
            .all(|m| m["value"].as_f64() > Some(0.0)))
    );
    let metrics = text("openmetrics").out;
    assert!(metrics.ends_with("# EOF\n") && metrics.contains("status=\"simulated\""));
    let values = metrics.lines().filter(|line| !line.starts_with('#') && !line.contains("_info{"));
    assert!(values.clone().count() > 4 && values.clone().all(|line| !line.contains("cuda:0") && !line.ends_with(" 0")));
    let xml = text("junit").out;
    assert_eq!((xml.matches("<skipped").count(), xml.matches("<error").count()), (4, 1), "{xml}");
    assert!(xml.contains("&lt;%26&quot;&gt;") && !xml.contains("<&\">"));
}

#[test]
fn llama_benchs_rows_read_back() {
    let place = Place::new();
    run(&place.at("r"));
    for output in ["json", "jsonl", "csv", "sql"] {
        let file = format!("rows.{output}");
        place.fine(&["export", "r", "--format", "llama-bench", "-o", output, "--out", &file]);
        let back = place.fine(&["import", &file, "--json", "--quiet", "--out", output]).out;
        let back: Value = serde_json::from_str(&back).unwrap();
        let records = back["records"].as_array().unwrap();
        assert_eq!(records.len(), 2, "{output}");
        let rate = |at: usize| {
            let all = records[at]["metrics"].as_array().unwrap();
            all.iter().find(|m| m["name"] == "avg_ts").unwrap()["value"].as_f64().unwrap()
        };
        // 16 tokens in 2 ms, and 4 in 4 ms; samples of up to 2 % more.
        assert!((7840.0..8000.0).contains(&rate(0)) && (980.0..1000.0).contains(&rate(1)), "{output}");
    }
}

#[test]
fn a_parquet_file_has_the_numbers_and_nulls_where_there_is_none() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;
    let place = Place::new();
    run(&place.at("r"));
    place.fine(&["export", "r", "--format", "parquet", "--out", "r.parquet"]);
    let reader = SerializedFileReader::new(fs::File::open(place.at("r.parquet")).unwrap()).unwrap();
    let cell = |field: &Field| match field {
        Field::Str(text) => Value::from(text.as_str()),
        Field::Double(number) => Value::from(*number),
        _ => Value::Null,
    };
    let row = |row: parquet::record::Row| -> Value {
        row.get_column_iter().map(|(name, field)| (name.clone(), cell(field))).collect()
    };
    let rows: Vec<Value> = reader.get_row_iter(None).unwrap().map(|of| row(of.unwrap())).collect();
    let long = place.fine(&["export", "r", "--format", "csv", "--long"]).out;
    assert_eq!(rows.len(), long.lines().count() - 1);
    let of = |status: &str| rows.iter().filter(|row| row["status"] == status).cloned().collect::<Vec<_>>();
    assert!(of("measured").iter().all(|row| row["value"].as_f64() > Some(0.0)), "{rows:?}");
    for status in ["skipped", "failed", "simulated"] {
        assert!(of(status).len() == 1 && of(status)[0]["value"].is_null(), "{status}: {rows:?}");
    }
    assert_eq!(of("reported")[0]["value"], 5.0);
}

#[test]
fn what_cannot_be_asked_for_is_refused() {
    let place = Place::new();
    run(&place.at("r"));
    for (line, named) in [
        (&["export", "r", "--format", "github"][..], "--out"),
        (&["export", "r", "--format", "parquet"], "--out"),
        (&["export", "r", "--format", "bmf", "--long"], "--long"),
        (&["export", "r", "--format", "excel"], "'excel'"),
        (&["export", "nowhere", "--format", "bmf"], "nowhere"),
    ] {
        let said = place.refused(line);
        assert!(said.contains(named), "{line:?} does not name {named}: {said}");
    }
}
