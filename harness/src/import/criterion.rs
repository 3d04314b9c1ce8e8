//! criterion.rs: a benchmark's `estimates.json`, or the messages of cargo-criterion.

use super::fields::{DOWN, TOLD, metric, number, text};
use super::{Format, Row, Source};
use serde_json::{Map, Value};
use std::path::Path;

pub(super) const FORMAT: Format = Format {
    name: "criterion",
    about: "target/criterion/…/new/estimates.json, or cargo criterion --message-format json",
    looks,
    read,
};

const ESTIMATES: [&str; 5] = ["mean", "median", "slope", "median_abs_dev", "std_dev"];

fn looks(source: &Source) -> bool {
    let estimates = |o: &Map<String, Value>| o.get("mean").is_some_and(|m| m.get("point_estimate").is_some());
    source.object().is_some_and(estimates)
        || source.rows.iter().any(|row| row.contains_key("reason") && row.contains_key("typical"))
}

fn read(source: &Source) -> Result<Vec<Row>, String> {
    if !looks(source) {
        return Err("it has no estimates".to_owned());
    }
    let messages: Vec<Row> = source.rows.iter().filter(|row| row.contains_key("typical")).map(message).collect();
    if !messages.is_empty() {
        return Ok(messages);
    }
    let whole = source.object().ok_or("no JSON object")?;
    let mut row = Row::default();
    row.axes.insert("benchmark".to_owned(), name(source).as_str().into());
    for estimate in ESTIMATES {
        let Some(of) = whole.get(estimate).filter(|of| !of.is_null()) else { continue };
        let better = if matches!(estimate, "mean" | "median" | "slope") { DOWN } else { TOLD };
        row.metrics.extend(of.get("point_estimate").and_then(number).map(|ns| metric(estimate, ns, "ns", better)));
        for end in ["lower_bound", "upper_bound"] {
            let value = of.get("confidence_interval").and_then(|interval| number(interval.get(end)?));
            row.metrics.extend(value.map(|ns| metric(&format!("{estimate} {end}"), ns, "ns", TOLD)));
        }
    }
    Ok(vec![row])
}

/// The benchmark's name, which does not stand in its estimates: from the file beside them, else from the folders.
fn name(source: &Source) -> String {
    let beside = source.path.with_file_name("benchmark.json");
    let small = std::fs::metadata(&beside).is_ok_and(|meta| meta.len() < 1 << 20);
    let told = || -> Option<String> {
        let value: Value = serde_json::from_slice(&std::fs::read(&beside).ok()?).ok()?;
        Some(text(value.get("full_id")?)).filter(|name| !name.is_empty())
    };
    let folders: Vec<String> =
        source.path.parent().into_iter().flat_map(Path::iter).map(|p| p.to_string_lossy().into_owned()).collect();
    let known = folders.iter().rposition(|part| part == "criterion").map(|at| &folders[at + 1..]);
    let from_path =
        known.map(|parts| parts.iter().filter(|p| *p != "new" && *p != "base").cloned().collect::<Vec<_>>().join("/"));
    let named = if small { told() } else { None };
    named.or(from_path).filter(|name| !name.is_empty()).unwrap_or_else(|| source.name.clone())
}

/// One `benchmark-complete`.
fn message(from: &Map<String, Value>) -> Row {
    let mut row = Row::default();
    row.axes.insert("benchmark".to_owned(), from.get("id").map(text).unwrap_or_default().as_str().into());
    for estimate in ["typical", "mean", "median", "slope", "median_abs_dev"] {
        let Some(of) = from.get(estimate).and_then(Value::as_object) else { continue };
        let unit = of.get("unit").map(text).unwrap_or_default();
        let better = if estimate == "median_abs_dev" { TOLD } else { DOWN };
        row.metrics.extend(of.get("estimate").and_then(number).map(|value| metric(estimate, value, &unit, better)));
        for end in ["lower_bound", "upper_bound"] {
            let value = of.get(end).and_then(number);
            row.metrics.extend(value.map(|value| metric(&format!("{estimate} {end}"), value, &unit, TOLD)));
        }
    }
    row
}
