//! The roofline: the measured roofs as lines, every measured kernel as a point beneath them.

use super::headline::{memory_roof, peaks};
use super::parts::{leads, parts};
use super::{Section, notes};
use crate::chart::{Axis, Chart, Dots, Ink, Line, Shape, legend};
use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use crate::table::Table;
use crate::told::{self, Amount, STREAMS};
use maud::{Markup, html};
use spark_results::quantity::si;
use spark_results::{Entry, quantity};

/// Roofs and what stands under them.
#[derive(Debug)]
pub(crate) struct Roofline;

/// Families of work, each with its colour and shape.
const FAMILIES: [(&str, Ink, Shape); 6] = [
    ("GEMM", Ink::A, Shape::Disc),
    ("attention", Ink::B, Shape::Square),
    ("prefill and decode", Ink::C, Shape::Diamond),
    ("streams", Ink::D, Shape::Ring),
    ("other operations", Ink::E, Shape::Triangle),
    ("ops within prefill and decode", Ink::C, Shape::Triangle),
];
/// The family of what was timed within a pass.
const WITHIN: usize = 5;

/// More kernels than this have no name on hover: the table has them.
const NAMED: usize = 200;

fn family(e: &Entry) -> usize {
    match e.workload.as_str() {
        "gemm" => 0,
        "attention" => 1,
        "prefill" | "decode" => 2,
        w if STREAMS.contains(&w) => 3,
        _ => 4,
    }
}

/// Operations a byte, and operations a second.
fn point(e: &Entry) -> Option<(f64, f64)> {
    Some((told::intensity(e)?, e.rates?.flops_per_s?)).filter(|(x, y)| *x > 0.0 && *y > 0.0)
}

impl Section for Roofline {
    fn title(&self) -> &'static str {
        "Roofline"
    }

    fn render(&self, page: &Page) -> Option<Markup> {
        let mut table = Table::new(&["type", "rate", "median core clock", "also reported", "how"]);
        for e in page.of("peak") {
            table.row([
                html! { (told::shape(e)) },
                told::rate(e, Amount::Operations).inline(),
                Shown::or(told::clock(e), Unit::Si("Hz"), Status::Measured, "not measured").inline(),
                html! {
                    @if e.metrics.is_empty() { span.none { "–" } }
                    @for m in &e.metrics {
                        span.metric { (m.name.replace('_', " ")) " " (Shown::new(m.value, Unit::Si(&m.unit), Status::Measured).inline()) } " "
                    }
                },
                html! { (told::how(e)) },
            ]);
        }
        let (table, chart, shares) = (table.render(), chart(page), shares(page));
        if table.is_none() && chart.is_none() && shares.is_none() {
            return None;
        }
        Some(html! {
            @if let Some(chart) = chart { (chart) }
            @if let Some(shares) = shares { (shares) }
            @if let Some(table) = table {
                h3 { "Arithmetic peaks" }
                (table)
                @if let Some(notes) = notes(page.of("peak")) { (notes) }
            }
        })
    }
}

