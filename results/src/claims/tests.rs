//! The arithmetic of the ledger, pinned to the numbers it was written from; and who may decide.

use super::*;
use crate::document::{Document, Entry};
use crate::record::{Record, Work};
use std::collections::BTreeSet;

fn judged(run: Option<&Document>) -> Vec<Judged> {
    judge(run).unwrap()
}

fn claim(all: &[Judged], id: u32) -> Judged {
    all.iter().find(|c| c.id == id).unwrap().clone()
}

fn close(value: Option<f64>, expected: f64) -> bool {
    value.is_some_and(|value| (value / expected - 1.0).abs() < 1e-3)
}

#[test]
fn every_file_there_is_is_embedded_and_the_numbers_run_from_1_to_23() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("claims");
    let there: BTreeSet<_> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    let others = ["speakers.toml", "README.md"].map(str::to_owned);
    let known = FILES.iter().map(|(file, _)| (*file).to_owned()).chain(others);
    assert_eq!(there, known.collect());
    assert_eq!(all().unwrap().iter().map(|c| c.id).collect::<Vec<_>>(), (1..=23).collect::<Vec<_>>());
    let speakers = ledger::speakers().unwrap();
    assert!(all().unwrap().iter().flat_map(|c| &c.who).all(|letter| speakers.contains_key(letter)));
}

#[test]
fn the_bounds_from_the_spec_are_those_of_the_ledger() {
    let all = judged(None);
    for (id, bound) in [
        (1, 475.4e12),
        (2, 6144.0),
        (3, 130.6e9),
        (6, 273.056e9),
        (7, 38e12),
        (8, 24e9),
        (10, 39.375e9),
        (12, 6.933),
        (13, 24_960.0),
        (14, 1.3622),
        (15, 0.53125),
        (22, 6.933),
    ] {
        assert!(close(claim(&all, id).bound_spec, bound), "{id}: {:?}", claim(&all, id).bound_spec);
    }
    let parts = |id: u32, at: usize| claim(&all, id).parts[at].clone();
    // 590 TFLOP/s dense at 3.003 GHz, twice that with sparsity.
    assert!(close(parts(1, 1).bound_spec, 2.0 * 590.4e12));
    assert!(close(parts(10, 1).bound_spec, 37.1875e9) && close(parts(10, 2).bound_spec, 67.5e9));
    assert!(close(parts(10, 3).bound_spec, 63.75e9) && close(parts(10, 6).claimed, 810e9));
    // 36 KiB and 320 KiB a token: 36 and 320 GiB at 1 Mi tokens.
    let gib = 1024.0_f64.powi(3);
    assert!(close(parts(11, 0).claimed, 63.75e9 + 36.0 * gib) && close(parts(11, 1).claimed, 63.75e9 + 320.0 * gib));
    assert!(close(parts(22, 0).claimed, 273.0 / 18.0));
    for (id, line) in [
        (12, "bytes a token = parameters × bits ÷ 8 = 70e9 × 4.5 ÷ 8 = 39.375e9 B"),
        (12, "fastest = bandwidth ÷ bytes a token = 273e9 ÷ 39.375e9 = 6.9333 tok/s"),
        (6, "bandwidth = transfers × bytes each = 8.533e9 × 32 = 273.056e9 B/s"),
        (10, "120e9 × 4.25 ÷ 8 = 63.75e9 B"),
        (14, "= 8.0128 kWh/Mtok"),
    ] {
        assert!(claim(&all, id).arithmetic.contains(line), "{id}: {}", claim(&all, id).arithmetic);
    }
}

#[test]
fn every_claim_has_its_verdict_from_the_spec() {
    use Verdict::{Consistent, Implausible, Impossible, NotTestable, Refuted};
    let all = judged(None);
    let expected = [
        Consistent,
        Refuted,
        Implausible,
        NotTestable,
        Consistent,
        Consistent,
        Refuted,
        Refuted,
        Consistent,
        Refuted,
        Consistent,
        Impossible,
        Impossible,
        Refuted,
        Refuted,
        NotTestable,
        NotTestable,
        NotTestable,
        NotTestable,
        NotTestable,
        Consistent,
        Consistent,
        NotTestable,
    ];
    assert_eq!(all.iter().map(|c| c.verdict).collect::<Vec<_>>(), expected);
    // One stream cannot, eight and twenty-two together could.
    let seventy = claim(&all, 12);
    assert_eq!(seventy.parts.iter().map(|p| p.verdict).collect::<Vec<_>>(), [Impossible, Consistent, Consistent]);
    // Ways to read a claim: the best of them counts.
    assert_eq!(claim(&all, 1).parts[0].verdict, Impossible);
    for judged in &all {
        assert!(!judged.arithmetic.is_empty() && judged.measured.is_none() && !judged.decides_here, "{judged:?}");
        assert!(judged.verdict != NotTestable || judged.parts.iter().any(|p| !p.because.is_empty()), "{}", judged.id);
    }
}

