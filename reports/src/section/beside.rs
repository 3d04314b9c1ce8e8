//! The same work in the runs that stand beside this one, and what was not compared and why.

use super::Section;
use crate::comparison::{party, value};
use crate::page::Page;
use crate::shown::{Shown, Status, Unit};
use crate::strips::{self, Mark, Own, Strip};
use crate::table::Table;
use crate::told;
use maud::{Markup, html};
use spark_results::compare::{self, Compared, Comparison, Kind};
use std::collections::BTreeMap;

/// Runs side by side. It shows; it does not judge: that is the gate's work.
#[derive(Debug)]
pub(crate) struct Beside;

/// Charts, in order: the workloads on one axis, how their unit ends, and what it is called. The table has every other work, too.
const CHARTS: [(&[&str], &str, &str); 5] = [
    (&["decode"], "/s", "Tokens generated a second"),
    (&["prefill"], "/s", "Tokens of a prompt read a second"),
    (&["read", "write", "copy", "triad"], "/s", "Bytes a second of memory"),
    (&["gemm"], "/s", "Operations a second of matrix products"),
    (&["decode", "prefill"], "tok/J", "Tokens a joule, by scope"),
];
/// Pieces of work drawn on one axis.
const DRAWN: usize = 24;

/// A row of a comparison, and which comparison it is of.
type Row<'c> = (usize, &'c Compared);

impl Section for Beside {
    fn title(&self) -> &'static str {
        "Beside other runs"
    }

    fn render(&self, page: &Page) -> Option<Markup> {
        if page.others.is_empty() {
            return None;
        }
        let all: Vec<Comparison> = page.others.iter().map(|other| compare::runs(page.subject.run, other.run)).collect();
        // What is of one work stands together, whoever did it, in the order of this run.
        let mut works: Vec<Vec<Row>> = Vec::new();
        let mut places: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for (number, of) in all.iter().enumerate() {
            for row in &of.compared {
                let at = *places.entry((row.a.id.as_str(), row.a.unit.as_str())).or_insert_with(|| {
                    works.push(Vec::new());
                    works.len() - 1
                });
                works[at].push((number, row));
            }
        }
        let mut table = Table::new(&["the same work", "this run (A)", "the other", "run", "÷ A"]);
        for (number, row) in works.iter().flatten() {
            let differs: Vec<_> = row.differs.iter().chain(&row.noted).map(ToString::to_string).collect();
            table.row([
                html! { (named(page, row)) " " span.of { (differs.join("; ")) } },
                html! { span.q { (value(&row.a)) } },
                html! { span.q { (value(&row.b)) } },
                html! { span.key.(ink(*number)) { (letter(*number)) } },
                Shown::new(row.ratio.ratio, Unit::Plain("×"), Status::Derived).within(row.ratio.ci95).inline(),
            ]);
        }
        Some(html! {
            p {
                "The same work in both, and nothing else: ÷ A says how many times better the other run is than this one. Whether a difference "
                "is more than the spread between runs is what the gate judges."
            }
            ul.legend.runs {
                li { span.key.a { "A" } " this run, " (all[0].a.machine) ", " (all[0].a.started_at) }
                @for (number, of) in all.iter().enumerate() {
                    li {
                        span.key.(ink(number)) { (letter(number)) } " " (of.b.run) ": "
                        @if of.same_machine { "a machine of the same fingerprint" } @else { "another machine, " (of.b.machine) }
                        ", " (of.b.started_at) ", " (of.b.build)
                        @if !of.states.is_empty() {
                            "; different states: " (of.states.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
                        }
                    }
                }
            }
            @for what in CHARTS { @if let Some(chart) = chart(page, &works, what) { (chart) } }
            @match table.render() {
                Some(table) => { h3 { "In numbers" } (table) },
                None => p { "These runs have no measured work in common." },
            }
            @for (number, of) in all.iter().enumerate().filter(|(_, of)| !of.refused.is_empty()) {
                details.notes {
                    summary { (of.refused.len()) " not compared with " (letter(number)) ", and why" }
                    dl {
                        @for refused in &of.refused {
                            dt { @if party(refused.of) == "A" { "A" } @else { (letter(number)) } ": " (refused.id) }
                            dd { (refused.reason) }
                        }
                    }
                }
            }
        })
    }
}

/// A piece of work in the words of the other sections.
fn named(page: &Page, row: &Compared) -> String {
    let work = page.real().find(|e| e.id == row.a.id).map_or_else(|| row.work.clone(), told::label);
    let scope = row.a.must.iter().find(|(key, _)| key.kind == Kind::Scope);
    scope.map_or(work.clone(), |(_, scope)| format!("{work}, {scope}"))
}

/// A run's letter: B for the first beside this one; those after Z share a mark and keep their number.
fn letter(number: usize) -> String {
    match u8::try_from(number).ok().and_then(|n| b'B'.checked_add(n)).filter(u8::is_ascii_uppercase) {
        Some(letter) => char::from(letter).to_string(),
        None => format!("no. {}", number + 2),
    }
}

/// A run's colour; this run's is the first.
fn ink(number: usize) -> &'static str {
    ["b", "c", "d", "e"][number % 4]
}

/// The works of some workloads on one axis, a letter a run.
fn chart(page: &Page, works: &[Vec<Row>], (workloads, ends, title): (&[&str], &str, &str)) -> Option<Markup> {
    let of = |rows: &&Vec<Row>| {
        rows.first().is_some_and(|(_, row)| workloads.contains(&row.a.workload()) && row.a.unit.ends_with(ends))
    };
    let unit = works.iter().find(of)?.first()?.1.a.unit.clone();
    let strip = |rows: &Vec<Row>| {
        let (_, first) = rows.first()?;
        let told = |who: &str, side| format!("{who}: {}", value(side));
        let own = Mark { value: first.a.value, of: Own::Run("A".into(), "a").into(), title: told("A", &first.a) };
        let others = rows.iter().map(|(number, row)| {
            let name = letter(*number);
            Mark { value: row.b.value, title: told(&name, &row.b), of: Own::Run(name, ink(*number)).into() }
        });
        Some(Strip { work: named(page, first), marks: std::iter::once(own).chain(others).collect() })
    };
    let same = |rows: &&Vec<Row>| of(rows) && rows.iter().all(|(_, row)| row.a.unit == unit);
    let all: Vec<Strip> = works.iter().filter(same).take(DRAWN).filter_map(strip).collect();
    let about =
        format!("{title}: {} pieces of work by the runs of this page; the table below has the numbers", all.len());
    let drawn = strips::strips(&about, &unit, &all)?;
    Some(html! { h3 { (title) } (drawn) })
}
