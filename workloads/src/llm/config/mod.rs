//! The shape of a decoder, read from a Hugging Face `config.json` and doubted throughout.

mod attention;
mod family;
mod mixture;

pub use crate::llm::json::ConfigError;
pub use family::Family;
pub use mixture::Mixture;

use crate::llm::json::{Fields, Largest};
use serde_json::Value;
use spark_kernels::rope::Scaling;
use spark_kernels::swiglu::Gate;

/// The shape of a decoder. Every size is at least 1 and every product of them fits in a u64: only [`Config::parse`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Which blocks it is made of.
    pub family: Family,
    /// Elements of the residual stream.
    pub hidden: usize,
    /// Width of the feed-forward block; of one expert where there are experts.
    pub intermediate: usize,
    /// Layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads: a divisor of `heads`.
    pub kv_heads: usize,
    /// Elements of a head: even.
    pub head_dim: usize,
    /// Elements of a head that positions turn: even.
    pub rotary: usize,
    /// Tokens there are.
    pub vocab: usize,
    /// Added to the mean of squares in every norm.
    pub eps: f32,
    /// Base of the rotary frequencies.
    pub theta: f64,
    /// How they are stretched for long contexts.
    pub scaling: Scaling,
    /// How they are stretched in place of that where sequences may have more tokens than this (longrope).
    pub long_scaling: Option<(usize, Scaling)>,
    /// Base of the frequencies of layers with a window, unscaled, where it is another (Gemma 3).
    pub local_theta: Option<f64>,
    /// Tokens that a layer with a window sees.
    pub window: Option<usize>,
    /// Which layers have it; one flag a layer.
    pub windowed: Vec<bool>,
    /// Whether the head multiplies with the embedding table.
    pub tied: bool,
    /// Most tokens a sequence may have.
    pub context: usize,
    /// Whether q, k and v have biases.
    pub qkv_bias: bool,
    /// Whether attention's output projection has a bias.
    pub output_bias: bool,
    /// Whether heads of q and k are RMS-normalised.
    pub qk_norm: bool,
    /// Whether attention and feed-forward block have a norm behind them too (Gemma).
    pub post_norms: bool,
    /// Whether norms multiply with 1 + their weight (Gemma).
    pub unit_offset: bool,
    /// Whether each query head has a score that no token belongs to (gpt-oss).
    pub sinks: bool,
    /// What scores are multiplied with, where it is not 1/√head_dim.
    pub attention_scale: Option<f32>,
    /// What scores are bent to by a tanh.
    pub softcap: Option<f32>,
    /// What logits are bent to by a tanh.
    pub logit_softcap: Option<f32>,
    /// What embeddings are multiplied with.
    pub embedding_multiplier: f32,
    /// What a block's result is multiplied with before it is added (Granite).
    pub residual_multiplier: f32,
    /// What logits are divided by (Granite).
    pub logits_scaling: f32,
    /// How gate and up become one.
    pub gate: Gate,
    /// Experts in place of the feed-forward block.
    pub mixture: Option<Mixture>,
    /// What the file says and the engine does not follow, each in a sentence.
    pub notes: Vec<String>,
}

/// No size in a config is taken beyond this: the products of three still fit in a u64.
const LARGEST_SIZE: usize = 1 << 20;
/// Layers of the deepest decoder taken.
const LARGEST_DEPTH: usize = 1 << 12;
/// A model of more parameters is a lie.
const LARGEST_MODEL: u64 = 1 << 44;

