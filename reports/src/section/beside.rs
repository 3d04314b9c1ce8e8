//! The same benchmarks in the runs that stand beside this one.

use super::Section;
use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use crate::table::Table;
use crate::told;
use maud::{Markup, html};
use spark_results::Entry;
use std::collections::HashMap;

/// Runs side by side. It shows; it does not judge: that is the gate's work.
#[derive(Debug)]
pub(crate) struct Beside;

impl Section for Beside {
    fn title(&self) -> &'static str {
        "Beside other runs"
    }

    fn render(&self, page: &Page) -> Option<Markup> {
        if page.others.is_empty() {
            return None;
        }
        let here = page.subject.run.manifest.machine.fingerprint();
        let mut table = Table::new(&["benchmark", "this run", "the other", "speed here ÷ there", "other run"]);
        for other in &page.others {
            let there: HashMap<&str, &Entry> =
                other.document.records.iter().filter(|e| told::real(e)).map(|e| (e.id.as_str(), e)).collect();
            for (mine, theirs) in page.real().filter_map(|e| Some((e, *there.get(e.id.as_str())?))) {
                let ratio = mine.time.zip(theirs.time).map(|(a, b)| b.median_ns / a.median_ns);
                table.row([
                    html! { (told::label(mine)) " " span.of { (told::how(mine)) } },
                    told::headline_rate(mine).inline(),
                    told::headline_rate(theirs).inline(),
                    Shown::or(ratio, Unit::Plain("×"), Status::Derived, "").inline(),
                    html! { (other.run.manifest.id) },
                ]);
            }
        }
        Some(html! {
            p { "Medians side by side. Whether a difference is more than the spread between runs is what the gate judges." }
            ul {
                @for other in &page.others {
                    li {
                        (other.run.manifest.id) ": "
                        @if other.run.manifest.machine.fingerprint() == here { "a machine of the same fingerprint" }
                        @else { "another machine, " (other.run.manifest.machine.cpu.brand.as_deref().unwrap_or("unnamed")) }
                        ", " (other.run.manifest.started_at)
                    }
                }
            }
            @match table.render() { Some(table) => (table), None => p { "These runs have no measured benchmark in common." } }
        })
    }
}
