//! The run over time: what ran, how evenly, and what power, clocks, temperatures and load did meanwhile.

use super::Section;
use super::energy::refusals;
use crate::chart::{Band, Ink, legend};
use crate::curves::{self, Curves, Quantity};
use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use crate::table::Table;
use crate::told;
use maud::{Markup, html};
use spark_results::conditions::Throttling;
use spark_results::{Entry, Record, stats};
use std::collections::BTreeSet;

/// Tasks and sensors on one time axis.
#[derive(Debug)]
pub(crate) struct Timeline;

/// Panels, in order.
const PANELS: [Quantity; 5] = [
    ("power", "Power, W", 1.0),
    (curves::MEASURED_CLOCK, "Clock, GHz", 1e-9),
    ("frequency", "Clock as reported, GHz", 1e-9),
    ("temperature", "Temperature, °C", 1.0),
    ("load", "Load, %", 100.0),
];
/// Points of all tasks' speeds together.
const POINTS: usize = 480;
const HEIGHT: u32 = 150;

/// What a task is of, as it is drawn: its ink and its name.
fn kind(workload: &str) -> (Ink, &'static str) {
    match workload {
        "peak" | "read" | "write" | "copy" | "triad" | "chase" => (Ink::Quiet, "roofs and memory"),
        "gemm" | "experts" => (Ink::A, "gemm"),
        "prefill" => (Ink::B, "prefill"),
        "decode" => (Ink::C, "decode"),
        "soak" => (Ink::E, "soak"),
        _ => (Ink::D, "other operations"),
    }
}

impl Section for Timeline {
    fn title(&self) -> &'static str {
        "The run over time"
    }

    fn render(&self, page: &Page) -> Option<Markup> {
        let curves = Curves::of(page.subject.run);
        let records = &page.subject.run.records;
        let end = records.iter().map(|r| r.ended_ns as f64 * 1e-9).fold(curves.end(), f64::max);
        if curves.is_empty() || end <= 0.0 {
            return None;
        }
        let bands = bands(records, end);
        let kinds: BTreeSet<_> = records.iter().map(|r| r.id.workload.as_str()).map(|w| kind(w).1).collect();
        let keys: Vec<_> = ["peak", "gemm", "prefill", "decode", "soak", ""].into_iter().map(kind).collect();
        let keys: Vec<_> =
            keys.into_iter().filter(|k| kinds.contains(k.1)).map(|(ink, name)| (ink, None, name)).collect();
        Some(html! {
            p { "Shaded: the time of each task, by what it is of; within it the task prepares, is checked, warms up and is sampled." (throttled(page)) }
            (legend(&keys))
            @if let Some(speeds) = speeds(page, end, &bands) { (speeds) }
            @for panel in PANELS {
                @if let Some(panel) = curves.panel(panel, (0.0, end), &bands, HEIGHT) { (panel) }
            }
            @if !curves.has("power") { (no_power(page)) }
            @if let Some(table) = table(page, &curves) { details { summary { "The same in numbers, task by task" } (table) } }
        })
    }
}

/// The time of each task. Of thousands only what the eye can part matters: neighbours of a kind closer than a pixel are one band, and of
/// several kinds within some pixels the first is drawn.
fn bands(records: &[Record], end: f64) -> Vec<Band> {
    let mut bands: Vec<Band> = Vec::new();
    for record in records {
        let (from, to) = (record.began_ns as f64 * 1e-9, record.ended_ns as f64 * 1e-9);
        let ink = kind(&record.id.workload).0;
        match bands.last_mut() {
            Some(last) if last.ink == ink && from - last.to < end / 400.0 && from >= last.from => {
                last.to = last.to.max(to);
            }
            Some(last) if from >= last.from && to - last.from < end / 250.0 => {}
            _ => bands.push(Band { ink, from, to }),
        }
    }
    bands
}

