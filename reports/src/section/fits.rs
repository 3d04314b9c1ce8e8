//! The map of what a machine is bought for: the model that fits, and how fast it can generate at most, this machine among others.

use super::Section;
use super::headline::memory_roof;
use crate::chart::{Axis, Chart, Dots, Ink, Line, Shape};
use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use crate::table::Table;
use crate::told;
use maud::{Markup, html};
use spark_results::Entry;
use spark_results::published::Named;
use spark_results::quantity::{digits, si};

/// Size against speed.
#[derive(Debug)]
pub(crate) struct Fits;

/// Machines of the map, as their data sheets have them: what the question whether Mac or graphics card is about.
const MACHINES: [(&str, Ink, Shape); 6] = [
    ("DGX Spark", Ink::B, Shape::Diamond),
    ("M4 Max 128GB", Ink::C, Shape::Disc),
    ("M3 Ultra 512GB", Ink::D, Shape::Disc),
    ("RTX 4090", Ink::E, Shape::Square),
    ("RTX 5090", Ink::Text, Shape::Square),
    ("Strix Halo", Ink::Quiet, Shape::Triangle),
];
/// The smallest model of the map, in bytes.
const SMALLEST: f64 = 0.5e9;

/// More decodes than this have no name on hover.
const NAMED: usize = 100;

/// Where a machine's line ends: the largest model, and the most tokens a second of it.
struct End {
    name: String,
    bytes: f64,
    bytes_per_s: f64,
    by: String,
}

impl End {
    fn published(name: &str) -> Option<Self> {
        let found = Named::find(name).ok()?;
        let (memory, bandwidth) = (found.memory?, found.bandwidth?);
        let by = format!("{}; {}", memory.by, bandwidth.by);
        Some(Self { name: name.to_owned(), bytes: memory.value, bytes_per_s: bandwidth.value, by })
    }
    fn own(page: &Page) -> Option<Self> {
        let bytes = page.subject.run.manifest.machine.memory.available_bytes.filter(|b| *b > 0)? as f64;
        let read = memory_roof(page)?;
        let by = format!("available when the run began; {}", told::label(read));
        Some(Self { name: "this machine".to_owned(), bytes, bytes_per_s: read.rates?.bytes_per_s?, by })
    }
    fn tokens_per_s(&self) -> f64 {
        self.bytes_per_s / self.bytes
    }
    /// From the largest model to the smallest.
    fn line(&self, ink: Ink) -> Line {
        let points = vec![(self.bytes, self.tokens_per_s()), (SMALLEST, self.bytes_per_s / SMALLEST)];
        Line { ink, points, label: String::new(), shape: None }
    }
    fn dots(&self, ink: Ink, shape: Shape, hollow: bool) -> Dots {
        let title = format!(
            "{}: {} GB at {}, so {} tok/s at most: {}",
            self.name,
            digits(self.bytes * 1e-9),
            si(self.bytes_per_s, "B/s"),
            digits(self.tokens_per_s()),
            self.by
        );
        Dots { ink, shape, hollow, points: vec![(self.bytes, self.tokens_per_s())], titles: vec![title] }
    }
}

/// The outline of a shape, for a legend.
const fn outline(shape: Shape) -> &'static str {
    match shape {
        Shape::Square => "□",
        Shape::Diamond => "◇",
        Shape::Triangle => "△",
        Shape::Disc | Shape::Ring => "○",
    }
}

/// One sequence, nothing before it: bytes a token, tokens a second.
fn decodes<'p>(page: &'p Page) -> Vec<(&'p Entry, f64, f64)> {
    let plain = |e: &&Entry| e.int("batch").unwrap_or(1) == 1 && e.int("depth").unwrap_or(0) == 0;
    let of = |e: &'p Entry| Some((e, told::bytes_per_item(e)?, e.rates?.items_per_s?));
    page.of("decode").filter(plain).filter_map(of).collect()
}

impl Section for Fits {
    fn title(&self) -> &'static str {
        "What fits, and how fast at most"
    }

    fn render(&self, page: &Page) -> Option<Markup> {
        let own = End::own(page)?;
        let decodes = decodes(page);
        let ends: Vec<(End, Ink, Shape)> =
            MACHINES.iter().filter_map(|(name, ink, shape)| Some((End::published(name)?, *ink, *shape))).collect();
        let mut table = Table::new(&["machine", "memory", "bandwidth", "largest model at", "says who"]);
        for (end, status) in
            std::iter::once((&own, Status::Measured)).chain(ends.iter().map(|e| (&e.0, Status::Reported)))
        {
            table.row([
                html! { (end.name) },
                Shown::new(end.bytes, Unit::Si("B"), Status::Reported).inline(),
                Shown::new(end.bytes_per_s, Unit::Si("B/s"), status).inline(),
                Shown::new(end.tokens_per_s(), Unit::Si("tok/s"), Status::Derived).inline(),
                html! { span.of { (end.by) } },
            ]);
        }
        let all = || ends.iter().map(|e| &e.0).chain([&own]);
        let high = all().map(|e| e.bytes_per_s / SMALLEST).fold(1.0, f64::max);
        let low = all().map(End::tokens_per_s).chain(decodes.iter().map(|d| d.2)).fold(f64::INFINITY, f64::min);
        let mut lines: Vec<Line> = ends.iter().map(|(end, ink, _)| end.line(*ink)).collect();
        lines.push(own.line(Ink::A));
        let mut dots: Vec<Dots> = ends.iter().map(|(end, ink, shape)| end.dots(*ink, *shape, true)).collect();
        dots.push(own.dots(Ink::A, Shape::Ring, true));
        dots.push(Dots {
            ink: Ink::A,
            shape: Shape::Disc,
            hollow: false,
            points: decodes.iter().map(|(_, bytes, rate)| (*bytes, *rate)).collect(),
            titles: decodes
                .iter()
                .take(NAMED)
                .map(|(e, ..)| format!("{}: {}, measured", told::model(e), told::headline_rate(e).text()))
                .collect(),
        });
        let widest = all().map(|e| e.bytes).fold(SMALLEST, f64::max);
        let chart = Chart {
            about: format!(
                "Largest model against tokens a second for {} machines and this one; the table has the numbers",
                ends.len()
            ),
            x: Axis::log("GB of weights that a token reads", SMALLEST, widest * 1.6, |v| {
                format!("{}", (v / 1e8).round() / 10.0)
            }),
            y: Axis::log("tokens a second", low / 2.0, high * 1.3, |v| format!("{}", (v * 100.0).round() / 100.0)),
            bands: Vec::new(),
            lines,
            dots,
        };
        Some(html! {
            p {
                "A token reads every weight of a dense model once, so that nothing decodes faster than bandwidth ÷ size: each line is that limit, "
                "and ends where memory does. A mixture of experts reads a part of its weights and stands farther left than its size. Others' "
                "lines are their data sheets' peaks, which nobody reaches; this machine's is measured."
            }
            (chart.render(420))
            ul.legend {
                li { span.key.a aria-hidden="true" { "●" } "decoded here, measured" }
                li { span.key.a aria-hidden="true" { "○" } "this machine: its memory, and its read of it as measured" }
                @for (end, ink, shape) in &ends {
                    li { span.key.(ink.class()) aria-hidden="true" { (outline(*shape)) } (end.name) ", by its data sheet" }
                }
            }
            details { summary { "The same in numbers" } (table.render()?) }
        })
    }
}
