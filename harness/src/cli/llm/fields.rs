//! llama-bench's fields, in its order and under its names, and ours behind them: each in this one place.

use super::row::{Row, deviation, mean};
use Kind::{Bool, Float, Int, Text};
use serde_json::{Value, json};
use spark_results::conditions::Throttling;

/// What a field holds; llama-bench's tools create their tables by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Bool,
    Float,
    Text,
}

/// A column.
#[derive(Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Its value in a row; null for what is missing.
    pub(super) value: fn(&Row<'_>) -> Value,
}

const fn field(name: &'static str, kind: Kind, value: fn(&Row<'_>) -> Value) -> Field {
    Field { name, kind, value }
}

/// Rows of one pass of a prompt.
const PASS: usize = spark_workloads::llm::PASS;

/// llama-bench's fields. Settings of it that have no meaning here stand at what describes this engine: everything on one
/// device, nothing mapped, workers pinned.
pub(super) static STANDARD: &[Field] = &[
    field("build_commit", Text, |r| json!(r.manifest.build.revision.as_deref().unwrap_or("unknown"))),
    field("build_number", Int, |r| json!(build_number(&r.manifest.build.version))),
    field("cpu_info", Text, |r| json!(r.manifest.machine.cpu.brand.as_deref().unwrap_or("unknown"))),
    field("gpu_info", Text, |r| json!(gpu(r))),
    field("backends", Text, |r| json!(backend(r))),
    field("model_filename", Text, |r| json!(r.shape.model)),
    field("model_type", Text, |r| json!(r.shape.model_type())),
    field("model_size", Int, |r| json!(r.shape.weight_bytes())),
    field("model_n_params", Int, |r| json!(r.shape.config.param_count())),
    field("n_batch", Int, |_| json!(PASS)),
    field("n_ubatch", Int, |_| json!(PASS)),
    field("n_threads", Int, |r| json!(r.shape.threads)),
    field("cpu_mask", Text, |_| json!("0x0")),
    field("cpu_strict", Bool, |_| json!(true)),
    // Workers spin, then park: llama.cpp calls the middle of its scale 50.
    field("poll", Int, |_| json!(50)),
    field("type_k", Text, |r| json!(r.shape.kv)),
    field("type_v", Text, |r| json!(r.shape.kv)),
    field("n_gpu_layers", Int, |r| json!(if on_cpu(r) { 0 } else { r.shape.config.layers })),
    field("n_cpu_moe", Int, |_| json!(0)),
    field("split_mode", Text, |_| json!("none")),
    field("main_gpu", Int, |_| json!(0)),
    field("no_kv_offload", Bool, |r| json!(on_cpu(r))),
    field("flash_attn", Bool, |_| json!(true)),
    field("devices", Text, |r| json!(r.record.id.device)),
    field("tensor_split", Text, |_| json!("0.00")),
    field("tensor_buft_overrides", Text, |_| json!("none")),
    field("use_mmap", Bool, |_| json!(false)),
    field("embeddings", Bool, |_| json!(false)),
    field("no_op_offload", Int, |r| json!(u8::from(on_cpu(r)))),
    field("no_host", Bool, |_| json!(false)),
    field("n_prompt", Int, |r| json!(r.shape.n_prompt)),
    field("n_gen", Int, |r| json!(r.shape.n_gen)),
    field("n_depth", Int, |r| json!(r.shape.depth)),
    field("test_time", Text, |r| json!(r.test_time())),
    field("avg_ns", Int, |r| whole(mean(&ns(r)))),
    field("stddev_ns", Int, |r| whole(deviation(&ns(r)))),
    field("avg_ts", Float, |r| json!(mean(&r.samples_ts()))),
    field("stddev_ts", Float, |r| json!(deviation(&r.samples_ts()))),
];

