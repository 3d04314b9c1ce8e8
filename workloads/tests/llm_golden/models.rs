//! Small models of every family, each with what the family can have.

use spark_workloads::llm::Config;

/// Three layers of that family, small enough for f64.
fn config(text: &str) -> Config {
    let base = r#""hidden_size":64,"intermediate_size":96,"num_hidden_layers":3,"num_attention_heads":4,
        "num_key_value_heads":2,"head_dim":32,"vocab_size":160,"rms_norm_eps":1e-5,"max_position_embeddings":512"#;
    Config::parse(&format!("{{{base},{text}}}")).unwrap()
}

/// Every family, tied and untied, every kind of scaling. The scaled one is so short that all three of Llama 3's bands occur.
pub(crate) fn models() -> Vec<(&'static str, Config)> {
    let llama3 = r#""model_type":"llama","tie_word_embeddings":true,"rope_theta":500.0,"rope_scaling":{"rope_type":"llama3",
        "factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":64}"#;
    vec![
        ("llama", config(r#""model_type":"llama""#)),
        ("llama3 scaling, tied", config(llama3)),
        ("linear scaling", config(r#""model_type":"mistral","rope_scaling":{"type":"linear","factor":4.0}"#)),
        ("qwen2", config(r#""model_type":"qwen2""#)),
        ("qwen3", config(r#""model_type":"qwen3""#)),
        ("qwen3, tied", config(r#""model_type":"qwen3","tie_word_embeddings":true"#)),
        ("llama with biases", config(r#""model_type":"llama","attention_bias":true"#)),
        ("mistral, window 9", config(r#""model_type":"mistral","sliding_window":9"#)),
        (
            "qwen2, window 11 from layer 1 on",
            config(r#""model_type":"qwen2","sliding_window":11,"use_sliding_window":true,"max_window_layers":1"#),
        ),
        (
            "gemma3, 1 of 3 layers global",
            config(
                r#""model_type":"gemma3_text","hidden_activation":"gelu_pytorch_tanh","query_pre_attn_scalar":50,
                "rope_theta":3000.0,"rope_local_base_freq":100.0,"rope_scaling":{"rope_type":"linear","factor":8.0},
                "sliding_window":7,"sliding_window_pattern":3"#,
            ),
        ),
        (
            "gemma3, scores bent, no window in reach",
            config(
                r#""model_type":"gemma3_text","attn_logit_softcapping":2.0,"tie_word_embeddings":false,"sliding_window":500"#,
            ),
        ),
        (
            "granite",
            config(
                r#""model_type":"granite","tie_word_embeddings":true,"embedding_multiplier":12.0,"residual_multiplier":0.22,
                "attention_multiplier":0.0625,"logits_scaling":4.0"#,
            ),
        ),
        ("phi3, three quarters of a head turned", config(r#""model_type":"phi3","partial_rotary_factor":0.75"#)),
        (
            "gpt-oss",
            config(
                r#""model_type":"gpt_oss","num_local_experts":8,"num_experts_per_tok":3,"sliding_window":10,"swiglu_limit":1.5,
                "rope_theta":150.0,"rope_scaling":{"rope_type":"yarn","factor":8.0,"beta_fast":4.0,"beta_slow":1.0,
                "original_max_position_embeddings":128,"truncate":false}"#,
            ),
        ),
        (
            "gpt-oss, ramp cut to whole indices",
            config(
                r#""model_type":"gpt_oss","num_local_experts":5,"experts_per_token":2,"rope_theta":150.0,
                "layer_types":["full_attention","sliding_attention","full_attention"],"sliding_window":6,
                "rope_scaling":{"rope_type":"yarn","factor":8.0,"beta_fast":4.0,"original_max_position_embeddings":128}"#,
            ),
        ),
        (
            "gemma2",
            config(
                r#""model_type":"gemma2","hidden_activation":"gelu_pytorch_tanh","query_pre_attn_scalar":50,"sliding_window":9,
                "attn_logit_softcapping":2.0,"final_logit_softcapping":3.0"#,
            ),
        ),
        ("gemma2, nothing bent", gemma2_straight()),
        ("phi3, longrope, long", phi3_longrope(48)),
        ("phi3, longrope, short", phi3_longrope(64)),
        (
            "qwen2 with experts, one shared",
            config(
                r#""model_type":"qwen2_moe","num_experts":12,"num_experts_per_tok":4,"moe_intermediate_size":32,
                "shared_expert_intermediate_size":96"#,
            ),
        ),
        ("qwen3 with experts", qwen3_moe("")),
        ("qwen3 with experts, weights of all", qwen3_moe(r#","norm_topk_prob":false"#)),
    ]
}

fn gemma2_straight() -> Config {
    let text =
        r#""model_type":"gemma2","attn_logit_softcapping":null,"final_logit_softcapping":null,"sliding_window":500"#;
    config(text)
}

/// Twelve frequencies, three quarters of a head of 32, trained for so many tokens; sequences may have 64.
fn phi3_longrope(trained: usize) -> Config {
    let list = |first: f64, step: f64| {
        let factors: Vec<String> = (0..12).map(|i| (first + step * f64::from(i * i)).to_string()).collect();
        factors.join(",")
    };
    let (short, long) = (list(1.0, 0.01), list(1.1, 0.3));
    config(&format!(
        r#""model_type":"phi3","partial_rotary_factor":0.75,"original_max_position_embeddings":{trained},
        "rope_scaling":{{"type":"longrope","short_factor":[{short}],"long_factor":[{long}]}}"#
    ))
}

fn qwen3_moe(more: &str) -> Config {
    let text = r#""model_type":"qwen3_moe","num_experts":12,"num_experts_per_tok":4,"moe_intermediate_size":64"#;
    let normalised = if more.is_empty() { r#","norm_topk_prob":true"# } else { more };
    config(&format!("{text}{normalised}"))
}

/// The model of that name.
pub(crate) fn model(name: &str) -> Config {
    models().into_iter().find(|(of, _)| *of == name).unwrap().1
}
