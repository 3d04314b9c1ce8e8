//! Where this page comes from: enough to run it again and to find its data.

use super::Section;
use crate::page::Page;
use maud::{Markup, html};

/// Command, build, settings, identity.
#[derive(Debug)]
pub(crate) struct Provenance;

impl Section for Provenance {
    fn title(&self) -> &'static str {
        "Provenance"
    }

    fn render(&self, page: &Page) -> Option<Markup> {
        let m = &page.subject.run.manifest;
        let or = |text: Option<&str>, why: &str| text.map_or_else(|| format!("– {why}"), str::to_owned);
        let many = |list: &[String]| if list.is_empty() { "all".to_owned() } else { list.join(", ") };
        let ended = m.ended.as_ref().map_or_else(
            || "– the run did not end".to_owned(),
            |e| {
                format!(
                    "{}, {}",
                    e.at,
                    if e.complete { "complete" } else { e.reason.as_deref().unwrap_or("not complete") }
                )
            },
        );
        let rows = [
            ("Run", m.id.clone()),
            ("Command", m.command.join(" ")),
            ("Started", m.started_at.clone()),
            ("Ended", ended),
            ("Host", or(m.machine.host.as_deref(), m.machine.why_absent("host").unwrap_or("unknown"))),
            ("Program", format!("spark-bench {} {} {}", m.build.version, m.build.profile, m.build.target)),
            ("Revision", or(m.build.revision.as_deref(), "the build did not know it")),
            ("Suite", or(m.settings.suite.as_deref(), "none named")),
            ("Seed", m.settings.seed.to_string()),
            ("Threads", or(m.settings.threads.map(|t| t.to_string()).as_deref(), "as the device chooses")),
            ("Devices asked for", many(&m.settings.devices)),
            ("Filters", many(&m.settings.filters)),
            ("Budget", or(m.settings.budget_s.map(|s| format!("{s} s")).as_deref(), "none")),
            ("Records", format!("{} of {} planned", page.subject.document.records.len(), m.planned.len())),
            ("Schema", m.schema.clone()),
        ];
        Some(html! { dl.facts { @for (name, value) in rows { dt { (name) } dd { (value) } } } })
    }
}
