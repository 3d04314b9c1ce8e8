//! The head of the page: how fast, how efficient, how close to the limit, against what.

use super::{Section, cards};
use crate::others::Other;
use crate::page::Page;
use crate::told::{self, Amount};
use maud::{Markup, html};
use spark_results::Entry;
use spark_results::quantity::percent;
use spark_results::roofline::Bound;

/// The head.
#[derive(Debug)]
pub(crate) struct Headline;

impl Section for Headline {
    fn title(&self) -> &'static str {
        "Summary"
    }

    fn render(&self, page: &Page) -> Option<Markup> {
        let manifest = &page.subject.run.manifest;
        let date = manifest.started_at.split('T').next().unwrap_or_default();
        Some(html! {
            header {
                p.eyebrow {
                    "spark-bench" @if let Some(suite) = &manifest.settings.suite { " · suite " (suite) }
                    @if !date.is_empty() { " · " (date) }
                }
                h1 { (page.machine()) }
                p.lede { (sentence(page)) }
                (warnings(page))
            }
            div.cards {
                @for card in cards::cards(page) { (card) }
            }
        })
    }
}

/// The decode that stands for the machine: one sequence, the shallowest depth, then the most bytes a token, then the fastest.
pub(crate) fn first_decode<'p>(page: &'p Page) -> Option<&'p Entry> {
    lead(page, "decode", |e| e.int("depth").unwrap_or(0), |e| told::bytes_per_item(e).unwrap_or(0.0))
}

/// The prefill that stands for the machine: of the same model where there is one, then the most work.
pub(crate) fn first_prefill<'p>(page: &'p Page) -> Option<&'p Entry> {
    let model = first_decode(page).map(told::model);
    lead(
        page,
        "prefill",
        |e| (model.as_ref().is_some_and(|m| *m != told::model(e)), e.int("depth").unwrap_or(0)),
        |e| e.work.as_ref().map_or(0.0, |w| w.flops as f64),
    )
}

fn lead<'p, K: Ord>(
    page: &'p Page,
    workload: &'static str,
    least: impl Fn(&Entry) -> K,
    most: impl Fn(&Entry) -> f64,
) -> Option<&'p Entry> {
    page.real().filter(|e| e.workload == workload && e.time.is_some() && e.int("batch").unwrap_or(1) == 1).min_by(
        |a, b| {
            let size = most(b).total_cmp(&most(a));
            least(a).cmp(&least(b)).then(size).then(speed(b).total_cmp(&speed(a)))
        },
    )
}

fn speed(e: &Entry) -> f64 {
    e.rates.and_then(|r| r.items_per_s.or(r.bytes_per_s)).unwrap_or(0.0)
}

/// The largest read: what memory gives once no cache helps. Of several at that size, the fastest.
pub(crate) fn memory_roof<'p>(page: &'p Page) -> Option<&'p Entry> {
    page.real().filter(|e| e.workload == "read" && e.rates.is_some_and(|r| r.bytes_per_s.is_some())).max_by(|a, b| {
        a.int("bytes").unwrap_or(0).cmp(&b.int("bytes").unwrap_or(0)).then(speed(a).total_cmp(&speed(b)))
    })
}

/// The fastest peak of each type, fastest type first.
pub(crate) fn peaks<'p>(page: &'p Page) -> Vec<&'p Entry> {
    let flops = |e: &Entry| e.rates.and_then(|r| r.flops_per_s).unwrap_or(0.0);
    let mut all: Vec<&Entry> = page.of("peak").filter(|e| flops(e) > 0.0).collect();
    all.sort_by(|a, b| flops(b).total_cmp(&flops(a)));
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|e| seen.insert(e.axis("type")));
    all
}

