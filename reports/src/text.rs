//! The run as a table for a terminal, at most 100 columns wide.

use crate::section::serving;
use crate::shown::Status;
use crate::told::{self, headline_rate, label, share_text};
use spark_results::machine::clean;
use spark_results::{Document, Entry, Run};
use std::fmt::Write as _;

/// Columns of the whole table, and of its parts.
pub(crate) const WIDTH: usize = 100;
const WHAT: usize = 41;
const HOW: usize = 14;
const RATE: usize = 12;
const SPREAD: usize = 8;
const SHARE: usize = 10;

/// The run's summary for a terminal: what it is, then a row a record with rate, 95 % interval, share of the binding roof and status.
/// `color` adds ANSI colours; the text is the same without them. Ends with a line break.
pub fn text(run: &Run, color: bool) -> String {
    let document = Document::of(run);
    let paint = Paint(color);
    let mut out = String::new();
    head(&mut out, run, &document, paint);
    let _ = writeln!(
        out,
        "{}",
        paint.dim(format!(
            "{:<WHAT$} {:<HOW$} {:>RATE$} {:>SPREAD$} {:>SHARE$}  status",
            "benchmark", "implementation", "rate", "± 95 %", "of roof"
        ))
    );
    for e in &document.records {
        row(&mut out, e, paint);
    }
    tail(&mut out, run, &document, paint);
    out
}

fn head(out: &mut String, run: &Run, document: &Document, paint: Paint) {
    let m = &run.manifest;
    let brand = m.machine.cpu.brand.as_deref().unwrap_or("unnamed machine");
    wrapped(
        out,
        &format!("{} · suite {} · {}", brand, m.settings.suite.as_deref().unwrap_or("none"), m.id),
        0,
        Paint::bold,
        paint,
    );
    for device in m.devices.iter().filter(|d| d.simulated) {
        let text = format!("simulated device {}: a test double; no rate of it is shown", device.id);
        wrapped(out, &text, 0, Paint::warn, paint);
    }
    let best = document.records.iter().filter(|e| told::real(e) && e.workload == "decode" && e.time.is_some()).min_by(
        |a, b| {
            let key = |e: &Entry| (e.int("batch").unwrap_or(1), e.int("depth").unwrap_or(0));
            let bytes = |e: &Entry| told::bytes_per_item(e).unwrap_or(0.0);
            key(a).cmp(&key(b)).then(bytes(b).total_cmp(&bytes(a)))
        },
    );
    if let Some(e) = best {
        let share = share_text(e);
        let of = if share.is_empty() { String::new() } else { format!(", {share} roof") };
        wrapped(out, &format!("decode {}: {}{of}", told::model(e), headline_rate(e).text()), 0, Paint::plain, paint);
    }
    out.push('\n');
}

fn row(out: &mut String, e: &Entry, paint: Paint) {
    let mut what = cells(&label(e), WHAT).into_iter();
    let mut how = cells(&e.implementation, HOW).into_iter();
    let rate = headline_rate(e);
    let status = match (e.status.as_str(), e.simulated) {
        ("measured", true) => paint.warn("simulated".into()),
        ("measured", false) => e.status.clone(),
        ("failed", _) => paint.bad(e.status.clone()),
        (other, _) => paint.dim(other.into()),
    };
    let (number, spread) = match told::real(e) || e.origin.is_some() {
        true => (clean(&rate.text()), rate.spread()),
        false => (String::from("–"), None),
    };
    let _ = writeln!(
        out,
        "{:<WHAT$} {:<HOW$} {:>RATE$} {:>SPREAD$} {:>SHARE$}  {status}",
        what.next().unwrap_or_default(),
        how.next().unwrap_or_default(),
        number,
        spread.unwrap_or_default(),
        share_text(e),
    );
    // What does not fit goes on beneath: a name cut short could stand for another.
    loop {
        let (more_what, more_how) = (what.next(), how.next());
        if more_what.is_none() && more_how.is_none() {
            break;
        }
        let line = format!(
            "{:<WHAT$} {}",
            more_what.map(|t| format!("  {t}")).unwrap_or_default(),
            more_how.unwrap_or_default()
        );
        let _ = writeln!(out, "{}", line.trim_end());
    }
    if let Some(reason) = &e.reason {
        wrapped(out, reason, 4, Paint::dim, paint);
    }
    if let Some(origin) = &e.origin {
        wrapped(out, &format!("○ not measured here: {}", origin.words()), 4, Paint::dim, paint);
    }
    if e.workload == "agent" && told::real(e) {
        let told: Vec<_> =
            e.metrics.iter().map(|m| format!("{} {}", m.name, told::stated(m, Status::Measured).text())).collect();
        wrapped(out, &told.join(", "), 4, Paint::plain, paint);
    }
    for line in e.serving.iter().filter(|_| told::real(e)).flat_map(serving::lines) {
        wrapped(out, &line, 4, Paint::plain, paint);
    }
}

