//! The ops a decoder is made of, at the shapes of one model and one setting.

use crate::llm::{Config, Storage};
use spark_kernels::attention::{Attention, KvType};
use spark_kernels::embed::Embed;
use spark_kernels::format::Format;
use spark_kernels::gemm::{Activations, Gemm};
use spark_kernels::rmsnorm::RmsNorm;
use spark_kernels::rope::Rope;
use spark_kernels::sample::{Method, Sample};
use spark_kernels::swiglu::{Gate, SwiGlu};
use spark_kernels::{Invalid, Op};

/// How a model is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Format of the projections of every layer.
    pub format: Format,
    /// Format of the embedding and the head.
    pub head: Format,
    /// What the projections' inputs are rounded to.
    pub activations: Activations,
    /// Type of the cached keys and values.
    pub kv: KvType,
    /// Most rows (tokens) of one pass.
    pub rows: usize,
    /// Most tokens of a sequence.
    pub capacity: usize,
    /// Sequences, each with keys and values of its own.
    pub sequences: usize,
    /// Of the weights and of seeded keys and values.
    pub seed: u64,
    /// `best`, or the name of an implementation: see [`choose`](crate::llm::choose).
    pub implementation: String,
}

impl Settings {
    /// The activations that go with weights in `format` where nobody asks for others: int8 with one scale a row for the block
    /// formats, else the weights' own type.
    pub const fn usual_activations(format: Format) -> Activations {
        match format {
            Format::Mxfp4 | Format::Nvfp4 | Format::Q8_0 | Format::Q4_0 => Activations::Int8,
            Format::Bf16 => Activations::Bf16,
            Format::F16 | Format::F32 => Activations::F32,
        }
    }
    /// How the tensors are stored.
    pub fn storage(&self) -> Storage {
        Storage { format: self.format, head: self.head, kv: self.kv }
    }
}

/// The ops of one model at one setting.
#[derive(Clone, Copy, Debug)]
pub struct Blocks<'a> {
    config: &'a Config,
    settings: &'a Settings,
}

impl<'a> Blocks<'a> {
    /// Of `config`, run as `settings` say.
    pub fn new(config: &'a Config, settings: &'a Settings) -> Self {
        Self { config, settings }
    }
    fn gemm(&self, (n, k): (usize, usize), bias: bool) -> Gemm {
        let Settings { rows, format, activations, .. } = *self.settings;
        Gemm { m: rows, n, k, weights: format, activations, bias }
    }
    /// Tokens → x.
    pub fn embed(&self) -> Embed {
        let Config { vocab, hidden, .. } = *self.config;
        Embed { rows: self.settings.rows, vocab, width: hidden, format: self.settings.head, multiplier: 1.0 }
    }
    /// The norm before the first layer's attention (no residual), or any other.
    pub fn norm(&self, residual: bool) -> RmsNorm {
        RmsNorm::plain(self.settings.rows, self.config.hidden, residual, self.config.eps)
    }
    /// The norm before the head.
    pub fn final_norm(&self) -> RmsNorm {
        RmsNorm { rows: self.settings.sequences, ..self.norm(true) }
    }
    /// q, k and v in one product.
    pub fn qkv(&self) -> Gemm {
        self.gemm(self.config.projections()[0], self.config.qkv_bias)
    }
    /// Positions of q and k, and Qwen3's head norms.
    pub fn rope(&self) -> Rope {
        let Config { heads, kv_heads, head_dim, theta, scaling, qk_norm, eps, .. } = *self.config;
        let Settings { rows, capacity, .. } = *self.settings;
        Rope { rows, heads, kv_heads, head_dim, rotary: head_dim, capacity, theta, scaling, qk_norm, eps }
    }
    /// Attention over the cache of one layer.
    pub fn attention(&self) -> Attention {
        let Config { heads, kv_heads, head_dim, .. } = *self.config;
        let Settings { rows, capacity, sequences, kv, .. } = *self.settings;
        // The op's cache holds depth + rows tokens of each sequence.
        let depth = capacity.saturating_sub(rows);
        Attention { rows, depth, sequences, kv, ..Attention::new(heads, kv_heads, head_dim) }
    }
    /// Attention's output projection.
    pub fn output(&self) -> Gemm {
        self.gemm(self.config.projections()[1], false)
    }
    /// Gate and up in one product.
    pub fn gate_up(&self) -> Gemm {
        self.gemm(self.config.projections()[2], false)
    }
    /// The gated activation.
    pub fn swiglu(&self) -> SwiGlu {
        SwiGlu { rows: self.settings.rows, width: self.config.intermediate, gate: Gate::Silu }
    }
    /// The feed-forward block's output projection.
    pub fn down(&self) -> Gemm {
        self.gemm(self.config.projections()[3], false)
    }
    /// Logits of the last token of each sequence.
    pub fn head(&self) -> Gemm {
        let Settings { head, activations, sequences, .. } = *self.settings;
        let of = |activations| Gemm {
            m: sequences,
            n: self.config.vocab,
            k: self.config.hidden,
            weights: head,
            activations,
            bias: false,
        };
        // What the layers take may not go with the head's format: then the head takes what usually goes with it.
        let asked = of(activations);
        if asked.validate().is_ok() { asked } else { of(Settings::usual_activations(head)) }
    }
    /// The next token of each sequence: the largest logit.
    pub fn sample(&self) -> Sample {
        Sample { rows: self.settings.sequences, vocab: self.config.vocab, method: Method::Greedy }
    }
    /// Checks every shape. Errors: the first op that cannot be, in its own words, or too few tokens.
    pub fn validate(&self) -> Result<(), Invalid> {
        let (capacity, context) = (self.settings.capacity, self.config.context);
        if capacity > context {
            return Err(Invalid(format!(
                "{capacity} tokens a sequence exceed the model's context of {context}; ask for fewer"
            )));
        }
        self.embed().validate()?;
        for gemm in [self.qkv(), self.output(), self.gate_up(), self.down(), self.head()] {
            gemm.validate()?;
        }
        self.norm(true).validate()?;
        self.rope().validate()?;
        self.attention().validate()?;
        self.swiglu().validate()?;
        self.sample().validate()
    }
}
