//! Grouped-query causal attention over a key-value cache: prefill and decode.

mod check;
mod layout;
mod reference;
mod scalar;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod flash;
#[cfg(target_arch = "x86_64")]
mod schedule;
#[cfg(target_arch = "x86_64")]
mod strip;

pub use layout::Layout;

use crate::format::synth::synth_f32;
use crate::{
    Arithmetic, AxisValue, Example, Expected, Host, Implementation, Index, Invalid, Live, Op, Shape, Span, Type,
};
use half::bf16;

/// More sequences than any batch has; each takes a span at every call.
const MOST_SEQUENCES: usize = 1 << 20;

/// The number type that keys and values are stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KvType {
    /// binary32, as computed.
    F32,
    /// bfloat16, rounded to nearest even on the way in.
    Bf16,
}

impl KvType {
    /// Every type there is.
    pub const ALL: &'static [KvType] = &[KvType::F32, KvType::Bf16];
    /// Its name in ids.
    pub const fn name(self) -> &'static str {
        match self {
            KvType::F32 => "f32",
            KvType::Bf16 => "bf16",
        }
    }
    /// The element type of the caches.
    pub const fn element(self) -> Type {
        match self {
            KvType::F32 => Type::F32,
            KvType::Bf16 => Type::Bf16,
        }
    }
}

/// Causal attention of new tokens over a cache that they are appended to; `heads / kv_heads` query heads share one key head.
///
/// | operand | type | shape |
/// |---|---|---|
/// | input 0: q, k, v of the new tokens, rotated | f32 | \[rows, (heads + 2·kv_heads)·head_dim\]: all query heads, all key heads, all value heads |
/// | output 0 | f32 | \[rows, heads·head_dim\] |
/// | output 1: key cache, read and appended to | `kv` | see [`Layout::key`] |
/// | output 2: value cache, read and appended to | `kv` | see [`Layout::value`] |
///
/// Span i of [`Live`] is sequence i: its rows stand after those of the spans before it, and its cache holds `past` tokens. Row r
/// of a span sees `past + r + 1` tokens. A call writes the live rows of output 0, the live tokens of the caches, nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}

impl Attention {
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
    /// Elements of one row of input 0.
    pub fn input_row(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_dim
    }
}

#[cfg(target_arch = "x86_64")]
static IMPLEMENTATIONS: &[&dyn Implementation<Attention>] = &[&avx512::Avx512, &avx2::Avx2, &scalar::Scalar];
#[cfg(not(target_arch = "x86_64"))]
static IMPLEMENTATIONS: &[&dyn Implementation<Attention>] = &[&scalar::Scalar];

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
        if sequences > MOST_SEQUENCES {
            return invalid(format!(
                "sequences = {sequences} is more than any batch has; choose at most {MOST_SEQUENCES}"
            ));
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
        axes
    }

    fn arithmetic(&self) -> Arithmetic {
        Arithmetic::F32
    }

    fn flops(&self, live: &Live) -> u64 {
        // Row r sees past + r + 1 tokens: rows·past + rows·(rows + 1)/2 over a span; q·k and p·v are 2·head_dim each.
        let seen: usize = live.spans.iter().map(|s| s.rows * s.past + s.rows * (s.rows + 1) / 2).sum();
        (4 * self.heads * self.head_dim * seen) as u64
    }

    fn bytes(&self, live: &Live) -> u64 {
        let token = 2 * self.kv_heads * self.head_dim * self.kv.element().size();
        let past: usize = live.spans.iter().map(|s| s.past).sum();
        let row = (self.input_row() + self.heads * self.head_dim) * size_of::<f32>() + token;
        (live.rows() * row + past * token) as u64
    }

    fn outputs(&self) -> Vec<Shape> {
        let cache = Shape { of: self.kv.element(), len: self.layout().len() };
        vec![Shape { of: Type::F32, len: self.rows * self.heads * self.head_dim }, cache, cache]
    }

    fn operand_bytes(&self) -> u64 {
        (self.rows * self.input_row() * size_of::<f32>()) as u64
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
            let values = values(self.layout().len(), stream);
            match self.kv {
                KvType::F32 => values.into(),
                KvType::Bf16 => values.into_iter().map(bf16::from_f32).collect::<Vec<_>>().into(),
            }
        };
        Example {
            weights: Vec::new(),
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
        let mut ops = Vec::new();
        for &kv in KvType::ALL {
            let shapes = [
                // rows, depth, heads, kv_heads, head_dim, sequences
                (1, 0, 1, 1, 16, 1),
                (1, 0, 8, 1, 64, 1),
                (1, 1, 4, 4, 64, 1),
                (1, 15, 6, 2, 80, 1),
                (1, 63, 7, 1, 128, 1),
                (1, 64, 8, 1, 128, 1),
                (1, 517, 4, 2, 96, 1),
                (3, 0, 2, 2, 64, 1),
                (3, 130, 5, 1, 48, 1),
                (17, 0, 8, 1, 64, 1),
                (17, 47, 4, 2, 256, 1),
                (65, 0, 2, 1, 64, 1),
                (131, 33, 3, 3, 32, 1),
                (4, 70, 4, 2, 64, 4),
                (7, 29, 6, 3, 64, 3),
                (2, 40, 64, 1, 16, 2),
                (3, 5, 2, 1, 6, 1),
                (5, 100, 3, 1, 10, 2),
            ];
            ops.extend(shapes.map(|(rows, depth, heads, kv_heads, head_dim, sequences)| Self {
                rows,
                depth,
                heads,
                kv_heads,
                head_dim,
                sequences,
                kv,
            }));
        }
        ops
    }
}
