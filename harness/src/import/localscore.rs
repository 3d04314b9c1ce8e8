//! LocalScore, which writes 0 where it has no power.

use super::fields::{self, Field, TOLD, UP, Use, Zero, rate, text, time};
use super::{Format, Row, Source};
use serde_json::Value;

pub(super) const FORMAT: Format = Format { name: "localscore", about: "localscore -o json", looks, read };

const FIELDS: &[Field] = &[
    ("name", Use::Axis),
    ("model_name", Use::Axis),
    ("model_quant_str", Use::Axis),
    ("model_params_str", Use::Fact),
    ("model_n_params", Use::Fact),
    ("model_size", Use::Fact),
    ("model", Use::Fact),
    ("build_commit", Use::Version),
    ("build_number", Use::Fact),
    ("cpu_info", Use::Fact),
    ("gpu_info", Use::Fact),
    ("test_time", Use::When),
    ("n_prompt", Use::Axis),
    ("n_gen", Use::Axis),
    ("avg_time_ms", time("ms")),
    ("prompt_tps", rate("tok/s")),
    ("prompt_tps_watt", rate("tok/s/W")),
    ("gen_tps", rate("tok/s")),
    ("gen_tps_watt", rate("tok/s/W")),
    ("power_watts", Use::Number("W", TOLD, Zero::IsNone)),
    ("ttft_ms", time("ms")),
    ("avg_prompt_tps", rate("tok/s")),
    ("avg_gen_tps", rate("tok/s")),
    ("avg_ttft_ms", time("ms")),
    ("performance_score", Use::Number("points", UP, Zero::IsNone)),
];

fn looks(source: &Source) -> bool {
    source.has(&["prompt_tps", "gen_tps"])
        || source.object().and_then(|o| o.get("results")?.as_array()?.first()?.get("prompt_tps")).is_some()
}

fn read(source: &Source) -> Result<Vec<Row>, String> {
    let Some(whole) = source.object().filter(|o| o.contains_key("results")) else {
        return match looks(source) {
            true => Ok(source.rows.iter().map(|row| fields::row(FIELDS, row)).collect()),
            false => Err("it has no prompt_tps and gen_tps".to_owned()),
        };
    };
    let list = whole.get("results").and_then(Value::as_array).ok_or("its 'results' are no list")?;
    let summary = whole.get("results_summary").and_then(Value::as_object);
    let mut rows: Vec<Row> =
        list.iter().filter_map(Value::as_object).chain(summary).map(|row| fields::row(FIELDS, row)).collect();
    if let (Some(_), Some(row)) = (summary, rows.last_mut()) {
        row.axes.insert("name".to_owned(), "summary".into());
    }
    for name in ["runtime_info", "system_info", "accelerator_info"] {
        let Some(said) = whole.get(name).map(text) else { continue };
        rows.iter_mut().for_each(|row| drop(row.facts.insert(name.to_owned(), said.clone())));
    }
    Ok(rows)
}
