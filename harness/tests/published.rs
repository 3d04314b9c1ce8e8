//! What was published, claimed and can fit, as the program tells it; and that a run of suite `full` has something to stand beside.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod program;

use program::Place;
use serde_json::Value;
use spark_bench::plan;
use spark_kernels::cpu::Cpu;
use spark_results::published::{self, Point};
use spark_workloads::{Devices, suite};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a machine with 16 GiB has to spare: a 7B in 8 bits fits, a 20B does not.
const HOLDS_A_7B: u64 = 14 << 30;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("one JSON document: {e}: {text:.200}"))
}

/// The published systems beside each piece of work that suite `full` would do with so much memory.
fn comparable(memory: u64) -> BTreeMap<Point, BTreeSet<&'static str>> {
    let devices = Devices::new(vec![Arc::new(Cpu::new(Some(1), 1 << 20))]);
    let tasks = plan::tasks(&suite::named("full").unwrap().tasks, &devices, &[]).unwrap();
    let runs = tasks.iter().filter(|task| task.declined(memory).is_none());
    let points: BTreeSet<Point> = runs.filter_map(|task| Point::of(&task.id.workload, &task.id.axes)).collect();
    let mut beside: BTreeMap<Point, BTreeSet<&'static str>> = BTreeMap::new();
    for figure in published::all().unwrap() {
        if let Some(point) = figure.work.filter(|point| points.contains(point)) {
            beside.entry(point.clone()).or_default().insert(figure.system);
        }
    }
    beside
}

#[test]
fn suite_full_has_something_to_stand_beside_on_a_machine_that_holds_a_7b() {
    let beside = comparable(HOLDS_A_7B);
    let of_7b = beside.iter().filter(|(point, _)| point.model().is_some_and(|model| model.contains("7b")));
    assert!(of_7b.clone().count() >= 6, "{beside:#?}");
    let systems: BTreeSet<_> = of_7b.flat_map(|(_, systems)| systems).collect();
    assert!(systems.len() >= 6, "{systems:?}");
    assert!(beside.keys().all(|point| point.model() != Some("gpt-oss-120b")), "what does not fit is not run");
    // A machine that holds everything has more, and one that holds nothing large still has its memory.
    let all = comparable(1 << 40);
    assert!(all.len() > beside.len() && all.keys().any(|point| point.model() == Some("gpt-oss-120b")));
    assert!(comparable(6 << 30).keys().any(|point| matches!(point, Point::Stream(_))));
}

