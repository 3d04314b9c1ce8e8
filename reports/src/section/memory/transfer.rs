//! Copies between host and GPU, as a heat table for each size.

use crate::heat::{Cell, Heat};
use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use maud::{Markup, html};
use spark_results::Entry;
use spark_results::quantity::size;
use spark_results::transfer::{self, Way};

/// Copies below this are told by the time of one, too: what they cost is the call.
const SMALL: u64 = 1 << 20;

pub(super) fn render(page: &Page) -> Option<Markup> {
    let mut found: Vec<(&Entry, u64, Vec<Way>)> = page
        .of("transfer")
        .filter_map(|e| Some((e, e.int("bytes")?, transfer::ways(&e.metrics))))
        .filter(|(_, _, ways)| !ways.is_empty())
        .collect();
    found.sort_by_key(|(_, bytes, _)| *bytes);
    (!found.is_empty()).then(|| {
        html! {
            h3 { "Copies between host and GPU" }
            p { "By the driver's copy engine and by a kernel on all SMs, from and to each kind of host memory. Each byte is counted once, in both "
                "directions together; the darker, the slower beside the fastest of its table. Pageable and managed copies hold the time of "
                "the call, the others were enqueued before the first began." }
            @for (e, bytes, ways) in &found {
                p { strong { (size(*bytes)) } " a copy"
                    @if let Some(count) = e.work.as_ref().map(|w| w.items).filter(|n| *n > 1) { ", " (count) " behind each other" }
                    ", " (e.device) }
                (heat(*bytes, ways).render())
            }
        }
    })
}

fn heat(bytes: u64, ways: &[Way]) -> Heat {
    let best = ways.iter().map(|w| w.bytes_per_s).fold(0.0, f64::max);
    let mut rows: Vec<(&str, &str)> = Vec::new();
    for way in ways {
        let row = (way.allocator.as_str(), way.engine.as_str());
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    let cell = |(allocator, engine): (&str, &str), direction: &str| {
        let here = |w: &&Way| {
            (w.allocator.as_str(), w.engine.as_str(), w.direction.as_str()) == (allocator, engine, direction)
        };
        let rate = ways.iter().find(here)?.bytes_per_s;
        let said = html! {
            (Shown::new(rate, Unit::Si("B/s"), Status::Measured).inline())
            @if bytes < SMALL { " " span.of { (Shown::new(bytes as f64 / rate * 1e9, Unit::Time, Status::Derived).text()) } }
        };
        Some(Cell { said, shade: 1.0 - rate / best })
    };
    let columns = [("in", "to the GPU"), ("out", "from the GPU"), ("both", "both at once")];
    let name = |(allocator, engine): (&str, &str)| match engine {
        "engine" => format!("{allocator}, copy engine"),
        "kernel" => format!("{allocator}, kernel"),
        other => format!("{allocator}, {other}"),
    };
    Heat {
        corner: "host memory ↓ direction →".into(),
        columns: columns.iter().map(|(_, said)| (*said).to_owned()).collect(),
        rows: rows.iter().map(|row| (name(*row), columns.iter().map(|(key, _)| cell(*row, key)).collect())).collect(),
    }
}
