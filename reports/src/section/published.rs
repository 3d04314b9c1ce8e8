//! This machine beside what others published of theirs: the same work only.

use super::Section;
use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use crate::table::Table;
use maud::{Markup, html};
use spark_results::compare::{Side, Sides, beside, sides_of};
use spark_results::published::{self, Figure};
use std::collections::BTreeSet;

/// Published machines.
#[derive(Debug)]
pub(crate) struct Published;

/// A figure with its side.
type Row = (&'static Figure, Side);

impl Section for Published {
    fn title(&self) -> &'static str {
        "Beside published machines"
    }

    fn render(&self, page: &Page) -> Option<Markup> {
        let rows: Vec<Row> = published::all().ok()?.iter().filter_map(|f| Some((f, f.side()?))).collect();
        let own = sides_of(page.subject.run).sides;
        let here = Sides { sides: own.iter().filter_map(Side::as_published).collect(), none: Vec::new() };
        let mut table =
            Table::new(&["the same work", "this machine", "the other", "other ÷ this", "which, and who says so"]);
        let mut systems = BTreeSet::new();
        // One figure at a time: several of one system are several rows, each with its build.
        for (figure, side) in &rows {
            let there = Sides { sides: vec![side.clone()], none: Vec::new() };
            if !here.sides.iter().any(|own| own.must == side.must) {
                continue;
            }
            let (compared, _) = beside(&here, &there);
            for row in compared {
                systems.insert(figure.name);
                table.row([
                    html! { (row.work) },
                    html! { "● " (Shown::new(row.a.value, Unit::Si(&row.a.unit), Status::Measured).within(row.a.interval).inline()) },
                    html! { "○ " (Shown::new(row.b.value, Unit::Si(&row.b.unit), Status::Reported).inline()) },
                    Shown::new(row.ratio.ratio, Unit::Plain("×"), Status::Derived).inline(),
                    html! {
                        span title=(format!("{}, {}", figure.source, figure.reference)) { (figure.machine) }
                        " " span.of { (figure.software) "; " (figure.source) ", " (figure.date) "; " (figure.confidence.words()) }
                    },
                ]);
            }
        }
        let table = table.render()?;
        Some(html! {
            p {
                "● measured in this run, on synthetic weights where its row says so. ○ reported by others: not measured here, with other engines "
                "and settings, which stand beside each. Only the same model, weight format, prompt or answer, depth and batch are laid side by "
                "side: " (systems.len()) " systems have such a figure. Powers and prices of others are in "
                code { "spark-bench list published" } "."
            }
            (table)
        })
    }
}
