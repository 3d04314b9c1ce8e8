//! Models by name: the shapes their makers published, as the `config.json` fields that matter.

use crate::llm::{Config, ConfigError};

/// A model by name.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Its name on the command line and in ids.
    pub name: &'static str,
    /// Where its shape was published.
    pub source: &'static str,
    /// The fields of its `config.json` that give its shape.
    pub json: &'static str,
}

const fn preset(name: &'static str, source: &'static str, json: &'static str) -> Preset {
    Preset { name, source, json }
}

/// Every preset, smallest first within a family.
pub static PRESETS: &[Preset] = &[
    preset(
        "tiny",
        "made here: decodes in milliseconds on anything",
        r#"{"model_type":"llama","hidden_size":256,"intermediate_size":768,"num_hidden_layers":4,"num_attention_heads":8,"num_key_value_heads":2,"vocab_size":1024,"rms_norm_eps":1e-5,"rope_theta":10000.0,"max_position_embeddings":4096}"#,
    ),
    preset(
        "llama-2-7b",
        "meta-llama/Llama-2-7b-hf",
        r#"{"model_type":"llama","hidden_size":4096,"intermediate_size":11008,"num_hidden_layers":32,"num_attention_heads":32,"num_key_value_heads":32,"vocab_size":32000,"rms_norm_eps":1e-5,"rope_theta":10000.0,"max_position_embeddings":4096}"#,
    ),
    preset(
        "llama-3.2-1b",
        "meta-llama/Llama-3.2-1B",
        r#"{"model_type":"llama","hidden_size":2048,"intermediate_size":8192,"num_hidden_layers":16,"num_attention_heads":32,"num_key_value_heads":8,"head_dim":64,"vocab_size":128256,"rms_norm_eps":1e-5,"rope_theta":500000.0,"rope_scaling":{"rope_type":"llama3","factor":32.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192},"tie_word_embeddings":true,"max_position_embeddings":131072}"#,
    ),
    preset(
        "llama-3.1-8b",
        "meta-llama/Llama-3.1-8B",
        r#"{"model_type":"llama","hidden_size":4096,"intermediate_size":14336,"num_hidden_layers":32,"num_attention_heads":32,"num_key_value_heads":8,"vocab_size":128256,"rms_norm_eps":1e-5,"rope_theta":500000.0,"rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192},"max_position_embeddings":131072}"#,
    ),
    preset(
        "llama-3.3-70b",
        "meta-llama/Llama-3.3-70B-Instruct",
        r#"{"model_type":"llama","hidden_size":8192,"intermediate_size":28672,"num_hidden_layers":80,"num_attention_heads":64,"num_key_value_heads":8,"head_dim":128,"vocab_size":128256,"rms_norm_eps":1e-5,"rope_theta":500000.0,"rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192},"max_position_embeddings":131072}"#,
    ),
    preset(
        "qwen2.5-7b",
        "Qwen/Qwen2.5-7B",
        r#"{"model_type":"qwen2","hidden_size":3584,"intermediate_size":18944,"num_hidden_layers":28,"num_attention_heads":28,"num_key_value_heads":4,"vocab_size":152064,"rms_norm_eps":1e-6,"rope_theta":1000000.0,"sliding_window":131072,"use_sliding_window":false,"max_position_embeddings":131072}"#,
    ),
    preset(
        "qwen3-0.6b",
        "Qwen/Qwen3-0.6B",
        r#"{"model_type":"qwen3","hidden_size":1024,"intermediate_size":3072,"num_hidden_layers":28,"num_attention_heads":16,"num_key_value_heads":8,"head_dim":128,"vocab_size":151936,"rms_norm_eps":1e-6,"rope_theta":1000000,"tie_word_embeddings":true,"max_position_embeddings":40960}"#,
    ),
    preset(
        "qwen3-8b",
        "Qwen/Qwen3-8B",
        r#"{"model_type":"qwen3","hidden_size":4096,"intermediate_size":12288,"num_hidden_layers":36,"num_attention_heads":32,"num_key_value_heads":8,"head_dim":128,"vocab_size":151936,"rms_norm_eps":1e-6,"rope_theta":1000000,"max_position_embeddings":40960}"#,
    ),
    preset(
        "qwen3-32b",
        "Qwen/Qwen3-32B",
        r#"{"model_type":"qwen3","hidden_size":5120,"intermediate_size":25600,"num_hidden_layers":64,"num_attention_heads":64,"num_key_value_heads":8,"head_dim":128,"vocab_size":151936,"rms_norm_eps":1e-6,"rope_theta":1000000,"max_position_embeddings":40960}"#,
    ),
    preset(
        "mistral-7b",
        "mistralai/Mistral-7B-v0.3",
        r#"{"model_type":"mistral","hidden_size":4096,"intermediate_size":14336,"num_hidden_layers":32,"num_attention_heads":32,"num_key_value_heads":8,"head_dim":128,"vocab_size":32768,"rms_norm_eps":1e-5,"rope_theta":1000000.0,"sliding_window":null,"max_position_embeddings":32768}"#,
    ),
    preset(
        "mistral-7b-v0.1",
        "mistralai/Mistral-7B-v0.1",
        r#"{"model_type":"mistral","hidden_size":4096,"intermediate_size":14336,"num_hidden_layers":32,"num_attention_heads":32,"num_key_value_heads":8,"vocab_size":32000,"rms_norm_eps":1e-5,"rope_theta":10000.0,"sliding_window":4096,"max_position_embeddings":32768}"#,
    ),
    preset(
        "gemma-2-2b",
        "google/gemma-2-2b",
        r#"{"model_type":"gemma2","hidden_size":2304,"intermediate_size":9216,"num_hidden_layers":26,"num_attention_heads":8,"num_key_value_heads":4,"head_dim":256,"vocab_size":256000,"hidden_activation":"gelu_pytorch_tanh","query_pre_attn_scalar":256,"sliding_window":4096,"attn_logit_softcapping":50.0,"final_logit_softcapping":30.0,"rms_norm_eps":1e-6,"rope_theta":10000.0,"tie_word_embeddings":true,"max_position_embeddings":8192}"#,
    ),
    preset(
        "gemma-3-4b",
        "google/gemma-3-4b-it, its text_config",
        r#"{"model_type":"gemma3_text","hidden_size":2560,"intermediate_size":10240,"num_hidden_layers":34,"num_attention_heads":8,"num_key_value_heads":4,"head_dim":256,"vocab_size":262208,"hidden_activation":"gelu_pytorch_tanh","query_pre_attn_scalar":256,"rms_norm_eps":1e-6,"rope_theta":1000000.0,"rope_local_base_freq":10000.0,"rope_scaling":{"rope_type":"linear","factor":8.0},"sliding_window":1024,"sliding_window_pattern":6,"tie_word_embeddings":true,"max_position_embeddings":131072}"#,
    ),
    preset(
        "gemma-3-27b",
        "google/gemma-3-27b-it, its text_config",
        r#"{"model_type":"gemma3_text","hidden_size":5376,"intermediate_size":21504,"num_hidden_layers":62,"num_attention_heads":32,"num_key_value_heads":16,"head_dim":128,"vocab_size":262208,"hidden_activation":"gelu_pytorch_tanh","query_pre_attn_scalar":168,"rms_norm_eps":1e-6,"rope_theta":1000000.0,"rope_local_base_freq":10000.0,"rope_scaling":{"rope_type":"linear","factor":8.0},"sliding_window":1024,"sliding_window_pattern":6,"tie_word_embeddings":true,"max_position_embeddings":131072}"#,
    ),
    preset(
        "phi-4",
        "microsoft/phi-4",
        r#"{"model_type":"phi3","hidden_size":5120,"intermediate_size":17920,"num_hidden_layers":40,"num_attention_heads":40,"num_key_value_heads":10,"vocab_size":100352,"rms_norm_eps":1e-5,"rope_theta":250000,"rope_scaling":null,"sliding_window":null,"tie_word_embeddings":false,"max_position_embeddings":16384}"#,
    ),
    preset(
        "granite-3.3-8b",
        "ibm-granite/granite-3.3-8b-instruct",
        r#"{"model_type":"granite","hidden_size":4096,"intermediate_size":12800,"num_hidden_layers":40,"num_attention_heads":32,"num_key_value_heads":8,"vocab_size":49159,"attention_multiplier":0.0078125,"embedding_multiplier":12.0,"logits_scaling":16.0,"residual_multiplier":0.22,"rms_norm_eps":1e-5,"rope_theta":10000000.0,"rope_scaling":null,"tie_word_embeddings":true,"max_position_embeddings":131072}"#,
    ),
    preset(
        "gpt-oss-20b",
        "openai/gpt-oss-20b",
        r#"{"model_type":"gpt_oss","hidden_size":2880,"intermediate_size":2880,"num_hidden_layers":24,"num_attention_heads":64,"num_key_value_heads":8,"head_dim":64,"vocab_size":201088,"attention_bias":true,"num_local_experts":32,"num_experts_per_tok":4,"hidden_act":"silu","swiglu_limit":7.0,"sliding_window":128,"rms_norm_eps":1e-5,"rope_theta":150000,"rope_scaling":{"rope_type":"yarn","factor":32.0,"beta_fast":32.0,"beta_slow":1.0,"original_max_position_embeddings":4096,"truncate":false},"tie_word_embeddings":false,"max_position_embeddings":131072}"#,
    ),
    preset(
        "gpt-oss-120b",
        "openai/gpt-oss-120b",
        r#"{"model_type":"gpt_oss","hidden_size":2880,"intermediate_size":2880,"num_hidden_layers":36,"num_attention_heads":64,"num_key_value_heads":8,"head_dim":64,"vocab_size":201088,"attention_bias":true,"num_local_experts":128,"num_experts_per_tok":4,"hidden_act":"silu","swiglu_limit":7.0,"sliding_window":128,"rms_norm_eps":1e-5,"rope_theta":150000,"rope_scaling":{"rope_type":"yarn","factor":32.0,"beta_fast":32.0,"beta_slow":1.0,"original_max_position_embeddings":4096,"truncate":false},"tie_word_embeddings":false,"max_position_embeddings":131072}"#,
    ),
    preset(
        "qwen1.5-moe-a2.7b",
        "Qwen/Qwen1.5-MoE-A2.7B",
        r#"{"model_type":"qwen2_moe","hidden_size":2048,"intermediate_size":5632,"moe_intermediate_size":1408,"shared_expert_intermediate_size":5632,"num_hidden_layers":24,"num_attention_heads":16,"num_key_value_heads":16,"vocab_size":151936,"num_experts":60,"num_experts_per_tok":4,"norm_topk_prob":false,"decoder_sparse_step":1,"hidden_act":"silu","rms_norm_eps":1e-6,"rope_theta":1000000.0,"sliding_window":32768,"use_sliding_window":false,"max_window_layers":21,"tie_word_embeddings":false,"max_position_embeddings":8192}"#,
    ),
    preset(
        "qwen3-30b-a3b",
        "Qwen/Qwen3-30B-A3B",
        r#"{"model_type":"qwen3_moe","hidden_size":2048,"intermediate_size":6144,"moe_intermediate_size":768,"num_hidden_layers":48,"num_attention_heads":32,"num_key_value_heads":4,"head_dim":128,"vocab_size":151936,"num_experts":128,"num_experts_per_tok":8,"norm_topk_prob":true,"decoder_sparse_step":1,"mlp_only_layers":[],"rms_norm_eps":1e-6,"rope_theta":1000000.0,"tie_word_embeddings":false,"max_position_embeddings":40960}"#,
    ),
    preset(
        "tiny-moe",
        "made here: experts, sinks and windows that decode in milliseconds on anything",
        r#"{"model_type":"gpt_oss","hidden_size":256,"intermediate_size":256,"num_hidden_layers":4,"num_attention_heads":8,"num_key_value_heads":2,"head_dim":32,"vocab_size":1024,"num_local_experts":16,"num_experts_per_tok":2,"sliding_window":128,"rms_norm_eps":1e-5,"rope_theta":10000.0,"max_position_embeddings":4096}"#,
    ),
];

impl Preset {
    /// Its shape. Errors: never for the presets here, which a test reads one by one.
    pub fn config(&self) -> Result<Config, ConfigError> {
        Config::parse(self.json)
    }
    /// The preset of that name. Errors: the names there are.
    pub fn find(name: &str) -> Result<&'static Self, UnknownModel> {
        PRESETS
            .iter()
            .find(|preset| preset.name == name)
            .ok_or_else(|| UnknownModel(spark_results::machine::clean(name)))
    }
}

/// A name that is no preset's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no model '{0}' is known; choose one of {names} or give a config.json", names = names())]
pub struct UnknownModel(pub String);

fn names() -> String {
    PRESETS.iter().map(|preset| preset.name).collect::<Vec<_>>().join(", ")
}
