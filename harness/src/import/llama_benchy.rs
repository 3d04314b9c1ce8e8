//! `llama-benchy`, which measures a server in llama-bench's grammar.

use super::fields::{DOWN, TOLD, UP, axis, metric, number, text};
use super::{Format, Row, Source};
use serde_json::Value;
use spark_results::record::Better;

pub(super) const FORMAT: Format =
    Format { name: "llama-benchy", about: "llama-benchy --save-result results.json", looks, read };

const AXES: [&str; 5] = ["concurrency", "context_size", "prompt_size", "response_size", "is_context_prefill_phase"];
const NUMBERS: [(&str, &str, Better); 9] = [
    ("pp_throughput", "tok/s", UP),
    ("pp_req_throughput", "tok/s", UP),
    ("tg_throughput", "tok/s", UP),
    ("tg_req_throughput", "tok/s", UP),
    ("peak_throughput", "tok/s", UP),
    ("peak_req_throughput", "tok/s", UP),
    ("ttfr", "ms", DOWN),
    ("est_ppt", "ms", DOWN),
    ("e2e_ttft", "ms", DOWN),
];

fn looks(source: &Source) -> bool {
    source.object().is_some_and(|o| o.contains_key("benchmarks") && o.contains_key("latency_mode"))
}

fn read(source: &Source) -> Result<Vec<Row>, String> {
    let whole = source.object().ok_or("no JSON object")?;
    let list = whole.get("benchmarks").and_then(Value::as_array).ok_or("it has no list 'benchmarks'")?;
    let said = |name: &str| whole.get(name).map(text).filter(|text| !text.is_empty());
    let mut rows = Vec::new();
    for one in list.iter().filter_map(Value::as_object) {
        let mut row = Row { version: said("version"), measured_at: said("timestamp"), ..Row::default() };
        row.axes.extend(AXES.iter().filter_map(|name| Some(((*name).to_owned(), axis(one.get(*name)?)?))));
        row.axes.extend(whole.get("model").and_then(axis).map(|model| ("model".to_owned(), model)));
        for (name, unit, better) in NUMBERS {
            let Some(of) = one.get(name).and_then(Value::as_object) else { continue };
            row.metrics.extend(of.get("mean").and_then(number).map(|mean| metric(name, mean, unit, better)));
            let spread = of.get("std").and_then(number).map(|std| metric(&format!("{name}_std"), std, unit, TOLD));
            row.metrics.extend(spread);
        }
        for name in ["latency_mode", "latency_ms", "prefix_caching_enabled", "prompt_source"] {
            row.facts.extend(said(name).map(|text| (name.to_owned(), text)));
        }
        rows.push(row);
    }
    Ok(rows)
}
