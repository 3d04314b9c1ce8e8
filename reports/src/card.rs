//! One picture to share: how fast, how close to the limit, how efficient, against what, as an SVG that stands alone.

use crate::page::Page;
use crate::section::headline::{first_decode, first_prefill, memory_roof, rivals};
use crate::shown::Shown;
use crate::told::{self, Amount};
use maud::{Markup, html};
use spark_results::quantity::percent;
use spark_results::{Entry, Run};

/// The size that pages show beside a link.
const SIZE: (u32, u32) = (1200, 630);
/// Characters of a line at its size, so that nothing runs out of its box.
const TITLE: usize = 48;
const LINE: usize = 52;

const STYLE: &str = "text{font-family:ui-sans-serif,system-ui,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:#1d1c1a}\
.q{fill:#67635c}.a{fill:#0b6b66}.w{fill:#a8430f}.t{font-size:40px;font-weight:600}.l{font-size:22px}.h{font-size:22px;font-weight:600}\
.n{font-size:64px;font-weight:600}.s{font-size:18px}";

/// A box of the picture: its question, its number, lines beneath, and a share as a bar.
struct Part {
    question: &'static str,
    number: Option<String>,
    lines: Vec<String>,
    share: Option<f64>,
}

/// The card of a run. Whatever a test double made has no number on it.
pub fn card(run: &Run) -> String {
    let page = Page::about(run, &[]);
    let manifest = &run.manifest;
    let date = manifest.started_at.split('T').next().unwrap_or_default();
    let suite = manifest.settings.suite.as_deref().map(|suite| format!(", suite {suite}")).unwrap_or_default();
    let simulated: Vec<&str> = manifest.devices.iter().filter(|d| d.simulated).map(|d| d.id.as_str()).collect();
    let foot = match (simulated.is_empty(), manifest.build.profile == "debug") {
        (false, _) => format!("simulated: {} is a test double and has no number here", simulated.join(", ")),
        (true, true) => "a debug build: these rates are not the machine's".to_owned(),
        (true, false) => "every number with its interval, roof and conditions: report.html of this run".to_owned(),
    };
    let alarming = !simulated.is_empty() || manifest.build.profile == "debug";
    let parts = [fast(&page), limit(&page), efficient(&page), against(&page)];
    let about = parts
        .iter()
        .filter_map(|p| Some(format!("{}: {}", p.question, p.number.as_ref()?)))
        .collect::<Vec<_>>()
        .join("; ");
    let (width, height) = SIZE;
    html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(width) height=(height) viewBox=(format!("0 0 {width} {height}")) role="img"
            aria-label=(spark_results::machine::clean(&format!("{}: {about}", page.machine()))) {
            style { (STYLE) }
            rect width=(width) height=(height) fill="#fbfaf7" {}
            text.t x="48" y="78" { (cut(&page.machine(), TITLE)) }
            text.l.q x="48" y="114" { (cut(&format!("spark-bench{suite}, {date}"), LINE)) }
            @for (i, part) in parts.iter().enumerate() { (drawn(part, 48 + 568 * (i as u32 % 2), 142 + 214 * (i as u32 / 2))) }
            text x="48" y="606" class=(if alarming { "s w" } else { "s q" }) { (cut(&foot, 2 * LINE)) }
        }
    }
    .into_string()
}

fn drawn(part: &Part, x: u32, y: u32) -> Markup {
    let (left, wide) = (x + 24, 488.0);
    let below = if part.number.is_some() { y + 142 } else { y + 84 };
    html! {
        rect x=(x) y=(y) width="536" height="198" rx="12" fill="#ffffff" stroke="#dedad1" {}
        text.h.q x=(left) y=(y + 38) { (part.question) }
        @if let Some(number) = &part.number { text.n.a x=(left) y=(y + 104) { (cut(number, 18)) } }
        @for (i, line) in part.lines.iter().take(4).enumerate() { text.l.q x=(left) y=(below + 28 * i as u32) { (cut(line, LINE - 8)) } }
        @if let Some(share) = part.share {
            rect x=(left) y=(y + 178) width=(wide) height="8" rx="4" fill="#dedad1" {}
            rect x=(left) y=(y + 178) width=(format!("{:.1}", wide * share.clamp(0.0, 1.0))) height="8" rx="4" fill=(if share > 1.0 { "#a8430f" } else { "#0b6b66" }) {}
        }
    }
}

/// At most so many characters.
fn cut(text: &str, most: usize) -> String {
    let text = spark_results::machine::clean(text);
    if text.chars().count() <= most {
        return text;
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

fn none(question: &'static str, why: &[&str]) -> Part {
    Part { question, number: None, lines: why.iter().map(|line| (*line).to_owned()).collect(), share: None }
}

fn number(shown: &Shown) -> Option<String> {
    shown.reason().is_none().then(|| shown.text())
}

fn fast(page: &Page) -> Part {
    let Some(e) = first_decode(page) else { return none("How fast", &["no model was decoded in this run"]) };
    let prefill = first_prefill(page)
        .map(|p| format!("reads prompts at {} ({})", told::rate(p, Amount::Items).text(), told::shape(p)));
    let lines = std::iter::once(format!("decodes {} ({})", told::model(e), told::shape(e))).chain(prefill).collect();
    Part { question: "How fast", number: number(&told::rate(e, Amount::Items)), lines, share: None }
}

/// The share of the decode, or else of the best matrix product.
fn limit(page: &Page) -> Part {
    let share = |e: &Entry| e.roof.as_ref().map_or(0.0, |r| if r.fraction > 1.0 { 0.0 } else { r.fraction });
    let decode = first_decode(page).filter(|e| e.roof.is_some());
    let best = decode.or_else(|| page.of("gemm").max_by(|a, b| share(a).total_cmp(&share(b))));
    let Some((e, roof)) = best.and_then(|e| Some((e, e.roof.as_ref()?))) else {
        return none("How close to the limit", &["no roof was measured in this run"]);
    };
    let read = memory_roof(page).map(|r| format!("memory is read at {}", told::rate(r, Amount::Bytes).text()));
    let of = format!("of its {} roof: {}", roof.bound.name(), told::label(e));
    let lines = std::iter::once(of).chain(read).collect();
    Part { question: "How close to the limit", number: Some(percent(roof.fraction)), lines, share: Some(roof.fraction) }
}

fn efficient(page: &Page) -> Part {
    let spoken = first_decode(page).into_iter().chain(page.real()).find_map(|e| Some((e, told::per_joule(e)?)));
    let Some((e, shown)) = spoken else {
        return none("How efficient", &["not known: no power sensor covers", "the device that did the work"]);
    };
    Part { question: "How efficient", number: number(&shown), lines: vec![told::label(e)], share: None }
}

fn against(page: &Page) -> Part {
    let rivals = rivals(page, first_decode(page));
    if rivals.is_empty() {
        return none("Against what", &["no published figure is of this run's work"]);
    }
    let one = |o: &&crate::others::Other| {
        format!("{}: {} ×, reported", o.figure.name, spark_results::quantity::digits(o.row.ratio.ratio))
    };
    Part { question: "Against what", number: None, lines: rivals.iter().take(4).map(one).collect(), share: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_and_control_characters_go() {
        assert_eq!(cut("a\u{1b}[31mb", 20), "a[31mb");
        assert_eq!(cut(&"é".repeat(60), 48).chars().count(), 48);
    }
}
