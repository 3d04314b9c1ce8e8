//! hyperfine: whole commands, in seconds.

use super::fields::{DOWN, TOLD, metric, number, text};
use super::{Format, Row, Source};
use serde_json::Value;

pub(super) const FORMAT: Format = Format { name: "hyperfine", about: "hyperfine --export-json", looks, read };

const TIMES: [&str; 7] = ["mean", "median", "min", "max", "user", "system", "stddev"];

fn results(source: &Source) -> Option<&Vec<Value>> {
    source.object()?.get("results")?.as_array()
}

fn looks(source: &Source) -> bool {
    results(source)
        .and_then(|list| list.first())
        .is_some_and(|one| one.get("command").is_some() && one.get("mean").is_some())
}

fn read(source: &Source) -> Result<Vec<Row>, String> {
    let list = results(source).ok_or("it has no list 'results'")?;
    Ok(list.iter().filter(|one| one.is_object()).map(one).collect())
}

fn one(from: &Value) -> Row {
    let mut row = Row::default();
    let command = from.get("command").map(text).unwrap_or_default();
    row.axes.insert("command".to_owned(), command.as_str().into());
    for (name, value) in from.get("parameters").and_then(Value::as_object).into_iter().flatten() {
        row.axes.insert(super::short(name), text(value).as_str().into());
    }
    for name in TIMES {
        // hyperfine writes null for the deviation of one run.
        let better = if matches!(name, "mean" | "median") { DOWN } else { TOLD };
        row.metrics.extend(from.get(name).and_then(number).map(|s| metric(name, s, "s", better)));
    }
    let times = from.get("times").and_then(Value::as_array).into_iter().flatten();
    row.samples_ns = times.filter_map(number).filter(|s| *s >= 0.0).map(|s| (s * 1e9).round() as u64).collect();
    let codes = from.get("exit_codes").and_then(Value::as_array).into_iter().flatten();
    let failed = codes.filter(|code| code.as_i64() != Some(0)).count();
    if failed > 0 {
        row.notes.push(format!("{failed} of its runs did not end with exit code 0"));
    }
    row
}
