//! For GitHub: annotations of a workflow, and the list that github-action-benchmark keeps.

use crate::Verdict;
use crate::gate::Gate;
use serde_json::json;

/// Annotations of each kind that one step may have.
const MOST: usize = 10;

/// Workflow commands: an error for each regression and breakage, a warning for what could not be told.
pub fn annotations(gate: &Gate) -> String {
    let gated = || gate.rows.iter().filter(|row| !row.watched);
    let errors = gated().filter_map(|row| match &row.verdict {
        Verdict::Regression => Some((&row.id, super::change(row).unwrap_or_default())),
        Verdict::Broken(why) => Some((&row.id, why.clone())),
        Verdict::Missing => Some((&row.id, "the candidate has no such benchmark".to_owned())),
        _ => None,
    });
    let warnings = gated().filter_map(|row| match &row.verdict {
        Verdict::Inconclusive(why) => Some((&row.id, why.clone())),
        _ => None,
    });
    let line = |kind: &str, (id, said): (&String, String)| {
        let title = message(&format!("spark-bench gate: {id}")).replace(':', "%3A").replace(',', "%2C");
        format!("::{kind} title={title}::{}\n", message(&said))
    };
    let errors = errors.take(MOST).map(|one| line("error", one));
    errors.chain(warnings.take(MOST).map(|one| line("warning", one))).collect()
}

fn message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The custom format of github-action-benchmark, `customSmallerIsBetter`: the candidate's time as a share of the baseline's.
pub fn benchmarks(gate: &Gate) -> String {
    let one = |row: &crate::gate::Row| {
        let effect = row.effect?;
        let half = 0.5 * (effect.ci95[1] - effect.ci95[0]);
        Some(json!({
            "name": row.id, "unit": "time / baseline", "value": effect.ratio, "range": format!("± {half:.4}"),
            "extra": row.verdict.to_string(),
        }))
    };
    let list: Vec<_> = gate.rows.iter().filter_map(one).collect();
    format!("{:#}\n", serde_json::Value::from(list))
}
