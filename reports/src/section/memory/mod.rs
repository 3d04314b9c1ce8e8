//! Memory: bandwidth and latency by working set with the levels found in them, order of access, cores beside each other.

mod beside;
mod coherence;
mod curve;
mod handover;
mod levels;
mod loaded;
mod order;
mod storage;
mod threads;
mod transfer;
mod unified;

use super::{Section, notes};
use crate::chart::{Axis, Chart, Ink, Line, Shape, legend};
use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use crate::table::Table;
use crate::told::{self, Amount, STREAMS};
use curve::{Curve, span};
use maud::{Markup, html};
use spark_results::Entry;
use spark_results::published::{self, Kind, Sheet};
use spark_results::quantity::{digits, duration};

/// Streams and the pointer chase.
#[derive(Debug)]
pub(crate) struct Memory;

const INKS: [(Ink, Shape); 4] =
    [(Ink::A, Shape::Disc), (Ink::B, Shape::Square), (Ink::C, Shape::Diamond), (Ink::D, Shape::Triangle)];

/// Workloads of this section that are no streams.
const OTHERS: [&str; 9] =
    ["lines", "chase", "loaded", "pingpong", "contention", "storage", "transfer", "unified", "coherence"];

impl Section for Memory {
    fn title(&self) -> &'static str {
        "Memory by working set"
    }

    fn render(&self, page: &Page) -> Option<Markup> {
        let streams = || page.real().filter(|e| STREAMS.contains(&e.workload.as_str()));
        let others = || page.real().filter(|e| OTHERS.contains(&e.workload.as_str()));
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
        for e in page.of("chase") {
            latency.row([html! { (told::shape(e)) }, told::hop(e).inline(), huge(e), html! { (told::how(e)) }]);
        }
        let (table, latency) = (table.render(), latency.render());
        let parts: Vec<Markup> = [
            bandwidth(page),
            threads::render(page),
            order::render(page),
            steps(page),
            loaded::render(page),
            handover::render(page),
            beside::render(page),
            unified::render(page),
            transfer::render(page),
            coherence::render(page),
            storage::render(page),
        ]
        .into_iter()
        .flatten()
        .collect();
        if table.is_none() && latency.is_none() && parts.is_empty() {
            return None;
        }
        Some(html! {
            @if let Some(summary) = summary(page) { (summary) }
            @for part in &parts { (part) }
            @if let Some(table) = table { details { summary { "Every stream" } (table) } }
            @if let Some(latency) = latency { details { summary { "Every latency" } (latency) } }
            @if let Some(notes) = notes(streams().chain(others())) { (notes) }
        })
    }
}

fn huge(e: &Entry) -> Markup {
    let pages = e.conditions.as_ref().and_then(|c| c.pages);
    let share = pages.and_then(|p| Some(p.huge? as f64 / p.bytes.max(1) as f64));
    Shown::or(share, Unit::Share, Status::Reported, "").inline()
}

/// What the data sheet of a machine says of the memory that its processor reads, and who says so.
fn sheet(page: &Page) -> Option<(f64, String)> {
    let system = published::system_of(&page.subject.run.manifest)?;
    // The memory of a graphics card is not what the processor reads.
    let shared = |kind| matches!(kind, Kind::Spark | Kind::Mac | Kind::Apu);
    let figure = published::all()
        .ok()?
        .iter()
        .find(|f| f.system == system && f.sheet == Sheet::Spec && f.metric == "mem_bw_theoretical" && shared(f.kind))?;
    Some((figure.value * 1e9, format!("{}, {}, {}", figure.machine, figure.source, figure.date)))
}

/// The three numbers most asked for, in one sentence.
fn summary(page: &Page) -> Option<Markup> {
    let largest = page.of("read").filter_map(|e| e.int("bytes")).max()?;
    let rate = |e: &&Entry| e.rates.and_then(|r| r.bytes_per_s).unwrap_or(0.0);
    let best =
        page.of("read").filter(|e| e.int("bytes") == Some(largest)).max_by(|a, b| rate(a).total_cmp(&rate(b)))?;
    let far = page.of("chase").filter(|e| e.axis("pages").is_none_or(|p| p == "huge"));
    let wait = far.max_by_key(|e| e.int("bytes"));
    let sheet = sheet(page);
    Some(html! {
        p {
            "Memory is read at " (told::rate(best, Amount::Bytes).inline())
            @if let Some((said, by)) = &sheet {
                ", " (Shown::new(rate(&best) / said, Unit::Share, Status::Derived).inline()) " of the data sheet's "
                (Shown::new(*said, Unit::Si("B/s"), Status::Reported).inline()) " " span.of { "(" (by) ")" }
            }
            @if let Some(wait) = wait { "; a dependent read of " (told::shape(wait)) " takes " (told::hop(wait).inline()) }
            ". "
            "Counted as STREAM counts: a copy as read and written, a triad as two reads and a write; a line that a store reads "
            "before it overwrites it is not counted. GB is 10⁹ bytes."
        }
    })
}

