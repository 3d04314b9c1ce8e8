//! The energy section: what one token takes, what is above rest, what is not valid, and no number of a test double.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "fixture/mod.rs"]
mod fixture;
#[path = "fixture/html.rs"]
mod html;

use spark_results::conditions::{Energy, EnergyReading, InvalidEnergy, Method, NetEnergy};
use spark_results::id::BenchmarkId;
use spark_results::record::{Outcome, Work};
use spark_results::{Record, Run};

/// 10 samples of 100 ms with 20 tokens each: 200 tokens.
fn decode(reading: EnergyReading, invalid: Vec<InvalidEnergy>) -> Record {
    let work = Work { flops: 1, bytes: 1, items: 20, item: "token".into() };
    let id = BenchmarkId::new("decode", "cpu", "avx512").with("model", "llama-3.2-1b").with("format", "mxfp4");
    let mut record = fixture::measured(id.with("n_gen", 20u64), work, 0.1);
    let Outcome::Measured(m) = &mut record.outcome else { panic!("it is measured") };
    m.samples_ns = vec![100_000_000; 10];
    m.iterations = 1;
    m.conditions.energy = Energy::Measured { readings: vec![reading], invalid, window_ns: None };
    record
}

fn read(record: Record) -> String {
    let run = Run { records: vec![record], ..fixture::run() };
    let page = spark_reports::html(&[run]);
    html::read(&page).unwrap().text.replace('\u{a0}', " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn reading() -> EnergyReading {
    EnergyReading {
        scope: "cpu".into(),
        source: "rapl".into(),
        joules: 100.0,
        watts: 100.0,
        plus_minus: 0.02,
        coverage: 1.0,
        covers_device: true,
        method: Some(Method::Counter),
        net: Some(NetEnergy { joules: 80.0, plus_minus: 0.03, idle_watts: 20.0 }),
        ..EnergyReading::default()
    }
}

#[test]
fn a_token_s_energy_stands_in_every_unit_with_its_rest_and_its_method() {
    let invalid =
        InvalidEnergy { scope: "sys_total".into(), source: "spbm <x>".into(), reason: "its counter was reset".into() };
    let read = read(decode(reading(), vec![invalid]));
    // 200 tokens of 100 J: 2 tok/J, 0.5 J a token, 0.5e6 / 3600 Wh a million.
    for said in ["2.00 tok/J", "0.500 J/tok", "139 Wh/Mtok", "2.50 tok/J", "at rest 20.0 W", "its counter", "was reset"]
    {
        assert!(read.contains(said), "{said:?} in {read}");
    }
}

#[test]
fn a_double_s_joules_are_named_and_not_shown() {
    let read = read(decode(EnergyReading { simulated: true, ..reading() }, Vec::new()));
    assert!(read.contains("a test double: no measurement"), "{read}");
    for number in ["2.00 tok/J", "2.50 tok/J", "139 Wh/Mtok", "100 J", "100 W", "20.0 W"] {
        assert!(!read.contains(number), "{number:?} in {read}");
    }
}
