//! `compare` and `verify` on stored runs, as scripts and people meet them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod program;

use program::Place;
use serde_json::Value;
use spark_results::document::Rules;
use spark_results::{Document, store, table};

/// A place with run folder `d`: two small records of one op, quickly.
fn measured() -> Place {
    let place = Place::new();
    let line = ["run", "rmsnorm", "--width", "64,128", "--suite", "smoke", "--no-roofs", "--quiet", "--out", "d"];
    place.fine(&line);
    place
}

#[test]
fn a_run_beside_itself_has_ratios_of_one_in_every_form() {
    let place = measured();
    let told = place.fine(&["compare", "d", "d"]);
    assert!(told.err.is_empty() && told.out.ends_with("2 compared, 0 not\n"), "{told:?}");
    assert_eq!(told.out.matches(" 1.000 ").count(), 2, "{told:?}");
    let json: Value = serde_json::from_str(&place.fine(&["compare", "d", "d", "d", "--json"]).out).unwrap();
    let all = json["comparisons"].as_array().unwrap();
    assert_eq!(all.len(), 2, "each of the others stands beside the first");
    for row in all.iter().flat_map(|of| of["compared"].as_array().unwrap()) {
        assert_eq!(row["ratio"]["ratio"], 1.0);
        assert_eq!(row["a"]["must"]["workload"], "rmsnorm");
    }
    let printed = place.fine(&["compare", "d", "d", "--markdown", "-"]).out;
    assert!(printed.contains("| the same work | A | B |"), "{printed}");
    place.fine(&["compare", "d", "d", "--markdown", "table.md"]);
    assert_eq!(std::fs::read_to_string(place.at("table.md")).unwrap(), printed);
}

#[test]
fn nothing_in_common_is_exit_two_with_the_reason() {
    let place = measured();
    place.fine(&["run", "swiglu", "--suite", "smoke", "--no-roofs", "--quiet", "--out", "e"]);
    let done = place.run(&["compare", "d", "e"]);
    assert_eq!(done.code, Some(2), "{done:?}");
    assert!(done.err.starts_with("error: nothing could be compared: B has no rmsnorm in ns; "), "{done:?}");
    assert!(done.out.contains("A has no swiglu in ns"), "what was refused is listed: {done:?}");
    let narrowed = place.fine(&["compare", "d", "d", "--filter", "*width=64"]);
    assert!(narrowed.out.ends_with("1 compared, 0 not\n"), "{narrowed:?}");
    assert!(place.refused(&["compare", "d", "nowhere"]).contains("nowhere/run.json"));
    let beside = place.run(&["compare", "d", "M2 Ultra"]);
    assert!(beside.code == Some(2) && beside.out.contains("B: figures of M2 Ultra"), "{beside:?}");
    assert!(beside.err.contains("no published figure is of such work"), "{beside:?}");
    assert!(place.refused(&["compare", "d", "d", "--json", "--markdown", "-"]).contains("both take stdout"));
    assert!(place.refused(&["compare", "d", "d", "--markdown", "no/where.md"]).contains("no/where.md"));
}

#[test]
fn a_folder_of_the_first_version_is_verified_by_the_rules_of_its_day() {
    let place = measured();
    // Samples that follow each other, the same at every trial: by ranks they are worth fewer than a bootstrap takes them for.
    let records = std::fs::read_to_string(place.at("d/records.jsonl")).unwrap();
    let records = records.lines().map(|line| {
        let mut record: spark_results::Record = serde_json::from_str(line).unwrap();
        let spark_results::Outcome::Measured(m) = &mut record.outcome else { panic!("{line}") };
        m.samples_ns = (0..60).map(|i| 10_000 + 100 * (i / 6 % 4) + i % 5).collect();
        serde_json::to_string(&record).unwrap() + "\n"
    });
    std::fs::write(place.at("d/records.jsonl"), records.collect::<String>()).unwrap();
    let run = store::read(&place.at("d")).unwrap();
    let old = table::csv(&Document::by(&run, Rules::Bootstrap)).unwrap();
    std::fs::write(place.at("d/results.csv"), &old).unwrap();
    std::fs::remove_file(place.at("d/report.html")).unwrap();
    // Folders of that version have no checksums.
    std::fs::remove_file(place.at("d/SHA256SUMS")).unwrap();
    let now = table::csv(&Document::of(&run)).unwrap();
    assert_ne!(now, old, "the two rules differ on these samples");
    let verified = place.fine(&["verify", "d"]);
    assert!(verified.out.contains("statistics of the first version"), "{verified:?}");
    // A number that follows from neither is found.
    std::fs::write(place.at("d/results.csv"), old.replacen("rmsnorm,cpu", "rmsnorm,gpu", 1)).unwrap();
    let found = place.run(&["verify", "d"]);
    assert!(found.code == Some(1) && found.out.contains("1 mismatches"), "{found:?}");
    // Written anew, it follows the rules of this version.
    place.fine(&["report", "d"]);
    assert_eq!(std::fs::read_to_string(place.at("d/results.csv")).unwrap(), now);
    let verified = place.fine(&["verify", "d"]);
    assert!(!verified.out.contains("first version"), "{verified:?}");
}
