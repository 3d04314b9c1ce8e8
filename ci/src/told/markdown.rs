//! For a pull request: a Markdown table that stays within what GitHub takes.

use super::change;
use crate::gate::Gate;
use spark_results::markdown::escaped;

/// A step summary may hold a mebibyte and is dropped whole beyond it; a comment 65,536 characters. The smaller one is kept.
const LONGEST: usize = 60_000;

/// The table as Markdown, cut with a word where it is too long.
pub fn markdown(gate: &Gate) -> String {
    let mut out = format!(
        "### Kernel performance: {}\n\n{} → {}\n\n| verdict | benchmark | time | blocks |\n|---|---|---|--:|\n",
        gate.counts(),
        escaped(&gate.baseline),
        escaped(&gate.candidate)
    );
    let mut left = gate.rows.len();
    for row in &gate.rows {
        let explained = row.explanation.as_ref().map(|explanation| explanation.text(&row.id));
        let why = row.verdict.why().into_iter().chain(explained.as_deref());
        let why: String = why.map(|why| format!("<br>{}", escaped(why))).collect();
        let line = format!(
            "| {}{} | {}{why} | {} | {} |\n",
            row.verdict.name(),
            if row.watched { " (watched)" } else { "" },
            escaped(&row.id),
            change(row).unwrap_or_else(|| "–".to_owned()),
            row.effect.map_or(0, |e| e.blocks),
        );
        if out.len() + line.len() > LONGEST {
            out += &format!("\n{left} more rows are in the full output.\n");
            break;
        }
        out += &line;
        left -= 1;
    }
    for id in &gate.left_over {
        out += &format!("\nNot judged, the budget ended before it: {}\n", escaped(id));
    }
    out + &format!("\n{}; order seed {}.\n", escaped(&gate.calibrated()), gate.seed)
}
