//! The ops a decoder is made of, at the shapes of one model and one setting.

use crate::llm::size::ROUTER;
use crate::llm::{Config, Mixture, Storage};
use spark_kernels::attention::{Attention, KvType};
use spark_kernels::embed::Embed;
use spark_kernels::format::Format;
use spark_kernels::format::splitmix::derive;
use spark_kernels::gather::Gather;
use spark_kernels::gemm::{Activations, Gemm};
use spark_kernels::moe::{Experts, Route, Routing, Touched};
use spark_kernels::rmsnorm::RmsNorm;
use spark_kernels::rope::{Rope, Scaling};
use spark_kernels::sample::{Method, Sample};
use spark_kernels::softcap::Softcap;
use spark_kernels::swiglu::SwiGlu;
use spark_kernels::{Backend, Invalid, Op};

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
    /// Rows of one sequence whose tokens may all be chosen in a pass, to verify guesses; 0 where only last rows' are.
    pub verified: usize,
    /// Of the weights and of seeded keys and values.
    pub seed: u64,
    /// Which experts tokens are given to, where there are experts.
    pub routing: Routing,
    /// `best`, or the name of an implementation: see [`choose`](crate::llm::choose).
    pub implementation: String,
}

impl Settings {
    /// The activations that go with weights in `format` where nobody asks for others: int8 with one scale a row for the block
    /// formats, bf16 for fp8, else the weights' own type.
    pub const fn usual_activations(format: Format) -> Activations {
        match format {
            Format::Mxfp4 | Format::Nvfp4 | Format::Q8_0 | Format::Q4_0 => Activations::Int8,
            // E4M3 is exact in bf16, and rounding activations to it as well is another model.
            Format::Fp8 | Format::Bf16 => Activations::Bf16,
            _ => Activations::F32,
        }
    }
    /// Rows that the head works on at most.
    pub fn logit_rows(&self) -> usize {
        self.sequences.max(self.verified)
    }
    /// How the tensors are stored.
    pub fn storage(&self) -> Storage {
        Storage { format: self.format, head: self.head, kv: self.kv }
    }
}

/// The ops of a mixture of experts.
#[derive(Clone, Debug)]
pub struct MixtureOps {
    /// Scores of all experts.
    pub router: Gemm,
    /// Which of them are asked.
    pub route: Route,
    /// How many of them are asked by all tokens together.
    pub touched: Touched,
    /// Gate and up of those.
    pub gate_up: Experts,
    /// Down of those, and their sum.
    pub down: Experts,
}

/// The ops of one model at one setting.
#[derive(Clone, Copy, Debug)]
pub struct Blocks<'a> {
    config: &'a Config,
    settings: &'a Settings,
    backend: Backend,
}