fn sentence(page: &Page) -> String {
    let limit = |e: &Entry| {
        e.roof.as_ref().map_or(String::new(), |r| match r.bound {
            _ if r.fraction > 1.0 => format!(
                ": {} of its {} roof, because {}",
                percent(r.fraction),
                r.bound.name(),
                told::above(e).unwrap_or_default()
            ),
            Bound::Memory => format!(", {} of what its measured memory bandwidth allows", percent(r.fraction)),
            Bound::Compute => format!(", {} of what its measured arithmetic peak allows", percent(r.fraction)),
        })
    };
    if let Some(e) = first_decode(page) {
        let rate = told::rate(e, Amount::Items).text();
        return format!("Decodes {} at {rate}{}.", told::model(e), limit(e));
    }
    let best = page.of("gemm").filter(|e| e.roof.is_some()).max_by(|a, b| {
        // A share above 100 % is a doubtful one: it is the headline only if there is no other.
        let share = |e: &Entry| e.roof.as_ref().map_or(0.0, |r| if r.fraction > 1.0 { 0.0 } else { r.fraction });
        share(a).total_cmp(&share(b))
    });
    match (best, memory_roof(page), page.subject.document.records.len()) {
        (Some(e), _, _) => {
            format!(
                "Its best matrix product ({} {}) runs at {}{}.",
                told::formats(e),
                told::shape(e),
                told::headline_rate(e).text(),
                limit(e)
            )
        }
        (None, Some(e), _) => format!("Reads memory at {}.", told::rate(e, Amount::Bytes).text()),
        (None, None, 0) => "This run holds no record: nothing was measured.".into(),
        (None, None, n) => {
            format!("This run holds {n} records and no headline number; what is missing is listed below.")
        }
    }
}

fn warnings(page: &Page) -> Markup {
    let (run, document) = (page.subject.run, &page.subject.document);
    let failed = document.records.iter().filter(|e| e.status == "failed").count();
    let simulated = page.simulated().count();
    let fakes: Vec<&str> = run.manifest.devices.iter().filter(|d| d.simulated).map(|d| d.id.as_str()).collect();
    let unfinished = run.unfinished().len();
    html! {
        @if !fakes.is_empty() {
            p.banner role="alert" {
                strong { "Simulated device: " (fakes.join(", ")) ". " }
                "A test double stood in for its library and measured nothing: "
                @if simulated > 0 { "no rate or efficiency of its " (simulated) " records is shown, and " }
                "whatever it says of power, energy, clocks and heat is made up."
            }
        }
        @match &run.manifest.ended {
            None => p.banner { strong { "This run did not end. " } "It was killed, or is still running; " (tasks(unfinished)) " without a record." },
            Some(ended) if !ended.complete => p.banner {
                strong { "This run is not complete: " }
                (ended.reason.as_deref().unwrap_or("no reason was recorded")) "; " (tasks(unfinished)) " without a record."
            },
            Some(_) => {}
        }
        @if failed > 0 {
            p.banner { strong { (failed) " of " (tasks(document.records.len())) " failed. " } a href="#not-measured-here-and-why" { "Why" } }
        }
        @if run.manifest.build.profile == "debug" {
            p.banner { strong { "Debug build. " } "Build with --release before believing any rate." }
        }
    }
}

fn tasks(n: usize) -> String {
    format!("{n} task{}", if n == 1 { "" } else { "s" })
}

/// So many others stand on the first screen.
pub(crate) const AGAINST: usize = 4;

/// The others of the work that leads, one figure a system, the fastest of each; and of the first work that has any, where that has none.
pub(crate) fn rivals<'p>(page: &'p Page, lead: Option<&Entry>) -> Vec<&'p Other> {
    let of = |id: &str| page.published.iter().filter(|o| o.row.a.id == id).collect::<Vec<_>>();
    let led = lead.map(|e| of(&e.id)).filter(|all| !all.is_empty());
    let mut all = led.or_else(|| Some(of(&page.published.first()?.row.a.id))).unwrap_or_default();
    all.sort_by(|a, b| b.row.b.value.total_cmp(&a.row.b.value));
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|other| seen.insert(other.figure.system));
    all
}