/// What `--extended` adds behind them.
pub(super) static EXTENDED: &[Field] = &[
    field("id", Text, |r| json!(r.entry.id)),
    field("status", Text, |r| json!(r.entry.status)),
    field("reason", Text, |r| json!(r.entry.reason)),
    field("test", Text, |r| json!(r.shape.test())),
    field("implementation", Text, |r| json!(r.entry.implementation)),
    field("format", Text, |r| json!(r.shape.format.name())),
    field("head", Text, |r| json!(r.shape.head.name())),
    field("activations", Text, |r| json!(r.shape.activations())),
    field("n_sequences", Int, |r| json!(r.shape.batch)),
    field("weights", Text, |r| fact(r, "weights")),
    field("kv", Text, |r| fact(r, "kv")),
    field("experts", Text, |r| fact(r, "experts")),
    field("experts_touched", Text, |r| fact(r, "experts_touched")),
    field("bytes_per_token", Float, |r| json!(r.bytes_per_token())),
    field("median_ts", Float, |r| json!(r.median_ts())),
    field("ci95_low_ts", Float, |r| json!(r.interval_ts().map(|[low, _]| low))),
    field("ci95_high_ts", Float, |r| json!(r.interval_ts().map(|[_, high]| high))),
    field("roof_bound", Text, |r| json!(r.entry.roof.as_ref().map(|roof| roof.bound.name()))),
    field("roof_of", Text, |r| json!(r.entry.roof.as_ref().map(|roof| &roof.of))),
    field("roof_fraction", Float, |r| json!(r.entry.roof.as_ref().map(|roof| roof.fraction))),
    field("energy_j", Float, |r| json!(r.energy().ok().map(|e| e.joules))),
    field("power_w", Float, |r| json!(r.energy().ok().map(|e| e.watts))),
    field("energy_scope", Text, |r| json!(r.energy().ok().map(|e| &e.scope))),
    field("energy_source", Text, |r| json!(r.energy().ok().map(|e| &e.source))),
    field("energy_coverage", Float, |r| json!(r.energy().ok().map(|e| e.coverage))),
    field("energy_reason", Text, |r| json!(r.energy().err())),
    field("tokens_per_joule", Float, |r| json!(r.tokens_per_joule())),
    field("core_clock_hz", Float, |r| json!(r.clock_hz())),
    field("throttled", Bool, throttled),
    field("max_error", Float, |r| json!(r.entry.max_error)),
    field("tolerance", Float, |r| json!(r.entry.tolerance)),
    field("simulated", Bool, |r| json!(r.entry.simulated)),
];

/// The columns of an output.
pub(super) fn columns(extended: bool) -> impl Iterator<Item = &'static Field> {
    STANDARD.iter().chain(if extended { EXTENDED } else { &[] })
}

fn on_cpu(row: &Row<'_>) -> bool {
    row.record.id.device == "cpu"
}

/// llama-bench's name of the backend.
pub(super) fn backend(row: &Row<'_>) -> &'static str {
    if on_cpu(row) { "CPU" } else { "CUDA" }
}

fn gpu<'a>(row: &'a Row<'_>) -> &'a str {
    let mut devices = row.manifest.devices.iter();
    let device = devices.find(|d| !on_cpu(row) && d.id == row.record.id.device);
    device.and_then(|d| d.name.as_deref()).unwrap_or_default()
}

/// A version as the one number that llama-bench has for it: 1.2.3 is 1002003.
fn build_number(version: &str) -> u64 {
    let parts = version.split(['.', '-']).map_while(|part| part.parse::<u64>().ok());
    parts.chain(std::iter::repeat(0)).take(3).fold(0, |number, part| number * 1000 + part)
}

fn ns(row: &Row<'_>) -> Vec<f64> {
    row.samples_ns().iter().map(|ns| *ns as f64).collect()
}

fn whole(value: Option<f64>) -> Value {
    json!(value.map(|value| value.round() as u64))
}

fn fact(row: &Row<'_>, name: &str) -> Value {
    json!(row.entry.facts.get(name))
}

fn throttled(row: &Row<'_>) -> Value {
    match row.entry.conditions.as_ref().map(|c| &c.throttling) {
        Some(Throttling::Known { throttled, .. }) => json!(throttled),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_one_number() {
        assert_eq!((build_number("1.2.3"), build_number("0.1.0-beta"), build_number("x")), (1_002_003, 1000, 0));
    }
}
