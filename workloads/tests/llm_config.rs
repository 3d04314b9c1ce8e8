//! Configs: presets have their published sizes, lies are refused by name, and nothing panics.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use spark_kernels::attention::KvType;
use spark_kernels::format::Format;
use spark_kernels::rope::Scaling;
use spark_workloads::llm::{Config, Family, PRESETS, Preset, Storage};

/// Parameter counts as published: the totals of the safetensors files on Hugging Face. Qwen3-0.6B's file stores the tied table
/// twice (751,632,384); once makes 596,049,920, the 0.6 B of its name.
const PUBLISHED: &[(&str, u64)] = &[
    ("llama-2-7b", 6_738_415_616),
    ("llama-3.2-1b", 1_235_814_400),
    ("llama-3.1-8b", 8_030_261_248),
    ("llama-3.3-70b", 70_553_706_496),
    ("qwen2.5-7b", 7_615_616_512),
    ("qwen3-0.6b", 596_049_920),
    ("qwen3-8b", 8_190_735_360),
    ("qwen3-32b", 32_762_123_264),
    ("mistral-7b", 7_248_023_552),
];

#[test]
fn every_preset_has_its_published_number_of_parameters() {
    for preset in PRESETS {
        let config = preset.config().unwrap();
        if preset.name == "tiny" {
            assert!(config.param_count() < 5_000_000, "{}", config.param_count());
            continue;
        }
        let (_, published) = PUBLISHED.iter().find(|(name, _)| *name == preset.name).unwrap();
        assert_eq!(config.param_count(), *published, "{}", preset.name);
    }
    assert_eq!(PRESETS.len(), PUBLISHED.len() + 1);
}

#[test]
fn families_differ_where_they_do() {
    let of = |name: &str| Preset::find(name).unwrap().config().unwrap();
    let qwen2 = of("qwen2.5-7b");
    assert!(qwen2.qkv_bias && !qwen2.qk_norm && qwen2.family == Family::Qwen2);
    assert!(qwen2.notes[0].contains("sliding_window"));
    let qwen3 = of("qwen3-0.6b");
    assert!(!qwen3.qkv_bias && qwen3.qk_norm && qwen3.tied && qwen3.head_dim == 128);
    let llama = of("llama-3.2-1b");
    assert_eq!(llama.scaling, Scaling::Llama3 { factor: 32.0, low: 1.0, high: 4.0, original: 8192.0 });
    assert_eq!((llama.head_dim, llama.kv_heads, llama.context), (64, 8, 131_072));
    assert!(Preset::find("llama").unwrap_err().to_string().contains("llama-2-7b"));
}

#[test]
fn bytes_of_a_known_model_done_by_hand() {
    let config = Preset::find("llama-3.1-8b").unwrap().config().unwrap();
    // 2 · 32 layers · 8 heads · 128 · 2 bytes = 128 KiB.
    assert_eq!(config.kv_bytes_per_token(KvType::Bf16), 131_072);
    let layer = 6144 * 4096 + 4096 * 4096 + 28_672 * 4096 + 4096 * 14_336_u64;
    let (table, norms) = (128_256 * 4096_u64, 4 * 4096 * (2 * 32 + 1));
    let mxfp4 = 32 * layer * 17 / 32 + 2 * table * 34 / 32 + norms;
    assert_eq!(config.weight_bytes(Format::Mxfp4, Format::Q8_0), mxfp4);
    let storage = Storage { format: Format::Mxfp4, head: Format::Q8_0, kv: KvType::Bf16 };
    let step = 32 * layer * 17 / 32 + table * 34 / 32 + norms + 4096 * 34 / 32 + 4097 * 131_072;
    assert_eq!(config.bytes_per_token(4096, storage), step);
    // A batch reads the weights once and its own caches.
    assert_eq!(config.bytes_per_step(4096, 2, storage) - step, 4096 * 34 / 32 + 4097 * 131_072);
}

/// A good config with one field replaced (or removed, for null).
fn with(field: &str, value: &str) -> Result<Config, String> {
    let mut json: serde_json::Value = serde_json::from_str(Preset::find("llama-3.1-8b").unwrap().json).unwrap();
    json[field] = serde_json::from_str(value).unwrap();
    Config::parse(&json.to_string()).map_err(|e| e.to_string())
}

