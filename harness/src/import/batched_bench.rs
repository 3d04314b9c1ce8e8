//! llama.cpp's `llama-batched-bench`, in its lines of JSON: prompts and answers of several sequences together.

use super::fields::{self, Field, Use, rate, time};
use super::{Format, Row, Source};

pub(super) const FORMAT: Format =
    Format { name: "llama-batched-bench", about: "llama-batched-bench --output-format jsonl", looks, read };

const FIELDS: &[Field] = &[
    ("n_kv_max", Use::Fact),
    ("n_batch", Use::Axis),
    ("n_ubatch", Use::Axis),
    ("flash_attn", Use::Axis),
    ("is_pp_shared", Use::Axis),
    ("n_gpu_layers", Use::Axis),
    ("n_threads", Use::Axis),
    ("n_threads_batch", Use::Fact),
    ("pp", Use::Axis),
    ("tg", Use::Axis),
    ("pl", Use::Axis),
    ("n_kv", Use::Fact),
    ("t_pp", time("s")),
    ("speed_pp", rate("tok/s")),
    ("t_tg", time("s")),
    ("speed_tg", rate("tok/s")),
    ("t", time("s")),
    ("speed", rate("tok/s")),
];

fn looks(source: &Source) -> bool {
    source.has(&["speed_pp", "speed_tg", "pl"])
}

fn read(source: &Source) -> Result<Vec<Row>, String> {
    if !looks(source) {
        return Err("no line has speed_pp, speed_tg and pl".to_owned());
    }
    Ok(source.rows.iter().map(|row| fields::row(FIELDS, row)).collect())
}