fn tail(out: &mut String, run: &Run, document: &Document, paint: Paint) {
    let count = |status: &str| document.records.iter().filter(|e| e.status == status).count();
    let unfinished = run.unfinished().len();
    let mut text =
        format!("\n{} measured, {} skipped, {} failed", count("measured"), count("skipped"), count("failed"));
    if unfinished > 0 {
        let _ = write!(text, ", {unfinished} planned and not done");
    }
    let reported = count("reported");
    if reported > 0 {
        let _ = write!(text, ", {reported} reported by other programs");
    }
    let _ = writeln!(out, "{text}");
    match &run.manifest.ended {
        None => wrapped(out, "the run did not end: it was killed, or is still running", 0, Paint::warn, paint),
        Some(ended) if !ended.complete => {
            let text =
                format!("the run is not complete: {}", ended.reason.as_deref().unwrap_or("no reason was recorded"));
            wrapped(out, &text, 0, Paint::warn, paint);
        }
        Some(_) => {}
    }
    for d in &run.manifest.devices {
        if let Some(why) = &d.unavailable {
            wrapped(out, &format!("no {}: {why}", d.id), 0, Paint::dim, paint);
        }
    }
    let mut above: Vec<_> = document.records.iter().filter(|e| told::real(e)).filter_map(told::above).collect();
    above.sort_unstable();
    above.dedup();
    for why in above {
        let mark = if why.starts_with("the roof") { "!" } else { "*" };
        wrapped(out, &format!("{mark} above 100 %: {why}"), 0, Paint::warn, paint);
    }
}

/// Writes `text` in lines that fit behind `indent`.
pub(crate) fn wrapped(out: &mut String, text: &str, indent: usize, style: fn(Paint, String) -> String, paint: Paint) {
    for line in cells(text, WIDTH - indent) {
        let _ = writeln!(out, "{:indent$}{}", "", style(paint, line));
    }
}

/// `text`, cleaned, in lines of at most `width - 2` characters after the first, broken at spaces where there are any.
pub(crate) fn cells(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    // A line that goes on is indented by two.
    let room = |lines: &Vec<String>| if lines.is_empty() { width } else { width - 2 };
    for word in clean(text).split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        loop {
            let gap = usize::from(!line.is_empty());
            let left = room(&lines).saturating_sub(line.chars().count() + gap);
            if word.len() <= left {
                if gap == 1 {
                    line.push(' ');
                }
                line.extend(word);
                break;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            } else {
                line.extend(word.drain(..left));
                lines.push(std::mem::take(&mut line));
            }
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// Colours, or none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint(pub(crate) bool);

impl Paint {
    fn with(self, code: &str, text: String) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text }
    }
    pub(crate) fn plain(self, text: String) -> String {
        text
    }
    pub(crate) fn bold(self, text: String) -> String {
        self.with("1", text)
    }
    pub(crate) fn dim(self, text: String) -> String {
        self.with("2", text)
    }
    pub(crate) fn warn(self, text: String) -> String {
        self.with("33", text)
    }
    fn bad(self, text: String) -> String {
        self.with("31", text)
    }
}
