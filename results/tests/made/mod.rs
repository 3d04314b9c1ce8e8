//! A run made by hand, small enough that every number of it can be worked out on paper.
#![allow(dead_code, reason = "each test file uses the part it needs")]

use spark_results::conditions::{Conditions, CoreClock, Energy, EnergyReading, PageUse, State, Throttling};
use spark_results::record::{Better, Cache, Check, Measurement, Metric, OpTime, Outcome, Phase, Record, Work};
use spark_results::roofline::{Bound, RoofReading};
use spark_results::run::{Build, DeviceInfo, Ended, Manifest, Run, SCHEMA, Settings};
use spark_results::{BenchmarkId, Machine};

pub(crate) fn manifest() -> Manifest {
    Manifest {
        schema: SCHEMA.into(),
        id: "a-run".into(),
        started_at: "2026-01-02T03:04:05Z".into(),
        ended: Some(Ended { at: "2026-01-02T03:04:09Z".into(), complete: true, reason: None }),
        command: vec!["spark-bench".into(), "all".into()],
        build: Build {
            version: "0.1.0".into(),
            revision: None,
            profile: "release".into(),
            target: "x86_64-linux".into(),
        },
        settings: Settings {
            suite: Some("smoke".into()),
            seed: 1,
            threads: Some(2),
            budget_s: Some(45.0),
            ..Settings::default()
        },
        machine: Machine { host: Some("host".into()), ..Machine::default() },
        devices: vec![
            DeviceInfo { id: "cpu".into(), name: None, unavailable: None, simulated: false },
            DeviceInfo { id: "cuda:0".into(), name: None, unavailable: None, simulated: true },
        ],
        planned: vec!["decode/cpu/scalar?model=tiny".into(), "never/cpu/scalar".into()],
        telemetry_cost: None,
        canaries: Vec::new(),
        absent: Vec::new(),
    }
}

pub(crate) fn conditions(energy: Energy) -> Conditions {
    Conditions {
        energy,
        core_clocks: vec![CoreClock { at_ns: 1, hz: vec![2e9, 3e9] }],
        throttling: Throttling::Known { throttled: false, source: "test".into() },
        before: State { load: Some(0.5), ..State::default() },
        after: State::default(),
        during: None,
        pages: Some(PageUse { bytes: 4096, huge: None }),
    }
}

/// A decode of 4 tokens in samples of two iterations: 2 s a sample at the median, so 1 s and 4 tokens an iteration.
pub(crate) fn measurement() -> Measurement {
    let reading = |scope: &str, joules, covers_device| EnergyReading {
        scope: scope.into(),
        source: "test".into(),
        joules,
        watts: 1.0,
        plus_minus: 0.1,
        coverage: 1.0,
        covers_device,
        ..EnergyReading::default()
    };
    let roof = |of: &str, bound, work| RoofReading {
        of: of.into(),
        bound,
        work,
        before_ns: vec![1_000_000_000],
        after_ns: vec![500_000_000],
    };
    Measurement {
        clock: "monotonic".into(),
        samples_ns: vec![2_000_000_000; 5],
        at_ns: Vec::new(),
        dropped: Vec::new(),
        iterations: 2,
        cache: Cache::Cold,
        work: Work { flops: 100, bytes: 600, items: 4, item: "token".into() },
        phases: vec![Phase { name: "decode".into(), began_ns: 0, ended_ns: 1, work: Work::default(), energy: None }],
        ops: vec![OpTime {
            name: "gemm head".into(),
            calls: 1,
            work: Work { flops: 10, bytes: 60, ..Work::default() },
            arithmetic: Some("f32".into()),
            streams: true,
            samples_ns: vec![100_000_000; 3],
        }],
        metrics: vec![Metric { name: "ttft".into(), value: 1.5, unit: "s".into(), better: Better::Lower }],
        requests: Vec::new(),
        roofs: vec![
            roof("read/cpu/scalar?bytes=800", Bound::Memory, Work { bytes: 800, ..Work::default() }),
            roof("peak/cpu/scalar?type=f32", Bound::Compute, Work { flops: 1000, ..Work::default() }),
        ],
        conditions: conditions(Energy::Measured {
            readings: vec![reading("gpu", 5.0, false), reading("cpu", 20.0, true)],
            invalid: Vec::new(),
            window_ns: None,
        }),
        check: Some(Check { max_error: 1e-7, tolerance: 1e-6, compared: 64 }),
        facts: [("weights".to_owned(), "synthetic".to_owned())].into(),
        notes: vec!["a note".into()],
    }
}

pub(crate) fn record(id: BenchmarkId, outcome: Outcome) -> Record {
    Record { id, began_ns: 1, ended_ns: 2, outcome }
}

pub(crate) fn measured() -> Record {
    record(
        BenchmarkId::new("decode", "cpu", "scalar").with("model", "tiny"),
        Outcome::Measured(Box::new(measurement())),
    )
}

pub(crate) fn run() -> Run {
    let outcome = |text: &str| Outcome::Skipped { reason: text.into() };
    Run {
        manifest: manifest(),
        records: vec![
            measured(),
            record(BenchmarkId::new("gemm", "cpu", "amx").with("m", 1u64), outcome("no amx here")),
            record(BenchmarkId::new("gemm", "cuda:0", "mma").with("m", 1u64), Outcome::Failed { error: "NaN".into() }),
        ],
        telemetry: Vec::new(),
        remarks: Vec::new(),
    }
}
