//! Sequences decoded together: what a batch gives in all, and from which size on arithmetic bounds it and no longer memory.

use super::Section;
use crate::chart::{Axis, Chart, Ink, Line, Shape, legend};
use crate::curves::INKS;
use crate::others;
use crate::page::Page;
use crate::table::Table;
use crate::told::{self, Amount};
use maud::{Markup, html};
use spark_results::Entry;
use spark_results::quantity::digits;
use spark_results::roofline::Bound;
use std::collections::BTreeMap;

/// Batch scaling.
#[derive(Debug)]
pub(crate) struct Batch;

/// The decodes of one model, format, length and depth by batch, where there are several.
fn families<'p>(page: &'p Page) -> Vec<(String, Vec<&'p Entry>)> {
    let mut all: BTreeMap<String, BTreeMap<u64, &Entry>> = BTreeMap::new();
    for e in page.of("decode").filter(|e| e.rates.is_some_and(|r| r.items_per_s.is_some())) {
        let depth = e.int("depth").filter(|d| *d > 0).map(|d| format!(" @ d{d}")).unwrap_or_default();
        let name = format!("{} tg{}{depth}", told::model(e), e.int("n_gen").unwrap_or(0));
        // Of several ways of the same the fastest.
        let best = all.entry(name).or_default().entry(e.int("batch").unwrap_or(1)).or_insert(e);
        if rate(e) > rate(best) {
            *best = e;
        }
    }
    all.into_iter().filter(|(_, of)| of.len() > 1).map(|(name, of)| (name, of.into_values().collect())).collect()
}

fn rate(e: &Entry) -> f64 {
    e.rates.and_then(|r| r.items_per_s).unwrap_or(0.0)
}

impl Section for Batch {
    fn title(&self) -> &'static str {
        "Sequences decoded together"
    }

    fn render(&self, page: &Page) -> Option<Markup> {
        let families = families(page);
        let mut table = Table::new(&["model", "sequences", "all together", "each", "share of roof", "how"]);
        for (name, of) in &families {
            for e in of {
                let batch = e.int("batch").unwrap_or(1);
                table.row([
                    html! { (name) },
                    html! { (batch) },
                    told::rate(e, Amount::Items).inline(),
                    html! { (digits(rate(e) / batch as f64)) " tok/s" },
                    told::share(e),
                    html! { (told::how(e)) },
                ]);
            }
        }
        let table = table.render()?;
        let drawn = &families[..families.len().min(INKS.len())];
        let points =
            |of: &[&Entry]| of.iter().map(|e| (e.int("batch").unwrap_or(1) as f64, rate(e))).collect::<Vec<_>>();
        let lines: Vec<Line> = drawn
            .iter()
            .zip(INKS)
            .map(|((_, of), ink)| Line { ink, points: points(of), label: String::new(), shape: Some(Shape::Disc) })
            .collect();
        let dots: Vec<_> = drawn
            .iter()
            .zip(INKS)
            .flat_map(|((_, of), ink)| {
                let work: Vec<_> = of.iter().map(|e| (e.int("batch").unwrap_or(1) as f64, e.id.as_str())).collect();
                others::dots(page, &work, ink)
            })
            .collect();
        let all = || lines.iter().map(|l| &l.points).chain(dots.iter().map(|d| &d.points)).flatten();
        let (low, high) = all().fold((f64::INFINITY, 0.0), |(l, h): (f64, f64), p| (l.min(p.1), h.max(p.1)));
        let widest = all().map(|p| p.0).fold(2.0, f64::max);
        let reported = dots.iter().any(|d| !d.points.is_empty());
        let chart = Chart {
            about: format!(
                "Tokens a second of {} models by the number of sequences; the table has the numbers",
                drawn.len()
            ),
            x: Axis::log("sequences", 0.9, widest * 1.1, |v| format!("{v}")),
            y: Axis::log("tok/s, all together", low / 1.4, high * 1.4, digits),
            bands: Vec::new(),
            lines,
            dots,
        };
        let mut keys: Vec<_> =
            drawn.iter().zip(INKS).map(|((name, _), ink)| (ink, Some(Shape::Disc), name.as_str())).collect();
        if reported {
            keys.push((Ink::Quiet, Some(Shape::Ring), others::HOLLOW));
        }
        Some(html! {
            p {
                "Sequences decoded together read the weights once for all, so that their rate grows until arithmetic, or the KV caches that each "
                "brings along, bound it."
            }
            (chart.render(340))
            (legend(&keys))
            ul { @for (name, of) in &families { li { (name) ": " (crossover(of)) } } }
            (table)
        })
    }
}

/// From which batch on arithmetic is the roof that binds.
fn crossover(of: &[&Entry]) -> String {
    let bound = |e: &&&Entry| e.roof.as_ref().is_some_and(|r| r.bound == Bound::Compute);
    let known = of.iter().filter(|e| e.roof.is_some()).count();
    match of.iter().find(bound) {
        Some(e) => format!("from {} sequences on arithmetic bounds it", e.int("batch").unwrap_or(1)),
        None if known > 0 => {
            format!("memory bounds it up to {} sequences", of.last().and_then(|e| e.int("batch")).unwrap_or(1))
        }
        None => "no roof was measured, so that what bounds it is not known".to_owned(),
    }
}
