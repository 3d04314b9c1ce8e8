//! What was said of machines like this one, with the arithmetic that tests it and what this run has to say.

use super::Section;
use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use crate::table::Table;
use maud::{Markup, html};
use spark_results::claims::{Judged, Verdict, judge};

/// The ledger.
#[derive(Debug)]
pub(crate) struct Claims;

impl Section for Claims {
    fn title(&self) -> &'static str {
        "Claims, tested"
    }

    fn render(&self, page: &Page) -> Option<Markup> {
        page.real().next()?;
        let all = judge(Some(&page.subject.document)).ok()?;
        let mut table =
            Table::new(&["claim", "verdict", "the spec gives", "this run's roofs give", "measured in this run"]);
        for claim in &all {
            table.row([
                what(claim),
                html! { strong { (claim.verdict.word()) } },
                shown(claim.bound_spec, &claim.unit, Status::Reported),
                shown(claim.bound_measured, &claim.unit, Status::Derived),
                shown(claim.measured, &claim.unit, Status::Measured),
            ]);
        }
        let count = |verdict| all.iter().filter(|claim| claim.verdict == verdict).count();
        let against = count(Verdict::Impossible) + count(Verdict::Refuted) + count(Verdict::Implausible);
        Some(html! {
            p {
                "What vendor and press said of these machines, and what arithmetic says to it: of " (all.len()) " claims "
                (against) " do not hold as they were said. "
                @if all.iter().any(|claim| claim.decides_here) {
                    "This machine is the subject of some: there its own roofs and values decide."
                } @else {
                    "This machine is the subject of none: verdicts come from the spec, and its figures only stand beside them."
                }
            }
            (table.render()?)
        })
    }
}

/// The claim, who said it, and the arithmetic, folded.
fn what(claim: &Judged) -> Markup {
    html! {
        (claim.id) ". " (claim.claim)
        details.notes {
            summary { "said of " (claim.subject) "; the arithmetic" }
            dl {
                dt { "who" }
                @for who in &claim.who { dd { (who) } }
                @if !claim.conditions.is_empty() { dt { "conditions" } dd { (claim.conditions) } }
                @for part in &claim.parts {
                    dt { (part.says) ": " (part.verdict.word()) }
                    @for line in &part.arithmetic { dd { (line) } }
                }
            }
        }
    }
}

fn shown(value: Option<f64>, unit: &str, status: Status) -> Markup {
    let of = match unit {
        "B" | "B/s" | "FLOP/s" | "OP/s" => Unit::Si(unit),
        _ => Unit::Plain(unit),
    };
    Shown::or(value, of, status, "").inline()
}
