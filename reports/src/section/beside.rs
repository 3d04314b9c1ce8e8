//! The same work in the runs that stand beside this one, and what was not compared and why.

use super::Section;
use crate::comparison::{party, value};
use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use crate::table::Table;
use maud::{Markup, html};
use spark_results::compare::{self, Comparison};

/// Runs side by side. It shows; it does not judge: that is the gate's work.
#[derive(Debug)]
pub(crate) struct Beside;

impl Section for Beside {
    fn title(&self) -> &'static str {
        "Beside other runs"
    }

    fn render(&self, page: &Page) -> Option<Markup> {
        if page.others.is_empty() {
            return None;
        }
        let all: Vec<Comparison> = page.others.iter().map(|other| compare::runs(page.subject.run, other.run)).collect();
        let mut table = Table::new(&["the same work", "this run (A)", "the other (B)", "B ÷ A", "other run"]);
        for of in &all {
            for row in &of.compared {
                let differs: Vec<_> = row.differs.iter().chain(&row.noted).map(ToString::to_string).collect();
                table.row([
                    html! { (row.work) " " span.of { (differs.join("; ")) } },
                    html! { (value(&row.a)) },
                    html! { (value(&row.b)) },
                    Shown::new(row.ratio.ratio, Unit::Plain("×"), Status::Derived).within(row.ratio.ci95).inline(),
                    html! { (of.b.run) },
                ]);
            }
        }
        Some(html! {
            p {
                "The same work in both, and nothing else: B ÷ A says how many times better the other run is. Whether a difference is more "
                "than the spread between runs is what the gate judges."
            }
            ul {
                @for of in &all {
                    li {
                        (of.b.run) ": "
                        @if of.same_machine { "a machine of the same fingerprint" }
                        @else { "another machine, " (of.b.machine) }
                        ", " (of.b.started_at)
                        @if !of.states.is_empty() {
                            "; different states: " (of.states.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
                        }
                    }
                }
            }
            @match table.render() { Some(table) => (table), None => p { "These runs have no measured work in common." } }
            @for of in all.iter().filter(|of| !of.refused.is_empty()) {
                details.notes {
                    summary { (of.refused.len()) " not compared with " (of.b.run) ", and why" }
                    dl {
                        @for refused in &of.refused {
                            dt { (party(refused.of)) ": " (refused.id) }
                            dd { (refused.reason) }
                        }
                    }
                }
            }
        })
    }
}
