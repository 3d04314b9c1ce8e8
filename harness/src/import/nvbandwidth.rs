//! NVIDIA's `nvbandwidth`, whose own statistics count a cell without a number as 0: they are made again from the matrix.

use super::fields::{DOWN, TOLD, UP, metric, text};
use super::{Format, Row, Source};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

pub(super) const FORMAT: Format = Format { name: "nvbandwidth", about: "nvbandwidth --json", looks, read };

fn looks(source: &Source) -> bool {
    source.object().is_some_and(|o| o.contains_key("nvbandwidth"))
}

fn read(source: &Source) -> Result<Vec<Row>, String> {
    let root = source.object().ok_or("no JSON object")?;
    let whole = root.get("nvbandwidth").and_then(Value::as_object).ok_or("it has no object 'nvbandwidth'")?;
    let cases = whole.get("testcases").and_then(Value::as_array).ok_or("it has no list 'testcases'")?;
    // A test may stand twice, the first time as running: the last one counts. Its error may stand at the root.
    let mut last: BTreeMap<String, (usize, &Map<String, Value>)> = BTreeMap::new();
    let outside = root.get("testcases").and_then(Value::as_array).into_iter().flatten();
    for (at, case) in cases.iter().chain(outside).filter_map(Value::as_object).enumerate() {
        let Some(name) = case.get("name").map(text) else { continue };
        let without = !case.contains_key("bandwidth_matrix");
        if without && last.get(&name).is_some_and(|(_, old)| old.contains_key("bandwidth_matrix")) {
            continue;
        }
        last.insert(name, (at, case));
    }
    let mut order: Vec<_> = last.into_iter().map(|(name, (at, case))| (at, name, case)).collect();
    order.sort_by_key(|(at, ..)| *at);
    Ok(order.into_iter().map(|(_, name, case)| one(&name, case, whole)).collect())
}

fn one(name: &str, case: &Map<String, Value>, whole: &Map<String, Value>) -> Row {
    let said = |of: &Map<String, Value>, key: &str| of.get(key).map(text).filter(|text| !text.is_empty());
    let mut row = Row { version: said(whole, "version").or_else(|| said(whole, "git_version")), ..Row::default() };
    row.axes.insert("test".to_owned(), name.into());
    row.facts = whole
        .iter()
        .filter(|(key, _)| !matches!(key.as_str(), "testcases" | "version"))
        .map(|(key, value)| (key.clone(), text(value)))
        .collect();
    row.facts.extend(
        ["status", "bandwidth_description", "error"]
            .iter()
            .filter_map(|key| Some(((*key).to_owned(), said(case, key)?))),
    );
    let latency =
        said(case, "bandwidth_description").is_some_and(|text| text.contains("ns")) || name.contains("latency");
    let (unit, better) = if latency { ("ns", DOWN) } else { ("GB/s", UP) };
    let status = said(case, "status").unwrap_or_else(|| "not stated".to_owned());
    if status != "Passed" {
        row.notes.push(format!("its status is {status}: no number of it is taken"));
        return row;
    }
    let cells: Vec<f64> = case
        .get("bandwidth_matrix")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .flat_map(|line| line.as_array().into_iter().flatten())
        .filter_map(|cell| cell.as_str().map_or_else(|| cell.as_f64(), |text| text.trim().parse().ok()))
        .filter(|value: &f64| value.is_finite())
        .collect();
    if cells.is_empty() {
        row.notes.push("no cell of its matrix is a number".to_owned());
        return row;
    }
    let sum: f64 = cells.iter().sum();
    let fold = |of: fn(f64, f64) -> f64| cells.iter().copied().reduce(of).unwrap_or(f64::NAN);
    row.metrics.push(metric("average", sum / cells.len() as f64, unit, better));
    row.metrics.push(metric("min", fold(f64::min), unit, TOLD));
    row.metrics.push(metric("max", fold(f64::max), unit, TOLD));
    if !latency {
        row.metrics.push(metric("sum", sum, unit, TOLD));
    }
    row.metrics.push(metric("cells", cells.len() as f64, "", TOLD));
    row
}