fn bandwidth(page: &Page) -> Option<Markup> {
    let all = page.of("read").filter_map(|e| e.int("threads")).max().unwrap_or(1);
    let mut curves: Vec<Curve> = STREAMS
        .iter()
        .zip(INKS)
        .map(|(workload, (ink, shape))| {
            let entries =
                page.of(workload).filter(|e| e.int("threads").is_none_or(|t| t == all) && e.int("cores").is_none());
            Curve::of(workload, ink, shape, all, entries, |e| e.rates?.bytes_per_s, f64::max)
        })
        .collect();
    if all > 1 {
        let alone = page.of("read").filter(|e| e.int("threads") == Some(1));
        curves.push(Curve::of("read, one thread", Ink::E, Shape::Ring, 1, alone, |e| e.rates?.bytes_per_s, f64::max));
    }
    curves.retain(|curve| !curve.points.is_empty());
    let lines: Vec<Line> = curves.iter().map(Curve::line).collect();
    let ((x0, x1), (y0, y1)) = (span(&lines, |p| p.0), span(&lines, |p| p.1));
    if lines.is_empty() || x0 >= x1 {
        return None;
    }
    let caches = levels::marks(page, all, (x0, x1), (y0 / 1.6, y1 * 1.6));
    let keys: Vec<_> = curves.iter().map(|c| (c.ink, Some(c.shape), c.name)).collect();
    let found = || curves.iter().filter(|c| c.name.starts_with("read"));
    let knees = levels::strokes(page, found(), (y0 / 1.6, y1 * 1.6));
    let chart = Chart {
        about: format!("Bandwidth by working set, {} to {} GB/s", digits(y0 / 1e9), digits(y1 / 1e9)),
        x: Axis::sizes("working set", x0 / 1.3, x1 * 1.3),
        y: Axis::log("GB/s", y0 / 1.6, y1 * 1.6, |v| format!("{}", (v / 1e9 * 1e6).round() / 1e6)),
        bands: Vec::new(),
        lines: caches.into_iter().chain(lines).chain(knees).collect(),
        dots: Vec::new(),
    };
    Some(html! {
        h3 { "Bandwidth" }
        p { "The best of all implementations and pages at each size, on all threads but where it says one; vertical lines are the caches as the "
            "system tells them, those of all threads together; short strokes are the knees found in what is read." }
        (chart.render(360))
        (legend(&keys))
        @if let Some(table) = levels::table(page, found(), Unit::Si("B/s")) { (table) }
    })
}

fn steps(page: &Page) -> Option<Markup> {
    let hop = |e: &Entry| Some(e.time?.median_ns / e.work.as_ref().filter(|w| w.items > 0)?.items as f64);
    let of = |small: bool| page.of("chase").filter(move |e| (e.axis("pages").as_deref() == Some("small")) == small);
    let mut curves = vec![
        Curve::of("huge pages", Ink::E, Shape::Disc, 1, of(false), hop, f64::min),
        Curve::of("small pages", Ink::B, Shape::Square, 1, of(true), hop, f64::min),
    ];
    curves.retain(|curve| !curve.points.is_empty());
    let lines: Vec<Line> = curves.iter().map(Curve::line).collect();
    let ((x0, x1), (y0, y1)) = (span(&lines, |p| p.0), span(&lines, |p| p.1));
    if x0 >= x1 {
        return None;
    }
    let caches = levels::marks(page, 1, (x0, x1), (y0 / 1.6, y1 * 1.6));
    let keys: Vec<_> = curves.iter().map(|c| (c.ink, Some(c.shape), c.name)).collect();
    let knees = levels::strokes(page, curves.iter().take(1), (y0 / 1.6, y1 * 1.6));
    let chart = Chart {
        about: format!("Latency by working set, {} to {}", duration(y0), duration(y1)),
        x: Axis::sizes("working set", x0 / 1.3, x1 * 1.3),
        y: Axis::log("ns a load", y0 / 1.6, y1 * 1.6, |v| format!("{}", (v * 1e3).round() / 1e3)),
        bands: Vec::new(),
        lines: caches.into_iter().chain(lines).chain(knees).collect(),
        dots: Vec::new(),
    };
    let walks = curves.len() > 1;
    Some(html! {
        h3 { "Latency" }
        p { "Each load needs the one before it (a pointer chase over a random cycle through every line), so nothing hides its latency; "
            "short strokes are the knees found."
            @if walks { " What small pages add is the search for the page's address (TLB); with huge pages little of that is left." } }
        (chart.render(300))
        @if walks { (legend(&keys)) }
        @if let Some(table) = levels::table(page, curves.iter().take(1), Unit::Time) { (table) }
    })
}
