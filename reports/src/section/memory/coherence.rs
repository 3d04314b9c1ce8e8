//! A line between CPU and GPU: how long a handover takes, what atomics and false sharing cost, what passes through caches.

use crate::heat::{Cell, Heat};
use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use maud::{Markup, html};
use spark_results::Entry;
use spark_results::coherence::{self, What};
use spark_results::quantity::size;

pub(super) fn render(page: &Page) -> Option<Markup> {
    let found: Vec<(&Entry, Markup)> = page.of("coherence").filter_map(|e| Some((e, table(e)?))).collect();
    (!found.is_empty()).then(|| {
        html! {
            h3 { "A line between CPU and GPU" }
            p { "What of the link between the two can be seen although memory stands behind it. A handover is one side's store until the other's "
                "load sees it. What is passed on is written by one side and read by the other while it stands in caches, and its time "
                "holds one handover: a lower bound of the link, as every copy through memory is." }
            @for (_, table) in &found { (table) }
        }
    })
}

fn side(name: &str) -> &'static str {
    if name == "cpu" { "CPU" } else { "GPU" }
}

fn said(what: &What) -> (String, Unit<'static>) {
    match what {
        What::Handover => ("handover of a line".into(), Unit::Time),
        What::Atomics { side: by, how } => (format!("atomic additions by the {}, {how}", side(by)), Unit::Si("op/s")),
        What::Sharing { side: by, how } => (format!("counting by the {}, {}", side(by), beside(how)), Unit::Time),
        What::PassedOn { to, bytes } => (format!("{} passed on to the {}", size(*bytes), side(to)), Unit::Si("B/s")),
    }
}

fn beside(how: &str) -> &str {
    match how {
        "same line" => "the other in the same line (false sharing)",
        "other line" => "the other in another line",
        alone => alone,
    }
}

fn table(e: &Entry) -> Option<Markup> {
    let all = coherence::found(&e.metrics);
    let (mut memories, mut rows) = (Vec::<&str>::new(), Vec::<&What>::new());
    for (what, memory, _) in &all {
        if !memories.contains(memory) {
            memories.push(memory);
        }
        if !rows.contains(&what) {
            rows.push(what);
        }
    }
    let cell = |what: &What, unit: Unit<'_>, memory: &str| {
        let value = all.iter().find(|(w, m, _)| w == what && *m == memory).map(|(_, _, value)| *value)?;
        Some(Cell { said: Shown::new(value, unit, Status::Measured).inline(), shade: 0.0 })
    };
    let row = |what: &&What| {
        let (name, unit) = said(what);
        (name, memories.iter().map(|memory| cell(what, unit, memory)).collect())
    };
    let heat = Heat {
        corner: "what ↓ on memory →".into(),
        columns: memories.iter().map(|m| (*m).to_owned()).collect(),
        rows: rows.iter().map(row).collect(),
    };
    (!rows.is_empty()).then(|| heat.render())
}
