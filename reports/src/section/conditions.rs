//! What else the machine did, and every sensor that was asked: which spoke, at what rate, which refused and why.

use super::Section;
use super::energy::sensors;
use crate::curves::{Curves, Quantity};
use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use crate::table::Table;
use maud::{Markup, html};
use spark_results::canary::{Canary, Strand};
use spark_results::quantity::digits;
use spark_results::telemetry::{self, Channel};
use std::collections::BTreeMap;

/// Telemetry beside the timeline.
#[derive(Debug)]
pub(crate) struct Conditions;

/// Quantities that the timeline does not draw.
const CURVES: [Quantity; 2] =
    [("steal", "Time the hypervisor took, %", 100.0), ("available", "Memory available, GB", 1e-9)];

impl Section for Conditions {
    fn title(&self) -> &'static str {
        "Conditions"
    }

    fn render(&self, page: &Page) -> Option<Markup> {
        let curves = Curves::of(page.subject.run);
        let rates = rates(page);
        let mut table = Table::new(&["sensor", "quantity", "status", "scope", "readings a second", "source or reason"]);
        for c in sensors(page) {
            let refused = c.status == telemetry::Status::Refused;
            table.row([
                html! { (c.name) },
                html! { (c.quantity.as_deref().unwrap_or("–")) },
                html! { @if refused { span.none { "refused" } } @else { "ok" } },
                html! { (c.scope.as_deref().unwrap_or("–")) },
                rate(c, &rates),
                html! { (c.reason.as_deref().or(c.source.as_deref()).unwrap_or("–")) },
            ]);
        }
        let spoke = sensors(page).filter(|c| c.status == telemetry::Status::Ok).count();
        let refused = sensors(page).count() - spoke;
        let table = table.render();
        if curves.is_empty() && table.is_none() {
            return Some(
                html! { p { "This run holds no telemetry" @for r in &page.subject.run.remarks { "; " (r) } "." } },
            );
        }
        Some(html! {
            @for quantity in CURVES {
                @if let Some(panel) = curves.panel(quantity, (0.0, curves.end()), &[], 150) { (panel) }
            }
            @if let Some(cost) = &page.subject.run.manifest.telemetry_cost { p { "The cost of looking: " (cost) "." } }
            @if let Some(canary) = canary(page) { (canary) }
            @if let Some(table) = table {
                h3 { "Which sensors spoke, at what rate, and which refused" }
                p { (spoke) " quantities were read and " (refused) " refused." }
                details { summary { "Every sensor that was asked" } (table) }
            }
        })
    }
}

/// How long the three ran, in nanoseconds; preparing them is not in it.
fn took(c: &Canary) -> f64 {
    [&c.gemv, &c.copy, &c.alu].iter().flat_map(|strand| &strand.ns).sum::<u64>() as f64
}

/// The canary before and after, and what it says of hidden states.
fn canary(page: &Page) -> Option<Markup> {
    let canaries = &page.subject.run.manifest.canaries;
    let mut table =
        Table::new(&["device", "at", "matrix × vector", "copy", "arithmetic", "matrix × vector ÷ copy", "took"]);
    for c in canaries.iter().filter(|c| !page.subject.run.simulated(&c.device)) {
        let rate = |s: &Strand, unit| Shown::or(s.per_s(), Unit::Si(unit), Status::Measured, "not run").inline();
        table.row([
            html! { (c.device) },
            Shown::new(c.at_ns as f64 * 1e-9, Unit::Plain("s"), Status::Measured).inline(),
            rate(&c.gemv, "B/s"),
            rate(&c.copy, "B/s"),
            rate(&c.alu, "FLOP/s"),
            Shown::or(c.gemv_over_copy(), Unit::Plain(""), Status::Derived, "").inline(),
            Shown::new(took(c), Unit::Time, Status::Measured).inline(),
        ]);
    }
    let pairs = canaries.iter().enumerate().filter_map(|(at, later)| {
        let before = canaries[..at].iter().rev().find(|c| c.device == later.device)?;
        let moved = before.moved(later);
        (!moved.is_empty()).then(|| format!("{}: {}", later.device, moved.join(", ")))
    });
    let moved: Vec<String> = pairs.collect();
    let table = table.render()?;
    Some(html! {
        h3 { "Canary" }
        p { "Three small pieces of work around the suite, whose ratios tell states apart that no sensor shows." }
        (table)
        @for slow in canaries.iter().filter_map(Canary::slow) { p.banner { "Hidden slow state: " (slow) "." } }
        @if !moved.is_empty() {
            p.banner { "The machine was in another state at the end than at the beginning: " (moved.join("; ")) ". Rows from both are no average." }
        }
    })
}

/// How often each quantity of each scope was read, and over how many seconds.
fn rates<'p>(page: &Page<'p>) -> BTreeMap<(&'p str, &'p str, &'p str), (u64, f64)> {
    let mut times: BTreeMap<(&str, &str, &str), (u64, u64, u64)> = BTreeMap::new();
    for line in &page.subject.run.telemetry {
        let telemetry::Line::Sample(sample) = line else { continue };
        for r in &sample.readings {
            let seen = times.entry((&r.quantity, &r.scope, &r.source)).or_insert((0, sample.t_ns, sample.t_ns));
            (seen.0, seen.2) = (seen.0 + 1, sample.t_ns);
        }
    }
    times
        .into_iter()
        .map(|(key, (count, first, last))| (key, (count, last.saturating_sub(first) as f64 * 1e-9)))
        .collect()
}

/// Readings a second as they came, beside what was intended.
fn rate(c: &Channel, rates: &BTreeMap<(&str, &str, &str), (u64, f64)>) -> Markup {
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    let (quantity, scope, source) = (part(&c.quantity), part(&c.scope), part(&c.source));
    let came =
        rates.get(&(quantity.as_str(), scope.as_str(), source.as_str())).filter(|(count, s)| *count > 1 && *s > 0.0);
    html! {
        @match came {
            Some((count, seconds)) => { (digits((count - 1) as f64 / seconds)) }
            None => "–",
        }
        @if let Some(ms) = c.period_ms.filter(|ms| *ms > 0) { " " span.of { "(" (digits(1e3 / ms as f64)) " wanted)" } }
    }
}
