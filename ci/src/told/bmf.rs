//! For Bencher: its metric format.

use crate::gate::Gate;
use serde_json::{Map, json};

/// The longest name that Bencher takes.
const LONGEST: usize = 1024;

/// `{benchmark: {"time-ratio": {value, lower_value, upper_value}}}`: the candidate's time over the baseline's.
pub fn bmf(gate: &Gate) -> String {
    let mut out = Map::new();
    for row in &gate.rows {
        let Some(effect) = row.effect else { continue };
        let name: String = row.id.chars().take(LONGEST).collect();
        let [lower, upper] = effect.ci95;
        out.insert(
            name,
            json!({ "time-ratio": { "value": effect.ratio, "lower_value": lower, "upper_value": upper } }),
        );
    }
    format!("{:#}\n", serde_json::Value::Object(out))
}
