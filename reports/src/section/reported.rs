//! What other programs say they measured, from files that were read in: hollow, beside nothing.

use super::{Section, notes};
use crate::page::Page;
use crate::shown::Status;
use crate::table::Table;
use crate::told;
use maud::{Markup, html};
use spark_results::Entry;
use spark_results::reported::Origin;

/// Imported numbers.
#[derive(Debug)]
pub(crate) struct Reported;

impl Section for Reported {
    fn title(&self) -> &'static str {
        "Reported by other programs"
    }

    fn render(&self, page: &Page) -> Option<Markup> {
        let all: Vec<(&Entry, &Origin)> =
            page.subject.document.records.iter().filter_map(|e| Some((e, e.origin.as_ref()?))).collect();
        let mut table = Table::new(&["what", "number", "value", "who says so"]);
        for (e, origin) in &all {
            for m in &e.metrics {
                table.row([
                    html! { (told::label(e)) " " span.of { (told::how(e)) } },
                    html! { (m.name) },
                    html! { "○ " (told::stated(m, Status::Reported).inline()) },
                    html! { span.of { (origin.words()) } },
                ]);
            }
        }
        let table = table.render()?;
        Some(html! {
            p {
                "○ read from files of other programs and shown as they stand there: not measured in this run, by nobody's clock here. No share of a "
                "roof is formed from them and no gate judges by them."
            }
            (table)
            @if let Some(notes) = notes(all.iter().map(|(e, _)| *e)) { (notes) }
        })
    }
}