/// A run in which a 70B decodes at `tok_s` and memory reads at `bytes_s`, on a machine of that product name.
fn run(product: &str, simulated: bool, tok_s: u64, bytes_s: u64) -> Document {
    let record = |id: &str, work: Work| {
        let record: Record = serde_json::from_value(serde_json::json!({
            "id": id, "began_ns": 0, "ended_ns": 1,
            "outcome": { "status": "measured", "clock": "monotonic", "samples_ns": vec![1_000_000_000_u64; 6], "iterations": 1, "cache": "cold",
                "work": work, "check": null, "conditions": { "energy": { "status": "unavailable", "reason": "none" },
                "throttling": { "status": "unavailable", "reason": "none" }, "before": {}, "after": {}, "pages": null } },
        }))
        .unwrap();
        Entry::of(&record, simulated)
    };
    let mut manifest: crate::Manifest = serde_json::from_value(serde_json::json!({
        "schema": crate::run::SCHEMA, "id": "x", "started_at": "", "ended": null, "command": [],
        "build": { "version": "0", "revision": null, "profile": "release", "target": "" },
        "settings": { "suite": null, "seed": 1, "threads": null, "budget_s": null },
        "machine": {}, "devices": [], "planned": [], "absent": [],
    }))
    .unwrap();
    manifest.machine.product =
        Some(crate::machine::Product { name: Some(product.into()), ..crate::machine::Product::default() });
    let decode = Work { items: tok_s, bytes: 1, item: "token".into(), ..Work::default() };
    let read = Work { bytes: bytes_s, ..Work::default() };
    Document {
        schema: crate::run::SCHEMA.into(),
        manifest,
        records: vec![
            record("decode/cpu/x?depth=0&format=nvfp4&model=llama-3.3-70b&n_gen=32", decode.clone()),
            record(
                "decode/cpu/x?batch=16&depth=0&format=nvfp4&model=llama-3.3-70b&n_gen=32",
                Work { items: 900, ..decode },
            ),
            record("read/cpu/x?bytes=1073741824", read.clone()),
            record("read/cpu/x?bytes=32768", Work { bytes: read.bytes * 50, ..read }),
        ],
    }
}

#[test]
fn only_the_subject_decides_and_elsewhere_its_figure_stands_beside() {
    // An H200 that does 100 tok/s must not confirm what was said of a Spark.
    let elsewhere = claim(&judged(Some(&run("some server", false, 100, 4_800_000_000_000))), 12);
    assert_eq!(
        (elsewhere.verdict, elsewhere.decides_here, elsewhere.measured),
        (Verdict::Impossible, false, Some(100.0))
    );
    assert!(close(elsewhere.bound_measured, 4800.0 / 39.375) && close(elsewhere.bound_spec, 6.933));
    assert!(elsewhere.arithmetic.contains("which is not the subject"), "{}", elsewhere.arithmetic);
    // On the subject, its own roofs bound it, and a value that it shows confirms.
    let there = claim(&judged(Some(&run("NVIDIA_DGX_Spark", false, 5, 232_000_000_000))), 12);
    assert_eq!((there.verdict, there.decides_here, there.measured), (Verdict::Impossible, true, Some(5.0)));
    assert!(close(there.bound_measured, 232.0 / 39.375));
    let shown = claim(&judged(Some(&run("NVIDIA_DGX_Spark", false, 60, 232_000_000_000))), 12);
    assert_eq!(shown.parts[0].verdict, Verdict::Confirmed);
    // What a test double says is nothing.
    let double = claim(&judged(Some(&run("NVIDIA_DGX_Spark", true, 60, 232_000_000_000))), 12);
    assert_eq!((double.verdict, double.measured, double.bound_measured), (Verdict::Impossible, None, None));
}

#[test]
fn a_claim_that_cannot_be_computed_is_refused_with_its_file() {
    let (_, good) = FILES[11];
    assert!(read("x", good).is_ok());
    for (from, to, said) in [
        ("bandwidth / bytes_a_token", "bandwidth / nothing", "nothing"),
        ("from = \"the claim\"", "from = \"\"", "where it comes from"),
        ("who = [\"E\"]", "who = []", "somebody"),
        ("id = 12", "id = 12\ncolour = 1", "unknown field"),
        ("claimed = \"50\"\n", "", "claimed and bound"),
    ] {
        let refused = read("x.toml", &good.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(refused.contains(said) && refused.starts_with("claim x.toml"), "{refused}");
    }
}