/// How evenly each task ran: every sample's speed as a share of its task's median. `None` where no sample knows its time.
fn speeds(page: &Page, end: f64, bands: &[Band]) -> Option<Markup> {
    let timed = |r: &&Record| r.measured().is_some_and(|m| m.at_ns.len() == m.samples_ns.len() && !m.at_ns.is_empty());
    let records: Vec<&Record> = page.subject.run.records.iter().filter(timed).collect();
    let each = (POINTS / records.len().max(1)).max(2);
    let line = |record: &&Record| {
        let m = record.measured()?;
        let median = stats::median(&m.samples_ns.iter().map(|ns| *ns as f64).collect::<Vec<_>>());
        let at = m.at_ns.iter().zip(&m.samples_ns);
        let points: Vec<_> = at.map(|(at, ns)| (*at as f64 * 1e-9, 100.0 * median / (*ns).max(1) as f64)).collect();
        Some(curves::line(kind(&record.id.workload).0, curves::thin_to(&points, each)))
    };
    let lines: Vec<_> = records.iter().filter_map(line).collect();
    (!lines.is_empty()).then(|| curves::draw("Speed, % of each task's median", lines, end, bands, HEIGHT, true))
}

/// Why there is no power to be drawn.
fn no_power(page: &Page) -> Markup {
    let refused = refusals(page);
    html! {
        p.why {
            "Power is not drawn: "
            @if refused.is_empty() { "no sensor of power was found on this machine." }
            @else {
                @for (i, c) in refused.iter().take(3).enumerate() {
                    @if i > 0 { "; " }
                    (c.name) ": " (c.reason.as_deref().unwrap_or("no reason given"))
                }
                "."
            }
        }
    }
}

fn throttled(page: &Page) -> Markup {
    let states = page.real().filter_map(|e| e.conditions.as_ref()).map(|c| &c.throttling);
    let (mut held, mut free, mut unknown) = (0, 0, None);
    for state in states {
        match state {
            Throttling::Known { throttled: true, .. } => held += 1,
            Throttling::Known { .. } => free += 1,
            Throttling::Unavailable { reason } => unknown = Some(reason),
        }
    }
    let dropped: usize = page.real().map(|e| e.dropped).sum();
    html! {
        @if held > 0 { " " strong { (held) " measurements were throttled." } }
        @else if free > 0 { " No measurement was throttled." }
        @if dropped > 0 { " " strong { (dropped) " samples were taken while the machine was held back, and do not count." } }
        @if let Some(reason) = unknown { " Throttling is not known: " (reason) "." }
    }
}

/// What the panels show, for those who read rather than look.
fn table(page: &Page, curves: &Curves) -> Option<Markup> {
    let mut table = Table::brief(&["task", "began", "took", "power", "clock", "hottest", "load"]);
    let records = page.subject.run.records.iter().zip(&page.subject.document.records);
    for (record, entry) in records.filter(|(_, e)| told::real(e)) {
        let (from, to) = (record.began_ns as f64 * 1e-9, record.ended_ns as f64 * 1e-9);
        let means = |quantity: &str| curves.means(quantity, from, to);
        let seconds = |s: f64| Shown::new(s, Unit::Plain("s"), Status::Measured).inline();
        let one = |value: Option<f64>, unit| Shown::or(value, unit, Status::Measured, "").inline();
        table.row([
            html! { (told::label(entry)) },
            seconds(from),
            seconds(to - from),
            html! { @for (i, (scope, watts)) in means("power").into_iter().enumerate() {
                @if i > 0 { ", " } (Shown::new(watts, Unit::Plain("W"), Status::Reported).inline()) " " span.of { (scope) }
            } },
            one(clock(entry), Unit::Si("Hz")),
            one(means("temperature").into_iter().map(|m| m.1).reduce(f64::max), Unit::Plain("°C")),
            one(means("load").first().map(|m| m.1), Unit::Share),
        ]);
    }
    table.render()
}

/// The clock beside an entry: measured by work, or else as the device's sensor told it.
fn clock(e: &Entry) -> Option<f64> {
    told::clock(e).or_else(|| {
        let during = e.conditions.as_ref()?.during.as_ref()?;
        let own = during
            .clocks
            .iter()
            .find(|band| e.device.strip_prefix("cuda:").is_some_and(|i| band.scope == format!("gpu {i}")));
        own.map(|band| band.median_hz)
    })
}
