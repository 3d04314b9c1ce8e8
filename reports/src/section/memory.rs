//! Bandwidth and latency by working set: where each cache ends.

use super::{Section, notes};
use crate::chart::{Axis, Chart, Ink, Line, Shape, legend};
use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use crate::table::Table;
use crate::told::{self, Amount, STREAMS};
use maud::{Markup, html};
use spark_results::Entry;
use spark_results::quantity::{digits, duration};
use std::collections::BTreeMap;

/// Streams and the pointer chase.
#[derive(Debug)]
pub(crate) struct Memory;

const INKS: [(Ink, Shape); 4] =
    [(Ink::A, Shape::Disc), (Ink::B, Shape::Square), (Ink::C, Shape::Diamond), (Ink::D, Shape::Triangle)];

/// The best value at each size.
fn curve<'e>(
    entries: impl Iterator<Item = &'e Entry>,
    value: impl Fn(&Entry) -> Option<f64>,
    better: fn(f64, f64) -> f64,
) -> Vec<(f64, f64)> {
    let mut best: BTreeMap<u64, f64> = BTreeMap::new();
    for e in entries {
        if let (Some(bytes), Some(v)) = (e.int("bytes").filter(|b| *b > 0), value(e).filter(|v| *v > 0.0)) {
            best.entry(bytes).and_modify(|b| *b = better(*b, v)).or_insert(v);
        }
    }
    best.into_iter().map(|(bytes, v)| (bytes as f64, v)).collect()
}

/// Lowest and highest of one side of some points.
fn span(lines: &[Line], pick: fn(&(f64, f64)) -> f64) -> (f64, f64) {
    let all = lines.iter().flat_map(|l| l.points.iter().map(pick));
    all.fold((f64::INFINITY, 0.0), |(low, high), v| (low.min(v), high.max(v)))
}

impl Section for Memory {
    fn title(&self) -> &'static str {
        "Memory by working set"
    }

    fn render(&self, page: &Page) -> Option<Markup> {
        let streams = || page.real().filter(|e| STREAMS.contains(&e.workload.as_str()));
        let chases = || page.of("chase");
        let mut table = Table::new(&["stream", "bandwidth", "share of roof", "time", "pages huge", "how"]);
        for e in streams() {
            table.row([
                html! { (told::label(e)) },
                told::rate(e, Amount::Bytes).inline(),
                told::share(e),
                told::time(e).inline(),
                huge(e),
                html! { (told::how(e)) },
            ]);
        }
        let mut latency = Table::new(&["working set", "one dependent load", "pages huge", "how"]);
        for e in chases() {
            latency.row([html! { (told::shape(e)) }, told::hop(e).inline(), huge(e), html! { (told::how(e)) }]);
        }
        let (table, latency) = (table.render(), latency.render());
        if table.is_none() && latency.is_none() {
            return None;
        }
        Some(html! {
            @if let Some(chart) = bandwidth(page) { (chart) }
            @if let Some(chart) = steps(page) { (chart) }
            @if let Some(table) = table { details { summary { "Every stream" } (table) } }
            @if let Some(table) = latency { details { summary { "Every latency" } (table) } }
            @if let Some(notes) = notes(streams().chain(chases())) { (notes) }
        })
    }
}

fn huge(e: &Entry) -> Markup {
    let pages = e.conditions.as_ref().and_then(|c| c.pages);
    let share = pages.and_then(|p| Some(p.huge? as f64 / p.bytes.max(1) as f64));
    Shown::or(share, Unit::Share, Status::Reported, "").inline()
}

fn bandwidth(page: &Page) -> Option<Markup> {
    let mut lines = Vec::new();
    let mut keys = Vec::new();
    for (workload, (ink, shape)) in STREAMS.iter().copied().zip(INKS) {
        let points = curve(page.of(workload), |e| e.rates?.bytes_per_s, f64::max);
        if !points.is_empty() {
            lines.push(Line { ink, points, label: String::new(), shape: Some(shape) });
            keys.push((ink, Some(shape), workload));
        }
    }
    let ((x0, x1), (y0, y1)) = (span(&lines, |p| p.0), span(&lines, |p| p.1));
    if lines.is_empty() || x0 >= x1 {
        return None;
    }
    let chart = Chart {
        about: format!("Bandwidth by working set, {} to {} GB/s", digits(y0 / 1e9), digits(y1 / 1e9)),
        x: Axis::sizes("working set", x0 / 1.3, x1 * 1.3),
        y: Axis::log("GB/s", y0 / 1.6, y1 * 1.6, |v| format!("{}", (v / 1e9 * 1e6).round() / 1e6)),
        bands: Vec::new(),
        lines,
        dots: Vec::new(),
    };
    Some(html! {
        h3 { "Bandwidth" }
        p { "The best of all implementations, threads and pages at each size; GB is 10⁹ bytes." }
        (chart.render(360))
        (legend(&keys))
    })
}

fn steps(page: &Page) -> Option<Markup> {
    let hop = |e: &Entry| Some(e.time?.median_ns / e.work.as_ref().filter(|w| w.items > 0)?.items as f64);
    let points = curve(page.of("chase"), hop, f64::min);
    let lines = vec![Line { ink: Ink::E, points, label: String::new(), shape: Some(Shape::Disc) }];
    let ((x0, x1), (y0, y1)) = (span(&lines, |p| p.0), span(&lines, |p| p.1));
    if x0 >= x1 {
        return None;
    }
    let chart = Chart {
        about: format!("Latency by working set, {} to {}", duration(y0), duration(y1)),
        x: Axis::sizes("working set", x0 / 1.3, x1 * 1.3),
        y: Axis::log("ns a load", y0 / 1.6, y1 * 1.6, |v| format!("{}", (v * 1e3).round() / 1e3)),
        bands: Vec::new(),
        lines,
        dots: Vec::new(),
    };
    Some(html! {
        h3 { "Latency" }
        p { "Each load needs the one before it (a pointer chase), so nothing hides its latency." }
        (chart.render(300))
    })
}
