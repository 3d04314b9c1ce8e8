//! The page: what every section reads, and the frame around them.

use crate::others::{Other, others};
use crate::section::{SECTIONS, Section};
use crate::shown::{Status, mark};
use crate::told;
use crate::{drawn, embed};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use spark_results::sums::sha256;
use spark_results::{Document, Entry, Run};

/// A run and what follows from it.
#[derive(Debug)]
pub(crate) struct Told<'a> {
    pub(crate) run: &'a Run,
    pub(crate) document: Document,
}

/// What sections read.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    /// The run that the page is about.
    pub(crate) subject: Told<'a>,
    /// Runs beside it.
    pub(crate) others: Vec<Told<'a>>,
    /// The same work by published machines.
    pub(crate) published: Vec<Other>,
}

impl<'a> Page<'a> {
    /// Of `subject`, with `beside` it.
    pub(crate) fn about(subject: &'a Run, beside: &'a [Run]) -> Self {
        let told = |run| Told { run, document: Document::of(run) };
        Self { subject: told(subject), others: beside.iter().map(told).collect(), published: others(subject) }
    }
    /// Entries with numbers that may be shown.
    pub(crate) fn real(&self) -> impl Iterator<Item = &Entry> {
        self.subject.document.records.iter().filter(|e| told::real(e))
    }
    /// The same of one workload.
    pub(crate) fn of<'p>(&'p self, workload: &'p str) -> impl Iterator<Item = &'p Entry> {
        self.real().filter(move |e| e.workload == workload)
    }
    /// Entries that a test double made.
    pub(crate) fn simulated(&self) -> impl Iterator<Item = &Entry> {
        self.subject.document.records.iter().filter(|e| e.simulated)
    }
    /// What the machine calls itself.
    pub(crate) fn machine(&self) -> String {
        let machine = &self.subject.run.manifest.machine;
        let cpu = machine.cpu.brand.clone().or(machine.product.as_ref().and_then(|p| p.name.clone()));
        cpu.unwrap_or_else(|| format!("An unnamed {} machine", machine.architecture.as_deref().unwrap_or("")))
    }
}

/// The report. Without any run it is a page that says so.
pub(crate) fn html(runs: &[Run]) -> String {
    let Some((first, rest)) = runs.split_first() else {
        return frame("spark-bench", &html! { main { p { "There is no run to report." } } }, None, 0).into_string();
    };
    let page = Page::about(first, rest);
    let rendered: Vec<(&str, Markup)> =
        SECTIONS.iter().filter_map(|s: &&dyn Section| Some((s.title(), s.render(&page)?))).collect();
    let body = html! {
        main {
            @for (i, (title, markup)) in rendered.iter().enumerate() {
                @if i == 1 { (contents(&rendered[1..])) }
                section id=(slug(title)) {
                    // The first section is the page's own head and needs no heading above its heading.
                    @if i > 0 { h2 { (title) } }
                    (markup)
                }
            }
        }
        footer {
            p { "Marks: " (mark(Status::Measured)) " measured · " (mark(Status::Derived)) " derived from measurements · "
                (mark(Status::Reported)) " reported by the system · – unavailable. "
                "The whole run is embedded in this file." }
        }
    };
    let data = embed::script(&page.subject.document);
    frame(&format!("{} · spark-bench", page.machine()), &body, Some(&data), runs.len()).into_string()
}

fn contents(sections: &[(&str, Markup)]) -> Markup {
    html! { nav aria-label="Contents" { @for (title, _) in sections { a href=(format!("#{}", slug(title))) { (title) } } } }
}

/// A title as an anchor.
fn slug(title: &str) -> String {
    title.to_lowercase().split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect::<Vec<_>>().join("-")
}

/// Sorts, filters and copies tables; without it everything is there to be read.
const SCRIPT: &str = include_str!("table.js");

/// What the page may do: nothing but show itself and run the one script it was made with, known by its SHA-256. A text from outside
/// that got through escaping could still load and run nothing.
fn policy() -> String {
    let sum = STANDARD.encode(sha256(SCRIPT.as_bytes()));
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{sum}'; base-uri 'none'; form-action 'none'"
    )
}

/// Markup without characters that show nothing but turn around or hide what stands beside them, and without those that HTML has not.
fn visible(markup: &str) -> PreEscaped<String> {
    let hides = |c: &char| {
        matches!(*c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
            || (c.is_control() && !matches!(*c, '\n' | '\t'))
    };
    PreEscaped(markup.chars().filter(|c| !hides(c)).collect())
}

/// The page around `body`, with what it carries as `data`, about so many runs.
pub(crate) fn frame(title: &str, body: &Markup, data: Option<&Markup>, runs: usize) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="generator" content=(drawn::by(runs));
                meta http-equiv="Content-Security-Policy" content=(policy());
                title { (visible(&html! { (title) }.0)) }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body { (visible(&body.0)) @if let Some(data) = data { (data) } script { (PreEscaped(SCRIPT)) } }
        }
    }
}
