//! A projection of every expert, of which each token takes a few.
//!
//! | operand | type | shape |
//! |---|---|---|
//! | weights | as [`Gemm`]'s, of experts·n outputs: those of expert 0, then of expert 1 … | |
//! | inputs\[0\] x | f32 | rows × k; with `combine` (rows·active) × k in expert order |
//! | inputs\[1\] ids | u32 | rows × active, those of a row all different |
//! | inputs\[2\] weights of the choices, with `combine` only | f32 | rows × active |
//! | outputs\[0\] y | f32 | (rows·active) × n in expert order; with `combine` rows × n |
//!
//! Expert order is [`Grouping`](super::Grouping)'s: all choices sorted by expert, those of one expert in the order of the
//! tokens. Without `combine` each choice has `x[token] · Wᵀ + bias`; with it each token has the sum of its choices'
//! `weight · (x[choice] · Wᵀ + bias)`. x is rounded as the gemm rounds it.

use super::grouping::touched;
use super::routing::{Draw, Routing};
use crate::cpu::variant::fits;
use crate::format::Format;
use crate::format::splitmix::derive;
use crate::format::synth::synth_f32;
use crate::gemm::{Activations, Gemm};
use crate::{Arithmetic, AxisValue, Example, Expected, Implementation, Index, Invalid, Live, Op, Shape, Type};

/// The operation at one shape; see the module for its operands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Experts {
    /// Tokens at most.
    pub rows: usize,
    /// Experts there are.
    pub experts: usize,
    /// Experts a token is given to.
    pub active: usize,
    /// Outputs of an expert.
    pub n: usize,
    /// Reduction length.
    pub k: usize,
    /// How the weights are stored.
    pub weights: Format,
    /// What x is rounded to before it is multiplied.
    pub activations: Activations,
    /// Whether a bias is added.
    pub bias: bool,
    /// Whether the choices of a token are summed, by their weights.
    pub combine: bool,
    /// The ids of the example, which say how many experts are read; the router's are dealt out evenly.
    pub routing: Routing,
}

impl Experts {
    /// One expert's projection for all tokens that may choose it.
    pub fn gemm(&self) -> Gemm {
        let Self { rows: m, n, k, weights, activations, bias, .. } = *self;
        Gemm { m, n, k, weights, activations, bias }
    }
    /// All experts' projections as one.
    pub fn all(&self) -> Gemm {
        Gemm { n: self.experts.saturating_mul(self.n), ..self.gemm() }
    }
    /// Rows of x a call with so many tokens has.
    pub fn rows_in(&self, tokens: usize) -> usize {
        if self.combine { tokens * self.active } else { tokens }
    }
    /// Rows of y a call with so many tokens has.
    pub fn rows_out(&self, tokens: usize) -> usize {
        if self.combine { tokens } else { tokens * self.active }
    }
    /// The ids of the example's first `tokens` tokens.
    fn ids(&self, tokens: usize) -> Vec<u32> {
        let mut ids = vec![0; tokens * self.active];
        if self.routing == Routing::Router {
            // Dealt out like cards: with as many choices as experts each has one.
            ids.iter_mut().enumerate().for_each(|(choice, id)| *id = (choice % self.experts) as u32);
        } else {
            let draw = Draw::new(self.routing, self.experts, 0);
            ids.chunks_exact_mut(self.active).enumerate().for_each(|(token, ids)| draw.experts(0, token, ids));
        }
        ids
    }
}

impl Op for Experts {
    const NAME: &'static str = "experts";

