//! Two runs side by side as people read them: pinned for a terminal and as Markdown, hostile names kept as text.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]
#![allow(dead_code, reason = "the fixture serves the report, too")]

#[path = "fixture/mod.rs"]
mod fixture;

use spark_reports::{comparison, comparison_markdown};
use spark_results::compare::runs;
use spark_results::machine::PowerSource;
use spark_results::record::{Outcome, Work};
use spark_results::{BenchmarkId, Record, Run};

/// A few kinds of work on the machine of the fixture.
fn here() -> Run {
    let gemm = BenchmarkId::new("gemm", "cpu", "avx512-vnni")
        .with("format", "mxfp4")
        .with("activations", "int8")
        .with("m", 1u64)
        .with("n", 4096u64)
        .with("k", 14336u64);
    let decode = BenchmarkId::new("decode", "cpu", "avx512-vnni")
        .with("model", "llama-3.2-1b")
        .with("format", "mxfp4")
        .with("n_gen", 32u64);
    let tokens = Work { flops: 0, bytes: 0, items: 32, item: "token".into() };
    let mut run = fixture::run();
    run.manifest.id = "2026-01-02T03-04-05Z-here".into();
    run.manifest.machine.power_source = Some(PowerSource::Mains);
    run.records = vec![
        fixture::measured(gemm, Work { flops: 2 * 4096 * 14336, ..Work::default() }, 9.1e-4),
        fixture::measured(decode.clone().with("depth", 4096u64), tokens.clone(), 0.9),
        fixture::measured(decode, tokens, 0.75),
    ];
    run
}

/// The same work by a machine with an Arm processor, without the long context.
fn there() -> Run {
    let mut run = here();
    run.manifest.id = "2026-01-03T03-04-05Z-there".into();
    run.manifest.machine.cpu.brand = Some("10x Cortex-X925 + 10x Cortex-A725".into());
    run.manifest.machine.power_source = Some(PowerSource::Battery);
    run.manifest.settings.threads = Some(20);
    for record in &mut run.records {
        record.id.implementation = "neon-i8mm".into();
        let Outcome::Measured(m) = &mut record.outcome else { panic!("it was measured") };
        m.samples_ns.iter_mut().for_each(|ns| *ns = *ns * 2 / 5);
    }
    let long: &mut Record = &mut run.records[1];
    long.outcome = Outcome::Skipped { reason: "needs 9 GiB, and 4 GiB of memory may be used".into() };
    run.records[2].id.axes.insert("batch".into(), 8u64.into());
    run
}

#[test]
fn two_machines_side_by_side_read_as_pinned() {
    let c = runs(&here(), &there());
    insta::assert_snapshot!(comparison(&c, false));
    insta::assert_snapshot!(comparison_markdown(&c));
    let coloured = comparison(&c, true);
    assert!(coloured.contains("\x1b[33m"));
    assert!(comparison(&c, false).lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn hostile_names_stay_text_on_a_line() {
    let mut bad = there();
    let evil = "<script>alert(1)</script> | x\u{1b}[2J\u{202e}\n`rm` [a](b)";
    bad.manifest.id = evil.into();
    bad.manifest.machine.cpu.brand = Some(evil.into());
    bad.manifest.build.version = evil.into();
    bad.records[0].id.implementation = evil.into();
    bad.records[0].id.axes.insert(evil.into(), evil.into());
    bad.records[1].outcome = Outcome::Skipped { reason: evil.into() };
    let c = runs(&here(), &bad);
    let (told, table) = (comparison(&c, false), comparison_markdown(&c));
    for text in [&told, &table] {
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
        assert!(text.contains("alert(1)"), "{text}");
    }
    assert!(!table.contains("<script") && !table.contains("`rm`") && !table.contains("[a]"), "{table}");
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    for line in table.lines().filter(|line| line.starts_with('|')) {
        assert!([4, 6].contains(&cells(line)), "{line}");
    }
}

#[test]
fn nothing_to_compare_is_said() {
    let mut empty = here();
    empty.records.clear();
    let c = runs(&here(), &empty);
    let told = comparison(&c, false);
    assert!(told.contains("B has no gemm in OP/s") && told.ends_with("0 compared, 3 not\n"), "{told}");
    assert!(!told.contains("B ÷ A"), "{told}");
}

#[test]
fn a_run_stands_beside_what_others_published_of_a_system() {
    let beside = spark_results::compare::published(&fixture::run(), "dgx spark").unwrap();
    let works: std::collections::BTreeSet<_> = beside.compared.iter().map(|row| row.a.workload()).collect();
    assert!(works == ["copy", "read", "write"].into(), "no model of this run is one that was published: {works:?}");
    let told = comparison(&beside, false);
    for said in [
        "B: figures of DGX Spark, each as its source reports it",
        "B as reported: ",
        "another model",
        "no published figure is of such work",
    ] {
        assert!(told.contains(said), "{said}: {told}");
    }
    assert!(!told.contains("spark-bench  "), "published figures have no build of ours: {told}");
    assert!(spark_results::compare::published(&fixture::run(), "Cray-1").is_none());
}
