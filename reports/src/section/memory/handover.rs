//! How long cores wait for each other, as a heat table.

use crate::heat::{Cell, Heat};
use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use maud::{Markup, html};
use spark_results::handover::Handovers;

pub(super) fn render(page: &Page) -> Option<Markup> {
    let found: Vec<Handovers> = page.of("pingpong").filter_map(|e| Handovers::of(&e.metrics)).collect();
    (!found.is_empty()).then(|| {
        html! {
            h3 { "From core to core" }
            @for handovers in &found {
                p { "How long it takes until one core sees what another wrote (half a round trip of one line): "
                    (span(handovers)) "." }
                @if handovers.cpus.len() > 2 { (heat(handovers).render()) }
            }
        }
    })
}

fn ns(value: f64) -> Markup {
    Shown::new(value, Unit::Time, Status::Measured).inline()
}

fn span(handovers: &Handovers) -> Markup {
    let (least, most) = handovers.span();
    match handovers.pairs.len() {
        1 => html! { (ns(least)) " between the two cores there are" },
        pairs => html! { (ns(least)) " to " (ns(most)) " over " (pairs) " pairs" },
    }
}

fn heat(handovers: &Handovers) -> Heat {
    let (least, most) = handovers.span();
    let cell = |one: usize, other: usize| {
        let ns = handovers.between(one, other)?;
        let shade = if most > least { (ns - least) / (most - least) } else { 0.0 };
        Some(Cell { said: html! { (format!("{ns:.0}")) }, shade })
    };
    let row = |one: &usize| (format!("cpu {one}"), handovers.cpus.iter().map(|other| cell(*one, *other)).collect());
    Heat {
        corner: "ns".into(),
        columns: handovers.cpus.iter().map(ToString::to_string).collect(),
        rows: handovers.cpus.iter().map(row).collect(),
    }
}
