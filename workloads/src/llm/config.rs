//! The shape of a decoder, read from a Hugging Face `config.json` and doubted throughout.

use crate::llm::json::{Fields, Largest};
use serde_json::Value;
use spark_kernels::rope::Scaling;

pub use crate::llm::json::ConfigError;

/// The families of decoders that the engine computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Llama 2 and 3.
    Llama,
    /// Mistral, dense.
    Mistral,
    /// Qwen2 and Qwen2.5: biases on q, k and v.
    Qwen2,
    /// Qwen3, dense: q and k normalised head by head.
    Qwen3,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 4] = [Self::Llama, Self::Mistral, Self::Qwen2, Self::Qwen3];
    /// Its `model_type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Mistral => "mistral",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
        }
    }
}

/// The shape of a decoder. Every size is at least 1 and every product of them fits in a u64: only [`Config::parse`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Which blocks it is made of.
    pub family: Family,
    /// Elements of the residual stream.
    pub hidden: usize,
    /// Width of the feed-forward block.
    pub intermediate: usize,
    /// Layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads: a divisor of `heads`.
    pub kv_heads: usize,
    /// Elements of a head: even.
    pub head_dim: usize,
    /// Tokens there are.
    pub vocab: usize,
    /// Added to the mean of squares in every norm.
    pub eps: f32,
    /// Base of the rotary frequencies.
    pub theta: f64,
    /// How they are stretched for long contexts.
    pub scaling: Scaling,
    /// Whether the head multiplies with the embedding table.
    pub tied: bool,
    /// Most tokens a sequence may have.
    pub context: usize,
    /// Whether q, k and v have biases (Qwen2).
    pub qkv_bias: bool,
    /// Whether heads of q and k are RMS-normalised (Qwen3).
    pub qk_norm: bool,
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
        let family = family(&fields)?;
        supported(&fields, family)?;
        let size = |name, largest| fields.size(name, Largest(largest));
        let heads = size("num_attention_heads", LARGEST_SIZE)?;
        let hidden = size("hidden_size", LARGEST_SIZE)?;
        let head_dim = match fields.optional_size("head_dim", Largest(1 << 13))? {
            Some(head_dim) => head_dim,
            // Qwen3's own code takes 128, whatever the width.
            None if family == Family::Qwen3 => 128,
            None if hidden.is_multiple_of(heads) => hidden / heads,
            None => {
                let what = format!("{hidden} is no multiple of num_attention_heads {heads}");
                return Err(ConfigError::field("hidden_size", &what, "give head_dim, or a width that divides"));
            }
        };
        if head_dim % 2 != 0 {
            return Err(ConfigError::field(
                "head_dim",
                &format!("{head_dim} is odd"),
                "positions turn pairs: make it even",
            ));
        }
        let kv_heads = fields.optional_size("num_key_value_heads", Largest(LARGEST_SIZE))?.unwrap_or(heads);
        if !heads.is_multiple_of(kv_heads) {
            let what = format!("{kv_heads} does not divide num_attention_heads {heads}");
            return Err(ConfigError::field("num_key_value_heads", &what, "choose a divisor"));
        }
        if heads.saturating_mul(head_dim) > LARGEST_SIZE {
            let what = format!("{heads} × head_dim {head_dim} exceeds {LARGEST_SIZE}");
            return Err(ConfigError::field("num_attention_heads", &what, "choose fewer or smaller heads"));
        }
        let (theta, scaling) = crate::llm::position::read(&fields)?;
        let mut config = Self {
            family,
            hidden,
            intermediate: size("intermediate_size", LARGEST_SIZE)?,
            layers: size("num_hidden_layers", LARGEST_DEPTH)?,
            heads,
            kv_heads,
            head_dim,
            vocab: size("vocab_size", 1 << 22)?,
            // Defaults are those of Hugging Face's own configuration classes.
            eps: fields.positive("rms_norm_eps", 1e-1)?.unwrap_or(1e-6) as f32,
            theta,
            scaling,
            tied: fields.flag("tie_word_embeddings")?.unwrap_or(false),
            context: fields.optional_size("max_position_embeddings", Largest(1 << 40))?.unwrap_or(2048),
            qkv_bias: family == Family::Qwen2,
            qk_norm: family == Family::Qwen3,
            notes: Vec::new(),
        };
        config.window(&fields)?;
        let parameters = config.param_count();
        if parameters > LARGEST_MODEL {
            let what = format!("the sizes together make {parameters} parameters, more than 2^44");
            return Err(ConfigError::file(&what));
        }
        Ok(config)
    }

    /// A window that is shorter than the context limits the context instead: up to there it changes nothing.
    fn window(&mut self, fields: &Fields<'_>) -> Result<(), ConfigError> {
        let Some(window) = fields.optional_size("sliding_window", Largest(1 << 40))? else { return Ok(()) };
        if fields.flag("use_sliding_window")? == Some(false) {
            self.notes.push(format!("sliding_window {window} is switched off by use_sliding_window"));
        } else if window >= self.context {
            self.notes.push(format!("sliding_window {window} is not shorter than the context and changes nothing"));
        } else {
            self.notes.push(format!("sliding_window {window} limits the context, which would be {}", self.context));
            self.context = window;
        }
        Ok(())
    }
}

fn family(fields: &Fields<'_>) -> Result<Family, ConfigError> {
    let name = fields.text("model_type")?;
    Family::ALL.into_iter().find(|family| Some(family.name()) == name).ok_or_else(|| {
        let names: Vec<_> = Family::ALL.iter().map(|family| family.name()).collect();
        let what = match name {
            Some(name) => format!("'{}' is not computed here", spark_results::machine::clean(name)),
            None => "is missing".to_owned(),
        };
        ConfigError::field("model_type", &what, &format!("choose one of {}", names.join(", ")))
    })
}

/// Refuses by name what would change the computation.
fn supported(fields: &Fields<'_>, family: Family) -> Result<(), ConfigError> {
    if let Some(act) = fields.text("hidden_act")?.filter(|act| *act != "silu") {
        let what = format!("'{}' is not computed here", spark_results::machine::clean(act));
        return Err(ConfigError::field("hidden_act", &what, "choose a model with silu"));
    }
    // Qwen2 has its three biases whatever this field says; in the others it would add a fourth.
    for name in ["attention_bias", "mlp_bias"] {
        if fields.flag(name)? == Some(true) && !(name == "attention_bias" && family == Family::Qwen2) {
            let mend = "biases are computed for qwen2 (q, k, v) alone: choose a model without";
            return Err(ConfigError::field(name, "is true", mend));
        }
    }
    if fields.positive("partial_rotary_factor", 1e6)?.is_some_and(|factor| factor != 1.0) {
        return Err(ConfigError::field("partial_rotary_factor", "is not 1", "choose a model that turns whole heads"));
    }
    for kind in fields.texts("layer_types")? {
        if kind != "full_attention" && kind != "sliding_attention" {
            let what = format!("holds '{}'", spark_results::machine::clean(kind));
            return Err(ConfigError::field("layer_types", &what, "every layer has to be full_attention"));
        }
    }
    Ok(())
}
