//! A stored run's pictures, sites and checksums as a stranger meets them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod program;

use program::Place;
use std::fs;

#[test]
fn a_run_becomes_a_card_and_a_site_and_a_changed_file_is_found() {
    let place = Place::new();
    place.fine(&["run", "rmsnorm", "--width", "64", "--suite", "smoke", "--no-roofs", "--out", "d", "--quiet"]);
    let card = place.fine(&["report", "d", "--card", "card.svg"]);
    assert_eq!(card.out.trim(), "card.svg");
    let svg = fs::read_to_string(place.at("card.svg")).unwrap();
    assert!(
        svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>") && svg.contains("How close to the limit"),
        "{svg}"
    );
    place.fine(&["report", "d", "--card", "card.png"]);
    let png = fs::read(place.at("card.png")).unwrap();
    assert!(png.starts_with(b"\x89PNG\r\n") && png.len() > 10_000, "{} bytes", png.len());
    let said = place.refused(&["report", "d", "--card", "card.jpg"]);
    assert!(said.contains(".svg or .png") && !place.at("card.jpg").exists(), "{said}");
    place.refused(&["report", "d", "--card", "a.svg", "--site", "s"]);

    place.fine(&["report", "d", "d", "--site", "site"]);
    let index = fs::read_to_string(place.at("site/index.html")).unwrap();
    let pages: Vec<_> = fs::read_dir(place.at("site")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(pages.len() == 2 && index.contains("Machines, measured"), "one machine is one page: {pages:?}");

    // Written anew, the page is summed up anew; what was measured is not.
    assert!(place.fine(&["verify", "d"]).out.contains("5 files by their SHA-256"));
    place.fine(&["report", "d"]);
    place.fine(&["verify", "d"]);
    let telemetry = place.at("d/telemetry.jsonl");
    let text = fs::read_to_string(&telemetry).unwrap();
    let (whole, last) = text.trim_end().rsplit_once('\n').unwrap();
    fs::write(&telemetry, format!("{whole}\n")).unwrap();
    place.fine(&["report", "d"]);
    let done = place.run(&["verify", "d"]);
    assert!(done.code == Some(1) && done.out.contains("telemetry.jsonl was changed"), "{done:?}");
    fs::write(&telemetry, format!("{whole}\n{last}\n")).unwrap();
    let stale = place.run(&["verify", "d"]);
    assert!(stale.code == Some(1) && stale.out.contains("report.html shows something else"), "{stale:?}");
    place.fine(&["report", "d"]);
    place.fine(&["verify", "d"]);
    fs::remove_file(place.at("d/SHA256SUMS")).unwrap();
    assert!(place.fine(&["verify", "d"]).out.contains("no SHA256SUMS"));
}

#[test]
fn a_number_that_was_changed_on_the_page_alone_is_found_though_its_sum_was_renewed() {
    let place = Place::new();
    place.fine(&["run", "rmsnorm", "--width", "64", "--suite", "smoke", "--no-roofs", "--out", "d", "--quiet"]);
    let page = place.at("d/report.html");
    let text = fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once("<span class=\"unit\">GB/s</span>").unwrap();
    fs::write(&page, format!("{before}<span class=\"unit\">TB/s</span>{rest}")).unwrap();
    spark_results::sums::renew(&place.at("d"), &[spark_results::store::REPORT]).unwrap();
    let done = place.run(&["verify", "d"]);
    assert!(done.code == Some(1) && done.out.contains("shows something else") && done.out.contains("TB/s"), "{done:?}");
    assert!(!done.out.contains("SHA-256 is another"), "{done:?}");
    // What another version drew is another's to hold against its samples.
    fs::write(&page, text.replace("content=\"spark-bench ", "content=\"spark-bench of old ")).unwrap();
    spark_results::sums::renew(&place.at("d"), &[spark_results::store::REPORT]).unwrap();
    assert!(place.fine(&["verify", "d"]).out.contains("another version of this program drew it"));
    place.fine(&["report", "d"]);
    assert!(place.fine(&["verify", "d"]).out.contains("every number shown by report.html, drawn again"));
}
