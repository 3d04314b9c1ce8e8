//! The named faults of GB10, each on a machine that the test makes: found where it is, and by its own name only.

use spark_bench::doctor::{self, Severity, evidence};
use spark_results::canary::{Canary, Strand};
use spark_results::record::Work;
use spark_results::telemetry::{Reading, Sample};

/// One second of a GB10: SM clock in MHz, watts of the GPU and of the machine, share of time busy, throttle bits, the hottest zone.
#[derive(Clone, Copy)]
struct Second {
    mhz: f64,
    watts: f64,
    system: f64,
    busy: f64,
    bits: u64,
    celsius: f64,
}

const HEALTHY: Second = Second { mhz: 2410.0, watts: 92.5, system: 150.0, busy: 0.97, bits: 0, celsius: 64.0 };

fn samples(seconds: &[Second]) -> Vec<Sample> {
    let reading = |quantity: &str, scope: &str, value: f64| Reading {
        quantity: quantity.into(),
        scope: scope.into(),
        source: "test".into(),
        value,
        unit: String::new(),
    };
    let one = |(at, s): (usize, &Second)| Sample {
        t_ns: at as u64 * 1_000_000_000,
        readings: vec![
            reading("clock", "gpu 0", s.mhz * 1e6),
            reading("power", "gpu 0", s.watts),
            reading("power", "sys_total", s.system),
            reading("load", "gpu 0", s.busy),
            reading("throttle_reasons", "gpu 0", s.bits as f64),
            reading("temperature", "acpitz 3", s.celsius),
        ],
        ..Sample::default()
    };
    seconds.iter().enumerate().map(one).collect()
}

/// What is found of so many seconds, under a known load or not.
fn found(seconds: &[Second], known_load: bool) -> Vec<doctor::Finding> {
    doctor::faults(&evidence::of_samples(&samples(seconds), "in the test", known_load), None)
}

fn named(seconds: &[Second]) -> String {
    let found = found(seconds, true);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].severity == Severity::Spoils && !found[0].mend.is_empty());
    found[0].what.clone()
}

#[test]
fn a_healthy_machine_has_no_fault_loaded_or_idle() {
    assert_eq!(found(&[HEALTHY; 30], true), []);
    let idle = Second { mhz: 208.0, watts: 4.0, system: 25.0, busy: 0.0, bits: 1, celsius: 40.0 };
    assert_eq!((found(&[idle; 30], true), found(&[idle; 30], false)), (vec![], vec![]));
}

#[test]
fn stuck_in_low_power_is_a_low_clock_under_load_without_a_reason() {
    let stuck = Second { mhz: 799.0, watts: 19.5, system: 60.0, ..HEALTHY };
    let said = named(&[stuck; 30]);
    assert!(said.starts_with("stuck in low power") && said.contains("799 MHz") && said.contains("19.5 W"), "{said}");
    assert!(found(&[stuck; 30], true)[0].mend.contains("off the wall"));
    // A power cap has a reason and is none of these; and a driver that tells no reasons gives no verdict.
    assert_eq!(found(&[Second { bits: 0x4, ..stuck }; 30], true), []);
    let mut silent = samples(&[stuck; 30]);
    silent.iter_mut().for_each(|s| s.readings.retain(|r| r.quantity != "throttle_reasons"));
    assert_eq!(doctor::faults(&evidence::of_samples(&silent, "", true), None), []);
}

#[test]
fn the_same_look_under_an_unknown_program_is_no_verdict() {
    let looks = Second { mhz: 799.0, watts: 18.0, system: 60.0, ..HEALTHY };
    let said = found(&[looks; 30], false);
    assert!(said.len() == 1 && said[0].severity == Severity::Note, "{said:#?}");
    assert!(said[0].why.contains("spinning") && said[0].mend.contains("soak"), "{said:#?}");
}

#[test]
fn a_wedge_is_minutes_at_640_mhz_between_healthy_ones() {
    let wedged = Second { mhz: 640.0, watts: 16.5, system: 55.0, ..HEALTHY };
    let seconds: Vec<Second> = [vec![HEALTHY; 900], vec![wedged; 420], vec![HEALTHY; 600]].concat();
    let said = named(&seconds);
    assert!(said.starts_with("power delivery wedge") && said.contains("2.41 GHz"), "{said}");
    let dip: Vec<Second> = [vec![HEALTHY; 900], vec![wedged; 20], vec![HEALTHY; 600]].concat();
    assert_eq!(found(&dip, true), [], "a short dip is something else");
}

#[test]
fn thirty_watts_of_the_whole_machine_under_load_are_the_supply() {
    let held = Second { mhz: 620.0, watts: 12.0, system: 30.0, ..HEALTHY };
    let said = named(&[held; 30]);
    assert!(said.starts_with("30 W mode") && said.contains("30.0 W"), "{said}");
}

#[test]
fn heat_is_told_by_zones_or_by_the_driver() {
    for hot in [
        Second { celsius: 89.0, mhz: 2470.0, ..HEALTHY },
        Second { bits: 0x20, mhz: 1100.0, watts: 40.0, ..HEALTHY },
        Second { bits: 0x40, ..HEALTHY },
    ] {
        let said = named(&[hot; 30]);
        assert!(said.starts_with("thermal"), "{said}");
    }
    let mut counted = samples(&[HEALTHY; 30]);
    for (at, sample) in counted.iter_mut().enumerate() {
        let mut reading = sample.readings[0].clone();
        (reading.quantity, reading.value) = ("throttled by heat (software)".into(), at as f64);
        sample.readings.push(reading);
    }
    let found = doctor::faults(&evidence::of_samples(&counted, "", true), None);
    assert!(found.len() == 1 && found[0].what.contains("counter"), "{found:#?}");
}

#[test]
fn the_hidden_slow_state_is_found_by_the_canary_alone() {
    let strand = |ns| Strand { of: "x".into(), work: Work { bytes: 1000, ..Work::default() }, ns: vec![ns] };
    let canary =
        |gemv| Canary { device: "cuda:0".into(), at_ns: 0, gemv: strand(gemv), copy: strand(100), alu: strand(100) };
    assert_eq!(doctor::faults(&[], Some(&canary(105))), []);
    let found = doctor::faults(&[], Some(&canary(330)));
    assert!(found.len() == 1 && found[0].what.starts_with("hidden slow state"), "{found:#?}");
}
