//! This machine beside what others published of theirs: the same work only, solid what is measured, hollow what is reported.

use super::Section;
use crate::others::{Other, glyph, said};
use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use crate::strips::{self, Mark, Own, Strip, Whose};
use crate::table::Table;
use crate::told;
use maud::{Markup, html};
use std::collections::{BTreeMap, BTreeSet};

/// Published machines.
#[derive(Debug)]
pub(crate) struct Published;

/// Charts, in order: the workloads on one axis, and what it is called.
const CHARTS: [(&[&str], &str); 4] = [
    (&["decode"], "Tokens generated a second"),
    (&["prefill"], "Tokens of a prompt read a second"),
    (&["read", "write", "copy", "triad"], "Bytes a second of memory"),
    (&["gemm"], "Operations a second of matrix products"),
];
/// Pieces of work drawn on one axis; the table has them all.
const DRAWN: usize = 24;

impl Section for Published {
    fn title(&self) -> &'static str {
        "Beside published machines"
    }

    fn render(&self, page: &Page) -> Option<Markup> {
        if page.published.is_empty() {
            return None;
        }
        let systems: BTreeSet<_> = page.published.iter().map(|other| other.figure.name).collect();
        // Each source once, in the order in which the table names them.
        let mut sources: Vec<String> = Vec::new();
        let mut table = Table::new(&["the same work", "this machine", "the other", "other ÷ this", "which"]);
        for other in &page.published {
            let (row, source) = (&other.row, other.source());
            let number = sources.iter().position(|s| *s == source).unwrap_or_else(|| {
                sources.push(source.clone());
                sources.len() - 1
            });
            table.row([
                html! { (row.work) },
                html! { "●\u{a0}" (Shown::new(row.a.value, Unit::Si(&row.a.unit), Status::Measured).within(row.a.interval).inline()) },
                html! { (glyph(other.figure.kind)) "\u{a0}" (Shown::new(row.b.value, Unit::Si(&row.b.unit), Status::Reported).inline()) },
                Shown::new(row.ratio.ratio, Unit::Plain("×"), Status::Derived).inline(),
                html! { span title=(source) { (other.figure.machine) } " " a href=(format!("#source-{}", number + 1)) { "[" (number + 1) "]" } },
            ]);
        }
        let table = table.render()?;
        Some(html! {
            p {
                "● measured in this run, on synthetic weights where its row says so; hollow marks are reported by others: not measured here, with "
                "other engines and settings. Only the same model, weight format, prompt or answer, depth and batch are laid side by side: "
                (systems.len()) " systems have such a figure. Everything else that others report, their powers among it, is in " code { "spark-bench list published" } "."
            }
            @for (workloads, title) in CHARTS { @if let Some(chart) = chart(page, workloads, title) { (chart) } }
            details { summary { "The same in numbers, each with who says so" } (table) }
            h3 { "Who says so" }
            ol.sources { @for (i, source) in sources.iter().enumerate() { li id=(format!("source-{}", i + 1)) { (source) } } }
        })
    }
}

/// The marks of one piece of work: this machine's, and each other's.
pub(crate) fn strip(page: &Page, id: &str, others: &[&Other]) -> Strip {
    let entry = page.real().find(|e| e.id == id);
    let own = others.first().map(|other| Mark {
        value: other.row.a.value,
        of: Own::Here.into(),
        title: format!("this machine: {}, measured", text(other.row.a.value, &other.row.a.unit)),
    });
    let marks = others.iter().map(|other| Mark {
        value: other.row.b.value,
        of: Whose::Reported(other.figure.kind),
        title: format!(
            "{}: {}, {}: {}",
            other.figure.machine,
            text(other.row.b.value, &other.row.b.unit),
            said(other.figure.kind),
            other.source()
        ),
    });
    let work = entry.map_or_else(|| others.first().map(|o| o.row.work.clone()).unwrap_or_default(), told::label);
    Strip { work, marks: own.into_iter().chain(marks).collect() }
}

fn text(value: f64, unit: &str) -> String {
    Shown::new(value, Unit::Si(unit), Status::Reported).text()
}

fn chart(page: &Page, workloads: &[&str], title: &str) -> Option<Markup> {
    let of = |other: &&Other| workloads.contains(&other.row.a.workload());
    let mut by_id: BTreeMap<&str, Vec<&Other>> = BTreeMap::new();
    let mut order: Vec<&str> = Vec::new();
    for other in page.published.iter().filter(of) {
        let id = other.row.a.id.as_str();
        let all = by_id.entry(id).or_default();
        if all.is_empty() {
            order.push(id);
        }
        all.push(other);
    }
    let unit = page.published.iter().find(of)?.row.a.unit.clone();
    // In the order of the run, as in the tables.
    let place = |id: &str| page.subject.document.records.iter().position(|e| e.id == id);
    order.sort_by_key(|id| place(id));
    let left_out = order.len().saturating_sub(DRAWN);
    let all: Vec<Strip> = order.iter().take(DRAWN).map(|id| strip(page, id, &by_id[id])).collect();
    let about =
        format!("{title}: {} pieces of work by this machine and by others; the table below has the numbers", all.len());
    let drawn = strips::strips(&about, &unit, &all)?;
    Some(html! {
        h3 { (title) }
        (drawn)
        (strips::legend(&all))
        @if left_out > 0 { p.of { (left_out) " further pieces of work are in the table." } }
    })
}