impl<'a> Blocks<'a> {
    /// Of `config`, run as `settings` say.
    pub fn new(config: &'a Config, settings: &'a Settings) -> Self {
        Self { config, settings, backend: Backend::Cpu }
    }
    /// The same on a device of that family.
    pub fn on(self, backend: Backend) -> Self {
        Self { backend, ..self }
    }
    /// What attention's queries and probabilities are rounded to: on a GPU to bf16, as its tensor cores take them, wherever the model's
    /// activations are rounded too and the cache is no finer; else not at all.
    pub fn attention_activations(&self) -> Activations {
        let rounded = self.settings.activations != Activations::F32;
        match (self.backend, self.settings.kv) {
            (Backend::Cuda, KvType::Bf16 | KvType::Fp8) if rounded => Activations::Bf16,
            _ => Activations::F32,
        }
    }
    fn gemm(&self, (n, k): (usize, usize), bias: bool) -> Gemm {
        let Settings { rows, format, activations, .. } = *self.settings;
        Gemm { m: rows, n, k, weights: format, activations, bias }
    }
    /// `op` for a piece of its weights that is stored in `format`, with the activations that usually go with it where the op's do not.
    pub(crate) fn piece(op: &Gemm, format: Format, n: usize) -> Gemm {
        let asked = Gemm { weights: format, n, ..op.clone() };
        if asked.validate().is_ok() {
            return asked;
        }
        Gemm { activations: Settings::usual_activations(format), ..asked }
    }
    /// The same for the projection of experts.
    pub(crate) fn experts(op: &Experts, format: Format) -> Experts {
        let Gemm { weights, activations, .. } = Self::piece(&op.gemm(), format, op.n);
        Experts { weights, activations, ..op.clone() }
    }
    /// Tokens → x.
    pub fn embed(&self) -> Embed {
        let Config { vocab, hidden, embedding_multiplier: multiplier, .. } = *self.config;
        Embed { rows: self.settings.rows, vocab, width: hidden, format: self.settings.head, multiplier }
    }
    /// The norm before the first layer's attention (no residual), or any other, which adds what the block before it gave.
    pub fn norm(&self, residual: bool) -> RmsNorm {
        let Config { hidden, eps, post_norms, residual_multiplier, .. } = *self.config;
        let plain = RmsNorm::plain(self.settings.rows, hidden, residual, eps);
        if residual { RmsNorm { delta_norm: post_norms, multiplier: residual_multiplier, ..plain } } else { plain }
    }
    /// The norm before the head.
    pub fn final_norm(&self) -> RmsNorm {
        RmsNorm { rows: self.settings.logit_rows(), ..self.norm(true) }
    }
    /// q, k and v in one product.
    pub fn qkv(&self) -> Gemm {
        self.gemm(self.config.projections()[0], self.config.qkv_bias)
    }
    /// Positions of q and k, and norms of heads; of layers with a window if `local`.
    pub fn rope(&self, local: bool) -> Rope {
        let Config { heads, kv_heads, head_dim, rotary, theta, qk_norm, eps, .. } = *self.config;
        let Settings { rows, capacity, .. } = *self.settings;
        let scaling = self.config.scaling_of(capacity).clone();
        let rope = Rope { rows, heads, kv_heads, head_dim, rotary, capacity, theta, scaling, qk_norm, eps };
        match self.config.local_theta {
            Some(theta) if local => Rope { theta, scaling: Scaling::None, ..rope },
            _ => rope,
        }
    }
    /// Attention over the cache of one layer; of one with a window if `local`.
    pub fn attention(&self, local: bool) -> Attention {
        let Config { heads, kv_heads, head_dim, sinks, softcap, attention_scale: scale, .. } = *self.config;
        let Settings { rows, capacity, sequences, kv, .. } = *self.settings;
        // The op's cache holds depth + rows tokens of each sequence.
        let depth = capacity.saturating_sub(rows);
        // A window that nothing reaches beyond is none.
        let window = self.config.window.filter(|window| local && *window < capacity);
        Attention {
            rows,
            depth,
            sequences,
            kv,
            window,
            sinks,
            softcap,
            scale,
            activations: self.attention_activations(),
            ..Attention::new(heads, kv_heads, head_dim)
        }
    }
    /// Attention's output projection.
    pub fn output(&self) -> Gemm {
        self.gemm(self.config.projections()[1], self.config.output_bias)
    }
    /// Gate and up in one product; of one expert where there are experts.
    pub fn gate_up(&self) -> Gemm {
        self.gemm(self.config.projections()[2], self.config.mixture.is_some_and(|mixture| mixture.bias))
    }
    /// The gated activation, of every choice of an expert where there are experts.
    pub fn swiglu(&self) -> SwiGlu {
        let rows = self.settings.rows * self.config.blocks().1 as usize;
        SwiGlu { rows, width: self.config.intermediate, gate: self.config.gate }
    }
    /// The feed-forward block's output projection; of one expert where there are experts.
    pub fn down(&self) -> Gemm {
        self.gemm(self.config.projections()[3], self.config.mixture.is_some_and(|mixture| mixture.bias))
    }
    /// The ops that a mixture has in place of gate and up, and down; `layer` seeds a drawn routing.
    pub fn mixture(&self, layer: usize) -> Option<MixtureOps> {
        let mixture @ Mixture { experts, active, normalised, bias, shared } = self.config.mixture?;
        let Settings { rows, routing, seed, .. } = *self.settings;
        let of = |gemm: Gemm, combine| {
            let Gemm { m: rows, n, k, weights, activations, bias } = gemm;
            let (routing, experts, active) = (Routing::Router, mixture.all(), mixture.taken());
            Experts { rows, experts, active, n, k, weights, activations, bias, combine, routing }
        };
        let (n, k, activations) = (mixture.logits(), self.config.hidden, Activations::F32);
        Some(MixtureOps {
            router: Gemm { m: rows, n, k, weights: ROUTER, activations, bias },
            route: Route {
                rows,
                experts,
                active,
                shared,
                normalised,
                routing,
                seed: derive(seed ^ 0x726f_7574, layer as u64),
            },
            touched: Touched { rows, experts: mixture.all(), active: mixture.taken() },
            gate_up: of(self.gate_up(), false),
            down: of(self.down(), true),
        })
    }
    /// Logits of the last token of each sequence.
    pub fn head(&self) -> Gemm {
        let Settings { head, activations, .. } = *self.settings;
        let of = |activations| Gemm {
            m: self.settings.logit_rows(),
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
    /// The logits bent to a range, where the family does that.
    pub fn softcap(&self) -> Option<Softcap> {
        let cap = self.config.logit_softcap?;
        Some(Softcap { rows: self.settings.logit_rows(), width: self.config.vocab, cap })
    }
    /// The last row of each sequence.
    pub fn gather(&self) -> Gather {
        let Settings { rows, sequences, .. } = *self.settings;
        Gather { rows, sequences, width: self.config.hidden }
    }
    /// The next token of each sequence: the largest logit.
    pub fn sample(&self) -> Sample {
        Sample { rows: self.settings.logit_rows(), vocab: self.config.vocab, method: Method::Greedy }
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
        if let Some(MixtureOps { router, route, gate_up, down, .. }) = self.mixture(0) {
            router.validate()?;
            route.validate()?;
            gate_up.validate()?;
            down.validate()?;
        }
        self.norm(true).validate()?;
        for local in [false, true] {
            self.rope(local).validate()?;
            self.attention(local).validate()?;
        }
        self.swiglu().validate()?;
        self.softcap().map_or(Ok(()), |softcap| softcap.validate())?;
        self.sample().validate()
    }
}
