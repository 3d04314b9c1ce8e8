//! What is compared, what is refused and why, on runs made by hand.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod made;

use proptest::prelude::*;
use spark_results::compare::{self, Better, Comparison, Key, Kind, Provenance, Side, Sides, Which, beside, sides_of};
use spark_results::conditions::{Energy, EnergyReading};
use spark_results::machine::PowerSource;
use spark_results::record::{Cache, Metric, Outcome, Record, Work};
use spark_results::{BenchmarkId, Run};

/// A record that takes about `ns`, with a spread of 2 %.
fn record(id: BenchmarkId, ns: f64) -> Record {
    let mut m = made::measurement();
    m.samples_ns = (0..25_u32).map(|i| (ns * (0.99 + 0.02 * f64::from(i * 7 % 25) / 25.0)) as u64).collect();
    m.iterations = 1;
    m.work = Work { flops: 1000, bytes: 2000, items: 16, item: "token".into() };
    m.metrics.clear();
    m.conditions.energy = Energy::Unavailable { reason: "no sensor".into() };
    made::record(id, Outcome::Measured(Box::new(m)))
}

fn run(name: &str, records: Vec<Record>) -> Run {
    let mut run = Run { records, ..made::run() };
    run.manifest.id = name.into();
    run
}

fn decode() -> BenchmarkId {
    BenchmarkId::new("decode", "cpu", "avx512").with("model", "tiny").with("format", "mxfp4").with("n_gen", 16u64)
}

fn one(ns: f64) -> Run {
    run("one", vec![record(decode(), ns)])
}

fn changed(run: &Run, change: impl FnOnce(&mut spark_results::Measurement)) -> Run {
    let mut run = run.clone();
    let Outcome::Measured(m) = &mut run.records[0].outcome else { panic!("it was measured") };
    change(m);
    run
}

fn reasons(of: &Comparison) -> Vec<&str> {
    of.refused.iter().map(|r| r.reason.as_str()).collect()
}

#[test]
fn a_run_beside_itself_has_ratios_of_exactly_one() {
    let mut run = one(1e6);
    run.records.push(record(BenchmarkId::new("gemm", "cpu", "avx512").with("m", 1u64), 3e5));
    run.records.push(record(BenchmarkId::new("rmsnorm", "cpu", "avx2").with("rows", 1u64), 3e3));
    let c = compare::runs(&run, &run);
    assert!(c.same_machine && c.states.is_empty() && c.refused.is_empty(), "{c:?}");
    let seen: Vec<_> = c.compared.iter().map(|row| (row.a.unit.as_str(), row.ratio.ratio)).collect();
    assert_eq!(seen, [("tok/s", 1.0), ("FLOP/s", 1.0), ("ns", 1.0)]);
    assert!(c.compared.iter().all(|row| row.differs.is_empty() && row.noted.is_empty()), "{c:?}");
}

#[test]
fn the_same_work_by_another_machine_is_compared_and_both_are_named() {
    let a = one(2e6);
    let mut b = one(1e6);
    b.records[0].id.implementation = "neon-i8mm".into();
    b.manifest.settings.threads = Some(20);
    b.manifest.machine.cpu.brand = Some("Another\u{202e} CPU\n".into());
    b.manifest.machine.power_source = Some(PowerSource::Battery);
    let c = compare::runs(&a, &b);
    assert!(!c.same_machine && c.b.machine == "Another CPU", "{:?}", c.b);
    let [row] = &c.compared[..] else { panic!("{c:?}") };
    // Half of the time is twice the speed.
    assert!((row.ratio.ratio - 2.0).abs() < 1e-6, "{row:?}");
    let [low, high] = row.ratio.ci95.unwrap();
    assert!(low < 2.0 && 2.0 < high && low > 1.9 && high < 2.1, "{row:?}");
    let differs: Vec<_> = row.differs.iter().map(ToString::to_string).collect();
    assert_eq!(differs, ["implementation avx512 against neon-i8mm", "threads 2 against 20"]);
    assert_eq!(c.states.iter().map(|d| d.what.as_str()).collect::<Vec<_>>(), ["the number of threads"]);
}

