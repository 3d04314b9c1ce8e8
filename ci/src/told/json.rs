//! For scripts: everything, as one document.

use crate::gate::Gate;
use crate::statistics::upper_bound;
use serde_json::json;

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
            })
        })
        .collect();
    let calibration = gate.calibration.as_ref().map(|c| {
        json!({
            "trials": c.trials, "alarms": c.alarms, "passes": c.passes, "false_alarms_at_most": upper_bound(c.alarms, c.trials),
            "detects": c.detects(), "found": c.found,
        })
    });
    let document = json!({
        "baseline": gate.baseline, "candidate": gate.candidate, "host": gate.host, "seed": gate.seed, "rows": rows,
        "left_over": gate.left_over, "calibration": calibration, "result": match gate.sum() {
            crate::gate::Sum::Fine => "fine",
            crate::gate::Sum::Failed => "failed",
            crate::gate::Sum::Inconclusive => "inconclusive",
        },
    });
    format!("{document:#}\n")
}
