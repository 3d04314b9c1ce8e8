//! The sections of a report, in order: one file each.

mod batch;
mod beside;
mod cards;
mod claims;
mod conditions;
mod cost;
mod depths;
mod energy;
mod fits;
mod gemm;
pub(crate) mod headline;
mod llm;
mod machine;
mod memory;
mod method;
mod missing;
mod ops;
mod parts;
mod prices;
mod provenance;
mod published;
mod reported;
mod roofline;
pub(crate) mod serving;
mod soak;
mod timeline;

use crate::page::Page;
use crate::told;
use maud::{Markup, html};
use spark_results::Entry;

/// A part of the report.
pub(crate) trait Section: Sync {
    /// Its heading.
    fn title(&self) -> &'static str;
    /// What stands under it; `None` where there is nothing to say.
    fn render(&self, page: &Page) -> Option<Markup>;
}

/// Every section. To add one: a file, and a line here.
pub(crate) static SECTIONS: &[&dyn Section] = &[
    &headline::Headline,
    &llm::Llm,
    &batch::Batch,
    &depths::Depths,
    &parts::Parts,
    &roofline::Roofline,
    &memory::Memory,
    &gemm::Gemm,
    &ops::Ops,
    &soak::Soak,
    &serving::Servers,
    &energy::Energy,
    &cost::Cost,
    &timeline::Timeline,
    &beside::Beside,
    &reported::Reported,
    &published::Published,
    &fits::Fits,
    &prices::Prices,
    &claims::Claims,
    &missing::Missing,
    &machine::TheMachine,
    &conditions::Conditions,
    &method::Method,
    &provenance::Provenance,
];

/// Facts and notes of the entries that have any, folded: what a reader must know beside the numbers, without crowding them.
fn notes<'e>(entries: impl Iterator<Item = &'e Entry>) -> Option<Markup> {
    let noted: Vec<_> = entries.filter(|e| !e.notes.is_empty() || !e.facts.is_empty()).collect();
    (!noted.is_empty()).then(|| {
        html! {
            details.notes {
                summary { "Facts and notes on these rows (" (noted.len()) ")" }
                dl {
                    @for e in noted {
                        dt { (told::label(e)) " " span.of { (told::how(e)) } }
                        @for (name, fact) in &e.facts { dd { (name) ": " (fact) } }
                        @for note in &e.notes { dd { (note) } }
                    }
                }
            }
        }
    })
}
