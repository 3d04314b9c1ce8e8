//! Grouped-query causal attention over a key-value cache: prefill and decode.

mod append;
mod check;
mod flash_cuda;
mod kv;
mod layout;
mod naive_cuda;
mod nasty;
mod reference;
mod scalar;
mod split_cuda;
mod stored;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_vnni;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod flash;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod panel;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod schedule;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod strip;

pub use kv::KvType;
pub use layout::Layout;
pub use stored::fill_bytes;

use crate::format::synth::synth_f32;
use crate::gemm::Activations;
use crate::{
    Arithmetic, AxisValue, Example, Expected, Host, Implementation, Index, Invalid, Live, Op, Shape, Span, Type,
};
use half::bf16;

/// With more, a dot product of 8 by 16 bits, 127 · 32512 · head_dim, would not fit in 32 bits.
const MOST_INT8_DIM: usize = 512;
/// More sequences than any batch has; each takes a span at every call.
const MOST_SEQUENCES: usize = 1 << 20;

/// Causal attention of new tokens over a cache that they are appended to; `heads / kv_heads` query heads share one key head.
///
/// | operand | type | shape |
/// |---|---|---|
/// | weight 0, with `sinks` only: a score a query head | f32 | \[heads\] |
/// | input 0: q, k, v of the new tokens, rotated | f32 | \[rows, (heads + 2·kv_heads)·head_dim\]: all query heads, all key heads, all value heads |
/// | output 0 | f32 | \[rows, heads·head_dim\] |
/// | output 1: key cache, read and appended to | `kv` | see [`Layout::key`] |
/// | output 2: value cache, read and appended to | `kv` | see [`Layout::value`] |
///
/// Span i of [`Live`] is sequence i: its rows stand after those of the spans before it, and its cache holds `past` tokens. Row r
/// of a span sees `past + r + 1` tokens, with a window the last `window` of them. A score is q·k·scale, with a softcap
/// cap·tanh(q·k·scale ÷ cap); a sink is one more score of the softmax, that no value belongs to. With bf16 `activations` queries are
/// rounded to bf16 first, and each probability may be before its value is multiplied, as tensor cores want them. A call writes the live rows of output 0, the live tokens of the caches, nothing else.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attention {
    /// Most rows (new tokens) of one call, over all sequences together.
    pub rows: usize,
    /// Tokens in each sequence's cache before the call.
    pub depth: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads: a divisor of `heads`.
    pub kv_heads: usize,
    /// Elements of a head: even.
    pub head_dim: usize,
    /// Sequences, each with a cache of its own.
    pub sequences: usize,
    /// What keys and values are stored in.
    pub kv: KvType,
    /// A sliding window: how many tokens a row sees at most, its own among them.
    pub window: Option<usize>,
    /// Whether each query head has a learned score that takes weight from all tokens (gpt-oss).
    pub sinks: bool,
    /// Scores are bent to ±softcap by a tanh (Gemma 2).
    pub softcap: Option<f32>,
    /// What scores are multiplied by, if not 1/√head_dim (Gemma, Granite).
    pub scale: Option<f32>,
    /// What queries and probabilities are rounded to before they are multiplied: f32, which is not at all, or bf16.
    pub activations: Activations,
}

impl Attention {
    /// Plain causal attention of one row of one sequence after nothing, over bf16: what shapes are made of.
    pub const fn new(heads: usize, kv_heads: usize, head_dim: usize) -> Self {
        Self {
            rows: 1,
            depth: 0,
            heads,
            kv_heads,
            head_dim,
            sequences: 1,
            kv: KvType::Bf16,
            window: None,
            sinks: false,
            softcap: None,
            scale: None,
            activations: Activations::F32,
        }
    }
    /// What scores are multiplied by.
    pub fn scale(&self) -> f32 {
        self.scale.unwrap_or_else(|| 1.0 / (self.head_dim as f32).sqrt())
    }
    /// Most tokens a sequence's cache holds: `depth + rows`.
    pub fn capacity(&self) -> usize {
        self.depth.saturating_add(self.rows)
    }
    /// Query heads that share a key head.
    pub fn group(&self) -> usize {
        self.heads / self.kv_heads
    }
    /// Where the caches' elements stand.
    pub fn layout(&self) -> Layout {
        Layout::of(self)
    }
    fn sink_bytes(&self) -> u64 {
        if self.sinks { (self.heads * size_of::<f32>()) as u64 } else { 0 }
    }
    /// Elements of one row of input 0.
    pub fn input_row(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_dim
    }
}

