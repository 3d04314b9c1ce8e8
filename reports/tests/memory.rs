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
use spark_results::{Run, coherence, contention, handover, loaded, transfer, unified};

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

/// What a GPU has beside the host.
fn gpu_records() -> Vec<Record> {
    let on_gpu = |workload: &str, how: &str| BenchmarkId::new(workload, "cuda:0", how);
    let copies = [
        ("pinned", "engine", 55e9),
        ("pinned", "kernel", 48e9),
        ("pageable", "engine", 4.1e9),
        ("managed-advised", "kernel", 9e9),
    ];
    let ways = copies.iter().flat_map(|(memory, engine, rate)| {
        [("in", 1.0), ("out", 0.9), ("both", 1.6)]
            .map(|(direction, share)| metric(transfer::name(memory, engine, direction), rate * share, "B/s"))
    });
    let peers = [("out", 41e9), ("in", 39e9)]
        .map(|(direction, rate)| metric(transfer::name("cuda:1", "peer", direction), rate, "B/s"));
    let ways: Vec<Metric> = ways.chain(peers).collect();
    let storm = Work { bytes: 4 << 20, items: 1024, item: "copy".into(), ..Work::default() };
    let small = with(fixture::measured(on_gpu("transfer", "driver").with("bytes", 4096u64), storm, 2e-3), ways.clone());
    let large = Work { bytes: 1 << 30, items: 1, item: "copy".into(), ..Work::default() };
    let large = with(fixture::measured(on_gpu("transfer", "driver").with("bytes", 1u64 << 30), large, 2e-2), ways);
    let mut metrics = vec![
        metric(unified::copied("gpu"), 55e9, "B/s"),
        metric(unified::read("gpu", unified::COPY, "gpu"), 240e9, "B/s"),
        metric(unified::read("gpu", "device", "gpu"), 240e9, "B/s"),
        metric(unified::touch("cpu", "managed"), 310.0, "ns"),
        metric(unified::fault("managed"), 21_000.0, "ns"),
    ];
    for (reader, maker, rate) in
        [("gpu", "cpu", 192e9), ("cpu", "gpu", 90e9), ("gpu", "gpu", 200e9), ("cpu", "cpu", 95e9)]
    {
        metrics.push(metric(unified::read(reader, "managed", maker), rate, "B/s"));
        if reader != maker {
            metrics.push(metric(unified::first(reader, "managed", maker), rate / 4.0, "B/s"));
        }
    }
    let work = Work { bytes: 256 << 20, ..Work::default() };
    let mut buffer =
        with(fixture::measured(on_gpu("unified", "fastest").with("bytes", 256u64 << 20), work, 1e-3), metrics);
    if let Outcome::Measured(m) = &mut buffer.outcome {
        m.facts.insert("memory".into(), "coherent unified memory".into());
    }
    let beyond = [("writes", 9e9), ("reads", 7e9)].map(|(how, rate)| metric(unified::exceeding(how), rate, "B/s"));
    let shape = on_gpu("unified", "fastest").with("bytes", 256u64 << 20).with("oversubscribe", 150u64);
    let work = Work { bytes: 256 << 20, ..Work::default() };
    let beyond = with(fixture::measured(shape, work, 1e-3), beyond.to_vec());
    use coherence::What;
    let side = |text: &str| text.to_owned();
    let lines = [
        (What::Handover, 610.0, "ns"),
        (What::Atomics { side: side("gpu"), how: side("both") }, 2e6, "op/s"),
        (What::Sharing { side: side("cpu"), how: side("same line") }, 80.0, "ns"),
        (What::PassedOn { to: side("gpu"), bytes: 256 << 10 }, 31e9, "B/s"),
    ];
    let metrics = ["pinned", "managed"]
        .iter()
        .flat_map(|memory| lines.iter().map(|(what, value, unit)| metric(coherence::name(what, memory), *value, unit)))
        .collect();
    let handovers = Work { items: 10_000, item: "handover".into(), ..Work::default() };
    let line = with(fixture::measured(on_gpu("coherence", "scalar"), handovers, 6e-3), metrics);
    let loads = [("read", 90e9, "B/s"), ("gemv", 210e9, "B/s"), ("decode", 45.0, "tok/s")];
    let mut metrics = Vec::new();
    for (what, alone, unit) in loads {
        let side = if what == "read" { Side::One } else { Side::Other };
        metrics.push(metric(contention::name(side, what, ALONE), alone, unit));
        for (beside, ..) in loads.iter().filter(|(beside, ..)| (what == "read") != (*beside == "read")) {
            metrics.push(metric(contention::name(side, what, beside), alone * 0.7, unit));
        }
    }
    let work = Work { bytes: 256 << 20, ..Work::default() };
    let mut beside = with(fixture::measured(on_gpu("contention", "fastest"), work, 3e-3), metrics);
    if let Outcome::Measured(m) = &mut beside.outcome {
        m.facts.insert("groups".into(), "one: cpus 0, 1; other: cuda:0".into());
    }
    vec![small, large, buffer, beyond, line, beside]
}

#[test]
fn what_lies_between_host_and_gpu_is_told() {
    let mut run = run();
    let mut gpu = run.manifest.devices[0].clone();
    gpu.id = "cuda:0".into();
    gpu.unavailable = None;
    run.manifest.devices.retain(|d| !d.id.starts_with("cuda"));
    run.manifest.devices.push(gpu);
    run.records.extend(gpu_records());
    let page = spark_reports::html(std::slice::from_ref(&run));
    // For whoever wants to look at it.
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/memory-gpu.html"), &page).unwrap();
    let words = |page: &str| html::read(page).unwrap().text.split_whitespace().collect::<Vec<_>>().join(" ");
    let told = words(&page);
    for expected in [
        "A buffer made by the CPU (managed) is read by the GPU where it stands at 192 GB/sm, 80 %d of a copy in its own memory",
        "A buffer made by the GPU (managed) is read by the CPU where it stands at 90.0 GB/sm",
        "The driver calls it coherent unified memory",
        "first 48.0 GB/s",
        "gpu waits for a page of managed",
        "4 KiB a copy, 1024 behind each other",
        "pageable, copy engine",
        "managed-advised, kernel",
        "cuda:1, peer",
        "Of managed memory of 150 % of what it has, paged out to the host, the GPU (cuda:0) writes 9.00 GB/sm and reads 7.00 GB/sm",
        "both at once",
        "false sharing",
        "256 KiB passed on to the GPU",
        "a lower bound of the link",
        "CPU ↓ beside GPU →",
        "GPU ↓ beside CPU →",
        "one: cpus 0, 1; other: cuda:0",
    ] {
        assert!(told.contains(expected), "{expected:?} is missing in {told}");
    }
    // Of a double nothing of all that is shown.
    for device in &mut run.manifest.devices {
        device.simulated = device.id == "cuda:0";
    }
    let told = words(&spark_reports::html(std::slice::from_ref(&run)));
    for hidden in
        ["is read by the GPU where it stands", "pageable, copy engine", "passed on to the GPU", "192 GB/s", "paged out"]
    {
        assert!(!told.contains(hidden), "{hidden:?} is shown of a double");
    }
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
    // The knees stand in the figure, beside the table: 181 KiB is one of the latency's.
    let drawn = page.split("<svg").filter(|svg| svg.contains("Latency by working set"));
    assert!(drawn.clone().count() == 2 && drawn.clone().all(|svg| svg.contains("181 KiB")), "wide and narrow");
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
