//! The section on memory: levels with their names, tables in two directions, the curve under load, all from stored numbers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "fixture/mod.rs"]
#[allow(dead_code, reason = "shared with the other tests")]
mod fixture;
#[path = "fixture/html.rs"]
#[allow(dead_code, reason = "shared with the other tests")]
mod html;

use spark_results::contention::{ALONE, Side};
use spark_results::id::BenchmarkId;
use spark_results::record::{Better, Metric, Outcome, Record, Work};
use spark_results::{Run, contention, handover, loaded};

fn metric(name: String, value: f64, unit: &str) -> Metric {
    Metric { name, value, unit: unit.into(), better: Better::Higher }
}

fn id(workload: &str, how: &str) -> BenchmarkId {
    BenchmarkId::new(workload, "cpu", how)
}

fn with(record: Record, metrics: Vec<Metric>) -> Record {
    let mut record = record;
    if let Outcome::Measured(m) = &mut record.outcome {
        m.metrics = metrics;
        m.facts.insert("groups".into(), "one: cpus 0; other: cpus 1".into());
    }
    record
}

fn contention() -> Record {
    let loads = [("read", 20e9), ("copy", 17e9)];
    let mut metrics = Vec::new();
    for side in [Side::One, Side::Other] {
        for (what, alone) in loads {
            metrics.push(metric(contention::name(side, what, ALONE), alone, "B/s"));
            for (beside, _) in loads {
                let left = if beside == "copy" { 0.61 } else { 0.9 };
                metrics.push(metric(contention::name(side, what, beside), alone * left, "B/s"));
            }
        }
    }
    let work = Work { bytes: 64 << 20, ..Work::default() };
    let shape = id("contention", "fastest").with("one", "streams").with("other", "streams");
    with(fixture::measured(shape, work, 3e-3), metrics)
}

/// The fixture's run with everything that memory has.
fn run() -> Run {
    let mut run = fixture::run();
    let hops = Work { items: 1 << 14, item: "hop".into(), ..Work::default() };
    for (bytes, ns) in [(1u64 << 20, 9.0), (32 << 20, 44.0), (512 << 20, 161.0)] {
        let shape = id("chase", "fastest").with("bytes", bytes).with("pages", "small");
        run.records.push(fixture::measured(shape, hops.clone(), ns * 1e-9 * f64::from(1 << 14)));
    }
    let lines = Work { bytes: 1 << 24, items: 1 << 18, item: "line".into(), ..Work::default() };
    let shape = id("lines", "fastest").with("bytes", 1u64 << 30).with("order", "random").with("threads", 2u64);
    run.records.push(fixture::measured(shape, lines, 4e-3));
    for (threads, share) in [(1u64, 0.55), (4, 1.7)] {
        let shape = id("read", "fastest").with("bytes", 1u64 << 30).with("threads", threads);
        let work = Work { bytes: 64 << 20, ..Work::default() };
        let mut record = fixture::measured(shape, work, f64::from(64 << 20) / (fixture::READ * share));
        if let Outcome::Measured(m) = &mut record.outcome {
            m.facts.insert("variants_tried".into(), "avx512-pages4 3000000 ns".into());
        }
        run.records.push(record);
    }
    let points = [(0.0, 118.0), (12e9, 131.0), (31e9, 204.0)];
    let mut metrics = Vec::new();
    for (at, (injected, ns)) in points.into_iter().enumerate() {
        metrics.push(metric(loaded::latency(at), ns, "ns"));
        if at > 0 {
            metrics.push(metric(loaded::injected(at), injected, "B/s"));
        }
    }
    run.records.push(with(fixture::measured(id("loaded", "scalar"), hops, 1.9e-3), metrics));
    let pairs = [(0, 1, 48.0), (0, 2, 71.0), (1, 2, 70.0)];
    let metrics = pairs.map(|(a, b, ns)| metric(handover::name(a, b), ns, "ns")).to_vec();
    let handovers = Work { items: 10_000, item: "handover".into(), ..Work::default() };
    run.records.push(with(fixture::measured(id("pingpong", "scalar").with("threads", 3u64), handovers, 7e-4), metrics));
    run.records.push(contention());
    run
}

#[test]
fn memory_is_told_with_levels_tables_and_curves() {
    let run = run();
    let page = spark_reports::html(std::slice::from_ref(&run));
    let read = html::read(&page).unwrap_or_else(|e| panic!("{e}"));
    // For whoever wants to look at it.
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/memory.html"), &page).unwrap();
    let words = read.text.split_whitespace().collect::<Vec<_>>().join(" ");
    for expected in [
        "knee found at",
        "DRAM huge pages",
        "Bandwidth by threads",
        "Out of order",
        "What small pages add",
        "Latency under load",
        "1.73 ×",
        "From core to core",
        "48.0 nsm to 71.0 nsm over 3 pairs",
        "Beside each other",
        "group one ↓ beside →",
        "61 %",
        "one: cpus 0; other: cpus 1",
    ] {
        assert!(words.contains(expected), "{expected:?} is missing in {words}");
    }
    let beside: Vec<_> = read.elements.iter().filter(|(_, a)| a.iter().any(|(_, v)| v.contains("color-mix"))).collect();
    // Two sides of two loads beside three columns, and nine cells of three cores less their diagonal.
    assert_eq!(beside.len(), 2 * 2 * 3 + 6);
}

#[test]
fn the_data_sheet_stands_beside_memory_where_it_is_known() {
    let mut run = run();
    let words = |run: &Run| {
        let page = spark_reports::html(std::slice::from_ref(run));
        html::read(&page).unwrap().text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert!(!words(&run).contains("of the data sheet's"));
    run.manifest.machine.product = Some(spark_results::machine::Product {
        name: Some("NVIDIA_DGX_Spark".into()),
        ..spark_results::machine::Product::default()
    });
    let told = words(&run);
    assert!(told.contains("of the data sheet's 273 GB/s"), "{told}");
}