#[test]
fn lies_are_refused_with_field_and_mend() {
    for (field, value) in [
        ("model_type", "\"mamba\""),
        ("model_type", "7"),
        ("model_type", "null"),
        ("hidden_size", "0"),
        ("hidden_size", "-4096"),
        ("hidden_size", "4096.5"),
        ("hidden_size", "\"4096\""),
        ("hidden_size", "1e300"),
        ("hidden_size", "18446744073709551615"),
        ("hidden_size", "null"),
        ("hidden_size", "4097"),
        ("num_hidden_layers", "1000000000"),
        ("num_attention_heads", "[]"),
        ("num_key_value_heads", "3"),
        ("head_dim", "127"),
        ("vocab_size", "0"),
        ("rms_norm_eps", "0"),
        ("rms_norm_eps", "-1e-5"),
        ("rope_theta", "0"),
        ("rope_theta", "0.5"),
        ("rope_theta", "true"),
        ("tie_word_embeddings", "1"),
        ("attention_bias", "1"),
        ("final_logit_softcapping", "30.0"),
        ("attn_logit_softcapping", "50.0"),
        ("n_shared_experts", "1"),
        ("mlp_bias", "true"),
        ("hidden_act", "\"gelu\""),
        ("partial_rotary_factor", "0.5"),
        ("sliding_window", "-1"),
        ("layer_types", "[\"linear_attention\"]"),
        ("max_position_embeddings", "0"),
    ] {
        let error = with(field, value).unwrap_err();
        let about = error.contains(field) || field == "num_hidden_layers";
        assert!(error.starts_with("config.json") && error.contains(';') && about, "{field}={value}: {error}");
    }
    for (scaling, word) in [
        (r#"{"rope_type":"longrope","factor":4.0}"#, "'longrope'"),
        (r#"{"rope_type":"dynamic","factor":4.0}"#, "'dynamic'"),
        (r#"{"rope_type":"yarn","factor":4.0}"#, "original_max_position_embeddings"),
        (r#"{"rope_type":"yarn","original_max_position_embeddings":4096}"#, "rope_scaling.factor"),
        (
            r#"{"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":4096,"beta_fast":1,"beta_slow":32}"#,
            "beta_fast",
        ),
        (r#"{"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":4096,"mscale":1.0}"#, "mscale"),
        (r#"{"rope_type":"llama3"}"#, "rope_scaling.factor"),
        (r#"{"factor":4.0}"#, "rope_scaling.rope_type"),
        (r#"{"rope_type":"linear","factor":0}"#, "rope_scaling.factor"),
        (
            r#"{"rope_type":"llama3","factor":8,"low_freq_factor":4,"high_freq_factor":1,"original_max_position_embeddings":8192}"#,
            "high_freq_factor",
        ),
        ("[]", "rope_scaling"),
    ] {
        let error = with("rope_scaling", scaling).unwrap_err();
        assert!(error.contains(word), "{scaling}: {error}");
    }
    for text in ["", "{", "[]", "null", "{}", "\"model_type\"", "\u{0}\u{1b}[31m"] {
        let error = Config::parse(text).unwrap_err().to_string();
        assert!(error.starts_with("config.json") && !error.contains('\u{1b}'), "{error}");
    }
}

#[test]
fn other_spellings_mean_the_same() {
    let linear = with("rope_scaling", r#"{"type":"linear","factor":4.0}"#).unwrap();
    assert_eq!(linear.scaling, Scaling::Linear(4.0));
    assert_eq!(with("rope_scaling", r#"{"rope_type":"default"}"#).unwrap().scaling, Scaling::None);
    let json = r#"{"model_type":"qwen3","hidden_size":64,"intermediate_size":64,"num_hidden_layers":1,"num_attention_heads":4,
        "vocab_size":32,"rope_parameters":{"rope_type":"default","rope_theta":5000.0}}"#;
    let config = Config::parse(json).unwrap();
    assert_eq!((config.theta, config.kv_heads, config.head_dim), (5000.0, 4, 128));
    let windowed = with("sliding_window", "4096").unwrap();
    assert_eq!(windowed.context, 4096);
    assert!(windowed.notes[0].contains("4096 limits the context"));
    assert_eq!(with("sliding_window", "1000000").unwrap().context, 131_072);
}

/// Any JSON, a few levels deep.
fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        (1_u64..5000).prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".{0,9}".prop_map(Into::into),
    ];
    leaf.prop_recursive(2, 16, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map("factor|rope_type|type|rope_theta|low_freq_factor|.{0,5}", inner, 0..5)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text in ".{0,200}") {
        let _ = Config::parse(&text);
    }
    #[test]
    fn any_json_is_parsed_or_refused(json in any_json()) {
        let _ = Config::parse(&json.to_string());
    }
    #[test]
    fn any_fields_are_read_or_refused_and_sizes_never_overflow(
        preset in 0..PRESETS.len(),
        changes in prop::collection::vec((prop::sample::select(vec![
            "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim",
            "vocab_size", "rms_norm_eps", "rope_theta", "rope_scaling", "rope_parameters", "tie_word_embeddings",
            "max_position_embeddings", "attention_bias", "sliding_window", "use_sliding_window", "layer_types", "model_type",
        ]), any_json()), 1..4),
    ) {
        let mut json: serde_json::Value = serde_json::from_str(PRESETS[preset].json).unwrap();
        for (field, value) in changes {
            json[field] = value;
        }
        if let Ok(config) = Config::parse(&json.to_string()) {
            let storage = Storage { format: Format::F32, head: Format::F32, kv: KvType::F32 };
            prop_assert!(config.param_count() > 0);
            let _ = config.bytes_per_step(1 << 20, 4096, storage);
            let _ = (config.decode_flops(1 << 20), config.prefill_flops(1 << 20, 1 << 20));
            let _ = config.weight_bytes(Format::F32, Format::F32);
        }
    }
}
