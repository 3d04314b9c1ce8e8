//! Two runs side by side, for a terminal and as Markdown.

use crate::text::{Paint, WIDTH, cells, wrapped};
use spark_results::compare::{Compared, Comparison, Difference, Party, Provenance, Refused, Side, Which};
use spark_results::markdown;
use spark_results::quantity;
use std::fmt::Write as _;

/// What a ratio means and what its interval does not, once for each comparison.
const LEGEND: &str = "B ÷ A says how many times better B is: faster, or more for a joule. The interval tells how well each run knows \
                      its own median, not how far runs of one machine lie apart; whether a build is slower is what the gate judges.";

/// Columns of the table: the value of a side, the ratio, its interval.
const VALUE: usize = 12;
const RATIO: usize = 8;
const INTERVAL: usize = 17;
const WORK: usize = WIDTH - 2 * VALUE - RATIO - INTERVAL - 4;

/// The comparison for a terminal, at most 100 columns wide. `color` adds ANSI colours. Ends with a line break.
pub fn comparison(of: &Comparison, color: bool) -> String {
    let paint = Paint(color);
    let mut out = String::new();
    for line in head(of) {
        wrapped(&mut out, &line, 0, Paint::bold, paint);
    }
    for line in differing(of) {
        wrapped(&mut out, &line, 0, Paint::warn, paint);
    }
    if !of.compared.is_empty() {
        let _ = writeln!(
            out,
            "\n{}",
            paint.dim(format!(
                "{:<WORK$} {:>VALUE$} {:>VALUE$} {:>RATIO$} {:>INTERVAL$}",
                "the same work", "A", "B", "B ÷ A", "95 %"
            ))
        );
        for row in &of.compared {
            compared(&mut out, row, paint);
        }
        wrapped(&mut out, LEGEND, 0, Paint::dim, paint);
    }
    if !of.refused.is_empty() {
        out.push_str("\nnot compared:\n");
        for row in &of.refused {
            refused(&mut out, row, paint);
        }
    }
    let _ = writeln!(out, "\n{}", sum(of));
    out
}

/// The comparison as a Markdown table; every text from outside is escaped.
pub fn comparison_markdown(of: &Comparison) -> String {
    let mut out = String::from("### Two runs side by side\n\n");
    for line in head(of).into_iter().chain(differing(of)) {
        let _ = writeln!(out, "- {}", markdown::escaped(&line));
    }
    if !of.compared.is_empty() {
        out += "\n| the same work | A | B | B ÷ A | 95 % |\n|---|--:|--:|--:|--:|\n";
        for row in &of.compared {
            let beside: String = asides(row).iter().map(|line| format!("<br>{}", markdown::escaped(line))).collect();
            let _ = writeln!(
                out,
                "| {}{beside} | {} | {} | {} | {} |",
                markdown::escaped(&row.work),
                markdown::escaped(&value(&row.a)),
                markdown::escaped(&value(&row.b)),
                ratio(row),
                interval(row)
            );
        }
        let _ = writeln!(out, "\n{LEGEND}");
    }
    if !of.refused.is_empty() {
        out += "\n| of | not compared | why |\n|---|---|---|\n";
        for row in &of.refused {
            let why = [Some(row.reason.clone()), nearest(row)].into_iter().flatten().collect::<Vec<_>>();
            let why: Vec<String> = why.iter().map(|line| markdown::escaped(line)).collect();
            let (whose, id) = (party(row.of), markdown::escaped(&named(row)));
            let _ = writeln!(out, "| {whose} | {id} | {} |", why.join("<br>"));
        }
    }
    out + &format!("\n{}\n", sum(of))
}

fn head(of: &Comparison) -> [String; 2] {
    let line = |name: &str, p: &Party| {
        // Published figures are of many dates and builds, which stand beside each.
        if p.fingerprint.is_empty() {
            return format!("{name}: {}", p.run);
        }
        format!("{name}: {} · {} ({}) · spark-bench {} · {}", p.run, p.machine, p.fingerprint, p.build, p.started_at)
    };
    [line("A", &of.a), line("B", &of.b)]
}

/// What has to be known of the two as wholes.
fn differing(of: &Comparison) -> Vec<String> {
    let mut lines = Vec::new();
    if !of.same_machine {
        lines.push("different machines: the same work by each, nothing averaged".to_owned());
    }
    if !of.states.is_empty() {
        lines.push(format!("different states: {}", list(&of.states)));
    }
    lines
}

fn list(of: &[Difference]) -> String {
    of.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn compared(out: &mut String, row: &Compared, paint: Paint) {
    let mut work = cells(&row.work, WORK).into_iter();
    let line = format!(
        "{:<WORK$} {:>VALUE$} {:>VALUE$} {:>RATIO$} {:>INTERVAL$}",
        work.next().unwrap_or_default(),
        value(&row.a),
        value(&row.b),
        ratio(row),
        interval(row)
    );
    let _ = writeln!(out, "{line}");
    for more in work {
        let _ = writeln!(out, "  {more}");
    }
    for line in asides(row) {
        wrapped(out, &line, 4, Paint::dim, paint);
    }
}

/// What differs and what is noted, a line each.
fn asides(row: &Compared) -> Vec<String> {
    let mut lines = Vec::new();
    if let Provenance::Published { source, date, confidence, .. } = &row.b.provenance {
        lines.push(format!("B as reported: {source}, {date}; {confidence}"));
    }
    if !row.differs.is_empty() {
        lines.push(list(&row.differs));
    }
    if !row.noted.is_empty() {
        lines.push(format!("noted: {}", list(&row.noted)));
    }
    lines
}

fn refused(out: &mut String, row: &Refused, paint: Paint) {
    wrapped(out, &format!("{} {}", party(row.of), named(row)), 2, Paint::plain, paint);
    wrapped(out, &row.reason, 4, Paint::warn, paint);
    if let Some(line) = nearest(row) {
        wrapped(out, &line, 4, Paint::dim, paint);
    }
}

fn named(row: &Refused) -> String {
    format!("{} ({})", row.id, row.unit)
}

fn nearest(row: &Refused) -> Option<String> {
    let nearest = row.nearest.as_ref()?;
    Some(format!("nearest: {}: {}", nearest.id, list(&nearest.differing)))
}

pub(crate) fn party(of: Which) -> &'static str {
    match of {
        Which::A => "A",
        Which::B => "B",
    }
}

/// A value in its unit, as people write it.
pub(crate) fn value(side: &Side) -> String {
    match side.unit.as_str() {
        "ns" => quantity::duration(side.value),
        unit if unit.ends_with("/s") => quantity::si(side.value, unit),
        unit => format!("{} {unit}", quantity::digits(side.value)),
    }
}

fn ratio(row: &Compared) -> String {
    format!("{:.3}", row.ratio.ratio)
}

fn interval(row: &Compared) -> String {
    row.ratio.ci95.map_or_else(|| "–".to_owned(), |[low, high]| format!("{low:.3} … {high:.3}"))
}

fn sum(of: &Comparison) -> String {
    format!("{} compared, {} not", of.compared.len(), of.refused.len())
}
