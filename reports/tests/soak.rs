//! The run over time and the soak: with power and without, complete in pictures and in words.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "fixture/mod.rs"]
mod fixture;
#[path = "fixture/html.rs"]
mod html;

use spark_results::conditions::{Energy, EnergyReading};
use spark_results::id::BenchmarkId;
use spark_results::record::{Outcome, Phase, Work};
use spark_results::telemetry::{Line, Reading, Sample};
use spark_results::{Record, Run};

const SECOND: u64 = 1_000_000_000;
/// When the soak's load begins, and how many half-second windows of it are fast and slow.
const BEGAN_S: u64 = 45;
const FAST: u64 = 60;
const SLOW: u64 = 120;

fn words(page: &str) -> String {
    html::read(page).unwrap().text.replace('\u{a0}', " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn energy(watts: f64, seconds: f64) -> Option<Energy> {
    let reading = EnergyReading {
        scope: "gpu 0".into(),
        source: "nvml".into(),
        joules: watts * seconds,
        watts,
        plus_minus: 0.02,
        coverage: 1.0,
        covers_device: true,
        ..EnergyReading::default()
    };
    Some(Energy::Measured { readings: vec![reading], invalid: Vec::new(), window_ns: None })
}

/// 20 tokens in half a second, then in 0.7; it comes back after 15 s of pause.
fn soak() -> Record {
    let work = Work { flops: 1, bytes: 1, items: 20, item: "token".into() };
    let id = BenchmarkId::new("soak", "cpu", "avx512").with("load", "decode").with("seconds", 114_u64);
    let mut record = fixture::measured(id, work, 0.5);
    let Outcome::Measured(m) = &mut record.outcome else { panic!("it is measured") };
    let took = |at: u64| if at < FAST { SECOND / 2 } else { SECOND * 7 / 10 };
    m.samples_ns = (0..FAST + SLOW).map(took).collect();
    let mut at = BEGAN_S * SECOND;
    m.at_ns.clear();
    for ns in &m.samples_ns {
        m.at_ns.push(at);
        at += ns;
    }
    let ended = at / SECOND;
    let phase = |name: &str, from: u64, to: u64, items: u64, energy| Phase {
        name: name.into(),
        began_ns: from * SECOND,
        ended_ns: to * SECOND,
        work: Work { items, item: "token".into(), ..Work::default() },
        energy,
    };
    m.phases = vec![
        phase("rest", 40, BEGAN_S, 0, None),
        phase("load 1", BEGAN_S, 75, 1200, energy(60.0, 30.0)),
        phase("load 2", 75, ended, 2400, energy(40.0, 84.0)),
        phase("pause 1", ended, ended + 5, 0, None),
        phase("probe 1", ended + 5, ended + 7, 60, None),
        phase("pause 2", ended + 7, ended + 17, 0, None),
        phase("probe 2", ended + 17, ended + 19, 80, None),
    ];
    (record.began_ns, record.ended_ns) = (40 * SECOND, (ended + 19) * SECOND);
    record
}

fn run(power: bool) -> Run {
    let mut run = fixture::run();
    run.records.push(soak());
    for line in &mut run.telemetry {
        let Line::Sample(sample) = line else { continue };
        sample.readings.iter_mut().filter(|r| r.quantity == "load").for_each(|r| r.source = "/proc/stat".into());
    }
    for second in 40..180_u64 {
        let reading = |quantity: &str, scope: &str, value: f64, unit: &str| Reading {
            quantity: quantity.into(),
            scope: scope.into(),
            source: "test".into(),
            value,
            unit: unit.into(),
        };
        let hot = second > 75;
        let mut readings = vec![reading("temperature", "acpitz <3>", if hot { 88.0 } else { 66.0 }, "degC")];
        if power {
            readings.push(reading("power", "gpu 0", if hot { 40.0 } else { 60.0 }, "W"));
        }
        run.telemetry.push(Line::Sample(Sample { t_ns: second * SECOND, readings, ..Sample::default() }));
    }
    run
}

#[test]
fn a_soak_is_told_in_numbers_levels_and_what_stood_beside_them() {
    let page = spark_reports::html(&[run(true)]);
    // For whoever wants to look at it.
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/soak.html"), &page).unwrap();
    let read = words(&page);
    let said = [
        "Sustained load",
        "Burst40.0 tok/s",
        "71 %d of the burst",
        "Slower after30.0 s",
        "Recovered after15.0 s",
        "Efficiency, gpu 0early 0.667 tok/J",
        "late 0.714 tok/J",
        "acpitz &lt;3&gt; 87.7 °C",
        "gpu 0 40.2 W",
        "Energy of each slice",
    ];
    for said in said {
        assert!(read.contains(said), "{said:?} in {read}");
    }
    assert!(!page.contains("acpitz <3>"), "what comes from outside is escaped");
}

#[test]
fn the_timeline_has_a_text_for_each_picture_and_a_table_of_its_numbers() {
    let page = spark_reports::html(&[run(true)]);
    assert!(page.contains("aria-label=\"Power, W, over "), "a picture has its text");
    let read = words(&page);
    assert!(read.contains("The run over time") && read.contains("The same in numbers, task by task"), "{read}");
    assert!(!read.contains("Power is not drawn"));
    // Small: no picture of thousands of points.
    assert!(page.len() < 1_500_000, "{} bytes", page.len());
}

#[test]
fn without_power_the_timeline_says_why_and_shows_the_rest() {
    let page = spark_reports::html(&[run(false)]);
    let read = words(&page);
    assert!(read.contains("Power is not drawn: rapl: no such folder"), "{read}");
    assert!(page.contains("aria-label=\"Temperature, °C, over ") && page.contains("aria-label=\"Clock, GHz, over "));
    assert!(!page.contains("aria-label=\"Power"));
}

#[test]
fn every_sensor_is_listed_with_its_rate_or_its_reason() {
    let read = words(&spark_reports::html(&[run(true)]));
    assert!(read.contains("Which sensors spoke, at what rate, and which refused"), "{read}");
    // Four readings a second of the load as the fixture has it.
    assert!(read.contains("4.00 (4.00 wanted)") && read.contains("refused"), "{read}");
}

#[test]
fn samples_dropped_for_throttling_are_counted_where_they_would_stand() {
    let mut run = run(true);
    let Some(Outcome::Measured(m)) = run.records.first_mut().map(|r| &mut r.outcome) else { panic!("measured") };
    let one = |at| spark_results::record::Dropped { at_ns: at, ns: 5, why: "cpu was held back".into() };
    m.dropped = vec![one(1), one(2)];
    let read = words(&spark_reports::html(&[run]));
    assert!(read.contains("2 samples were taken while the machine was held back, and do not count"), "{read}");
    assert!(read.contains("2 of 27 samples do not count: cpu was held back"), "{read}");
}
