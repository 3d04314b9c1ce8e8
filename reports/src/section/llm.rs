//! Prefill and decode by model, format and depth.

use super::{Section, notes};
use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use crate::table::Table;
use crate::told::{self, Amount};
use maud::{Markup, html};

/// The engine end to end.
#[derive(Debug)]
pub(crate) struct Llm;

impl Section for Llm {
    fn title(&self) -> &'static str {
        "Prefill and decode"
    }

    fn render(&self, page: &Page) -> Option<Markup> {
        let entries = || page.real().filter(|e| matches!(e.workload.as_str(), "prefill" | "decode"));
        let mut table = Table::new(&["model", "test", "speed", "share of roof", "bytes a token", "time", "how"]);
        for e in entries() {
            table.row([
                html! { (told::model(e)) },
                html! { (told::shape(e)) },
                told::rate(e, Amount::Items).inline(),
                told::share(e),
                Shown::or(told::bytes_per_item(e), Unit::Si("B"), Status::Derived, "").inline(),
                told::time(e).inline(),
                html! { (told::how(e)) @if let Some(weights) = e.facts.get("weights") { ", weights " (weights) } @if let Some(kv) = e.facts.get("kv") { ", KV " (kv) } },
            ]);
        }
        Some(html! {
            p {
                "A decoder reads its weights and its KV cache once a token, so memory bandwidth bounds it: decode efficiency is "
                "tok/s ÷ (measured read bandwidth ÷ bytes a token touches), which is the share of the memory roof below. "
                "Tests are named as llama-bench names them: pp512 prefills 512 tokens, tg128 decodes 128, @ d4096 behind 4096 others."
            }
            (table.render()?)
            @if let Some(notes) = notes(entries()) { (notes) }
        })
    }
}
