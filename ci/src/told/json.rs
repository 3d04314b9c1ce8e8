//! For scripts: everything, as one document.

use crate::calibration::Calibration;
use crate::explained::Explanation;
use crate::gate::Gate;
use crate::statistics::upper_bound;
use serde_json::{Value, json};

/// The gate as JSON.
pub fn json(gate: &Gate) -> String {
    let rows: Vec<_> = gate
        .rows
        .iter()
        .map(|row| {
            json!({
                "id": row.id, "verdict": row.verdict.name(), "why": row.verdict.why(), "ratio": row.effect.map(|e| e.ratio),
                "ci95": row.effect.map(|e| e.ci95), "blocks": row.effect.map(|e| e.blocks), "slower_p": row.slower_p,
                "floor": row.floor, "watched": row.watched, "notes": row.notes,
                "explanation": row.explanation.as_ref().map(explained),
            })
        })
        .collect();
    let document = json!({
        "baseline": gate.baseline, "candidate": gate.candidate, "host": gate.host, "seed": gate.seed, "rows": rows,
        "left_over": gate.left_over, "calibration": gate.calibration.as_ref().map(calibrated), "result": match gate.sum() {
            crate::gate::Sum::Fine => "fine",
            crate::gate::Sum::Failed => "failed",
            crate::gate::Sum::Inconclusive => "inconclusive",
        },
    });
    format!("{document:#}\n")
}

fn explained(explanation: &Explanation) -> Value {
    let counted = explanation.instructions.as_ref().ok();
    json!({
        "instructions": counted.map(|i| i.each), "counted_on": counted.map(|i| &i.of),
        "not_counted": explanation.instructions.as_ref().err(), "bytes": explanation.bytes, "flops": explanation.flops,
    })
}

/// What a gate is known to do: all conditions together, and each apart.
fn calibrated(known: &Calibration) -> Value {
    let bound = |(alarms, trials)| {
        json!({
            "trials": trials, "alarms": alarms, "false_alarms_at_most": upper_bound(alarms, trials),
        })
    };
    let conditions: Vec<_> = known
        .notes()
        .into_iter()
        .map(|note| {
            let cells: Vec<_> = known
                .cells
                .iter()
                .filter(|cell| cell.note == note)
                .map(|cell| {
                    json!({
                        "slowed_by": cell.share, "trials": cell.trials, "looked": cell.looked, "regressions": cell.regressions,
                        "passes": cell.passes, "improvements": cell.improvements, "inconclusive": cell.open,
                    })
                })
                .collect();
            let equal = bound(known.alarms(Some(note)));
            json!({ "note": note, "equal": equal, "detects": known.detects(note), "series": cells })
        })
        .collect();
    json!({ "together": bound(known.alarms(None)), "conditions": conditions })
}

/// The calibration of one host class as JSON.
pub fn calibration(host: &str, known: &Calibration) -> String {
    format!("{:#}\n", json!({ "host": host, "calibration": calibrated(known) }))
}
