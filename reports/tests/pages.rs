//! Pages of four runs as people meet them: a machine without GPU, one like a Spark made by hand, one half empty, one hostile. What each
//! section says is pinned; the pages are left where ci/page.sh opens them in a browser.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "fixture/mod.rs"]
mod fixture;
#[path = "fixture/html.rs"]
mod html;
#[path = "fixture/spark.rs"]
mod spark;

use spark_results::Run;
use spark_results::id::BenchmarkId;
use spark_results::record::{Outcome, Work};

/// So much of each section is pinned: what it begins with.
const PINNED: usize = 700;

/// Writes the page for whoever looks at it, and returns what each section says.
fn told(name: &str, runs: &[Run]) -> String {
    let page = spark_reports::html(runs);
    html::read(&page).unwrap_or_else(|e| panic!("{name}: {e}"));
    std::fs::write(format!("{}/page-{name}.html", env!("CARGO_TARGET_TMPDIR")), &page).unwrap();
    let sections = page.split("<section id=\"").skip(1).map(|rest| {
        let (id, rest) = rest.split_once("\">").unwrap();
        let body = rest.split("</section>").next().unwrap();
        let text: String = words(body).chars().take(PINNED).collect();
        format!("[{id}]\n{text}\n")
    });
    sections.collect::<Vec<_>>().join("\n")
}

/// Text without tags, broken where a block or a cell ends.
fn words(html: &str) -> String {
    let mut text = String::new();
    for piece in html.split('<').skip(1) {
        let (tag, rest) = piece.split_once('>').unwrap_or(("", piece));
        if matches!(tag, "/p" | "/tr" | "/dd" | "/dt" | "/h1" | "/h2" | "/h3" | "/li" | "/svg" | "/summary") {
            text += "\n";
        } else if matches!(tag, "/td" | "/th") {
            text += " | ";
        }
        text += rest;
    }
    let lines = text.replace('\u{a0}', " ");
    let lines = lines.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|l| !l.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

fn half() -> Run {
    let mut run = fixture::run();
    run.manifest.ended = None;
    run.records.truncate(9);
    run.telemetry.truncate(1);
    run
}

/// Every text from outside is an attack, in one of the kinds that pages fall to.
fn hostile() -> Run {
    let evil = "</script><img src=x onerror=alert(1)>\"'`{{7*7}} \u{202e}\u{1b}[31m";
    let mut run = fixture::run();
    run.manifest.id = evil.into();
    run.manifest.machine.cpu.brand = Some(evil.into());
    run.manifest.settings.suite = Some(evil.into());
    for (i, record) in run.records.iter_mut().enumerate() {
        if i % 3 == 0 {
            record.id.implementation = evil.into();
        }
        if i % 5 == 0 {
            record.id.axes.insert("model".into(), evil.into());
        }
        if let Outcome::Measured(m) = &mut record.outcome {
            m.notes.push(evil.into());
        }
    }
    run
}

#[test]
fn a_machine_without_a_gpu_reads_as_pinned() {
    insta::assert_snapshot!(told("cpu", &[fixture::run()]));
}

#[test]
fn a_machine_like_a_spark_reads_as_pinned() {
    let run = spark::run();
    insta::assert_snapshot!(told("spark", std::slice::from_ref(&run)));
    let card = spark_reports::card(&run);
    std::fs::write(format!("{}/card-spark.svg", env!("CARGO_TARGET_TMPDIR")), &card).unwrap();
    std::fs::write(format!("{}/card-spark.png", env!("CARGO_TARGET_TMPDIR")), spark_reports::card_png(&run).unwrap())
        .unwrap();
    for said in ["How fast", "How close to the limit", "tok/J", "Against what", "reported"] {
        assert!(card.contains(said), "{said:?} in {card}");
    }
    // The map names others' sources on hover, and the strips have both kinds of marks.
    let page = spark_reports::html(&[run]);
    assert!(page.contains("<title>RTX 5090: ") && page.contains("so ") && page.contains("tok/s at most"));
    assert!(page.contains("class=\"mark own\"") && page.contains("reported: "), "solid and hollow");
    assert!(page.contains("href=\"#source-1\"") && page.contains("id=\"source-1\""));
}

#[test]
fn a_run_that_was_cut_short_reads_as_pinned() {
    insta::assert_snapshot!(told("half", &[half()]));
}

#[test]
fn a_hostile_run_reads_as_pinned_and_its_card_and_site_are_well_formed() {
    let run = hostile();
    insta::assert_snapshot!(told("hostile", std::slice::from_ref(&run)));
    let card = spark_reports::card(&run);
    assert!(!card.contains("<img") && !card.contains("</script>") && card.matches("<svg").count() == 1, "{card}");
    let mut simulated = spark::run();
    simulated.manifest.devices[0].simulated = true;
    simulated.manifest.id = "a-double".into();
    let (files, refused) = spark_reports::site(&[run.clone(), run, spark::run(), simulated]);
    assert_eq!(
        (files.len(), refused),
        (3, vec!["a-double".to_owned()]),
        "an index and a page for each of two machines"
    );
    for (name, text) in &files {
        html::read(text).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c)), "{name}");
        assert!(!text.contains("<img") && text.contains("default-src 'none'"));
    }
    let (_, index) = &files[0];
    assert!(files[1..].iter().all(|(name, _)| index.contains(&format!("href=\"{name}\""))), "{index}");
}

