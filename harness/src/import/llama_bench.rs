//! llama.cpp's `llama-bench`, in each of its five outputs; fields come and go between its versions.

use super::fields::{self, Field, Use, rate, time};
use super::{Format, Row, Source};
use serde_json::{Map, Value};

pub(super) const FORMAT: Format =
    Format { name: "llama-bench", about: "llama-bench -o json|jsonl|csv|sql|md", looks, read };

/// A spread; that of one repetition is written as 0 and is none.
const fn spread(unit: &'static str) -> Use {
    Use::Number(unit, fields::TOLD, fields::Zero::IsNone)
}

const FIELDS: &[Field] = &[
    ("build_commit", Use::Version),
    ("build_number", Use::Fact),
    ("cpu_info", Use::Fact),
    ("gpu_info", Use::Fact),
    ("backends", Use::Device),
    ("model_filename", Use::Fact),
    ("model_type", Use::Axis),
    ("model_size", Use::Fact),
    ("model_n_params", Use::Fact),
    ("n_batch", Use::Axis),
    ("n_ubatch", Use::Axis),
    ("n_threads", Use::Axis),
    ("cpu_mask", Use::Fact),
    ("cpu_strict", Use::Fact),
    ("poll", Use::Fact),
    ("type_k", Use::Axis),
    ("type_v", Use::Axis),
    ("n_gpu_layers", Use::Axis),
    ("n_cpu_moe", Use::Axis),
    ("split_mode", Use::Fact),
    ("main_gpu", Use::Fact),
    ("no_kv_offload", Use::Fact),
    ("flash_attn", Use::Axis),
    ("devices", Use::Fact),
    ("tensor_split", Use::Fact),
    ("tensor_buft_overrides", Use::Fact),
    ("use_mmap", Use::Fact),
    ("use_direct_io", Use::Fact),
    ("load_mode", Use::Fact),
    ("lazy_mode", Use::Fact),
    ("repack", Use::Fact),
    ("embeddings", Use::Fact),
    ("no_op_offload", Use::Fact),
    ("no_host", Use::Fact),
    ("fit_target", Use::Fact),
    ("fit_min_ctx", Use::Fact),
    ("n_prompt", Use::Axis),
    ("n_gen", Use::Axis),
    ("n_depth", Use::Axis),
    ("test_time", Use::When),
    ("avg_ns", time("ns")),
    ("stddev_ns", spread("ns")),
    ("avg_ts", rate("tok/s")),
    ("stddev_ts", spread("tok/s")),
    ("samples_ns", Use::SamplesNs),
    ("samples_ts", Use::Ignored),
    // The table for people: names of its own, and two numbers in its last cell.
    ("model", Use::Axis),
    ("size", Use::Fact),
    ("params", Use::Fact),
    ("backend", Use::Device),
    ("ngl", Use::Axis),
    ("threads", Use::Axis),
    ("fa", Use::Axis),
    ("sm", Use::Fact),
    ("nkvo", Use::Fact),
    ("dev", Use::Fact),
    ("ts", Use::Fact),
    ("ot", Use::Fact),
    ("mmap", Use::Fact),
    ("dio", Use::Fact),
    ("lm", Use::Fact),
    ("embd", Use::Fact),
    ("nopo", Use::Fact),
    ("noh", Use::Fact),
    ("rpk", Use::Fact),
    ("fitt", Use::Fact),
    ("fitc", Use::Fact),
    ("test", Use::Axis),
];

fn looks(source: &Source) -> bool {
    source.has(&["avg_ts", "n_prompt"]) || source.has(&["t/s", "test", "model"])
}

fn read(source: &Source) -> Result<Vec<Row>, String> {
    if !looks(source) {
        return Err("no row has avg_ts and n_prompt, or t/s and test".to_owned());
    }
    let build = source.text.lines().find_map(|line| line.strip_prefix("build: ")).map(|text| text.trim().to_owned());
    Ok(source.rows.iter().map(|from| one(from, build.as_deref())).collect())
}

fn one(from: &Map<String, Value>, build: Option<&str>) -> Row {
    let mut from = from.clone();
    // `12.34 ± 0.56`; a mean without a spread is one repetition.
    if let Some(Value::String(cell)) = from.remove("t/s") {
        let (mean, spread) = cell.split_once('±').map_or((cell.as_str(), None), |(mean, more)| (mean, Some(more)));
        from.insert("avg_ts".to_owned(), mean.trim().into());
        from.extend(spread.map(|spread| ("stddev_ts".to_owned(), spread.trim().into())));
    }
    let mut row = fields::row(FIELDS, &from);
    // A distribution's builds all have one name for a commit: the number tells them apart, as in the table for people.
    let number = row.facts.get("build_number").map(|number| format!(" ({number})")).unwrap_or_default();
    row.version = row.version.map(|commit| commit + &number).or_else(|| build.map(str::to_owned));
    // What people compare stands first.
    row.metrics.sort_by_key(|m| m.name != "avg_ts");
    row
}
