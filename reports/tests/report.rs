//! What every report must be: well formed, alone, escaped, complete and honest, whatever the run holds.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "fixture/mod.rs"]
mod fixture;
#[path = "fixture/html.rs"]
mod html;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use spark_reports::{embedded, text};
use spark_results::id::{AxisValue, BenchmarkId};
use spark_results::machine::Absent;
use spark_results::record::{Outcome, Work};
use spark_results::run::DeviceInfo;
use spark_results::telemetry::{Channel, Header, Line};
use spark_results::{Document, Run};

/// The page of some runs, after the checks that hold for any page.
fn page(runs: &[Run]) -> String {
    let page = spark_reports::html(runs);
    let read = html::read(&page).unwrap_or_else(|e| panic!("{e}"));
    for (name, attributes) in &read.elements {
        assert!(
            !["link", "img", "iframe", "object", "base", "image", "use"].contains(&name.as_str()),
            "<{name}> loads something"
        );
        for (key, value) in attributes {
            assert!(!key.starts_with("on"), "<{name} {key}=…> runs something");
            assert!(!matches!(key.as_str(), "src" | "srcset" | "action"), "<{name} {key}={value}> loads something");
            assert!(key != "href" || value.starts_with('#'), "<{name} href={value}> leads away");
            assert!(!value.contains("url("), "<{name} {key}={value}> loads something");
        }
    }
    let scripts: Vec<_> = read.elements.iter().filter(|(name, _)| name == "script").collect();
    let data = |a: &[(String, String)]| a.iter().any(|(k, v)| k == "type" && v.starts_with("application/"));
    let code = scripts.iter().filter(|(_, a)| !data(a)).count();
    assert_eq!(code, 1, "the script that the page was made with and none beside it: {scripts:?}");
    let script = page.rsplit("<script>").next().and_then(|rest| rest.split("</script>").next()).unwrap_or_default();
    let sum = STANDARD.encode(spark_results::sums::sha256(script.as_bytes()));
    assert!(
        script.len() < 1600 && page.contains(&format!("script-src &apos;sha256-{sum}&apos;").replace("&apos;", "'"))
    );
    assert!(page.contains("default-src 'none'"));
    let style = page.split("<style>").nth(1).and_then(|s| s.split("</style>").next()).unwrap_or_default();
    assert!(!style.contains("url(") && !style.contains("@import"));
    if let Some(run) = runs.first() {
        let json = embedded(&page).expect("the document is in the page");
        let document: Document = serde_json::from_str(&json).expect("the document reads back");
        assert_eq!(document, Document::of(run));
    }
    page
}

