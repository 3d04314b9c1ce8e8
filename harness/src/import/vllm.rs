//! `vllm bench serve`, and the programs that write its fields: SGLang's and llm-d's benchmarks.

use super::fields::{self, Field, Use, rate, time, told};
use super::{Format, Row, Source};

pub(super) const FORMAT: Format = Format { name: "vllm", about: "vllm bench serve --save-result", looks, read };

const FIELDS: &[Field] = &[
    ("date", Use::When),
    ("backend", Use::Device),
    ("endpoint_type", Use::Fact),
    ("label", Use::Fact),
    ("model_id", Use::Axis),
    ("tokenizer_id", Use::Fact),
    ("num_prompts", Use::Axis),
    ("request_rate", Use::Axis),
    ("burstiness", Use::Axis),
    ("max_concurrency", Use::Axis),
    ("duration", told("s")),
    ("completed", told("")),
    ("failed", told("")),
    ("total_input_tokens", told("")),
    ("total_output_tokens", told("")),
    ("request_throughput", rate("req/s")),
    ("request_goodput", rate("req/s")),
    ("request_goodput:", rate("req/s")),
    ("output_throughput", rate("tok/s")),
    ("total_token_throughput", rate("tok/s")),
    ("max_output_tokens_per_s", rate("tok/s")),
    ("max_concurrent_requests", told("")),
    ("input_lens", Use::Ignored),
    ("output_lens", Use::Ignored),
    ("ttfts", Use::Ignored),
    ("itls", Use::Ignored),
    ("start_times", Use::Ignored),
    ("generated_texts", Use::Ignored),
    ("errors", Use::Ignored),
];

fn looks(source: &Source) -> bool {
    source.has(&["output_throughput", "completed"]) || source.has(&["mean_ttft_ms", "completed"])
}

fn read(source: &Source) -> Result<Vec<Row>, String> {
    if !looks(source) {
        return Err("it has no 'completed' with output_throughput or mean_ttft_ms".to_owned());
    }
    Ok(source
        .rows
        .iter()
        .map(|from| {
            // Percentiles are chosen by who runs it: p99_ttft_ms, p50_itl_ms …
            let is_time =
                |name: &str| name.ends_with("_ms") && ["ttft", "tpot", "itl", "e2el"].iter().any(|t| name.contains(t));
            let (times, others): (Vec<_>, Vec<_>) = from.clone().into_iter().partition(|(name, _)| is_time(name));
            let mut row = fields::row(FIELDS, &others.into_iter().collect());
            for (name, value) in times {
                let of = if name.starts_with("std_") { told("ms") } else { time("ms") };
                let Use::Number(unit, better, _) = of else { continue };
                let number = fields::number(&value).filter(|n| *n != 0.0);
                row.metrics.extend(number.map(|n| fields::metric(&name, n, unit, better)));
            }
            row
        })
        .collect())
}
