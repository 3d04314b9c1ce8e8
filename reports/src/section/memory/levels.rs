//! The levels found in curves, and the caches as the system tells them.

use super::curve::Curve;
use crate::chart::{Ink, Line};
use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use crate::table::Table;
use maud::{Markup, html};
use spark_results::knees::{self, Level};
use spark_results::quantity::size;

/// A vertical line where each told cache ends that lies within the chart.
pub(super) fn marks(page: &Page, threads: u64, (x0, x1): (f64, f64), (y0, y1): (f64, f64)) -> Vec<Line> {
    let known = knees::caches(&page.subject.run.manifest.machine.cpu, threads);
    let inside = known.iter().filter(|cache| (x0..=x1).contains(&(cache.bytes as f64)));
    inside
        .map(|cache| {
            let x = cache.bytes as f64;
            // The label hangs at the first point, a little below the top.
            let points = vec![(x, y1 / (y1 / y0).powf(0.06)), (x, y1), (x, y0)];
            Line { ink: Ink::Quiet, points, label: format!("{} {}", cache.name, size(cache.bytes)), shape: None }
        })
        .collect()
}

/// A short stroke through each of `curves` where it was found to bend, with the size at which it does; `y0` and `y1` are the chart's ends.
pub(super) fn strokes<'c>(page: &Page, curves: impl Iterator<Item = &'c Curve>, (y0, y1): (f64, f64)) -> Vec<Line> {
    let cpu = &page.subject.run.manifest.machine.cpu;
    let half = (y1 / y0).powf(0.05);
    let stroke = |curve: &Curve, pair: &[Level]| {
        let (x, y) = (pair[0].knee_bytes?, (pair[0].value * pair[1].value).sqrt());
        // The label stands to the left of the first point: on the side of the curve that is empty there, and clear of it.
        let falls = pair[1].value < pair[0].value;
        let (first, last) = if falls { (y / half.powi(2), y * half) } else { (y * half.powi(2), y / half) };
        Some(Line { ink: curve.ink, points: vec![(x, first), (x, last)], label: size(x as u64), shape: None })
    };
    let of = |curve: &'c Curve| {
        let found = knees::levels(&curve.points, &knees::caches(cpu, curve.threads));
        found.windows(2).filter_map(|pair| stroke(curve, pair)).collect::<Vec<_>>()
    };
    curves.flat_map(of).collect()
}

/// What was found in each curve; nothing where all of them are too short.
pub(super) fn table<'c>(page: &Page, curves: impl Iterator<Item = &'c Curve>, unit: Unit) -> Option<Markup> {
    let cpu = &page.subject.run.manifest.machine.cpu;
    let sheet = super::sheet(page).filter(|_| unit == Unit::Si("B/s"));
    let mut table = Table::new(&["level", "value", "measured from … to", "knee found at", "told by the system"]);
    let mut any = false;
    for curve in curves {
        let found = knees::levels(&curve.points, &knees::caches(cpu, curve.threads));
        any |= found.len() > 1;
        for level in &found {
            table.row([
                html! { (name(level, &found)) " " span.of { (curve.name) } },
                Shown::new(level.value, unit, Status::Derived).inline(),
                html! { (size(level.sizes[0])) " … " (size(level.sizes[1])) },
                level.knee_bytes.map_or_else(
                    || html! { span.none { "–" } },
                    |bytes| Shown::new(bytes, Unit::Size, Status::Derived).inline(),
                ),
                match (level.told_bytes, &sheet) {
                    (Some(bytes), _) => Shown::new(bytes as f64, Unit::Size, Status::Reported).inline(),
                    (None, Some((said, _))) if level.name.as_deref() == Some("DRAM") => html! {
                        (Shown::new(*said, Unit::Si("B/s"), Status::Reported).inline()) " " span.of { "by the data sheet" }
                    },
                    (None, _) => html! { span.none { "–" } },
                },
            ]);
        }
    }
    table.render().filter(|_| any)
}

/// What a level is called: a told cache, memory, or a place between two of them.
fn name(level: &Level, all: &[Level]) -> String {
    if let Some(name) = &level.name {
        return name.clone();
    }
    let at = all.iter().position(|l| l == level).unwrap_or(0);
    let before = all[..at].iter().rev().find_map(|l| l.name.as_deref());
    let behind = all[at + 1..].iter().find_map(|l| l.name.as_deref());
    match (before, behind) {
        (Some(before), Some("DRAM")) => {
            format!("behind {before}: a cache that the system does not tell, or a shared one in part")
        }
        (Some(before), Some(behind)) => format!("between {before} and {behind}"),
        _ => format!("level {}", at + 1),
    }
}
