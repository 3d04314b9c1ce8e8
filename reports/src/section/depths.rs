//! Tokens a second by how many stand before: prefill and decode of each model here, and as others report the same work.

use super::Section;
use crate::chart::{Axis, Chart, Ink, Line, Shape, legend};
use crate::curves::INKS;
use crate::others;
use crate::page::Page;
use crate::told;
use maud::{Markup, html};
use spark_results::Entry;
use spark_results::quantity::digits;
use std::collections::BTreeMap;

/// Speed by depth.
#[derive(Debug)]
pub(crate) struct Depths;

/// A model's runs of one test, by depth.
type Family<'p> = (String, BTreeMap<u64, &'p Entry>);

/// One sequence of each model and test at several depths; of several ways of the same the fastest. Those that others report come first.
fn families<'p>(page: &'p Page, workload: &'static str, axis: &str) -> Vec<Family<'p>> {
    let mut all: BTreeMap<String, BTreeMap<u64, &Entry>> = BTreeMap::new();
    for e in page.of(workload).filter(|e| rate(e) > 0.0 && e.int("batch").unwrap_or(1) == 1) {
        let name = format!(
            "{} {}{}",
            told::model(e),
            if workload == "decode" { "tg" } else { "pp" },
            e.int(axis).unwrap_or(0)
        );
        let best = all.entry(name).or_default().entry(e.int("depth").unwrap_or(0)).or_insert(e);
        if rate(e) > rate(best) {
            *best = e;
        }
    }
    let mut all: Vec<Family> = all.into_iter().filter(|(_, of)| of.len() > 1).collect();
    let known = |(_, of): &Family| of.values().filter(|e| page.published.iter().any(|o| o.row.a.id == e.id)).count();
    all.sort_by_key(|family| std::cmp::Reverse(known(family)));
    all
}

fn rate(e: &Entry) -> f64 {
    e.rates.and_then(|r| r.items_per_s).unwrap_or(0.0)
}

impl Section for Depths {
    fn title(&self) -> &'static str {
        "Speed by depth"
    }

    fn render(&self, page: &Page) -> Option<Markup> {
        let charts = [
            ("decode", "n_gen", "Tokens generated a second"),
            ("prefill", "n_prompt", "Tokens of a prompt read a second"),
        ];
        let drawn: Vec<_> = charts
            .into_iter()
            .filter_map(|(workload, axis, title)| chart(&families(page, workload, axis), page, title))
            .collect();
        (!drawn.is_empty()).then(|| {
            html! {
                p {
                    "The more tokens stand before, the more keys and values each new one reads, and the more products attention takes. The numbers stand under "
                    "“Prefill and decode”, others’ under “Beside published machines”."
                }
                @for chart in &drawn { (chart) }
            }
        })
    }
}

fn chart(families: &[Family], page: &Page, title: &str) -> Option<Markup> {
    let drawn = &families[..families.len().min(INKS.len())];
    let points = |of: &BTreeMap<u64, &Entry>| of.iter().map(|(depth, e)| (*depth as f64, rate(e))).collect();
    let line = |((_, of), ink): (&Family, Ink)| Line {
        ink,
        points: points(of),
        label: String::new(),
        shape: Some(Shape::Disc),
    };
    let lines: Vec<Line> = drawn.iter().zip(INKS).map(line).collect();
    let dots: Vec<_> = drawn
        .iter()
        .zip(INKS)
        .flat_map(|((_, of), ink)| {
            let work: Vec<_> = of.iter().map(|(depth, e)| (*depth as f64, e.id.as_str())).collect();
            others::dots(page, &work, ink)
        })
        .collect();
    let all = || lines.iter().map(|l| &l.points).chain(dots.iter().map(|d| &d.points)).flatten();
    let (low, high) = all().fold((f64::INFINITY, 0.0), |(l, h): (f64, f64), p| (l.min(p.1), h.max(p.1)));
    let deepest = all().map(|p| p.0).fold(0.0, f64::max);
    if lines.is_empty() {
        return None;
    }
    let mut keys: Vec<_> =
        drawn.iter().zip(INKS).map(|((name, _), ink)| (ink, Some(Shape::Disc), name.as_str())).collect();
    if !dots.is_empty() {
        keys.push((Ink::Quiet, Some(Shape::Ring), others::HOLLOW));
    }
    let chart = Chart {
        about: format!("{title} by depth, of {} models; tables hold the numbers", drawn.len()),
        x: Axis::linear("tokens that stand before", deepest, |v| format!("{v:.0}")),
        y: Axis::log("tok/s", low / 1.4, high * 1.4, digits),
        bands: Vec::new(),
        lines,
        dots,
    };
    Some(html! {
        h3 { (title) }
        (chart.render(340))
        (legend(&keys))
        @if families.len() > drawn.len() { p.of { (families.len() - drawn.len()) " further models are in the table." } }
    })
}
