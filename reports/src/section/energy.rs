//! Energy by scope, or why no sensor told any.

use super::Section;
use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use crate::table::Table;
use crate::told;
use maud::{Markup, html};
use spark_results::conditions::Energy as Spoken;
use spark_results::telemetry::{self, Channel, Line};
use std::collections::BTreeSet;

/// Joules, watts, items a joule.
#[derive(Debug)]
pub(crate) struct Energy;

/// Sensors of power or energy that refused, and sensors that refused as a whole.
pub(crate) fn refusals<'p>(page: &Page<'p>) -> Vec<&'p Channel> {
    sensors(page)
        .filter(|c| c.status == telemetry::Status::Refused)
        .filter(|c| c.quantity.as_deref().is_none_or(|q| q == "power" || q == "energy"))
        .collect()
}

/// Every sensor that was asked.
pub(crate) fn sensors<'p>(page: &Page<'p>) -> impl Iterator<Item = &'p Channel> {
    page.subject.run.telemetry.iter().flat_map(|line| match line {
        Line::Header(header) => header.sensors.as_slice(),
        Line::Sample(_) | Line::Event(_) => &[],
    })
}

impl Section for Energy {
    fn title(&self) -> &'static str {
        "Energy"
    }

    fn render(&self, page: &Page) -> Option<Markup> {
        let mut table = Table::new(&["what", "scope", "power", "energy", "per joule", "coverage", "source"]);
        let mut reasons = BTreeSet::new();
        for e in page.real() {
            match &e.energy {
                Some(Spoken::Measured { readings, .. }) => {
                    for r in readings {
                        let with = |v: f64| [v * (1.0 - r.plus_minus), v * (1.0 + r.plus_minus)];
                        table.row([
                            html! { (told::label(e)) },
                            html! { (r.scope) @if !r.covers_device { " " span.flag { "does not contain the device" } } },
                            Shown::new(r.watts, Unit::Plain("W"), Status::Measured).within(Some(with(r.watts))).inline(),
                            Shown::new(r.joules, Unit::Plain("J"), Status::Measured).within(Some(with(r.joules))).inline(),
                            per_joule(e, &r.scope),
                            Shown::new(r.coverage, Unit::Share, Status::Measured).inline(),
                            html! { (r.source) },
                        ]);
                    }
                }
                Some(Spoken::Unavailable { reason }) => {
                    reasons.insert(reason.as_str());
                }
                None => {}
            }
        }
        let (table, refused) = (table.render(), refusals(page));
        if table.is_none() && reasons.is_empty() && refused.is_empty() {
            return None;
        }
        Some(html! {
            @match table {
                Some(table) => {
                    p { "A joule is charged to work only where the scope contains the device that did it." }
                    (table)
                }
                None => p { "No energy was measured, so there is no tok/J here; an estimate would not be a measurement." },
            }
            @if !reasons.is_empty() { ul { @for reason in reasons { li { (reason) } } } }
            @if !refused.is_empty() {
                h3 { "Sensors that refused" }
                dl.reasons {
                    @for c in refused {
                        dt { (c.name) @if let Some(q) = &c.quantity { " " (q) } }
                        dd { (c.reason.as_deref().unwrap_or("no reason given"))
                            @if let Some(source) = &c.source { " " span.of { (source) } } }
                    }
                }
            }
        })
    }
}

fn per_joule(e: &spark_results::Entry, scope: &str) -> Markup {
    let item = e.work.as_ref().map_or("item", |w| if w.item == "token" { "tok" } else { &w.item });
    let found = e.efficiency.iter().find(|x| x.scope == scope).map(|x| x.items_per_joule);
    Shown::or(found, Unit::Plain(&format!("{item}/J")), Status::Derived, "").inline()
}
