//! Minutes at full load: how fast at first and for good, when it fell and what stood beside it.

use super::{Section, notes};
use crate::chart::{Band, Ink, legend};
use crate::curves::{self, Curves, Quantity};
use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use crate::table::Table;
use crate::told;
use maud::{Markup, html};
use spark_results::Entry;
use spark_results::conditions::Energy;
use spark_results::record::{Measurement, Phase};
use spark_results::soak::{self, Beside, PerJoule, Soak as Found};

/// Soaks.
#[derive(Debug)]
pub(crate) struct Soak;

/// Panels below the speed, on its time axis.
const PANELS: [Quantity; 4] = [
    ("power", "Power, W", 1.0),
    (curves::MEASURED_CLOCK, "Clock, GHz", 1e-9),
    ("frequency", "Clock as reported, GHz", 1e-9),
    ("temperature", "Temperature, °C", 1.0),
];

impl Section for Soak {
    fn title(&self) -> &'static str {
        "Sustained load"
    }

    fn render(&self, page: &Page) -> Option<Markup> {
        let records = page.subject.run.records.iter().zip(&page.subject.document.records);
        let found =
            records.filter(|(_, e)| told::real(e)).filter_map(|(r, e)| Some((r.measured()?, e, e.soak.as_ref()?)));
        let found: Vec<_> = found.collect();
        if found.is_empty() {
            return None;
        }
        let curves = Curves::of(page.subject.run);
        Some(html! {
            p {
                "The load runs in windows of a fixed amount of work, each result compared with the first. Levels are what a search for changes "
                "(E-divisive) finds in the windows' speeds: burst is the fastest of them, sustained the last. Pauses behind the load, each twice "
                "as long as the one before, show how long it takes until the burst is back."
            }
            @for (m, e, soak) in &found { (one(&curves, m, e, soak)) }
            @if let Some(notes) = notes(found.iter().map(|(_, e, _)| *e)) { (notes) }
        })
    }
}

fn one(curves: &Curves, m: &Measurement, e: &Entry, soak: &Found) -> Markup {
    html! {
        h3 { (told::shape(e)) " " span.of { (told::how(e)) } }
        dl.facts {
            dt { "Burst" } dd { (rate(soak, soak.burst).inline()) }
            dt { "Sustained" } dd { (rate(soak, soak.sustained).inline()) ", "
                (Shown::new(soak.ratio, Unit::Share, Status::Derived).inline()) " of the burst" }
            dt { "Slower after" } dd {
                @match soak.throttled_after_s {
                    Some(s) => { (seconds(s)) " of load" }
                    None => { "not within " (seconds(soak.stretches.last().map_or(0.0, |s| s.to_s))) ": by no more than 3 %" }
                }
            }
            @if soak.throttled_after_s.is_some() {
                dt { "Recovered after" } dd {
                    @match soak.recovered_after_s {
                        Some(s) => { (seconds(s)) " of pause" }
                        None if soak.paused_s > 0.0 => { "not within " (seconds(soak.paused_s)) " of pause" }
                        None => { "not tried: it was stopped before" }
                    }
                }
            }
            @if let Some(per_joule) = per_joule(soak) { (per_joule) }
        }
        (chart(curves, m, soak))
        @if let Some(table) = stretches(soak) { (table) }
        @if let Some(table) = slices(m, soak) { details { summary { "Energy of each slice" } (table) } }
        @if !m.phases.iter().any(|p| p.energy.is_some()) {
            @if let Energy::Unavailable { reason } = &m.conditions.energy { p.why { "No energy: " (reason) } }
        }
    }
}

fn seconds(s: f64) -> Markup {
    Shown::new(s, Unit::Plain("s"), Status::Measured).inline()
}

fn rate(soak: &Found, per_s: f64) -> Shown {
    let unit = match soak.item.as_str() {
        "token" => "tok/s".to_owned(),
        item => format!("{item}/s"),
    };
    Shown::new(per_s, Unit::Si(&unit), Status::Measured)
}

/// Items a joule at first and in the end, by scope.
fn per_joule(soak: &Found) -> Option<Markup> {
    let item = if soak.item == "token" { "tok" } else { &soak.item };
    let shown = |p: &PerJoule| {
        let with = [p.items_per_joule * (1.0 - p.plus_minus), p.items_per_joule * (1.0 + p.plus_minus)];
        Shown::new(p.items_per_joule, Unit::Si(&format!("{item}/J")), Status::Derived).within(Some(with)).inline()
    };
    (!soak.early.is_empty()).then(|| {
        html! {
            @for early in &soak.early {
                dt { "Efficiency, " (early.scope) }
                dd {
                    "early " (shown(early))
                    @if let Some(late) = soak.late.iter().find(|l| l.scope == early.scope) { ", late " (shown(late)) }
                    " " span.of { "(as much is " (item) "/s a watt)" }
                }
            }
        }
    })
}