#[test]
fn other_work_is_refused_with_its_reason_and_the_nearest_candidate() {
    let a = one(1e6);
    let cases = [
        ("model", "other", "another model"),
        ("format", "q8_0", "another number format"),
        ("activations", "bf16", "another number format"),
        ("sparsity", "2:4", "sparse against dense"),
        ("n_gen", "128", "another shape"),
        ("depth", "4096", "another context"),
        ("batch", "8", "another batch"),
        ("phase", "prefill", "another phase"),
        ("kv", "q8_0", "another number format"),
        ("an_axis_of_tomorrow", "7", "another shape"),
    ];
    for (axis, value, reason) in cases {
        let b = run("two", vec![record(decode().with(axis, value), 1e6)]);
        let c = compare::runs(&a, &b);
        assert!(c.compared.is_empty(), "{axis}: {c:?}");
        // One refusal a side and quantity: both name the other as the nearest, and what differs.
        let speeds: Vec<_> = c.refused.iter().filter(|r| r.unit == "tok/s").collect();
        assert_eq!(speeds.iter().map(|r| r.of).collect::<Vec<_>>(), [Which::A, Which::B], "{axis}");
        for refused in speeds {
            assert!(refused.reason.starts_with(reason), "{axis}: {}", refused.reason);
            let nearest = refused.nearest.as_ref().unwrap();
            let [difference] = &nearest.differing[..] else { panic!("{axis}: {nearest:?}") };
            assert_eq!((difference.what.as_str(), difference.b.as_deref()), (axis, Some(value)), "{axis}");
        }
    }
    // Cold against warm is no axis, and another implementation is no other work.
    let c = compare::runs(&a, &changed(&a, |m| m.cache = Cache::Warm));
    assert!(c.compared.is_empty() && reasons(&c)[0].starts_with("cold against warm"), "{c:?}");
    // What is not there at all is said to be not there.
    let c = compare::runs(&a, &run("two", vec![record(BenchmarkId::new("read", "cpu", "avx2"), 1e6)]));
    assert_eq!(reasons(&c), ["B has no decode in tok/s", "A has no read in B/s"]);
}

#[test]
fn of_several_candidates_the_nearest_is_named() {
    let near = decode().with("depth", 4096u64);
    let far = decode().with("depth", 4096u64).with("format", "q8_0");
    let grave = decode().with("model", "other");
    let b = run("two", [far, grave, near.clone()].into_iter().map(|id| record(id, 1e6)).collect());
    let c = compare::runs(&one(1e6), &b);
    let refused = c.refused.iter().find(|r| r.of == Which::A).unwrap();
    assert_eq!(refused.nearest.as_ref().unwrap().id, near.to_string());
}

fn with_power(run: &Run, scope: &str, joules: f64) -> Run {
    changed(run, |m| {
        let reading = EnergyReading {
            scope: scope.into(),
            source: "sensor".into(),
            joules,
            watts: 1.0,
            plus_minus: 0.05,
            coverage: 1.0,
            covers_device: true,
            ..EnergyReading::default()
        };
        m.conditions.energy = Energy::Measured { readings: vec![reading], invalid: Vec::new(), window_ns: None };
    })
}

#[test]
fn energy_is_compared_within_one_scope_only() {
    let a = with_power(&one(1e6), "gpu", 10.0);
    let c = compare::runs(&a, &with_power(&one(1e6), "gpu", 20.0));
    let row = c.compared.iter().find(|row| row.a.unit == "tok/J").unwrap();
    let [low, high] = row.ratio.ci95.unwrap();
    assert!(row.ratio.ratio == 0.5 && low < 0.48 && high > 0.52, "{row:?}");
    let c = compare::runs(&a, &with_power(&one(1e6), "wall", 20.0));
    assert_eq!(c.compared.iter().map(|row| row.a.unit.as_str()).collect::<Vec<_>>(), ["tok/s"]);
    let refused = &c.refused[0];
    assert!(refused.reason.starts_with("another power scope"), "{refused:?}");
    assert_eq!(refused.nearest.as_ref().unwrap().differing[0].to_string(), "scope gpu against wall");
    let c = compare::runs(&a, &one(1e6));
    assert_eq!(reasons(&c), ["B has none: no sensor"]);
}

#[test]
fn what_is_no_measurement_is_never_compared() {
    let mut a = one(1e6);
    a.records[0].id.device = "cuda:0".into();
    let c = compare::runs(&a, &a);
    assert!(c.compared.is_empty() && reasons(&c).iter().all(|r| r.starts_with("a test double")), "{c:?}");
    let a = one(1e6);
    let slowed = changed(&a, |m| drop(m.facts.insert("handicap".into(), "5 % more".into())));
    let c = compare::runs(&a, &slowed);
    assert_eq!(c.compared.len(), 0);
    assert_eq!(reasons(&c)[0], "in B: it was slowed down on purpose: 5 % more");
    let skipped = run("two", vec![made::record(decode(), Outcome::Skipped { reason: "no \u{1b}[31mroom".into() })]);
    let c = compare::runs(&a, &skipped);
    assert_eq!(reasons(&c), ["B has none: skipped: no [31mroom"]);
}