impl Config {
    /// Reads the text of a `config.json`. Errors: no JSON, a field that is missing, no number, or cannot be, a feature that
    /// the engine does not compute; each with the field and the mend.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let value: Value = serde_json::from_str(text).map_err(|e| ConfigError::file(&format!("is no JSON: {e}")))?;
        let Value::Object(map) = &value else {
            return Err(ConfigError::file("is JSON, but no object"));
        };
        let fields = Fields::new(map, "");
        let family = Family::read(&fields)?;
        // A model that sees pictures keeps its decoder's shape inside.
        match fields.object("text_config")? {
            Some(inner) if family == Family::Gemma3 => Self::read(family, &Fields::new(inner, "text_config.")),
            _ => Self::read(family, &fields),
        }
    }

    fn read(family: Family, fields: &Fields<'_>) -> Result<Self, ConfigError> {
        family.supports(fields)?;
        let usual = family.usual();
        let size =
            |name: &str, usual: Option<usize>, largest| match (fields.optional_size(name, Largest(largest))?, usual) {
                (Some(size), _) | (None, Some(size)) => Ok(size),
                (None, None) => fields.size(name, Largest(largest)),
            };
        let heads = size("num_attention_heads", usual.heads, LARGEST_SIZE)?;
        let hidden = size("hidden_size", None, LARGEST_SIZE)?;
        let head_dim = match (fields.optional_size("head_dim", Largest(1 << 13))?, usual.head_dim) {
            (Some(head_dim), _) | (None, Some(head_dim)) => head_dim,
            (None, None) if hidden.is_multiple_of(heads) => hidden / heads,
            (None, None) => {
                let what = format!("{hidden} is no multiple of num_attention_heads {heads}");
                return Err(fields.error("hidden_size", &what, "give head_dim, or a width that divides"));
            }
        };
        if head_dim % 2 != 0 {
            let what = format!("{head_dim} is odd");
            return Err(fields.error("head_dim", &what, "positions turn pairs: make it even"));
        }
        let kv_heads = size("num_key_value_heads", Some(usual.kv_heads.unwrap_or(heads)), LARGEST_SIZE)?;
        if !heads.is_multiple_of(kv_heads) {
            let what = format!("{kv_heads} does not divide num_attention_heads {heads}");
            return Err(fields.error("num_key_value_heads", &what, "choose a divisor"));
        }
        if heads.saturating_mul(head_dim) > LARGEST_SIZE {
            let what = format!("{heads} × head_dim {head_dim} exceeds {LARGEST_SIZE}");
            return Err(fields.error("num_attention_heads", &what, "choose fewer or smaller heads"));
        }
        let layers = size("num_hidden_layers", None, LARGEST_DEPTH)?;
        let rotary = attention::rotary(family, fields, head_dim)?;
        let context = fields.optional_size("max_position_embeddings", Largest(1 << 40))?.unwrap_or(usual.context);
        let positions = crate::llm::position::read(fields, "full_attention", usual.theta, (context, rotary))?;
        let moe = matches!(family, Family::Qwen2Moe | Family::Qwen3Moe);
        let width = if moe { "moe_intermediate_size" } else { "intermediate_size" };
        let biased = fields.flag("attention_bias")?.unwrap_or(family == Family::GptOss);
        let qwen2 = matches!(family, Family::Qwen2 | Family::Qwen2Moe);
        let number = |name: &str| fields.positive(name, 1e9).map(|number| number.unwrap_or(1.0) as f32);
        let (scale, softcap) = attention::scores(family, fields, head_dim)?;
        let intermediate = size(width, None, LARGEST_SIZE)?;
        let mixture = Mixture::read(family, fields, intermediate)?;
        let mut config = Self {
            family,
            hidden,
            intermediate,
            layers,
            heads,
            kv_heads,
            head_dim,
            rotary,
            vocab: size("vocab_size", usual.vocab, 1 << 22)?,
            // Defaults are those of Hugging Face's own configuration classes.
            eps: fields.positive("rms_norm_eps", 1e-1)?.unwrap_or(usual.eps) as f32,
            theta: positions.theta,
            scaling: positions.scaling,
            long_scaling: positions.long,
            local_theta: attention::local_theta(family, fields, (context, rotary))?,
            window: None,
            windowed: vec![false; layers],
            tied: fields.flag("tie_word_embeddings")?.unwrap_or(family.is_gemma()),
            context,
            // Qwen2 has these three whatever the field says.
            qkv_bias: qwen2 || biased,
            output_bias: !qwen2 && biased,
            qk_norm: matches!(family, Family::Qwen3 | Family::Qwen3Moe | Family::Gemma3),
            post_norms: family.is_gemma(),
            unit_offset: family.is_gemma(),
            sinks: family == Family::GptOss,
            attention_scale: scale,
            softcap,
            logit_softcap: attention::softcap(family, fields, "final_logit_softcapping", 30.0)?,
            embedding_multiplier: match family {
                Family::Gemma2 | Family::Gemma3 => (hidden as f32).sqrt(),
                Family::Granite => number("embedding_multiplier")?,
                _ => 1.0,
            },
            residual_multiplier: if family == Family::Granite { number("residual_multiplier")? } else { 1.0 },
            logits_scaling: if family == Family::Granite { number("logits_scaling")? } else { 1.0 },
            gate: match family {
                Family::Gemma2 | Family::Gemma3 => Gate::GeluTanh,
                Family::GptOss => Gate::Clamped { limit: fields.positive("swiglu_limit", 1e9)?.unwrap_or(7.0) as f32 },
                _ => Gate::Silu,
            },
            mixture,
            notes: Vec::new(),
        };
        config.read_window(fields)?;
        let parameters = config.param_count();
        if parameters > LARGEST_MODEL {
            let what = format!("the sizes together make {parameters} parameters, more than 2^44");
            return Err(ConfigError::file(&what));
        }
        Ok(config)
    }

    /// How frequencies are stretched where a sequence may have so many tokens: what stands in a cache was turned once, so that the
    /// choice is made for a run and not for a step.
    pub fn scaling_of(&self, capacity: usize) -> &Scaling {
        match &self.long_scaling {
            Some((most, long)) if capacity > *most => long,
            _ => &self.scaling,
        }
    }

    /// Tokens that `layer` sees at most, of `context` there are.
    pub fn seen(&self, layer: usize, context: usize) -> usize {
        match self.window {
            Some(window) if self.windowed[layer] => window.min(context),
            _ => context,
        }
    }
}