/// Every window's speed with the levels found, over the parts of the soak; the sensors below on the same axis.
fn chart(curves: &Curves, m: &Measurement, soak: &Found) -> Markup {
    let s = |ns: u64| ns as f64 * 1e-9;
    let from = m.phases.first().map_or(0.0, |p| s(p.began_ns));
    let to = m.phases.iter().map(|p| s(p.ended_ns)).fold(from + 1.0, f64::max);
    let ink = |p: &Phase| match p.name.split(' ').next() {
        Some(soak::LOAD) => Some(Ink::E),
        Some(soak::PROBE) => Some(Ink::A),
        _ => None,
    };
    // The slices of the load touch each other and are one band.
    let mut bands: Vec<Band> = Vec::new();
    for (p, ink) in m.phases.iter().filter_map(|p| Some((p, ink(p)?))) {
        let (began, ended) = (s(p.began_ns) - from, s(p.ended_ns) - from);
        match bands.last_mut() {
            Some(last) if last.ink == ink && began - last.to < 1.0 => last.to = ended,
            _ => bands.push(Band { ink, from: began, to: ended }),
        }
    }
    let (factor, unit) = scale(soak.burst);
    let unit = if soak.item == "token" { format!("{unit}tok/s") } else { format!("{unit}{}/s", soak.item) };
    let points: Vec<_> = soak::windows(m).into_iter().map(|(at, rate)| (s(at) - from, rate * factor)).collect();
    let load = m.phases.iter().find(|p| p.name.starts_with(soak::LOAD)).map_or(from, |p| s(p.began_ns));
    let level = |st: &soak::Stretch| {
        let at = |seconds: f64| (load - from + seconds, st.per_s * factor);
        curves::line(Ink::Text, vec![at(st.from_s), at(st.to_s)])
    };
    let lines = std::iter::once(curves::line(Ink::E, curves::thin(&points))).chain(soak.stretches.iter().map(level));
    let keys = [
        (Ink::E, None, "speed of each window, and the load"),
        (Ink::Text, None, "levels found"),
        (Ink::A, None, "a short load after a pause"),
    ];
    let probed = m.phases.iter().any(|p| p.name.starts_with(soak::PROBE));
    html! {
        (curves::draw(&format!("Speed, {unit}"), lines.collect(), to - from, &bands, 240, false))
        (legend(&keys[..if probed { 3 } else { 2 }]))
        @for panel in PANELS {
            @if let Some(panel) = curves.panel(panel, (from, to), &bands, 140) { (panel) }
        }
    }
}

/// The factor and the prefix by which a rate of this size is drawn.
fn scale(value: f64) -> (f64, &'static str) {
    match value {
        v if v >= 1e12 => (1e-12, "T"),
        v if v >= 1e9 => (1e-9, "G"),
        v if v >= 1e6 => (1e-6, "M"),
        _ => (1.0, ""),
    }
}

fn stretches(soak: &Found) -> Option<Markup> {
    let mut table = Table::new(&["level", "speed", "of the burst", "beside it"]);
    for s in &soak.stretches {
        table.row([
            html! { (format!("{:.1} s to {:.1} s", s.from_s, s.to_s)) },
            rate(soak, s.per_s).inline(),
            Shown::new(s.per_s / soak.burst, Unit::Share, Status::Derived).inline(),
            html! { @for (i, b) in s.beside.iter().enumerate() { @if i > 0 { ", " } (beside(b)) } },
        ]);
    }
    table.render()
}

fn beside(b: &Beside) -> Markup {
    let unit = match b.unit.as_str() {
        "Hz" => Unit::Si("Hz"),
        "degC" => Unit::Plain("°C"),
        unit => Unit::Plain(unit),
    };
    html! { span.of { (b.scope) } " " (Shown::new(b.mean, unit, Status::Measured).inline()) }
}

/// The energy of each slice of the load, by scope.
fn slices(m: &Measurement, soak: &Found) -> Option<Markup> {
    let mut table = Table::new(&["part", "scope", "power", "energy", "per joule", "source"]);
    for p in &m.phases {
        let Some(Energy::Measured { readings, .. }) = &p.energy else { continue };
        let made = if p.work.items > 0 { p.work.items } else { p.work.flops } as f64;
        let item = if soak.item == "token" { "tok" } else { &soak.item };
        for r in readings {
            let with = |v: f64| Some([v * (1.0 - r.plus_minus), v * (1.0 + r.plus_minus)]);
            let per_joule = (r.covers_device && made > 0.0).then(|| made / r.joules);
            table.row([
                html! { (p.name) },
                html! { (r.scope) @if !r.covers_device { " " span.flag { "does not contain the device" } } },
                Shown::new(r.watts, Unit::Plain("W"), Status::Measured).within(with(r.watts)).inline(),
                Shown::new(r.joules, Unit::Plain("J"), Status::Measured).within(with(r.joules)).inline(),
                Shown::or(per_joule, Unit::Si(&format!("{item}/J")), Status::Derived, "").inline(),
                html! { (r.source) },
            ]);
        }
    }
    table.render()
}
