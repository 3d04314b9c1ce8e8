//! Matrix products by shape and format.

use super::{Section, notes};
use crate::page::Page;
use crate::table::Table;
use crate::told::{self, Amount};
use maud::{Markup, html};

/// The GEMM table.
#[derive(Debug)]
pub(crate) struct Gemm;

impl Section for Gemm {
    fn title(&self) -> &'static str {
        "Matrix products"
    }

    fn render(&self, page: &Page) -> Option<Markup> {
        let mut table = Table::new(&[
            "m × n × k",
            "weights × activations",
            "rate",
            "share of roof",
            "bandwidth",
            "time",
            "error",
            "how",
        ]);
        let mut entries: Vec<_> = page.of("gemm").collect();
        entries.sort_by_key(|e| (e.int("m"), e.int("n"), e.int("k"), told::formats(e)));
        for e in &entries {
            table.row([
                html! { (told::shape(e).replace(' ', "\u{a0}")) },
                html! { (told::formats(e)) },
                told::rate(e, Amount::Operations).inline(),
                told::share(e),
                told::rate(e, Amount::Bytes).inline(),
                told::time(e).inline(),
                told::error(e),
                html! { (told::how(e)) },
            ]);
        }
        Some(html! {
            p {
                "m is the number of tokens, n the outputs, k the reduction. An integer multiply-add counts as two operations. "
                "The error is the largest against an f64 reference, relative to Σ|a·b|, beside what the format and k allow; "
                "a kernel beyond it is never timed."
            }
            (table.render()?)
            @if let Some(notes) = notes(entries.into_iter()) { (notes) }
        })
    }
}