/// Text of a page without tags and embedded data, white space made single.
fn words(page: &str) -> String {
    let read = html::read(page).unwrap();
    read.text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn empty() -> Run {
    let mut run = fixture::run();
    run.records.clear();
    run.telemetry.clear();
    run.manifest.planned.clear();
    run
}

#[test]
fn the_summary_of_a_whole_run_reads_as_pinned() {
    let run = fixture::run();
    insta::assert_snapshot!(text(&run, false));
    let coloured = text(&run, true);
    assert!(coloured.contains("\x1b[") && !text(&run, false).contains('\x1b'));
}

#[test]
fn no_line_of_the_summary_is_wider_than_a_hundred() {
    let mut run = fixture::run();
    let long = "x".repeat(400);
    run.records[0].id.implementation = format!("{long} and {long}");
    run.records[1].id.axes.insert(long.clone(), AxisValue::Text(long.clone()));
    run.manifest.id = long.clone();
    run.manifest.devices[1].unavailable = Some(format!("{long}\u{1b}[31m {long}"));
    let summary = text(&run, false);
    assert!(!summary.contains('\u{1b}'));
    for line in summary.lines() {
        assert!(line.chars().count() <= 100, "{} columns: {line}", line.chars().count());
    }
}

#[test]
fn a_whole_run_is_told_whole() {
    let run = fixture::run();
    let page = page(std::slice::from_ref(&run));
    // For whoever wants to look at it.
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/report.html"), &page).unwrap();
    let words = words(&page);
    for expected in [
        "Intel(R) Xeon(R) Platinum 8581C CPU",
        "Decodes llama-3.2-1b mxfp4 at 45.",
        "Roofline",
        "Memory by working set",
        "Matrix products",
        "the roof was measured too low",
        "element 17 is NaN: the reference gives 0.113",
        "needs 39.6 GB",
        "libcuda.so.1 was not found",
        "a virtual machine has no energy counters",
        "depth=16384",
        "This run is not complete:",
        "Not available: no sensor covers the device",
        "does not exist here",
        "--suite smoke",
        "sampling took 0.3 % of one core",
    ] {
        assert!(words.contains(expected), "{expected:?} is missing in {words}");
    }
    let document = Document::of(&run);
    for e in document.records.iter().filter(|e| e.status == "measured" && e.workload != "chase") {
        let rate = e.rates.and_then(|r| r.items_per_s.or(r.flops_per_s).or(r.bytes_per_s)).expect("a rate");
        assert!(rate > 0.0);
        let how = format!("{} on {}", e.implementation, e.device);
        assert!(words.contains(&how), "{how} of {} is missing", e.id);
    }
    assert!(page.matches("<svg").count() >= 8, "roofline, bandwidth, latency, telemetry: each wide and narrow");
}

#[test]
fn runs_beside_it_are_compared_by_id() {
    let (a, mut b) = (fixture::run(), fixture::run());
    b.manifest.id = "the-other".into();
    let words = words(&page(&[a, b]));
    assert!(words.contains("Beside other runs") && words.contains("1.00 ×") && words.contains("the-other"));
}

#[test]
fn empty_killed_and_failing_runs_are_pages_too() {
    assert!(words(&page(&[])).contains("no run"));
    assert!(words(&page(&[empty()])).contains("nothing was measured"));

    let mut killed = fixture::run();
    killed.manifest.ended = None;
    killed.records.truncate(3);
    killed.remarks.push("the last line of records.jsonl was cut short and is left out".into());
    let told = words(&page(std::slice::from_ref(&killed)));
    assert!(told.contains("This run did not end.") && told.contains("cut short"), "{told}");
    assert!(text(&killed, false).contains("did not end"));

    let mut failing = fixture::run();
    for record in &mut failing.records {
        record.outcome = Outcome::Failed { error: "worker thread panicked".into() };
    }
    let told = words(&page(std::slice::from_ref(&failing)));
    assert!(told.contains("worker thread panicked") && told.contains("37 of 37 tasks failed"));
    assert!(!told.contains("GB/s "), "a rate without a measurement: {told}");
}

#[test]
fn a_simulated_device_gets_a_banner_and_no_number() {
    let mut run = empty();
    run.manifest.devices = vec![DeviceInfo { id: "cuda:0".into(), name: None, unavailable: None, simulated: true }];
    let id =
        BenchmarkId::new("decode", "cuda:0", "mma").with("model", "tiny").with("format", "mxfp4").with("n_gen", 8u64);
    run.records = vec![fixture::measured(id, Work { flops: 9, bytes: 99, items: 8, item: "token".into() }, 0.001)];
    let words = words(&page(std::slice::from_ref(&run)));
    assert!(words.contains("Simulated device: cuda:0") && words.contains("decode/cuda:0/mma"), "{words}");
    let rates = words.replace("OP/s", "").replace("FLOP/s", "").replace("tok/s ÷", "");
    for unit in ["tok/s", "GB/s", "kB/s", "% of", " ms", " µs"] {
        assert!(
            !rates.contains(&format!("0 {unit}")) && !rates.contains(&format!("\u{a0}{unit}")),
            "{unit} in {words}"
        );
    }
    let summary = text(&run, false).replace("± 95 %", "");
    assert!(summary.contains("simulated") && !summary.contains("tok/s") && !summary.contains(" % "), "{summary}");
}

#[test]
fn hostile_texts_stay_texts() {
    let evil = [
        "<script>alert(1)</script>",
        "\"onload=\"alert(1)",
        "'><img src=x onerror=alert(1)>",
        "</script><script>alert(1)</script>",
        "<!--<script>",
        "]]>&lt;&amp;\u{0}",
    ];
    for text_ in evil {
        let mut run = fixture::run();
        let (m, s) = (&mut run.manifest, || text_.to_owned());
        m.id = s();
        m.started_at = s();
        m.command = vec![s()];
        m.build.target = s();
        m.build.revision = Some(s());
        m.settings.suite = Some(s());
        m.machine.host = Some(s());
        m.machine.cpu.brand = Some(s());
        m.machine.cpu.isa = vec![s()];
        m.machine.os.kernel = Some(s());
        m.machine.absent = vec![Absent { what: s(), why: s() }];
        m.devices[1].id = s();
        m.devices[1].unavailable = Some(s());
        m.planned.push(s());
        m.absent = vec![Absent { what: s(), why: s() }];
        run.remarks = vec![s()];
        run.telemetry.push(Line::Header(Header {
            sensors: vec![Channel::refused(text_, Some(text_), Some(text_), text_)],
            ..Header::default()
        }));
        for line in &mut run.telemetry {
            if let Line::Sample(sample) = line {
                sample.readings.iter_mut().for_each(|r| r.scope = text_.into());
            }
        }
        for (i, record) in run.records.iter_mut().enumerate() {
            match i % 4 {
                0 => record.id.implementation = s(),
                1 => drop(record.id.axes.insert("type".into(), AxisValue::Text(s()))),
                2 => record.id.device = s(),
                _ => record.id.workload = s(),
            }
            match &mut record.outcome {
                Outcome::Measured(measurement) => {
                    measurement.facts.insert(s(), s());
                    measurement.notes.push(s());
                    measurement.work.item = s();
                    measurement.metrics.iter_mut().for_each(|metric| (metric.name, metric.unit) = (s(), s()));
                }
                Outcome::Reported(reported) => reported.origin.file = s(),
                Outcome::Skipped { reason } => *reason = s(),
                Outcome::Failed { error } => *error = s(),
            }
        }
        // `page` finds any tag, script or handler that got through.
        let page = page(std::slice::from_ref(&run));
        let visible = page.replace(&embedded(&page).unwrap(), "");
        assert!(!visible.contains("<script>alert") && !visible.contains("<img"), "{text_}");
        assert!(!text(&run, true).contains('\u{0}'));
    }
}

#[test]
fn thousands_of_records_fold_away_and_are_all_there() {
    let mut run = empty();
    for n in 0..5000u64 {
        let id = BenchmarkId::new("gemm", "cpu", "avx2")
            .with("m", 1u64)
            .with("n", n + 1)
            .with("k", 7u64)
            .with("format", "f32");
        run.records.push(fixture::measured(id, Work { flops: 14 * (n + 1), bytes: 28, ..Work::default() }, 1e-6));
    }
    let page = page(std::slice::from_ref(&run));
    assert!(page.contains("1\u{a0}×\u{a0}5000\u{a0}×\u{a0}7") && page.contains("rows more, as plain text"));
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
}

#[test]
fn numbers_that_are_no_numbers_are_not_shown() {
    let mut run = fixture::run();
    for record in &mut run.records {
        if let Outcome::Measured(m) = &mut record.outcome {
            m.samples_ns.fill(0);
            m.conditions.core_clocks.iter_mut().for_each(|c| c.hz.clear());
            for roof in &mut m.roofs {
                roof.before_ns.clear();
                roof.after_ns = vec![0];
            }
        }
    }
    let read = html::read(&spark_reports::html(std::slice::from_ref(&run))).unwrap();
    for wrong in ["NaN\u{a0}", "inf\u{a0}", "∞"] {
        assert!(!read.text.contains(wrong), "{wrong} in {}", read.text);
    }
    text(&run, false);
}
