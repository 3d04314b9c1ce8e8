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
    ("mistral-7b-v0.1", 7_241_732_096),
    ("gemma-2-2b", 2_614_341_888),
    ("gemma-3-4b", 3_880_263_168),
    ("gemma-3-27b", 27_009_346_304),
    ("phi-4", 14_659_507_200),
    ("granite-3.3-8b", 8_170_864_640),
    ("gpt-oss-20b", 20_914_757_184),
    ("gpt-oss-120b", 116_829_156_672),
    ("qwen1.5-moe-a2.7b", 14_315_784_192),
    ("qwen3-30b-a3b", 30_532_122_624),
];

/// Active parameters as the makers publish them, in billions: OpenAI's model card counts the head and not the embedding, Qwen's
/// page says 3.3, which is 3.35 with both tables, cut off.
const ACTIVE: &[(&str, f64, bool)] = &[
    ("gpt-oss-20b", 3.61, false),
    ("gpt-oss-120b", 5.13, false),
    ("qwen3-30b-a3b", 3.35, true),
    ("qwen1.5-moe-a2.7b", 2.69, true),
];

#[test]
fn every_preset_has_its_published_number_of_parameters() {
    for preset in PRESETS {
        let config = preset.config().unwrap();
        if preset.name.starts_with("tiny") {
            assert!(config.param_count() < 15_000_000, "{}", config.param_count());
            continue;
        }
        let (_, published) = PUBLISHED.iter().find(|(name, _)| *name == preset.name).unwrap();
        assert_eq!(config.param_count(), *published, "{}", preset.name);
    }
    assert_eq!(PRESETS.len(), PUBLISHED.len() + 2);
    for (name, billions, embedding) in ACTIVE {
        let config = Preset::find(name).unwrap().config().unwrap();
        let table = if *embedding { (config.vocab * config.hidden) as u64 } else { 0 };
        let active = (config.active_param_count() + table) as f64 / 1e9;
        assert!((active - billions).abs() < 0.005, "{name}: {active}");
    }
    let dense = Preset::find("llama-3.1-8b").unwrap().config().unwrap();
    assert_eq!(dense.param_count() - dense.active_param_count(), 128_256 * 4096, "all but the embedding");
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
fn gemma_2_bends_unless_it_is_told_not_to() {
    let gemma = Preset::find("gemma-2-2b").unwrap();
    let with = |from: &str, to: &str| Config::parse(&gemma.json.replacen(from, to, 1)).unwrap();
    let caps = |config: &Config| (config.softcap, config.logit_softcap);
    assert_eq!(caps(&gemma.config().unwrap()), (Some(50.0), Some(30.0)));
    // Left out it has its class's own, null is none.
    assert_eq!(
        caps(&with(r#""attn_logit_softcapping":50.0,"final_logit_softcapping":30.0,"#, "")),
        (Some(50.0), Some(30.0))
    );
    assert_eq!(caps(&with("50.0", "null")), (None, Some(30.0)));
    let config = gemma.config().unwrap();
    assert_eq!((config.window, &config.windowed[..3]), (Some(4096), &[true, false, true][..]));
    assert_eq!(Preset::find("gemma-3-4b").unwrap().config().unwrap().logit_softcap, None);
}

#[test]
fn a_shared_expert_is_read_in_every_step() {
    let config = Preset::find("qwen1.5-moe-a2.7b").unwrap().config().unwrap();
    let mixture = config.mixture.unwrap();
    assert_eq!((mixture.experts, mixture.active, mixture.shared, mixture.normalised), (60, 4, 4, false));
    assert_eq!((mixture.logits(), config.blocks()), (61, (64, 8)));
    // One token 4 + 4, infinitely many all 60 + 4, none nothing.
    assert_eq!([0, 1, 1 << 20].map(|rows| config.expected_blocks(rows)), [0, 24 * 8, 24 * 64]);
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
        (r#"{"rope_type":"longrope","factor":4.0}"#, "original_max_position_embeddings"),
        (r#"{"rope_type":"longrope","original_max_position_embeddings":4096}"#, "rope_scaling.short_factor"),
        (
            r#"{"type":"su","original_max_position_embeddings":4096,"short_factor":[1.0],"long_factor":[1.0]}"#,
            "has 1 entries",
        ),
        (r#"{"type":"su","original_max_position_embeddings":4096,"short_factor":[0]}"#, "short_factor"),
        (r#"{"type":"longrope","short_mscale":1.1}"#, "short_mscale"),
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
    let ignored = with("sliding_window", "4096").unwrap();
    assert_eq!((ignored.context, ignored.window), (131_072, None));
    assert!(ignored.notes[0].contains("nothing that llama models read"));
    // A model that sees pictures keeps its decoder inside, with most of it left out: Gemma 3 4B's file has no more than this.
    let outer = r#"{"model_type":"gemma3","vision_config":{},"text_config":{"hidden_size":2560,"intermediate_size":10240,
        "model_type":"gemma3_text","num_hidden_layers":34,"rope_scaling":{"factor":8.0,"rope_type":"linear"},
        "sliding_window":1024}}"#;
    assert_eq!(Config::parse(outer).unwrap(), Preset::find("gemma-3-4b").unwrap().config().unwrap());
    let error = Config::parse(&outer.replace("2560", "-1")).unwrap_err().to_string();
    assert!(error.contains("text_config.hidden_size"), "{error}");
    // The newer spelling of two bases.
    let both = outer.replace(
        r#""rope_scaling":{"factor":8.0,"rope_type":"linear"}"#,
        r#""rope_parameters":{"full_attention":{"rope_type":"linear","factor":8.0,"rope_theta":1000000.0},
            "sliding_attention":{"rope_type":"default","rope_theta":10000.0}}"#,
    );
    assert_eq!(Config::parse(&both).unwrap(), Config::parse(outer).unwrap());
}

#[test]
fn windows_are_where_each_family_has_them() {
    let of = |name: &str| Preset::find(name).unwrap().config().unwrap();
    let windowed = |config: &Config| config.windowed.iter().filter(|windowed| **windowed).count();
    let mistral = of("mistral-7b-v0.1");
    assert_eq!((mistral.window, windowed(&mistral), mistral.context), (Some(4096), 32, 32_768));
    let gemma = of("gemma-3-27b");
    // Layers 6, 12 … 60 see all: ten of 62.
    assert_eq!((gemma.window, windowed(&gemma), gemma.local_theta), (Some(1024), 52, Some(10_000.0)));
    assert!(!gemma.windowed[5] && gemma.windowed[4] && gemma.windowed[61]);
    assert_eq!(
        (gemma.attention_scale, gemma.seen(0, 5000), gemma.seen(5, 5000)),
        (Some(168_f32.powf(-0.5)), 1024, 5000)
    );
    assert_eq!(of("gemma-3-4b").attention_scale, None, "√256 is that of its heads");
    let gpt = of("gpt-oss-20b");
    assert_eq!((gpt.window, windowed(&gpt), gpt.windowed[0], gpt.windowed[1]), (Some(128), 12, true, false));
    let granite = of("granite-3.3-8b");
    assert_eq!((granite.window, granite.attention_scale, granite.logits_scaling), (None, Some(0.007_812_5), 16.0));
    let phi = of("phi-4");
    assert_eq!((phi.rotary, phi.head_dim, phi.window), (128, 128, None));
    let listed = r#""layer_types":["sliding_attention"]"#;
    let error = Config::parse(&PRESETS.iter().find(|p| p.name == "gpt-oss-20b").unwrap().json.replacen(
        '{',
        &format!("{{{listed},"),
        1,
    ));
    assert!(error.unwrap_err().to_string().contains("1 entries for 24 layers"));
}

/// A good config of a family with one field replaced, for what other families have.
#[test]
fn what_a_family_does_not_compute_is_refused_by_name() {
    for (preset, field, value) in [
        ("gpt-oss-20b", "num_local_experts", "0"),
        ("gpt-oss-20b", "num_local_experts", "null"),
        ("gpt-oss-20b", "num_experts_per_tok", "33"),
        ("gpt-oss-20b", "swiglu_limit", "-7"),
        ("gpt-oss-20b", "hidden_act", "\"relu\""),
        ("qwen3-30b-a3b", "decoder_sparse_step", "2"),
        ("qwen3-30b-a3b", "mlp_only_layers", "[0]"),
        ("qwen3-30b-a3b", "mlp_only_layers", "0"),
        ("qwen3-30b-a3b", "shared_expert_intermediate_size", "768"),
        ("qwen3-30b-a3b", "moe_intermediate_size", "null"),
        ("qwen1.5-moe-a2.7b", "shared_expert_intermediate_size", "5600"),
        ("qwen1.5-moe-a2.7b", "n_shared_experts", "1"),
        ("phi-4", "final_logit_softcapping", "30.0"),
        ("gemma-2-2b", "attn_logit_softcapping", "0"),
        ("gemma-3-4b", "hidden_activation", "\"silu\""),
        ("gemma-3-4b", "final_logit_softcapping", "-30.0"),
        ("gemma-3-4b", "partial_rotary_factor", "0.5"),
        ("gemma-3-4b", "query_pre_attn_scalar", "0"),
        ("granite-3.3-8b", "attention_multiplier", "-1"),
        ("granite-3.3-8b", "mlp_bias", "true"),
        ("phi-4", "partial_rotary_factor", "0.01"),
        ("phi-4", "partial_rotary_factor", "2.0"),
    ] {
        let mut json: serde_json::Value = serde_json::from_str(Preset::find(preset).unwrap().json).unwrap();
        json[field] = serde_json::from_str(value).unwrap();
        let error = Config::parse(&json.to_string()).unwrap_err().to_string();
        assert!(
            error.starts_with("config.json") && error.contains(field) && error.contains(';'),
            "{field}={value}: {error}"
        );
    }
}

#[test]
fn bytes_and_operations_of_other_families_done_by_hand() {
    let of = |name: &str| Preset::find(name).unwrap().config().unwrap();
    let storage = Storage { format: Format::Mxfp4, head: Format::Q8_0, kv: KvType::Bf16 };
    // gpt-oss-20b: a layer's attention, router in bf16, vectors, and 4 of 32 experts.
    let gpt = of("gpt-oss-20b");
    let attention = (5120 * 2880 + 2880 * 4096) * 17 / 32 + 4 * (5120 + 2880 + 64 + 2 * 2880);
    let router = 32 * 2880 * 2 + 4 * 32;
    let expert = 3 * 2880 * 2880 * 17 / 32 + 4 * 3 * 2880;
    assert_eq!(gpt.block_bytes(Format::Mxfp4), expert);
    let (head, row) = (201_088 * 2880 * 34 / 32 + 4 * 2880, 2880 * 34 / 32);
    // Keys and values: 2·8·64·2 bytes a token and layer, of which 12 layers see 128 tokens and 12 all.
    let kv = 2048 * (12 * 1001 + 12 * 128);
    let step = 24 * (attention + router + 4 * expert) + head + row + kv;
    assert_eq!(gpt.bytes_per_token(1000, storage), step);
    assert_eq!(gpt.bytes_of_step(&[1000, 0], 24 * 7, storage), step + 24 * 3 * expert + row + 2048 * 24);
    // Four tokens are expected to touch 32·(1 − (28/32)^4) = 13.24 experts a layer.
    assert_eq!(gpt.expected_blocks(4), 318);
    let products = 5120 * 2880 + 2880 * 4096 + 32 * 2880 + 4 * 3 * 2880 * 2880_u64;
    let flops = 24 * 2 * products + 2 * 201_088 * 2880 + 4 * 64 * 64 * (12 * 1001 + 12 * 128);
    assert_eq!(gpt.decode_flops(1000), flops);
    // Gemma 3 4B: 29 layers of 34 see 1024 tokens.
    let gemma = of("gemma-3-4b");
    let layer = (4096 * 2560 + 2560 * 2048 + 20_480 * 2560 + 2560 * 10_240) * 17 / 32 + 4 * (4 * 2560 + 2 * 256);
    let kv = 2 * 4 * 256 * 2 * (5 * 3001 + 29 * 1024);
    let head = 262_208 * 2560 * 34 / 32 + 4 * 2560;
    assert_eq!(gemma.bytes_per_token(3000, storage), 34 * layer + head + 2560 * 34 / 32 + kv);
    // The sum over positions is that of counting them one by one, across the window's edge.
    let each: u64 = (1020..1030).map(|depth| gemma.decode_flops(depth)).sum();
    assert_eq!(gemma.generating_flops(10, 1020), each);
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
            "num_local_experts", "num_experts", "num_experts_per_tok", "moe_intermediate_size", "sliding_window_pattern",
            "partial_rotary_factor", "query_pre_attn_scalar", "text_config", "max_window_layers",
        ]), any_json()), 1..4),
    ) {
        let mut json: serde_json::Value = serde_json::from_str(PRESETS[preset].json).unwrap();
        for (field, value) in changes {
            json[field] = value;
        }
        if let Ok(config) = Config::parse(&json.to_string()) {
            let storage = Storage { format: Format::F32, head: Format::F32, kv: KvType::F32 };
            prop_assert!(config.param_count() > 0);
            let _ = (config.bytes_per_step(1 << 20, 4096, storage), config.active_param_count());
            let _ = (config.generating_flops(1 << 20, 1 << 20), config.expected_blocks(4096));
            let _ = (config.decode_flops(1 << 20), config.prefill_flops(1 << 20, 1 << 20));
            let _ = config.weight_bytes(Format::F32, Format::F32);
        }
    }
}
