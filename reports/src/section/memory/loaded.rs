//! Latency against what the other cores take meanwhile.

use crate::chart::{Axis, Chart, Ink, Line, Shape};
use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use crate::table::Table;
use maud::{Markup, html};
use spark_results::Entry;
use spark_results::loaded::{self, Point};
use spark_results::quantity::{digits, size};

pub(super) fn render(page: &Page) -> Option<Markup> {
    let found: Vec<(&Entry, Vec<Point>)> =
        page.of("loaded").map(|e| (e, loaded::points(&e.metrics))).filter(|(_, points)| points.len() > 1).collect();
    (!found.is_empty()).then(|| {
        html! {
            h3 { "Latency under load" }
            @for (e, points) in &found {
                @if let Some(groups) = e.facts.get("groups") {
                    p {
                        @if let Some(bytes) = e.int("bytes").filter(|bytes| *bytes > 0) { strong { (size(bytes)) } " a core. " }
                        "One core wanders, the others read: " (groups) "."
                    }
                }
                (chart(points).render(260))
                details { summary { "As a table" } @if let Some(table) = table(points) { (table) } }
            }
        }
    })
}

fn chart(points: &[Point]) -> Chart {
    let most = points
        .iter()
        .map(|p| (p.injected / 1e9, p.latency_ns))
        .fold((0.0_f64, 0.0_f64), |m, p| (m.0.max(p.0), m.1.max(p.1)));
    let line = points.iter().map(|p| (p.injected / 1e9, p.latency_ns)).collect();
    Chart {
        about: format!("Latency up to {} ns against up to {} GB/s of the other cores", digits(most.1), digits(most.0)),
        x: Axis::linear("GB/s that the other cores read", most.0, |v| format!("{v}")),
        y: Axis::linear("ns a load", most.1, |v| format!("{v}")),
        bands: Vec::new(),
        lines: vec![Line { ink: Ink::E, points: line, label: String::new(), shape: Some(Shape::Disc) }],
        dots: Vec::new(),
    }
}

fn table(points: &[Point]) -> Option<Markup> {
    let idle = points.first().filter(|p| p.injected == 0.0)?.latency_ns;
    let mut table = Table::new(&["the others read", "one dependent load", "of idle"]);
    for p in points {
        table.row([
            Shown::new(p.injected, Unit::Si("B/s"), Status::Measured).inline(),
            Shown::new(p.latency_ns, Unit::Time, Status::Measured).inline(),
            Shown::new(p.latency_ns / idle, Unit::Plain("×"), Status::Derived).inline(),
        ]);
    }
    table.render()
}