    fn implementations() -> &'static [&'static dyn Implementation<Self>] {
        crate::gemm::experts()
    }
    fn validate(&self) -> Result<(), Invalid> {
        let Self { rows, experts, active, n, k, .. } = *self;
        if active == 0 || active > experts {
            return Err(Invalid(format!("experts: active {active} has to be 1 to {experts}, the experts there are")));
        }
        if experts > 1 << 20 {
            return Err(Invalid(format!("experts: experts {experts} has to be at most 2^20")));
        }
        self.gemm().validate()?;
        fits(Self::NAME, &[rows, active, n])?;
        fits(Self::NAME, &[rows, active, k])?;
        self.all().validate()
    }
    fn axes(&self) -> Vec<(&'static str, AxisValue)> {
        let mut axes = vec![
            ("activations", self.activations.name().into()),
            ("active", self.active.into()),
            ("experts", self.experts.into()),
            ("format", self.weights.name().into()),
            ("k", self.k.into()),
            ("n", self.n.into()),
            ("rows", self.rows.into()),
        ];
        if self.bias {
            axes.push(("bias", 1.into()));
        }
        if self.combine {
            axes.push(("combine", "yes".into()));
        }
        if self.routing != Routing::Router {
            axes.push(("routing", self.routing.name().into()));
        }
        axes
    }
    fn arithmetic(&self) -> Arithmetic {
        self.gemm().arithmetic()
    }
    /// Two for each multiply-add of the experts that are chosen, and of the sum.
    fn flops(&self, live: &Live) -> u64 {
        let choices = (live.rows() * self.active) as u64;
        2 * choices * self.n as u64 * (self.k as u64 + u64::from(self.combine))
    }
    /// The weights of the experts that the example's ids name, each once, x, y, ids and weights.
    fn bytes(&self, live: &Live) -> u64 {
        let tokens = live.rows();
        let vectors = usize::from(self.weights == Format::Fp8) + usize::from(self.bias);
        let expert = self.n * (self.weights.bytes(self.k) + 4 * vectors);
        let weights =
            touched(&self.ids(tokens), self.experts) * expert + if self.weights == Format::Nvfp4 { 4 } else { 0 };
        let choices = tokens * self.active * if self.combine { 8 } else { 4 };
        (weights + 4 * (self.rows_in(tokens) * self.k + self.rows_out(tokens) * self.n) + choices) as u64
    }
    fn outputs(&self) -> Vec<Shape> {
        vec![Shape { of: Type::F32, len: self.rows_out(self.rows) * self.n }]
    }
    fn operand_bytes(&self) -> u64 {
        let choices = self.rows * self.active * if self.combine { 8 } else { 4 };
        let outputs = self.experts * self.n;
        let vectors = self.weights.scales(outputs) + if self.bias { outputs } else { 0 };
        (outputs * self.weights.bytes(self.k) + 4 * vectors + 4 * self.rows_in(self.rows) * self.k + choices) as u64
    }
    fn live(&self) -> Live {
        Live::one(self.rows, 0)
    }
    fn example(&self, seed: u64) -> Example {
        let weights = Gemm { m: 1, ..self.all() }.example(seed).weights;
        let x = synth_f32(self.rows_in(self.rows) * self.k, derive(seed, 1), 1.0);
        let mut inputs = vec![x.into(), self.ids(self.rows).into()];
        if self.combine {
            // Positive, of the size that softmax gives.
            let spread = 0.2 / self.active as f32;
            let weights = synth_f32(self.rows * self.active, derive(seed, 2), spread);
            inputs.push(weights.iter().map(|w| w.abs() + spread).collect::<Vec<f32>>().into());
        }
        let y = vec![0.0_f32; self.outputs()[0].len];
        Example { weights, inputs, outputs: vec![y.into()], live: self.live() }
    }
    fn reference(&self, example: &Example, indices: &[Index]) -> Vec<Expected> {
        super::reference::experts(self, example, indices)
    }
    /// That of the gemm; the weighted sum adds a product and at most `active` additions, each 2⁻²⁴ of Σ weight · Σ|a·b|.
    fn tolerance(&self) -> f64 {
        let sum = if self.combine { (self.active + 1) as f64 * 2f64.powi(-24) } else { 0.0 };
        self.gemm().tolerance() + 1.01 * sum
    }
    fn nasty() -> Vec<Self> {
        use Activations as A;
        use Format as F;
        let pairs = [
            (F::Mxfp4, A::Int8),
            (F::Mxfp4, A::Int8g32),
            (F::Mxfp4, A::Bf16),
            (F::Nvfp4, A::Int8),
            (F::Nvfp4, A::Nvfp4),
            (F::Q8_0, A::Int8),
            (F::Q4_0, A::Int8g32),
            (F::Fp8, A::Bf16),
            (F::Fp8, A::Fp8),
            (F::Bf16, A::Bf16),
            (F::F32, A::F32),
        ];
        // rows, experts, active, n, k: one token, few rows an expert, many rows an expert, more of both, a tail of outputs.
        let shapes = [
            (1, 1, 1, 16, 32),
            (1, 8, 3, 48, 96),
            (7, 5, 2, 32, 64),
            (50, 4, 2, 64, 544),
            (70, 33, 4, 16, 64),
            (9, 3, 1, 21, 32),
        ];
        let mut all = Vec::new();
        for (at, (weights, activations)) in pairs.into_iter().enumerate() {
            for (of, (rows, experts, active, n, k)) in shapes.into_iter().enumerate() {
                for combine in [false, true] {
                    let routing = Routing::ALL[(at + of) % 3];
                    let bias = (at + of) % 2 == 0;
                    all.push(Self { rows, experts, active, n, k, weights, activations, bias, combine, routing });
                }
            }
        }
        all
    }
}
