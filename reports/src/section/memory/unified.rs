//! One buffer for CPU and GPU: the answer in one sentence, and the table that it comes from.

use crate::heat::{Cell, Heat};
use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use crate::table::Table;
use maud::{Markup, html};
use spark_results::Entry;
use spark_results::unified::{self, Answer, COPY, Reading};

pub(super) fn render(page: &Page) -> Option<Markup> {
    let found: Vec<(&Entry, Vec<Reading>)> =
        page.of("unified").map(|e| (e, unified::readings(&e.metrics))).filter(|(_, all)| !all.is_empty()).collect();
    let beyond: Vec<Markup> = page.of("unified").filter_map(exceeding).collect();
    (!found.is_empty() || !beyond.is_empty()).then(|| {
        html! {
            h3 { "One buffer for CPU and GPU" }
            @for (e, readings) in &found {
                p {
                    @for answer in ["cpu", "gpu"].iter().filter_map(|maker| unified::answer(&e.metrics, maker)) { (sentence(&answer)) " " }
                    @if let Some(class) = e.facts.get("memory") { "The driver calls it " (class) "." }
                }
                (heat(readings).render())
                @if let Some(costs) = costs(e) { details { summary { "What the first touch of a page costs" } (costs) } }
            }
            @for said in &beyond { p { (said) } }
        }
    })
}

fn side(name: &str) -> &'static str {
    if name == "cpu" { "CPU" } else { "GPU" }
}

fn per_s(value: f64) -> Markup {
    Shown::new(value, Unit::Si("B/s"), Status::Measured).inline()
}

/// "A buffer made here is read there at … GB/s, … of a copy."
fn sentence(answer: &Answer) -> Markup {
    html! {
        "A buffer made by the " (side(&answer.maker)) " (" (answer.allocator) ") is read by the " (side(&answer.reader)) " where it stands at "
        (per_s(answer.bytes_per_s))
        @if let Some(share) = answer.of_copy { ", " (Shown::new(share, Unit::Share, Status::Derived).inline()) " of a copy in its own memory" }
        @if let Some(rate) = answer.copied_per_s { ", which is made at " (per_s(rate)) }
        "."
    }
}

/// What a GPU reaches in managed memory of more than it has.
fn exceeding(e: &Entry) -> Option<Markup> {
    let rate = |how: &str| e.metrics.iter().find(|m| m.name == unified::exceeding(how)).map(|m| m.value);
    let (writes, reads) = (rate("writes")?, rate("reads")?);
    let percent = e.int("oversubscribe")?;
    Some(html! {
        "Of managed memory of " (percent) " % of what it has, paged out to the host, the GPU (" (e.device) ") writes " (per_s(writes)) " and reads "
        (per_s(reads)) "."
    })
}

fn heat(readings: &[Reading]) -> Heat {
    let mut rows: Vec<&str> = Vec::new();
    for reading in readings.iter().filter(|r| r.allocator != COPY) {
        if !rows.contains(&reading.allocator.as_str()) {
            rows.push(&reading.allocator);
        }
    }
    let best = |reader: &str| {
        readings.iter().filter(|r| r.reader == reader).map(|r| r.bytes_per_s).fold(f64::MIN_POSITIVE, f64::max)
    };
    let columns = [("cpu", "cpu"), ("gpu", "cpu"), ("cpu", "gpu"), ("gpu", "gpu")];
    let cell = |allocator: &str, (maker, reader): (&str, &str)| {
        let here =
            |r: &&Reading| (r.allocator.as_str(), r.maker.as_str(), r.reader.as_str()) == (allocator, maker, reader);
        let reading = readings.iter().find(here)?;
        let said = html! {
            (per_s(reading.bytes_per_s))
            @if let Some(first) = reading.first_per_s { " " span.of { "first " (Shown::new(first, Unit::Si("B/s"), Status::Measured).text()) } }
        };
        Some(Cell { said, shade: 1.0 - reading.bytes_per_s / best(reader) })
    };
    Heat {
        corner: "allocated as ↓ made by, read by →".into(),
        columns: columns.iter().map(|(maker, reader)| format!("{} → {}", side(maker), side(reader))).collect(),
        rows: rows.iter().map(|row| ((*row).to_owned(), columns.iter().map(|c| cell(row, *c)).collect())).collect(),
    }
}

/// First touches and faults: everything in nanoseconds.
fn costs(e: &Entry) -> Option<Markup> {
    let mut table = Table::new(&["what", "time of one page of 4 KiB"]);
    for m in e.metrics.iter().filter(|m| m.unit == "ns") {
        table.row([html! { (m.name) }, Shown::new(m.value, Unit::Time, Status::Measured).inline()]);
    }
    table.render()
}
