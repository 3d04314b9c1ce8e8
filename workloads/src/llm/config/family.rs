//! The families of decoders: their names, what their files leave out, and what of them is not computed.

use crate::llm::json::{ConfigError, Fields};
use spark_results::machine::clean;

/// The families of decoders that the engine computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Llama 2 and 3.
    Llama,
    /// Mistral, dense: every layer may have a sliding window.
    Mistral,
    /// Qwen2 and Qwen2.5: biases on q, k and v.
    Qwen2,
    /// Qwen2 with experts, among them one that every token is given to as far as a gate of its own says.
    Qwen2Moe,
    /// Qwen3, dense: q and k normalised head by head.
    Qwen3,
    /// Qwen3 with experts.
    Qwen3Moe,
    /// Gemma 2: norms before and behind each block, a window in every other layer, scores and logits bent, a GELU gate.
    Gemma2,
    /// Gemma 3: norms before and behind each block, local and global layers, a GELU gate.
    Gemma3,
    /// Granite 3: multipliers.
    Granite,
    /// Phi-3 and Phi-4: perhaps a part of each head turned.
    Phi3,
    /// gpt-oss: experts, attention sinks, a window in every other layer.
    GptOss,
}

/// What files of a family may leave out, as its own configuration class has it; `None` where it has to be given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usual {
    pub(super) heads: Option<usize>,
    pub(super) kv_heads: Option<usize>,
    pub(super) head_dim: Option<usize>,
    pub(super) vocab: Option<usize>,
    pub(super) eps: f64,
    pub(super) theta: f64,
    pub(super) context: usize,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 11] = [
        Self::Llama,
        Self::Mistral,
        Self::Qwen2,
        Self::Qwen2Moe,
        Self::Qwen3,
        Self::Qwen3Moe,
        Self::Gemma2,
        Self::Gemma3,
        Self::Granite,
        Self::Phi3,
        Self::GptOss,
    ];
    /// Its `model_type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Mistral => "mistral",
            Self::Qwen2 => "qwen2",
            Self::Qwen2Moe => "qwen2_moe",
            Self::Qwen3 => "qwen3",
            Self::Qwen3Moe => "qwen3_moe",
            Self::Gemma2 => "gemma2",
            Self::Gemma3 => "gemma3_text",
            Self::Granite => "granite",
            Self::Phi3 => "phi3",
            Self::GptOss => "gpt_oss",
        }
    }
    /// Whether it is one of Gemma's: norms behind blocks too, 1 more in every gain, embeddings times √hidden, a GELU gate.
    pub const fn is_gemma(self) -> bool {
        matches!(self, Self::Gemma2 | Self::Gemma3)
    }
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, ConfigError> {
        let name = fields.text("model_type")?;
        // With pictures it is called gemma3; its decoder is the same.
        if name == Some("gemma3") {
            return Ok(Self::Gemma3);
        }
        Self::ALL.into_iter().find(|family| Some(family.name()) == name).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|family| family.name()).collect();
            let what = match name {
                Some(name) => format!("'{}' is not computed here", clean(name)),
                None => "is missing".to_owned(),
            };
            ConfigError::field("model_type", &what, &format!("choose one of {}", names.join(", ")))
        })
    }
    pub(super) const fn usual(self) -> Usual {
        let plain = Usual {
            heads: None,
            kv_heads: None,
            head_dim: None,
            vocab: None,
            eps: 1e-6,
            theta: 10_000.0,
            context: 2048,
        };
        match self {
            // Qwen3's own code takes 128, whatever the width.
            Self::Qwen3 => Usual { head_dim: Some(128), ..plain },
            Self::Qwen3Moe => Usual { head_dim: Some(128), context: 32_768, ..plain },
            Self::Qwen2Moe => Usual { context: 32_768, ..plain },
            Self::Gemma2 => Usual {
                heads: Some(8),
                kv_heads: Some(4),
                head_dim: Some(256),
                vocab: Some(256_000),
                context: 8192,
                ..plain
            },
            Self::Gemma3 => Usual {
                heads: Some(8),
                kv_heads: Some(4),
                head_dim: Some(256),
                vocab: Some(262_208),
                theta: 1e6,
                context: 131_072,
                ..plain
            },
            Self::Phi3 => Usual { eps: 1e-5, context: 4096, ..plain },
            Self::GptOss => {
                Usual { head_dim: Some(64), kv_heads: Some(8), eps: 1e-5, theta: 150_000.0, context: 131_072, ..plain }
            }
            _ => plain,
        }
    }

    /// Refuses by name what would change the computation.
    pub(super) fn supports(self, fields: &Fields<'_>) -> Result<(), ConfigError> {
        let acts: &[&str] = if self.is_gemma() { &["gelu_pytorch_tanh"] } else { &["silu"] };
        for name in ["hidden_act", "hidden_activation"] {
            if let Some(act) = fields.text(name)?.filter(|act| !acts.contains(act)) {
                let what = format!("'{}' is not computed for {}", clean(act), self.name());
                return Err(fields.error(name, &what, &format!("choose a model with {}", acts.join(" or "))));
            }
        }
        if fields.flag("mlp_bias")? == Some(true) {
            return Err(fields.error("mlp_bias", "is true", "biases of the feed-forward block are gpt_oss's alone"));
        }
        // Blocks beside the experts are of other families, and so are their names.
        for name in ["shared_expert_intermediate_size", "n_shared_experts", "num_shared_experts"] {
            let own = self == Self::Qwen2Moe && name == "shared_expert_intermediate_size";
            if !own && fields.number(name)?.is_some_and(|number| number != 0.0) {
                let mend = "only qwen2_moe's shared_expert_intermediate_size is computed: choose a model without";
                return Err(fields.error(name, "is not 0", mend));
            }
        }
        for kind in fields.texts("layer_types")? {
            if kind != "full_attention" && kind != "sliding_attention" {
                let what = format!("holds '{}'", clean(kind));
                return Err(fields.error(
                    "layer_types",
                    &what,
                    "every layer has to be full_attention or sliding_attention",
                ));
            }
        }
        Ok(())
    }
}