#[test]
fn several_runs_stand_side_by_side_each_work_once_with_a_letter_a_run() {
    let (here, spark) = (fixture::run(), spark::run());
    let mut faster = fixture::run();
    faster.manifest.id = "the-next-day".into();
    faster.manifest.started_at = "2026-11-22T01:30:00Z".into();
    for record in &mut faster.records {
        if let Outcome::Measured(m) = &mut record.outcome {
            m.samples_ns.iter_mut().for_each(|ns| *ns = *ns * 9 / 10);
        }
    }
    let page = spark_reports::html(&[here.clone(), faster, spark]);
    html::read(&page).unwrap();
    std::fs::write(format!("{}/page-beside.html", env!("CARGO_TARGET_TMPDIR")), &page).unwrap();
    let section = page.split("<section id=\"beside-other-runs\">").nth(1).unwrap().split("</section>").next().unwrap();
    let told = words(section);
    for said in
        ["B the-next-day: a machine of the same fingerprint", "C fixture-made-by-hand-like-a-spark: another", "1.11 ×"]
    {
        assert!(told.contains(said), "{said:?} in {told}");
    }
    assert!(
        section.contains("class=\"mark run key a\"") && section.contains("class=\"mark run key b\""),
        "{section:.3000}"
    );
    let (files, _) = spark_reports::site(&[here, spark::run()]);
    for (name, text) in &files {
        let to = if name == "index.html" { "page-site.html" } else { name };
        std::fs::write(format!("{}/{to}", env!("CARGO_TARGET_TMPDIR")), text).unwrap();
    }
}

/// A run of so many records besides the fixture's own.
fn many(records: u64) -> spark_results::Run {
    let mut run = fixture::run();
    for n in 0..records {
        let workload = ["gemm", "attention", "read", "decode"][n as usize % 4];
        let id = BenchmarkId::new(workload, "cpu", "avx512").with("m", 1 + n % 9).with("n", 64 * n).with("k", 4096u64);
        let id = id.with("format", "mxfp4").with("bytes", 1 + n).with("model", "llama-3.2-1b");
        let work = Work { flops: 3 * n + 1, bytes: 4 * n + 1, items: 1, item: "token".into() };
        let mut record = fixture::measured(id, work, 1e-6 * (1 + n % 50) as f64);
        (record.began_ns, record.ended_ns) = (n * 1_000_000, n * 1_000_000 + 900_000);
        run.records.push(record);
    }
    run
}

/// Nanoseconds that this thread has run on a processor, where the system tells.
fn busy_ns() -> Option<u64> {
    std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split_whitespace().next()?.parse().ok()
}

/// The page of a run and the seconds it took: the processor's own, in which others do not count; where they are not told, the clock's.
fn page_of(run: &spark_results::Run) -> (String, f64) {
    let (start, busy) = (std::time::Instant::now(), busy_ns());
    let page = spark_reports::html(std::slice::from_ref(run));
    (page, busy.zip(busy_ns()).map_or(start.elapsed().as_secs_f64(), |(from, to)| 1e-9 * (to - from) as f64))
}

#[test]
fn five_thousand_records_make_a_page_of_less_than_three_megabytes_in_less_than_a_second_with_all_of_them() {
    let run = many(5000);
    // The least of three: what a neighbour on the same core takes comes and goes.
    let pages: Vec<_> = (0..3).map(|_| page_of(&run)).collect();
    let (page, took) = pages.into_iter().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
    assert!(took < 1.0, "{took} s");
    std::fs::write(format!("{}/page-many.html", env!("CARGO_TARGET_TMPDIR")), &page).unwrap();
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    html::read(&page).unwrap();
    let read: spark_results::Document = serde_json::from_str(&spark_reports::embedded(&page).unwrap()).unwrap();
    assert_eq!(read.records.len(), run.records.len());
}

/// A second for 5,000 is a matter of the machine, too; that they take no more than their share is not.
#[test]
fn five_times_the_records_take_some_five_times_the_time() {
    let (some, more) = (many(1000), many(5000));
    // In turn, the least of each.
    let turns: Vec<_> = (0..3).map(|_| (page_of(&some).1, page_of(&more).1)).collect();
    let least = |of: fn(&(f64, f64)) -> f64| turns.iter().map(of).fold(f64::INFINITY, f64::min);
    let (some, more) = (least(|turn| turn.0), least(|turn| turn.1));
    assert!(more < 8.0 * some, "{more} s for 5,000, {some} s for 1,000");
}