#[test]
fn published_figures_are_listed_with_their_sources() {
    let place = Place::new();
    let all = json(&place.fine(&["list", "published", "--json"]).out);
    let all = all.as_array().unwrap();
    assert!(all.len() >= 300);
    for row in all {
        for field in ["system", "metric", "workload", "unit", "source", "reference", "date", "confidence", "machine"] {
            assert!(row[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {row}");
        }
        assert!(row["value"].as_f64().is_some_and(|value| value > 0.0), "{row}");
    }
    let systems: BTreeSet<_> = all.iter().filter_map(|row| row["system"].as_str()).collect();
    for system in [
        "DGX Spark",
        "M2 Ultra",
        "M3 Ultra",
        "M4 Max",
        "M4 Pro",
        "M5 family",
        "RTX 3090",
        "RTX 4090",
        "RTX 5090",
        "RTX PRO 6000",
        "H100",
        "H200",
        "Strix Halo",
        "Jetson Thor",
    ] {
        assert!(systems.contains(system), "{system}");
    }
    let told = place.fine(&["list", "published"]);
    assert!(told.out.contains("secondary") && told.out.lines().count() > all.len() && told.err.is_empty());
}

#[test]
fn the_ledger_prints_all_its_verdicts_with_their_arithmetic() {
    let place = Place::new();
    let all = json(&place.fine(&["claims", "--json"]).out);
    let all = all.as_array().unwrap();
    assert_eq!(all.iter().map(|claim| claim["id"].as_u64().unwrap()).collect::<Vec<_>>(), (1..=23).collect::<Vec<_>>());
    for claim in all {
        assert!(claim["subject"].is_string() && claim["verdict"].is_string(), "{claim}");
        assert!(claim["arithmetic"].as_str().is_some_and(|text| !text.is_empty()), "{claim}");
        assert!(claim["measured"].is_null() && claim["bound_measured"].is_null(), "no run was named: {claim}");
    }
    assert!(all[11]["verdict"] == "impossible" && (all[11]["bound_spec"].as_f64().unwrap() - 6.9333).abs() < 1e-3);
    let told = place.fine(&["claims"]).out;
    for said in ["12  IMPOSSIBLE", "273e9 ÷ 39.375e9 = 6.9333 tok/s", "said of RTX Spark by [E]", "23 claims: "] {
        assert!(told.contains(said), "{said}: {told}");
    }
    // A run on another machine stands beside and decides nothing.
    place.fine(&["run", "read", "--bytes", "1048576", "--suite", "smoke", "--no-roofs", "--out", "d", "--quiet"]);
    let with_run = json(&place.fine(&["claims", "d", "--json"]).out);
    let seventy = &with_run[11];
    assert!(seventy["bound_measured"].as_f64().is_some_and(|bound| bound > 0.0), "{seventy}");
    assert!(seventy["verdict"] == "impossible" && seventy["decides_here"] == false, "{seventy}");
    assert!(place.refused(&["claims", "no-such-run"]).contains("no-such-run"));
}

#[test]
fn what_fits_is_told_for_published_machines_with_a_reason_for_what_is_not_known() {
    let place = Place::new();
    let fit = |line: &[&str]| json(&place.fine(&[&["fit", "--json"], line].concat()).out).as_array().unwrap().clone();
    let rows = fit(&["--params", "70B", "--format", "nvfp4,mxfp4", "--on", "DGX Spark"]);
    assert_eq!(
        rows.iter().map(|r| r["weights_bytes"].as_u64().unwrap()).collect::<Vec<_>>(),
        [39_375_000_000, 37_187_500_000]
    );
    assert!((rows[0]["decode_tok_s_bound"].as_f64().unwrap() - 6.9333).abs() < 1e-3 && rows[0]["fits"] == true);
    assert!(rows[0]["kv_bytes_per_token"].is_null() && rows[0]["unavailable"]["kv_bytes_per_token"].is_string());
    let rows =
        fit(&["-m", "gpt-oss-120b,llama-3.3-70b", "--format", "mxfp4", "--on", "M4 Max 128GB", "--context", "1048576"]);
    assert_eq!(
        (rows[0]["kv_bytes_per_token"].as_u64(), rows[1]["kv_bytes_per_token"].as_u64()),
        (Some(36 << 10), Some(320 << 10))
    );
    assert!(rows[0]["fits"] == true && rows[1]["fits"] == false, "{rows:?}");
    assert!(rows[0]["bandwidth_from"].as_str().unwrap().starts_with("data sheet"), "{rows:?}");
    let card = fit(&["--params", "32B", "--bits", "5", "--on", "RTX 4090"]);
    assert!(card[0]["fits"] == true && card[0]["weights_bytes"] == 20_000_000_000_u64);
    // The cost of claim 14: 200 W at the roof, electricity alone first.
    let priced =
        fit(&["--params", "70B", "--format", "nvfp4", "--on", "DGX Spark", "--watts", "200", "--tariff", "0.17/kWh"]);
    let cost = &priced[0]["cost"];
    assert!((cost["marginal"].as_f64().unwrap() - 1.3622).abs() < 1e-3, "{cost}");
    assert!(
        cost["with_machine"].as_f64() > cost["with_idle"].as_f64()
            && cost["with_idle"].as_f64() > cost["marginal"].as_f64()
    );
    assert!(cost["inputs"]["tariff_per_kwh"] == 0.17 && cost["sensitivity"].as_array().unwrap().len() == 6);
    let unpriced = fit(&["--params", "70B", "--format", "nvfp4", "--on", "DGX Spark"]);
    assert!(
        unpriced[0]["cost"].is_null()
            && unpriced[0]["unavailable"]["cost"].as_str().unwrap().contains("--joules-per-token")
    );
    // This machine with its roofs given: nothing is measured.
    let here = fit(&["-m", "tiny", "--bandwidth", "100GB/s", "--peak", "1TFLOP/s"]);
    assert!(here.len() == 6 && here.iter().all(|row| row["fits"] == true && row["max_context"] == 4096), "{here:?}");
    let told = place
        .fine(&["fit", "-m", "llama-3.1-8b", "--on", "RTX 4090", "--joules-per-token", "2", "--api-price", "0.60/Mtok"])
        .out;
    for said in [
        "data sheet",
        "first token after",
        "marginal",
        "with idle",
        "with machine",
        "half and twice",
        "--tariff 0.17/kWh",
    ] {
        assert!(told.contains(said), "{said}: {told}");
    }
}

#[test]
fn what_cannot_be_is_refused_in_one_line() {
    let place = Place::new();
    for (line, said) in [
        (&["fit", "--on", "Cray-1"][..], "DGX Spark"),
        (&["fit", "-m", "no-such-model"], "llama-3.1-8b"),
        (&["fit", "--on", "DGX Spark", "--format", "q9"], "q9"),
        (&["fit", "--on", "DGX Spark", "--kv", "q9"], "bf16"),
        (&["fit", "--params", "many"], "8B"),
        (&["fit", "--on", "DGX Spark", "--run", "x"], "x"),
        (&["fit", "--tariff", "much"], "0.17/kWh"),
    ] {
        let refused = place.refused(line);
        assert!(refused.contains(said), "{line:?}: {refused}");
    }
}