static IMPLEMENTATIONS: &[&dyn Implementation<Attention>] = &[
    #[cfg(target_arch = "x86_64")]
    &avx512_vnni::Avx512Vnni,
    #[cfg(target_arch = "x86_64")]
    &avx512::Avx512,
    #[cfg(target_arch = "x86_64")]
    &avx2::Avx2,
    #[cfg(target_arch = "aarch64")]
    &neon::Neon,
    &scalar::Scalar,
    &flash_cuda::FLASH,
    &split_cuda::SPLIT,
    &naive_cuda::NAIVE,
];

impl Op for Attention {
    const NAME: &'static str = "attention";

    fn implementations() -> &'static [&'static dyn Implementation<Self>] {
        IMPLEMENTATIONS
    }

    fn validate(&self) -> Result<(), Invalid> {
        let Self { rows, heads, kv_heads, head_dim, sequences, .. } = *self;
        let invalid = |what: String| Err(Invalid(what));
        if rows == 0 || heads == 0 || kv_heads == 0 || head_dim == 0 || sequences == 0 {
            return invalid(format!("rows, heads, kv_heads, head_dim and sequences are at least 1: {self:?}"));
        }
        if !heads.is_multiple_of(kv_heads) {
            return invalid(format!(
                "heads = {heads} is no multiple of kv_heads = {kv_heads}; choose a divisor of heads"
            ));
        }
        if !head_dim.is_multiple_of(2) {
            return invalid(format!("head_dim = {head_dim} is odd; choose an even one"));
        }
        if self.kv == KvType::Int8 && !(head_dim.is_multiple_of(4) && head_dim <= MOST_INT8_DIM) {
            return invalid(format!(
                "head_dim = {head_dim} with an int8 cache; choose a multiple of 4 up to {MOST_INT8_DIM}, or another cache"
            ));
        }
        if self.kv == KvType::Fp8 && !head_dim.is_multiple_of(4) {
            return invalid(format!(
                "head_dim = {head_dim} with an fp8 cache; choose a multiple of 4, or another cache"
            ));
        }
        if !matches!(self.activations, Activations::F32 | Activations::Bf16) {
            return invalid(format!("activations = {}; attention takes f32 or bf16", self.activations));
        }
        if sequences > MOST_SEQUENCES {
            return invalid(format!(
                "sequences = {sequences} is more than any batch has; choose at most {MOST_SEQUENCES}"
            ));
        }
        if self.window == Some(0) {
            return invalid("window = 0: a row sees at least itself; choose at least 1, or no window".to_owned());
        }
        for (name, factor) in [("softcap", self.softcap), ("scale", self.scale)] {
            // A normal number, so that neither it nor its inverse overflows a score.
            if factor.is_some_and(|factor| !(1e-30..=1e30).contains(&factor)) {
                return invalid(format!("{name} = {factor:?}; choose one from 1e-30 to 1e30, or none"));
            }
        }
        // Every count below has to fit: the cache, the rows of q, k and v, and 4 operations an element of head and token seen.
        let product = |parts: &[usize]| parts.iter().try_fold(1, |all: usize, part| all.checked_mul(*part));
        let width = heads.saturating_add(kv_heads.saturating_mul(2));
        let cache = product(&[self.capacity().saturating_add(16), kv_heads, head_dim, sequences, 8]);
        let operands = product(&[rows, width, head_dim, 16]);
        let flops = product(&[rows, self.capacity().saturating_add(1), heads, head_dim, 4]);
        if [cache, operands, flops].iter().any(|count| count.is_none_or(|count| count > isize::MAX as usize)) {
            return invalid(format!(
                "a shape that cannot be addressed: {self:?}; choose a smaller depth or fewer rows"
            ));
        }
        Ok(())
    }

    fn axes(&self) -> Vec<(&'static str, AxisValue)> {
        let phase = if self.rows / self.sequences == 1 { "decode" } else { "prefill" };
        let mut axes = vec![
            ("depth", self.depth.into()),
            ("head_dim", self.head_dim.into()),
            ("heads", self.heads.into()),
            ("kv", self.kv.name().into()),
            ("kv_heads", self.kv_heads.into()),
            ("phase", phase.into()),
            ("rows", self.rows.into()),
        ];
        if self.sequences != 1 {
            axes.push(("sequences", self.sequences.into()));
        }
        // What most models have not is left out of ids.
        if let Some(window) = self.window {
            axes.push(("window", window.into()));
        }
        if self.sinks {
            axes.push(("sinks", "yes".into()));
        }
        for (name, factor) in [("softcap", self.softcap), ("scale", self.scale)] {
            axes.extend(factor.map(|factor| (name, factor.to_string().as_str().into())));
        }
        if self.activations != Activations::F32 {
            axes.push(("activations", self.activations.to_string().as_str().into()));
        }
        axes
    }

    fn arithmetic(&self) -> Arithmetic {
        if self.activations == Activations::Bf16 { Arithmetic::Bf16 } else { Arithmetic::F32 }
    }

    fn flops(&self, live: &Live) -> u64 {
        // Row r sees past + r + 1 tokens, at most the window: the first `rising` rows less than it. q·k and p·v are 2·head_dim each.
        let window = self.window.unwrap_or(usize::MAX);
        let seen = |span: &Span| {
            let rising = window.saturating_sub(span.past).min(span.rows);
            let rest = if rising < span.rows { (span.rows - rising) * window } else { 0 };
            rising * span.past + rising * (rising + 1) / 2 + rest
        };
        (4 * self.heads * self.head_dim * live.spans.iter().map(seen).sum::<usize>()) as u64
    }

    fn bytes(&self, live: &Live) -> u64 {
        let token = 2 * self.kv_heads * self.kv.bytes(self.head_dim);
        // Of the past, the first row's window reaches furthest.
        let before = self.window.map_or(usize::MAX, |window| window - 1);
        let past: usize = live.spans.iter().filter(|s| s.rows > 0).map(|s| s.past.min(before)).sum();
        let row = (self.input_row() + self.heads * self.head_dim) * size_of::<f32>() + token;
        (live.rows() * row + past * token) as u64 + self.sink_bytes()
    }

    fn outputs(&self) -> Vec<Shape> {
        let cache = Shape { of: self.kv.element(), len: self.layout().len() };
        vec![Shape { of: Type::F32, len: self.rows * self.heads * self.head_dim }, cache, cache]
    }

    fn operand_bytes(&self) -> u64 {
        (self.rows * self.input_row() * size_of::<f32>()) as u64 + self.sink_bytes()
    }

    fn live(&self) -> Live {
        // Rows are dealt to the sequences evenly, the first ones take what is left.
        let rows = |sequence| self.rows / self.sequences + usize::from(sequence < self.rows % self.sequences);
        Live { spans: (0..self.sequences).map(|i| Span { rows: rows(i), past: self.depth }).collect() }
    }

    fn example(&self, seed: u64) -> Example {
        // A deviation of 1 in q, k and v gives scores of deviation 1 after the division by √head_dim, as trained models have.
        let values = |len: usize, stream: u64| synth_f32(len, seed.wrapping_mul(4).wrapping_add(stream), 1.0);
        let cache = |stream| -> Host {
            let values = values(self.sequences * self.kv_heads * self.layout().slots() * self.head_dim, stream);
            match self.kv {
                KvType::F32 => values.into(),
                KvType::Bf16 => values.into_iter().map(bf16::from_f32).collect::<Vec<_>>().into(),
                KvType::Int8 | KvType::Fp8 => {
                    let mut cache = vec![0; self.layout().len()];
                    fill_bytes(self.kv, &mut cache, self.head_dim, stream == 2, |token, row| {
                        row.copy_from_slice(&values[token * self.head_dim..][..self.head_dim]);
                    });
                    cache.into()
                }
            }
        };
        Example {
            weights: if self.sinks { vec![values(self.heads, 0).into()] } else { Vec::new() },
            inputs: vec![values(self.rows * self.input_row(), 1).into()],
            outputs: vec![vec![0.0_f32; self.rows * self.heads * self.head_dim].into(), cache(2), cache(3)],
            live: self.live(),
        }
    }

    fn reference(&self, example: &Example, indices: &[Index]) -> Vec<Expected> {
        reference::expected(self, example, indices)
    }

    fn tolerance(&self) -> f64 {
        reference::tolerance(self)
    }

    fn nasty() -> Vec<Self> {
        nasty::shapes()
    }
}
