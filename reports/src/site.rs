//! A static site of many runs: an index, and one page a machine, its newest run with the older ones beside it.

use crate::page::{self, Page};
use crate::section::headline::{first_decode, first_prefill, memory_roof};
use crate::shown::Shown;
use crate::table::Table;
use crate::told::{self, Amount};
use maud::{Markup, html};
use spark_results::Run;
use std::collections::BTreeMap;

/// A file of the site: its name and what it holds.
pub type File = (String, String);

/// The files of a site of `runs`: `index.html` and a page a machine. Runs of test doubles are left out, and named.
pub fn site(runs: &[Run]) -> (Vec<File>, Vec<String>) {
    let simulated = |run: &&Run| run.manifest.devices.iter().any(|d| d.simulated);
    let refused = runs.iter().filter(simulated).map(|run| run.manifest.id.clone()).collect();
    let mut machines: BTreeMap<String, Vec<Run>> = BTreeMap::new();
    for run in runs.iter().filter(|run| !simulated(run)) {
        machines.entry(run.manifest.machine.fingerprint()).or_default().push(run.clone());
    }
    let mut table =
        Table::new(&["machine", "system", "newest run", "runs", "decode", "prefill", "memory read", "per joule"]);
    let mut files = Vec::new();
    for (number, mut of) in machines.into_values().enumerate() {
        of.sort_by(|a, b| b.manifest.started_at.cmp(&a.manifest.started_at));
        let name = file(&of[0], number);
        table.row(row(&of, &name));
        files.push((name, page::html(&of)));
    }
    let body = html! {
        main {
            section {
                p.eyebrow { "spark-bench" }
                h1 { "Machines, measured" }
                p.lede { "Each number comes from a run on that machine; its page has the roofs, the intervals and the conditions beside it." }
                @match table.render() { Some(table) => (table), None => p { "There is no run to show." } }
            }
        }
    };
    files.insert(
        0,
        ("index.html".to_owned(), page::frame("Machines, measured · spark-bench", &body, None, 0).into_string()),
    );
    (files, refused)
}

/// A name that holds nothing but small letters, digits and hyphens, whatever the machine calls itself.
fn file(run: &Run, number: usize) -> String {
    let brand = run.manifest.machine.cpu.brand.as_deref().unwrap_or_default().to_lowercase();
    let words = brand.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.take(6).collect();
    format!("{}-{}.html", if words.is_empty() { "machine".to_owned() } else { words.join("-") }, number + 1)
}

fn row(runs: &[Run], name: &str) -> [Markup; 8] {
    let page = Page::about(&runs[0], &[]);
    let m = &runs[0].manifest;
    let none = || Shown::unavailable("");
    let rate = |e: Option<&spark_results::Entry>, of| e.map_or_else(none, |e| told::rate(e, of));
    let of = |e: Option<&spark_results::Entry>| {
        e.map(|e| format!("{} {}", told::model(e), told::shape(e))).unwrap_or_default()
    };
    let (decode, prefill, read) = (first_decode(&page), first_prefill(&page), memory_roof(&page));
    let per_joule = decode.into_iter().chain(page.real()).find_map(told::per_joule).unwrap_or_else(none);
    [
        html! { a href=(name) { (page.machine()) } },
        html! { (m.machine.os.name.as_deref().unwrap_or("–")) " " (m.machine.architecture.as_deref().unwrap_or("")) },
        html! { (m.started_at) },
        html! { (runs.len()) },
        html! { (rate(decode, Amount::Items).inline()) " " span.of { (of(decode)) } },
        html! { (rate(prefill, Amount::Items).inline()) " " span.of { (of(prefill)) } },
        rate(read, Amount::Bytes).inline(),
        per_joule.inline(),
    ]
}
