//! The machine's state over the run: one small chart a quantity, and every sensor that was asked.

use super::Section;
use super::energy::sensors;
use crate::chart::{Axis, Band, Chart, Ink, Line, legend};
use crate::page::Page;
use crate::table::Table;
use maud::{Markup, html};
use spark_results::quantity::{digits, percent};
use spark_results::telemetry;
use std::collections::BTreeMap;

/// Telemetry over time.
#[derive(Debug)]
pub(crate) struct Conditions;

/// Points drawn of one curve at most; more are averaged in groups.
const POINTS: usize = 240;
const INKS: [Ink; 5] = [Ink::A, Ink::B, Ink::C, Ink::D, Ink::E];
/// Quantities worth a curve, in order: name in telemetry, title, factor.
const CURVES: [(&str, &str, f64); 7] = [
    ("load", "Load, % of all CPUs", 100.0),
    ("steal", "Time the hypervisor took, %", 100.0),
    ("clock", "Core clock, GHz", 1e-9),
    ("frequency", "Clock as reported, GHz", 1e-9),
    ("temperature", "Temperature, °C", 1.0),
    ("power", "Power, W", 1.0),
    ("available", "Memory available, GB", 1e-9),
];

type Curves<'p> = BTreeMap<&'p str, BTreeMap<&'p str, Vec<(f64, f64)>>>;

impl Section for Conditions {
    fn title(&self) -> &'static str {
        "Conditions"
    }

    fn render(&self, page: &Page) -> Option<Markup> {
        let curves = curves(page);
        let mut table = Table::new(&["sensor", "quantity", "status", "scope", "source or reason"]);
        for c in sensors(page) {
            let refused = c.status == telemetry::Status::Refused;
            table.row([
                html! { (c.name) },
                html! { (c.quantity.as_deref().unwrap_or("–")) },
                html! { @if refused { span.none { "refused" } } @else { "ok" } },
                html! { (c.scope.as_deref().unwrap_or("–")) },
                html! { (c.reason.as_deref().or(c.source.as_deref()).unwrap_or("–")) },
            ]);
        }
        let table = table.render();
        if curves.is_empty() && table.is_none() {
            return Some(
                html! { p { "This run holds no telemetry" @for r in &page.subject.run.remarks { "; " (r) } "." } },
            );
        }
        Some(html! {
            @if !curves.is_empty() {
                p { "Shaded: the times at which tasks ran." (throttled(page)) }
                @for (quantity, title, factor) in CURVES {
                    @if let Some(scopes) = curves.get(quantity) { (draw(page, title, scopes, factor)) }
                }
            }
            @if let Some(cost) = &page.subject.run.manifest.telemetry_cost { p { "The cost of looking: " (cost) "." } }
            @if let Some(table) = table { details { summary { "Every sensor that was asked" } (table) } }
        })
    }
}

fn throttled(page: &Page) -> Markup {
    use spark_results::conditions::Throttling;
    let states = page.real().filter_map(|e| e.conditions.as_ref()).map(|c| &c.throttling);
    let (mut held, mut free, mut unknown) = (0, 0, None);
    for state in states {
        match state {
            Throttling::Known { throttled: true, .. } => held += 1,
            Throttling::Known { .. } => free += 1,
            Throttling::Unavailable { reason } => unknown = Some(reason),
        }
    }
    html! {
        @if held > 0 { " " strong { (held) " measurements were throttled." } }
        @else if free > 0 { " No measurement was throttled." }
        @if let Some(reason) = unknown { " Throttling is not known: " (reason) "." }
    }
}

fn curves<'p>(page: &Page<'p>) -> Curves<'p> {
    let mut curves = Curves::new();
    for line in &page.subject.run.telemetry {
        let telemetry::Line::Sample(sample) = line else { continue };
        for r in sample.readings.iter().filter(|r| r.value.is_finite()) {
            let scopes = curves.entry(r.quantity.as_str()).or_default();
            scopes.entry(r.scope.as_str()).or_default().push((sample.t_ns as f64 * 1e-9, r.value));
        }
    }
    curves
}

/// Means of equal groups, so that a long run draws no more than a screen can show.
fn thin(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let group = points.len().div_ceil(POINTS).max(1);
    let mean =
        |part: &[(f64, f64)], pick: fn(&(f64, f64)) -> f64| part.iter().map(pick).sum::<f64>() / part.len() as f64;
    points.chunks(group).map(|part| (mean(part, |p| p.0), mean(part, |p| p.1))).collect()
}

fn draw(page: &Page, title: &str, scopes: &BTreeMap<&str, Vec<(f64, f64)>>, factor: f64) -> Markup {
    let records = &page.subject.run.records;
    let end = records.iter().map(|r| r.ended_ns as f64 * 1e-9).fold(1.0, f64::max);
    let end = scopes.values().flatten().map(|p| p.0).fold(end, f64::max);
    let lines: Vec<Line> = scopes
        .values()
        .zip(INKS)
        .map(|(points, ink)| Line {
            ink,
            points: thin(points).into_iter().map(|(t, v)| (t, v * factor)).collect(),
            label: String::new(),
            shape: None,
        })
        .collect();
    let high = lines.iter().flat_map(|l| &l.points).map(|p| p.1).fold(0.0, f64::max);
    // Of thousands of tasks only their union matters to the eye: neighbours closer than a pixel are one band.
    let mut bands: Vec<Band> = Vec::new();
    for record in records {
        let (from, to) = (record.began_ns as f64 * 1e-9, record.ended_ns as f64 * 1e-9);
        match bands.last_mut() {
            Some(last) if from - last.to < end / 400.0 && from >= last.from => last.to = last.to.max(to),
            _ => bands.push(Band { ink: Ink::Quiet, from, to }),
        }
    }
    let keys: Vec<_> = scopes.keys().zip(INKS).map(|(scope, ink)| (ink, None, *scope)).collect();
    let chart = Chart {
        about: format!(
            "{title} over {} s, at most {}",
            digits(end),
            if factor == 100.0 { percent(high / 100.0) } else { digits(high) }
        ),
        x: Axis::linear("seconds since the run began", end, |v| format!("{v}")),
        y: Axis::linear(title, high, |v| format!("{}", (v * 1e3).round() / 1e3)),
        bands,
        lines,
        dots: Vec::new(),
    };
    html! {
        (chart.render(210))
        @if keys.len() > 1 { (legend(&keys)) }
        @if scopes.len() > INKS.len() { p.of { (scopes.len() - INKS.len()) " further scopes are in telemetry.jsonl." } }
    }
}
