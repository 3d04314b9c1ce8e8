//! What was not measured here, and why: failures first.

use super::Section;
use crate::page::Page;
use crate::told;
use maud::{Markup, html};
use spark_results::Entry;
use std::collections::BTreeMap;

/// Failures, skips, devices and tasks that are missing, each with its reason.
#[derive(Debug)]
pub(crate) struct Missing;

/// Ids shown under a reason before the rest folds away.
const OPEN: usize = 12;

impl Section for Missing {
    fn title(&self) -> &'static str {
        "Not measured here, and why"
    }

    fn render(&self, page: &Page) -> Option<Markup> {
        let run = page.subject.run;
        let manifest = &run.manifest;
        let (failed, skipped) = (by_reason(page, "failed"), by_reason(page, "skipped"));
        let devices: Vec<_> = manifest.devices.iter().filter(|d| d.unavailable.is_some()).collect();
        let unfinished: Vec<String> = run.unfinished().into_iter().map(str::to_owned).collect();
        let simulated: Vec<String> = page.simulated().map(|e| e.id.clone()).collect();
        let whole = failed.is_empty()
            && skipped.is_empty()
            && devices.is_empty()
            && unfinished.is_empty()
            && simulated.is_empty()
            && manifest.absent.is_empty()
            && run.remarks.is_empty();
        if whole {
            return Some(
                html! { p { "Nothing: every planned task was measured on every device that was looked for." } },
            );
        }
        Some(html! {
            @if !failed.is_empty() {
                h3 { "Failed" }
                p { "Broken, or wrong against the reference. Nothing of these was timed." }
                (reasons(&failed, "failed"))
            }
            @if !devices.is_empty() {
                h3 { "Devices" }
                dl.reasons {
                    @for d in devices {
                        dt { (d.id) @if let Some(name) = &d.name { " " span.of { (name) } } }
                        dd { (d.unavailable.as_deref().unwrap_or_default()) }
                    }
                }
            }
            @if !skipped.is_empty() {
                h3 { "Skipped" }
                (reasons(&skipped, "skipped"))
            }
            @if !simulated.is_empty() {
                h3 { "Simulated" }
                p { "A test double did this work: it is no measurement." }
                (ids(&simulated))
            }
            @if !unfinished.is_empty() {
                h3 { "Planned and not done" }
                p { @match &manifest.ended {
                    None => "The run was killed, or is still running, before it reached these.",
                    Some(ended) => { "The run ended before it reached these: " (ended.reason.as_deref().unwrap_or("no reason was recorded")) "." },
                } }
                (ids(&unfinished))
            }
            @if !manifest.absent.is_empty() {
                h3 { "Not possible in this run" }
                dl.reasons { @for a in &manifest.absent { dt { (a.what) } dd { (a.why) } } }
            }
            @if !run.remarks.is_empty() {
                h3 { "Found on reading" }
                ul { @for remark in &run.remarks { li { (remark) } } }
            }
        })
    }
}

/// The entries of a status, gathered by their reason, in the order the reasons first appear.
fn by_reason<'p>(page: &'p Page, status: &str) -> Vec<(&'p str, Vec<&'p Entry>)> {
    let mut order: Vec<(&str, Vec<&Entry>)> = Vec::new();
    let mut place: BTreeMap<&str, usize> = BTreeMap::new();
    for e in page.subject.document.records.iter().filter(|e| e.status == status) {
        let reason = e.reason.as_deref().unwrap_or("no reason was recorded");
        let at = *place.entry(reason).or_insert_with(|| {
            order.push((reason, Vec::new()));
            order.len() - 1
        });
        order[at].1.push(e);
    }
    order
}

fn reasons(groups: &[(&str, Vec<&Entry>)], class: &str) -> Markup {
    html! {
        dl.reasons.(class) {
            @for (reason, entries) in groups {
                dt { (reason) }
                dd { (ids(&entries.iter().map(|e| format!("{} ({})", told::label(e), told::how(e))).collect::<Vec<_>>())) }
            }
        }
    }
}

fn ids(ids: &[String]) -> Markup {
    let (open, folded) = ids.split_at(ids.len().min(OPEN));
    html! {
        ul.ids { @for id in open { li { (id) } } }
        @if !folded.is_empty() {
            details { summary { (folded.len()) " more" } ul.ids { @for id in folded { li { (id) } } } }
        }
    }
}
