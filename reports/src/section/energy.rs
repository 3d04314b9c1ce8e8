//! Energy by scope, or why no sensor told any.

use super::Section;
use crate::curves::INKS;
use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use crate::strips::{self, Mark, Own, Strip};
use crate::table::Table;
use crate::told;
use maud::{Markup, html};
use spark_results::Entry;
use spark_results::conditions::{Energy as Spoken, EnergyReading, Method};
use spark_results::document::Efficiency;
use spark_results::telemetry::{self, Channel, Line};
use std::collections::BTreeSet;

/// Joules, watts, items a joule.
#[derive(Debug)]
pub(crate) struct Energy;

/// A table of more rows is folded: the chart comes first.
const FEW: usize = 8;
/// Pieces of work in the chart.
const DRAWN: usize = 24;

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
        let mut table =
            Table::new(&["what", "scope", "power", "energy", "per joule", "for one", "above rest", "source"]);
        let (mut reasons, mut invalid) = (BTreeSet::new(), BTreeSet::new());
        for e in page.real() {
            match &e.energy {
                Some(Spoken::Measured { readings, invalid: not_valid, .. }) => {
                    for r in readings {
                        table.row(row(e, r));
                    }
                    invalid.extend(not_valid.iter().map(|i| (&i.scope, &i.source, &i.reason)));
                }
                Some(Spoken::Unavailable { reason }) => {
                    reasons.insert(reason.as_str());
                }
                None => {}
            }
        }
        let (few, table, refused) = (table.len() <= FEW, table.render(), refusals(page));
        if table.is_none() && reasons.is_empty() && refused.is_empty() {
            return None;
        }
        Some(html! {
            @match table {
                Some(table) => {
                    p { "A joule is charged to work only where the scope contains the device that did it. Tokens a joule are tokens a "
                        "second a watt. Above rest: without what the machine takes before it is given any work." }
                    @if let Some(chart) = chart(page) { (chart) }
                    details open=[few.then_some("open")] { summary { "Every reading" } (table) }
                }
                None => p { "No energy was measured, so there is no tok/J here; an estimate would not be a measurement." },
            }
            @if !reasons.is_empty() { ul { @for reason in reasons { li { (reason) } } } }
            @if !invalid.is_empty() {
                h3 { "Spoke, and not valid" }
                dl.reasons {
                    @for (scope, source, reason) in invalid { dt { (scope) } dd { (reason) " " span.of { (source) } } }
                }
            }
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

/// Tokens a joule by piece of work, a letter a scope: scopes do not compare, and so none stands alone.
fn chart(page: &Page) -> Option<Markup> {
    let tokens = |e: &&Entry| e.work.as_ref().is_some_and(|work| work.item == "token") && !e.efficiency.is_empty();
    let all: Vec<&Entry> = page.real().filter(tokens).collect();
    let mut scopes: Vec<&str> = all.iter().flat_map(|e| &e.efficiency).map(|x| x.scope.as_str()).collect();
    scopes.sort_unstable();
    scopes.dedup();
    let own = |scope: &str| {
        let at = scopes.iter().position(|known| *known == scope).unwrap_or(0);
        let letter = u8::try_from(at).map_or('Z', |at| char::from(b'A' + at.min(25)));
        Own::Run(letter.to_string(), INKS[at % INKS.len()].class())
    };
    let strips = all.iter().take(DRAWN).map(|e| {
        let mark = |x: &Efficiency| {
            let shown = Shown::new(x.items_per_joule, Unit::Plain("tok/J"), Status::Derived);
            Mark { value: x.items_per_joule, of: own(&x.scope).into(), title: format!("{}: {}", x.scope, shown.text()) }
        };
        Strip { work: told::label(e), marks: e.efficiency.iter().map(mark).collect() }
    });
    let strips: Vec<Strip> = strips.collect();
    let drawn =
        strips::strips("Tokens a joule by piece of work and scope; the table has the numbers", "tok/J", &strips)?;
    Some(html! {
        h3 { "Tokens a joule, by scope" }
        (drawn)
        ul.legend {
            @for scope in &scopes {
                @if let Own::Run(letter, ink) = own(scope) { li { span.key.(ink) { (letter) } (scope) } }
            }
        }
    })
}

/// One scope's energy of one task. A test double's joules are none: they are named, and not shown.
fn row(e: &Entry, r: &EnergyReading) -> [Markup; 8] {
    let with = |v: f64, plus_minus: f64| Some([v * (1.0 - plus_minus), v * (1.0 + plus_minus)]);
    let scope = html! {
        (r.scope)
        @if !r.covers_device { " " span.flag { "does not contain the device" } }
        @if r.simulated { " " span.flag { "a test double: no measurement" } }
    };
    let of = |value: f64, unit, plus_minus: f64| {
        let shown = Shown::new(value, Unit::Plain(unit), Status::Measured).within(with(value, plus_minus));
        if r.simulated { Shown::unavailable("simulated").inline() } else { shown.inline() }
    };
    let item = e.work.as_ref().map_or("item", |w| if w.item == "token" { "tok" } else { &w.item });
    let found = e.efficiency.iter().find(|x| x.scope == r.scope && (x.source.is_empty() || x.source == r.source));
    let derived = |value: f64, unit: &str| Shown::new(value, Unit::Plain(unit), Status::Derived);
    let a_joule =
        found.map(|x| derived(x.items_per_joule, &format!("{item}/J")).within(with(x.items_per_joule, r.plus_minus)));
    // A joule a token is 10⁶ ÷ 3,600 Wh a million tokens.
    let for_one = found.map(|x| {
        html! {
            (derived(1.0 / x.items_per_joule, &format!("J/{item}")).inline()) br;
            (derived(1e6 / 3600.0 / x.items_per_joule, &format!("Wh/M{item}")).inline())
        }
    });
    let net = r.net.as_ref().filter(|_| !r.simulated).map(|net| {
        html! {
            @if let Some(items) = found.and_then(|x| x.net_items_per_joule) { (derived(items, &format!("{item}/J")).inline()) br; }
            (of(net.joules, "J", net.plus_minus)) br;
            span.of { "at rest " (Shown::new(net.idle_watts, Unit::Plain("W"), Status::Measured).inline()) }
        }
    });
    let none = || Shown::unavailable("").inline();
    [
        html! { (told::label(e)) },
        scope,
        of(r.watts, "W", r.plus_minus),
        of(r.joules, "J", r.plus_minus),
        a_joule.map_or_else(none, |shown| shown.inline()),
        for_one.unwrap_or_else(none),
        net.unwrap_or_else(none),
        html! { (r.source) br; span.of { (how(r)) } },
    ]
}

/// How the joules were got, in words.
fn how(r: &EnergyReading) -> String {
    let mut words: Vec<String> = Vec::new();
    words.extend(r.method.map(|method| match method {
        Method::Counter => "its counter".to_owned(),
        Method::Integral => "its power over time".to_owned(),
    }));
    words.extend(r.cross_check.map(|ratio| match r.method {
        Some(Method::Integral) => format!("of which its counter says {ratio:.3} ×"),
        _ => format!("{ratio:.3} × its own power over time"),
    }));
    words.extend(r.update_ms.map(|ms| format!("a new value every {ms:.0} ms")));
    words.push(format!("{:.0} % of the window seen", 100.0 * r.coverage));
    words.join(", ")
}
