//! A file of a model's size, from storage to memory.

use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use crate::table::Table;
use maud::{Markup, html};
use spark_results::quantity::size;
use spark_results::storage;

pub(super) fn render(page: &Page) -> Option<Markup> {
    let mut table = Table::new(&["way", "bandwidth", "a file of 60 GB takes", "file read"]);
    for e in page.of("storage") {
        for (way, per_s) in storage::ways(&e.metrics) {
            table.row([
                html! { (way) },
                Shown::new(per_s, Unit::Si("B/s"), Status::Measured).inline(),
                Shown::new(60e9 / per_s * 1e9, Unit::Time, Status::Derived).inline(),
                html! { (e.work.as_ref().map(|w| size(w.bytes)).unwrap_or_default()) },
            ]);
        }
    }
    Some(html! { h3 { "Storage to memory" } (table.render()?) })
}
