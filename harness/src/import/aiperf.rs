//! NVIDIA's AIPerf (once genai-perf): its aggregate, or its lines of one request each.

use super::fields::{DOWN, TOLD, UP, metric, number, text};
use super::{Format, Row, Source};
use serde_json::{Map, Value};
use spark_results::record::Better;

pub(super) const FORMAT: Format =
    Format { name: "aiperf", about: "AIPerf's profile_export_aiperf.json or profile_export.jsonl", looks, read };

const STATISTICS: [&str; 13] =
    ["avg", "min", "max", "p1", "p5", "p10", "p25", "p50", "p75", "p90", "p95", "p99", "std"];

/// `{unit, avg, …}`.
fn is_metric(value: &Value) -> bool {
    value.as_object().is_some_and(|of| of.contains_key("unit") && of.contains_key("avg"))
}

fn looks(source: &Source) -> bool {
    let aggregate = source.object().is_some_and(|o| records(o).values().filter(|v| is_metric(v)).count() > 1);
    aggregate || source.has(&["metadata", "metrics"])
}

/// The metrics: at the top, or under `records`.
fn records(whole: &Map<String, Value>) -> &Map<String, Value> {
    whole.get("records").and_then(Value::as_object).unwrap_or(whole)
}

fn read(source: &Source) -> Result<Vec<Row>, String> {
    if source.has(&["metadata", "metrics"]) {
        return Ok(source.rows.iter().map(request).collect());
    }
    let whole = source.object().ok_or("no JSON object")?;
    let mut row = Row::default();
    for (name, of) in records(whole).iter().filter(|(_, value)| is_metric(value)) {
        let unit = of.get("unit").map(text).unwrap_or_default();
        for statistic in STATISTICS {
            let better = if statistic == "std" { TOLD } else { direction(name) };
            let value = of.get(statistic).and_then(number);
            row.metrics.extend(value.map(|value| metric(&format!("{name} {statistic}"), value, &unit, better)));
        }
    }
    let input = whole.get("input_config").or_else(|| whole.get("config"));
    row.facts.extend(input.map(|input| ("input_config".to_owned(), text(input))));
    for name in ["aiperf_version", "version"] {
        row.version = row.version.or_else(|| whole.get(name).map(text).filter(|text| !text.is_empty()));
    }
    row.measured_at = whole.get("start_time").map(text).filter(|text| !text.is_empty());
    Ok(vec![row])
}

/// One request. A failed one is a row with its error.
fn request(from: &Map<String, Value>) -> Row {
    let mut row = Row::default();
    for (name, of) in from.get("metrics").and_then(Value::as_object).into_iter().flatten() {
        let unit = of.get("unit").map(text).unwrap_or_default();
        row.metrics.extend(of.get("value").and_then(number).map(|value| metric(name, value, &unit, direction(name))));
    }
    let metadata = from.get("metadata").and_then(Value::as_object).into_iter().flatten();
    row.facts = metadata.map(|(name, value)| (name.clone(), text(value))).collect();
    if let Some(error) = from.get("error").filter(|error| !error.is_null()) {
        row.notes.push(format!("the request failed: {}", text(error)));
    }
    row
}

/// Which way is better, by the name.
fn direction(name: &str) -> Better {
    match name {
        name if name.contains("throughput") || name.contains("goodput") => UP,
        name if name.contains("latency") || name.contains("time_to") || name.contains("inter_") => DOWN,
        _ => TOLD,
    }
}
