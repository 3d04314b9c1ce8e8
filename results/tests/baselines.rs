//! Committed runs: by name, and as figures beside those of others.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod made;

use spark_results::published::{Kind, Point, own};
use spark_results::record::Outcome;
use spark_results::{BenchmarkId, Work, baselines};

#[test]
fn every_committed_run_is_readable() {
    assert_eq!(baselines::all().unwrap().len(), baselines::STORED.len());
}

#[test]
fn a_run_is_found_by_its_folder_or_its_machine_and_a_spoiled_one_names_its_line() {
    let manifest = |at: &str| {
        let mut manifest = made::run().manifest;
        manifest.started_at = at.into();
        serde_json::to_string(&manifest).unwrap()
    };
    let record = serde_json::to_string(&made::measured()).unwrap();
    let all = [
        baselines::read("aa/2", &manifest("2026-02-01T00:00:00Z"), &record).unwrap(),
        baselines::read("aa/1", &manifest("2026-01-01T00:00:00Z"), "").unwrap(),
        baselines::read("bb/1", &manifest("2026-03-01T00:00:00Z"), "").unwrap(),
    ];
    assert_eq!(all[0].run.records, [made::measured()]);
    let name = |asked| baselines::named(&all, asked).map(|b| b.name);
    assert_eq!((name("aa"), name("aa/1"), name("bb"), name("a")), (Some("aa/2"), Some("aa/1"), Some("bb/1"), None));
    let error = baselines::read("aa/3", &manifest(""), &format!("{record}\n{{}}\n")).unwrap_err().to_string();
    assert!(error.contains("aa/3") && error.contains("line 2"), "{error}");
    assert!(baselines::find("no-such-machine").is_none());
}

#[test]
fn what_others_publish_too_becomes_a_figure_whose_work_reads_back() {
    let mut run = made::run();
    run.manifest.started_at = "2026-12-01T02:00:00Z".into();
    run.records = [
        ("decode/cpu/x?depth=0&format=q4_0&model=llama-2-7b&n_gen=128", 0, 1, 20),
        ("decode/cpu/x?batch=8&depth=0&format=q4_0&model=llama-2-7b&n_gen=128", 0, 1, 160),
        ("read/cpu/fastest?bytes=1073741824", 0, 50_000_000_000, 0),
        ("gemm/cpu/x?activations=int8&format=mxfp4&k=64&m=1&n=64", 1000, 1, 0),
        ("rmsnorm/cpu/x?rows=1", 1, 1, 0),
    ]
    .into_iter()
    .map(|(id, flops, bytes, items)| {
        let id: BenchmarkId = id.parse().unwrap();
        let mut m = made::measurement();
        m.work = Work { flops, bytes, items, item: if items > 0 { "token".into() } else { String::new() } };
        (m.samples_ns, m.iterations) = (vec![1_000_000_000; 5], 1);
        m.metrics.clear();
        made::record(id, Outcome::Measured(Box::new(m)))
    })
    .collect();
    let figures = own::of("aa/1", &run);
    let told: Vec<_> = figures.iter().map(|f| (f.metric, f.value, f.unit, f.workload, f.date)).collect();
    assert_eq!(
        told,
        [
            ("decode_tps", 20.0, "tok/s", "llama-2-7b q4_0 tg128", "2026-12-01"),
            ("decode_tps_aggregate", 160.0, "tok/s", "llama-2-7b q4_0 tg128 × 8 sequences", "2026-12-01"),
            ("mem_bw_measured", 50.0, "GB/s", "read of memory", "2026-12-01"),
        ],
        "integer operations and what nobody publishes are left out"
    );
    for figure in &figures {
        assert_eq!(figure.side().as_ref().and_then(Point::of_side).as_ref(), figure.work);
        assert!(figure.kind == Kind::Own && figure.confidence.words().contains("this project"));
        assert!(figure.reference == "results/baselines/aa/1" && figure.system == run.manifest.machine.fingerprint());
    }
}