fn chart(page: &Page) -> Option<Markup> {
    let kernels = || page.real().filter(|e| e.workload != "peak").filter_map(|e| Some((e, point(e)?)));
    let within =
        || leads(page).flat_map(|e| parts(e).into_iter().filter_map(move |part| Some((e, part, part.point()?))));
    let points: Vec<(usize, (f64, f64))> =
        kernels().map(|(e, point)| (family(e), point)).chain(within().map(|(_, _, point)| (WITHIN, point))).collect();
    let names: Vec<(usize, String)> = kernels()
        .map(|(e, _)| (family(e), format!("{}: {}", told::label(e), told::headline_rate(e).text())))
        .chain(within().map(|(e, part, _)| (WITHIN, format!("{} of {}", part.op.name, told::label(e)))))
        .collect();
    let peaks: Vec<(&Entry, f64)> = peaks(page).into_iter().filter_map(|e| Some((e, e.rates?.flops_per_s?))).collect();
    let memory = memory_roof(page).and_then(|e| Some((e, e.rates?.bytes_per_s?)));
    if points.is_empty() || (peaks.is_empty() && memory.is_none()) {
        return None;
    }
    let ridge = peaks.iter().map(|(_, f)| *f).fold(0.0, f64::max) / memory.map_or(f64::INFINITY, |(_, b)| b);
    let of = |pick: fn(&(f64, f64)) -> f64| points.iter().map(move |(_, p)| pick(p));
    let low_x = of(|p| p.0).fold(f64::INFINITY, f64::min) / 2.0;
    let high_x = of(|p| p.0).fold(ridge * 4.0, f64::max) * 2.0;
    let top = peaks.iter().map(|(_, f)| *f).fold(of(|p| p.1).fold(0.0, f64::max), f64::max);
    let low_y = of(|p| p.1).fold(top, f64::min) / 3.0;

    let mut lines = Vec::new();
    if let Some((_, bytes_per_s)) = memory {
        let reach = peaks.iter().map(|(_, f)| f / bytes_per_s).fold(low_x, f64::max).min(high_x);
        let start = low_x.max(low_y / bytes_per_s);
        let ends = vec![(start, start * bytes_per_s), (reach, reach * bytes_per_s)];
        lines.push(Line { ink: Ink::Text, points: ends, label: String::new(), shape: None });
        // The slope's label hangs on a point of its own near its foot, where no level is near.
        let foot = start * (high_x / low_x).powf(0.34);
        let label = format!("read {}", si(bytes_per_s, "B/s"));
        lines.push(Line { ink: Ink::Text, points: vec![(foot, foot * bytes_per_s); 2], label, shape: None });
    }
    for (e, flops_per_s) in &peaks {
        let from = memory.map_or(low_x, |(_, b)| flops_per_s / b).clamp(low_x, high_x);
        let label = format!("{} {}", told::shape(e), si(*flops_per_s, told::operations(e)));
        lines.push(Line {
            ink: Ink::Text,
            points: vec![(from, *flops_per_s), (high_x, *flops_per_s)],
            label,
            shape: None,
        });
    }
    let dots = FAMILIES.iter().enumerate().map(|(i, (_, ink, shape))| Dots {
        ink: *ink,
        shape: *shape,
        hollow: false,
        points: points.iter().filter(|(f, _)| *f == i).map(|(_, p)| *p).collect(),
        titles: if points.len() <= NAMED {
            names.iter().filter(|(f, _)| *f == i).map(|(_, n)| n.clone()).collect()
        } else {
            Vec::new()
        },
    });
    let chart = Chart {
        about: format!("Roofline: {} measured kernels below {} measured roofs", points.len(), lines.len()),
        x: Axis::log("intensity, operations a byte", low_x, high_x, |v| {
            if v < 1.0 { format!("{v}") } else { format!("{v:.0}") }
        }),
        y: Axis::log("operations a second", low_y, top * 2.0, short),
        bands: Vec::new(),
        lines,
        dots: dots.collect(),
    };
    let keys: Vec<_> = FAMILIES
        .iter()
        .enumerate()
        .filter(|(i, _)| points.iter().any(|(f, _)| f == i))
        .map(|(_, (name, ink, shape))| (*ink, Some(*shape), *name))
        .collect();
    Some(html! {
        p {
            "Lines are roofs measured here: memory read bandwidth (the slope) and arithmetic peaks by type (the levels). "
            "A point is a kernel, or an op within a pass; the nearer it stands to the lowest line above it, the less is left. "
            "Kernels whose operands stay in a cache may stand above the memory slope."
        }
        (chart.render(460))
        (legend(&keys))
    })
}

/// `10 G`: an axis needs no three digits.
fn short(value: f64) -> String {
    let text = quantity::si(value, "");
    let (number, prefix) = text.split_once(' ').unwrap_or((&text, ""));
    let number = number.parse::<f64>().map_or(number.to_owned(), |n| format!("{n}"));
    format!("{number} {prefix}").trim().to_owned()
}

/// Every kernel with its intensity and its share, the closest to the roof first.
fn shares(page: &Page) -> Option<Markup> {
    let mut entries: Vec<&Entry> = page.real().filter(|e| e.roof.is_some()).collect();
    entries.sort_by(|a, b| {
        let share = |e: &Entry| e.roof.as_ref().map_or(0.0, |r| r.fraction);
        share(b).total_cmp(&share(a))
    });
    let mut table =
        Table::brief(&["kernel", "share of roof", "rate", "operations a byte", "roof before → after", "how"]);
    for e in entries {
        let Some(roof) = &e.roof else { continue };
        let unit = match roof.bound {
            spark_results::roofline::Bound::Memory => "B/s",
            spark_results::roofline::Bound::Compute => told::operations(e),
        };
        let side = |value: Option<f64>| Shown::or(value, Unit::Si(unit), Status::Measured, "").inline();
        table.row([
            html! { (told::label(e)) },
            told::share(e),
            told::headline_rate(e).inline(),
            html! { @match told::intensity(e) { Some(v) => (Shown::new(v, Unit::Plain("op/B"), Status::Derived).inline()), None => span.none { "–" } } },
            html! { (side(roof.roof_per_s[0])) " → " (side(roof.roof_per_s[1])) },
            html! { (told::how(e)) },
        ]);
    }
    let table = table.render()?;
    Some(html! { details { summary { "Every kernel by its share of the roof" } (table) } })
}
