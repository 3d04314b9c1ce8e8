//! Attention and every other operation that has no section of its own.

use super::{Section, notes};
use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use crate::table::Table;
use crate::told::{self, STREAMS};
use maud::{Markup, html};
use spark_results::Entry;

/// Everything else: a workload that no section knows is listed here, so that nothing measured is left out.
#[derive(Debug)]
pub(crate) struct Ops;

fn elsewhere(e: &Entry) -> bool {
    STREAMS.contains(&e.workload.as_str())
        || matches!(
            e.workload.as_str(),
            "peak"
                | "lines"
                | "chase"
                | "loaded"
                | "pingpong"
                | "contention"
                | "storage"
                | "transfer"
                | "unified"
                | "coherence"
                | "gemm"
                | "prefill"
                | "decode"
                | "soak"
        )
}

impl Section for Ops {
    fn title(&self) -> &'static str {
        "Attention and other operations"
    }

    fn render(&self, page: &Page) -> Option<Markup> {
        let entries = || page.real().filter(|e| !elsewhere(e));
        let mut table = Table::new(&["operation", "rate", "share of roof", "time", "error", "how"]);
        for e in entries() {
            table.row([
                html! { (e.workload) " " span.of { (told::shape(e)) } },
                html! {
                    (told::headline_rate(e).inline())
                    @for m in &e.metrics {
                        " " span.metric { (m.name.replace('_', " ")) " " (Shown::new(m.value, Unit::Si(&m.unit), Status::Measured).inline()) }
                    }
                },
                told::share(e),
                told::time(e).inline(),
                told::error(e),
                html! { (told::how(e)) },
            ]);
        }
        Some(html! {
            (table.render()?)
            @if let Some(notes) = notes(entries()) { (notes) }
        })
    }
}