#[test]
fn of_several_ways_equal_ones_stand_beside_each_other_and_then_the_best() {
    let way = |how: &str, ns: f64| {
        let mut id = decode();
        id.implementation = how.into();
        record(id, ns)
    };
    let a = run("one", vec![way("scalar", 9e6), way("avx2", 2e6), way("avx512", 1e6)]);
    let b = run("two", vec![way("neon", 4e6), way("neon-i8mm", 3e6), way("scalar", 8e6)]);
    let c = compare::runs(&a, &b);
    let pairs: Vec<_> =
        c.compared.iter().map(|r| (r.a.may["implementation"].as_str(), r.b.may["implementation"].as_str())).collect();
    assert_eq!(pairs, [("scalar", "scalar"), ("avx512", "neon-i8mm")]);
    assert_eq!(c.refused.len(), 2, "{:?}", c.refused);
    assert!(c.refused.iter().all(|r| r.reason.starts_with("another way")), "{:?}", c.refused);
}

#[test]
fn what_bears_on_trust_is_noted() {
    let a = one(1e6);
    let b = changed(&a, |m| {
        m.facts.insert("weights".into(), "of the file".into());
        m.samples_ns.sort_unstable();
    });
    let row = &compare::runs(&a, &b).compared[0];
    let noted: Vec<_> = row.noted.iter().map(ToString::to_string).collect();
    let wanted =
        ["interval not stated against of too few independent samples", "weights synthetic against of the file"];
    assert_eq!(noted, wanted);
}

#[test]
fn a_metric_is_compared_by_which_way_is_better() {
    let with = |value| {
        changed(&one(1e6), |m| {
            let metric = |name: &str, better| Metric { name: name.into(), value, unit: "s".into(), better };
            m.metrics = vec![metric("ttft", Better::Lower), metric("waves", Better::Neither)];
        })
    };
    let c = compare::runs(&with(1.0), &with(2.0));
    let row = c.compared.iter().find(|row| row.a.unit == "s").unwrap();
    assert_eq!((row.ratio.ratio, row.ratio.ci95, c.compared.len()), (0.5, None, 2));
    let c = compare::runs(&with(1.0), &with(0.0));
    assert!(c.refused.iter().any(|r| r.reason.contains("not above zero")), "{c:?}");
}

#[test]
fn a_published_row_can_be_a_side() {
    let ours = sides_of(&one(1e6));
    let mut row = ours.sides[0].clone();
    row.id = "M9 Ultra, a table".into();
    row.may = [("system".to_owned(), "M9 Ultra".to_owned())].into();
    row.noted.clear();
    (row.value, row.interval) = (8000.0, None);
    row.provenance = Provenance::Published {
        system: "M9 Ultra".into(),
        source: "a table".into(),
        date: "2026-01-01".into(),
        confidence: "measured_by_source".into(),
    };
    let published = |row: &Side| Sides { sides: vec![row.clone()], none: Vec::new() };
    let (compared, refused) = beside(&ours, &published(&row));
    assert_eq!((compared.len(), refused.len()), (1, 0), "{refused:?}");
    assert!((compared[0].ratio.ratio - 0.5).abs() < 1e-3 && compared[0].ratio.ci95.is_none());
    row.must.insert(Key::new(Kind::Context, "depth"), "4096".into());
    let (compared, refused) = beside(&ours, &published(&row));
    assert!(compared.is_empty() && refused[0].reason.starts_with("another context"), "{refused:?}");
}

fn any_run() -> impl Strategy<Value = Run> {
    let entry = (0u64..3, 0u64..2, prop::sample::select(vec!["scalar", "avx2", "neon"]), 1e3f64..1e7);
    prop::collection::vec(entry, 0..8).prop_map(|entries| {
        let records = entries.into_iter().map(|(depth, batch, how, ns)| {
            let mut id = decode().with("depth", 1024 * depth).with("batch", 1 + batch);
            id.implementation = how.into();
            record(id, ns)
        });
        run("any", records.collect())
    })
}

proptest! {
    #[test]
    fn exchanging_the_runs_inverts_every_ratio(a in any_run(), b in any_run()) {
        let (there, back) = (compare::runs(&a, &b), compare::runs(&b, &a));
        prop_assert_eq!(there.compared.len(), back.compared.len());
        prop_assert_eq!(there.refused.len(), back.refused.len());
        for row in &there.compared {
            let other = back.compared.iter().find(|other| {
                (&other.a.id, other.a.value, &other.b.id, other.b.value) == (&row.b.id, row.b.value, &row.a.id, row.a.value)
            });
            let other = other.expect("the same pair");
            prop_assert!((row.ratio.ratio * other.ratio.ratio - 1.0).abs() < 1e-9);
            let ([low, high], [other_low, other_high]) = (row.ratio.ci95.unwrap(), other.ratio.ci95.unwrap());
            prop_assert!((low * other_high - 1.0).abs() < 1e-9 && (high * other_low - 1.0).abs() < 1e-9);
            prop_assert!(low <= row.ratio.ratio && row.ratio.ratio <= high);
        }
        // Nothing is lost and nothing stands twice.
        let sides = sides_of(&a).sides.len() + sides_of(&b).sides.len();
        prop_assert_eq!(2 * there.compared.len() + there.refused.len(), sides);
    }
}
