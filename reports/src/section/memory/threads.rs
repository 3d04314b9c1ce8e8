//! Bandwidth of memory by threads, by kind of core, and by kind of store.

use crate::chart::{Axis, Chart, Ink, Line, Shape, legend};
use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use crate::table::Table;
use crate::told::{self, Amount, STREAMS};
use maud::{Markup, html};
use spark_results::Entry;
use spark_results::quantity::{digits, size};

/// Entries of `workload` over the largest set that was measured with several numbers of threads, else over the largest at all.
fn largest<'p>(page: &'p Page, workload: &'p str) -> Vec<&'p Entry> {
    let of = || page.of(workload).filter(|e| e.axis("pages").is_none_or(|p| p == "huge"));
    let bytes = of().filter_map(|e| e.int("bytes")).max();
    of().filter(|e| e.int("bytes") == bytes).collect()
}

pub(super) fn render(page: &Page) -> Option<Markup> {
    let scaling = scaling(page);
    let kinds = kinds(page);
    let stores = stores(page);
    (scaling.is_some() || kinds.is_some() || stores.is_some()).then(|| {
        html! {
            @if let Some(scaling) = scaling { (scaling) }
            @if let Some(kinds) = kinds { (kinds) }
            @if let Some(stores) = stores { (stores) }
        }
    })
}

fn scaling(page: &Page) -> Option<Markup> {
    let inks = [(Ink::A, Shape::Disc), (Ink::B, Shape::Square), (Ink::C, Shape::Diamond), (Ink::D, Shape::Triangle)];
    let (mut lines, mut keys) = (Vec::new(), Vec::new());
    let mut table = Table::new(&["stream", "threads", "bandwidth", "of all threads"]);
    for (workload, (ink, shape)) in STREAMS.into_iter().zip(inks) {
        let mut entries: Vec<_> = largest(page, workload).into_iter().filter(|e| e.int("cores").is_none()).collect();
        entries.sort_by_key(|e| e.int("threads"));
        let rate = |e: &Entry| e.rates.and_then(|r| r.bytes_per_s);
        let point = |e: &&Entry| Some((e.int("threads")? as f64, rate(e)?));
        let points: Vec<_> = entries.iter().filter_map(point).collect();
        let Some((all, _)) = points.last().filter(|_| points.len() > 1).map(|p| (p.1, ())) else { continue };
        for e in &entries {
            table.row([
                html! { (workload) " " span.of { (e.int("bytes").map(size).unwrap_or_default()) } },
                Shown::or(e.int("threads").map(|t| t as f64), Unit::Count(""), Status::Reported, "").inline(),
                told::rate(e, Amount::Bytes).inline(),
                Shown::or(rate(e).map(|r| r / all), Unit::Share, Status::Derived, "").inline(),
            ]);
        }
        lines.push(Line { ink, points, label: String::new(), shape: Some(shape) });
        keys.push((ink, Some(shape), workload));
    }
    let most = lines.iter().flat_map(|l| &l.points).fold((0.0_f64, 0.0_f64), |m, p| (m.0.max(p.0), m.1.max(p.1)));
    let table = table.render()?;
    // Two points make no curve.
    let chart = lines.iter().any(|l| l.points.len() > 2).then(|| Chart {
        about: format!("Bandwidth of memory by threads, up to {} GB/s", digits(most.1 / 1e9)),
        x: Axis::linear("threads", most.0, |v| format!("{v}")),
        y: Axis::linear("GB/s", most.1 / 1e9, |v| format!("{v}")),
        bands: Vec::new(),
        lines: lines
            .into_iter()
            .map(|l| Line { points: l.points.iter().map(|(x, y)| (*x, y / 1e9)).collect(), ..l })
            .collect(),
        dots: Vec::new(),
    });
    Some(html! {
        h3 { "Bandwidth by threads" }
        @if let Some(chart) = chart { (chart.render(260)) (legend(&keys)) details { summary { "As a table" } (table) } }
        @else { (table) }
    })
}

fn kinds(page: &Page) -> Option<Markup> {
    let types = &page.subject.run.manifest.machine.cpu.core_types;
    let mut table = Table::new(&["cores", "stream", "bandwidth", "how"]);
    for e in STREAMS.iter().flat_map(|workload| page.of(workload)) {
        let Some(kind) = e.int("cores") else { continue };
        let name = types.get((kind as usize).saturating_sub(1)).map(|t| t.name.clone());
        table.row([
            html! { (name.unwrap_or_else(|| format!("kind {kind}, counted from the fastest"))) },
            html! { (e.workload) " " (e.int("bytes").map(size).unwrap_or_default()) },
            told::rate(e, Amount::Bytes).inline(),
            html! { (told::how(e)) },
        ]);
    }
    Some(html! { h3 { "Bandwidth of each kind of core alone" } (table.render()?) })
}

/// Least times of the variants that were tried: ordinary stores and those that go past the caches.
fn stores(page: &Page) -> Option<Markup> {
    let mut table = Table::new(&["stream", "ordinary stores", "non-temporal stores", "non-temporal ÷ ordinary"]);
    for workload in ["write", "copy", "triad"] {
        for e in largest(page, workload) {
            let (Some(tried), Some(work)) = (e.facts.get("variants_tried"), e.work.as_ref()) else { continue };
            let least = |wanted: bool| {
                let times = tried.split(", ").filter_map(|one| one.strip_suffix(" ns")?.split_once(' '));
                let fits = times.filter(|(name, _)| name.ends_with("-nt") == wanted);
                fits.filter_map(|(_, ns)| ns.parse::<f64>().ok()).filter(|ns| *ns > 0.0).reduce(f64::min)
            };
            let (Some(ordinary), Some(past)) = (least(false), least(true)) else { continue };
            let rate =
                |ns: f64| Shown::new(work.bytes as f64 / (ns * 1e-9), Unit::Si("B/s"), Status::Measured).inline();
            table.row([
                html! { (told::label(e)) },
                rate(ordinary),
                rate(past),
                Shown::new(ordinary / past, Unit::Plain("×"), Status::Derived).inline(),
            ]);
        }
    }
    Some(html! {
        h3 { "Kinds of store" }
        p { "The best of a few tries of each before the measurement. An ordinary store reads the line that it overwrites; one that is not temporal "
            "goes past the caches. Bytes are counted alike." }
        (table.render()?)
    })
}
