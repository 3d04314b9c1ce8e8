//! For a terminal: one line a benchmark, aligned.

use super::change;
use crate::gate::Gate;

/// The table, and under it what the verdicts are worth.
pub fn text(gate: &Gate) -> String {
    let mut out = format!("{} → {}\n", gate.baseline, gate.candidate);
    let width = gate.rows.iter().map(|row| row.id.chars().count()).max().unwrap_or(0);
    for row in &gate.rows {
        let blocks = row.effect.map_or(String::new(), |e| format!("{} blocks", e.blocks));
        let watched = if row.watched { " (watched only)" } else { "" };
        let change = change(row).unwrap_or_else(|| "–".to_owned());
        out += &format!("{:<13} {:<width$}  {change:<26} {blocks}{watched}\n", row.verdict.name(), row.id);
        let explained = row.explanation.as_ref().map(|explanation| explanation.text(&row.id));
        let notes = row.verdict.why().into_iter().chain(explained.as_deref());
        for note in notes.chain(row.notes.iter().map(String::as_str)) {
            out += &format!("              {note}\n");
        }
    }
    for id in &gate.left_over {
        out += &format!("not judged    {id}: the budget ended before it\n");
    }
    out + &format!("{}; {}; order seed {}\n", gate.counts(), gate.calibrated(), gate.seed)
}
