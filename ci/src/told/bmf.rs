//! For Bencher: its metric format.

use crate::gate::Gate;
use serde_json::{Map, json};

/// The longest name that Bencher takes.
const LONGEST: usize = 1024;

/// An id as a benchmark's name: cut where Bencher would refuse it.
pub fn bmf_name(id: &str) -> String {
    id.chars().take(LONGEST).collect()
}

/// `{benchmark: {"time-ratio": {value, lower_value, upper_value}}}`: the candidate's time over the baseline's.
pub fn bmf(gate: &Gate) -> String {
    let mut out = Map::new();
    for row in &gate.rows {
        let Some(effect) = row.effect else { continue };
        let [lower, upper] = effect.ci95;
        out.insert(
            bmf_name(&row.id),
            json!({ "time-ratio": { "value": effect.ratio, "lower_value": lower, "upper_value": upper } }),
        );
    }
    format!("{:#}\n", serde_json::Value::Object(out))
}
