//! What `fit` says a model takes, against what the engine really allocates.
#![allow(clippy::unwrap_used)]
#![expect(clippy::print_stdout, reason = "what was compared, for --nocapture")]

use spark_kernels::Device;
use spark_kernels::attention::KvType;
use spark_kernels::cpu::Cpu;
use spark_kernels::format::Format;
use spark_kernels::moe::Routing;
use spark_workloads::llm::{Config, Model, PASS, Settings, Storage};
use std::sync::Arc;

/// Large enough that rounding to whole tiles is small, small enough to be made in a moment.
const DENSE: &str = r#"{"model_type":"llama","hidden_size":1024,"intermediate_size":2816,"num_hidden_layers":3,
    "num_attention_heads":16,"num_key_value_heads":4,"vocab_size":8192,"max_position_embeddings":8192}"#;
const TIED: &str = r#"{"model_type":"qwen3","hidden_size":1024,"intermediate_size":3072,"num_hidden_layers":2,"head_dim":128,
    "num_attention_heads":8,"num_key_value_heads":4,"vocab_size":8192,"tie_word_embeddings":true,"max_position_embeddings":8192}"#;
const MIXTURE: &str = r#"{"model_type":"gpt_oss","hidden_size":512,"intermediate_size":512,"num_hidden_layers":4,"head_dim":64,
    "num_attention_heads":8,"num_key_value_heads":2,"vocab_size":8192,"num_local_experts":8,"num_experts_per_tok":2,
    "sliding_window":128,"max_position_embeddings":8192}"#;

/// Bytes that a loaded model holds, as its own buffers and packed weights count them.
fn allocated(config: &Config, storage: Storage, tokens: usize) -> u64 {
    let device: Arc<dyn Device> = Arc::new(Cpu::new(Some(1), 0));
    let settings = Settings {
        format: storage.format,
        head: storage.head,
        activations: Settings::usual_activations(storage.format),
        kv: storage.kv,
        rows: tokens.min(PASS),
        capacity: tokens,
        sequences: 1,
        verified: 0,
        seed: 1,
        routing: Routing::Router,
        implementation: "best".to_owned(),
    };
    let model = Model::load(config, &settings, &device).unwrap();
    // Packed weights stand among the buffers where an op shows them; all of them are counted as resident.
    let weights: u64 = model.resident();
    weights + model.passing().map(|buffer| buffer.bytes() as u64).sum::<u64>()
}

#[test]
fn what_is_foretold_is_what_is_allocated_within_two_per_cent() {
    for (name, text) in [("dense", DENSE), ("tied", TIED), ("mixture", MIXTURE)] {
        let config = Config::parse(text).unwrap();
        for (format, kv, tokens) in [
            (Format::Mxfp4, KvType::Bf16, 2048),
            (Format::Nvfp4, KvType::Int8, 512),
            (Format::Q8_0, KvType::Bf16, 64),
            (Format::Q4_0, KvType::F32, 4096),
            (Format::Bf16, KvType::Bf16, 1024),
        ] {
            let storage = Storage { format, head: Format::Q8_0, kv };
            let (foretold, real) = (config.engine_bytes(tokens, storage), allocated(&config, storage, tokens));
            let apart = foretold as f64 / real as f64 - 1.0;
            println!(
                "{name} {} {} {tokens}: {foretold} foretold, {real} allocated, {:+.2} %",
                format.name(),
                kv.name(),
                100.0 * apart
            );
            assert!(apart.abs() < 0.02, "{name} {}: {foretold} foretold, {real} allocated", format.name());
        }
    }
}
