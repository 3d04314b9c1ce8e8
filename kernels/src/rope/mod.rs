//! Rotary position embedding of the queries and keys of a fused projection, in place, with optional normalisation of heads.
//!
//! | operand | type | shape |
//! |---|---|---|
//! | inputs\[0\], \[1\] gains of q and k, with `qk_norm` only | f32 | head_dim each |
//! | outputs\[0\] qkv, read and written; v stays as it is | f32 | rows × (heads + 2·kv_heads)·head_dim |
//!
//! Elements i and i + rotary/2 of a head turn by position × frequency i (Hugging Face's `rotate_half` order), those from
//! `rotary` on stay; the position of row r of a span is `past + r`. With `qk_norm` (Qwen3, Gemma 3) each head of q and k is
//! first RMS-normalised over head_dim. The gains are inputs, so that one table serves all layers.

mod cuda;
mod reference;
mod scalar;
mod table;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod vector;

pub use table::Scaling;

use crate::cpu::pool::Pool;
use crate::cpu::share::{nothing, share};
use crate::cpu::variant::{CpuOp, Entry, fits, no_weights, operands, rows_in_use};
use crate::format::splitmix::derive;
use crate::format::synth::synth_f32;
use crate::{
    Arithmetic, AxisValue, Buffer, Example, Expected, Fault, Implementation, Index, Invalid, Io, Live, Op, Shape, Span,
    Type,
};

/// The base of the frequencies in Llama 2 and Mistral, which ids leave out.
pub const USUAL_THETA: f64 = 10_000.0;
/// The eps of Qwen3's head norms, which ids leave out.
pub const USUAL_EPS: f32 = 1e-6;
/// Up to here `math::sin_cos` keeps its accuracy.
pub const MOST_POSITIONS: usize = 1 << 20;

/// The operation at one shape; see the module for its operands.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    /// Rows at most, over all spans.
    pub rows: usize,
    /// Query heads.
    pub heads: usize,
    /// Key heads, and as many value heads.
    pub kv_heads: usize,
    /// Elements a head, even.
    pub head_dim: usize,
    /// Elements of a head that turn, its first ones: even, head_dim in most models.
    pub rotary: usize,
    /// Positions run from 0 to this, exclusive.
    pub capacity: usize,
    /// Base of the frequencies: frequency i is `theta^(-2i / rotary)`.
    pub theta: f64,
    /// How a longer context stretches them.
    pub scaling: Scaling,
    /// Whether heads of q and k are RMS-normalised first.
    pub qk_norm: bool,
    /// Added to the mean of squares of a head; counts with `qk_norm` only.
    pub eps: f32,
}

static IMPLEMENTATIONS: &[&dyn Implementation<Rope>] = &[
    #[cfg(target_arch = "x86_64")]
    &vector::avx512::KERNEL,
    #[cfg(target_arch = "x86_64")]
    &vector::avx2::KERNEL,
    #[cfg(target_arch = "aarch64")]
    &vector::neon::KERNEL,
    &scalar::SCALAR,
    &cuda::NAIVE,
];

impl Rope {
    /// Elements a row of qkv.
    pub fn row(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_dim
    }
    /// Elements a row of q and k together.
    fn turned(&self) -> usize {
        (self.heads + self.kv_heads) * self.head_dim
    }
    /// Whether all positions are in the table. Errors: the first that is not.
    fn within(&self, live: &Live) -> Result<(), Fault> {
        match live.spans.iter().find(|span| span.past + span.rows > self.capacity) {
            None => Ok(()),
            Some(span) => Err(Fault::Device(format!(
                "rope: {} rows after {} do not fit {} positions; prepare it for more",
                span.rows, span.past, self.capacity
            ))),
        }
    }
    /// Elements a row that change: all of q and k where heads are normalised, else what turns.
    fn changed(&self) -> usize {
        (self.heads + self.kv_heads) * if self.qk_norm { self.head_dim } else { self.rotary }
    }
}

impl Op for Rope {
    const NAME: &'static str = "rope";

    fn implementations() -> &'static [&'static dyn Implementation<Self>] {
        IMPLEMENTATIONS
    }
    fn validate(&self) -> Result<(), Invalid> {
        let Self { rows, heads, kv_heads, head_dim, rotary, capacity, theta, eps, .. } = *self;
        let invalid = |what: String| Err(Invalid(format!("rope: {what}")));
        if rows == 0 || heads == 0 || kv_heads == 0 {
            return invalid(format!("rows {rows}, heads {heads} and kv_heads {kv_heads} have to be at least 1"));
        }
        if head_dim == 0 || head_dim % 2 != 0 {
            return invalid(format!("head_dim {head_dim} has to be even and at least 2: elements turn in pairs"));
        }
        if rotary == 0 || rotary % 2 != 0 || rotary > head_dim {
            return invalid(format!("rotary {rotary} has to be even, at least 2 and at most head_dim {head_dim}"));
        }
        if capacity == 0 || capacity > MOST_POSITIONS {
            return invalid(format!("capacity {capacity} has to be 1 to {MOST_POSITIONS} positions"));
        }
        if !(theta.is_finite() && theta >= 1.0) {
            return invalid(format!("theta {theta} has to be finite and at least 1, such as 10000"));
        }
        if self.qk_norm && !(eps.is_finite() && eps >= f32::MIN_POSITIVE) {
            return invalid(format!("eps {eps} has to be positive, such as 1e-6: a head of zeros divides by it"));
        }
        fits(Self::NAME, &[rows, heads, head_dim])?;
        fits(Self::NAME, &[rows, 2 * kv_heads.min(1 << 40), head_dim])?;
        fits(Self::NAME, &[capacity, head_dim])?;
        self.scaling.validate(self.rotary)
    }
    fn axes(&self) -> Vec<(&'static str, AxisValue)> {
        let mut axes = vec![
            ("rows", self.rows.into()),
            ("heads", self.heads.into()),
            ("kv_heads", self.kv_heads.into()),
            ("head_dim", self.head_dim.into()),
            ("capacity", self.capacity.into()),
        ];
        if self.rotary != self.head_dim {
            axes.push(("rotary", self.rotary.into()));
        }
        if self.theta != USUAL_THETA {
            axes.push(("theta", AxisValue::Text(self.theta.to_string())));
        }
        if self.scaling != Scaling::None {
            axes.push(("scaling", AxisValue::Text(self.scaling.to_string())));
        }
        if self.qk_norm {
            axes.push(("qk_norm", "true".into()));
            if self.eps != USUAL_EPS {
                axes.push(("eps", AxisValue::Text(format!("{:e}", self.eps))));
            }
        }
        axes
    }
    fn arithmetic(&self) -> Arithmetic {
        Arithmetic::F32
    }
    /// Four products, a sum and a difference for each pair; square and add, scale and gain before, with `qk_norm`.
    fn flops(&self, live: &Live) -> u64 {
        let each_head = 3 * self.rotary + if self.qk_norm { 4 * self.head_dim } else { 0 };
        (live.rows() * (self.heads + self.kv_heads) * each_head) as u64
    }
    /// What changes of q and k read and written, one row of the table for each row, the gains once.
    fn bytes(&self, live: &Live) -> u64 {
        let gains = if self.qk_norm { 2 * self.head_dim } else { 0 };
        ((live.rows() * (2 * self.changed() + self.rotary) + gains) * 4) as u64
    }
    fn outputs(&self) -> Vec<Shape> {
        vec![Shape { of: Type::F32, len: self.rows * self.row() }]
    }
    fn operand_bytes(&self) -> u64 {
        if self.qk_norm { 2 * self.head_dim as u64 * 4 } else { 0 }
    }
    fn live(&self) -> Live {
        // The first span ends at the last position, the others begin where there is room.
        let mut spans = Vec::new();
        let mut left = self.rows;
        while left > 0 {
            let rows = left.div_ceil(2).min(self.capacity);
            let room = self.capacity - rows;
            spans.push(Span { rows, past: if spans.is_empty() { room } else { room / 3 } });
            left -= rows;
        }
        Live { spans }
    }
    fn example(&self, seed: u64) -> Example {
        // Of one magnitude a head and of random sign: repeated in place, any spread would be raised to a power, and all but a
        // few elements would end as denormals, which are slower than what a model has.
        let gain = |of, size: f32| {
            let signs = synth_f32(self.head_dim, derive(seed, of), 1.0);
            signs.iter().map(|x| size.copysign(*x)).collect::<Vec<_>>().into()
        };
        let inputs = if self.qk_norm { vec![gain(0, 1.25), gain(1, 0.75)] } else { vec![] };
        let qkv = synth_f32(self.rows * self.row(), derive(seed, 2), 1.0);
        Example { weights: vec![], inputs, outputs: vec![qkv.into()], live: self.live() }
    }
    fn reference(&self, example: &Example, indices: &[Index]) -> Vec<Expected> {
        reference::reference(self, example, indices)
    }
    /// In units of u = 2⁻²⁴, relative to |a·cos| + |b·sin| + (|a| + |b|)/128: cosine and sine rounded to f32 1, the products
    /// 1, their sum 1; the angle in f64 is off by at most 2⁻³¹, which the last part of the scale turns into 1. With
    /// `qk_norm`, a and b: squares 1, the sum of at least 16 partial sums ⌈d/16⌉ + 4, ÷ d 1, + eps 1, halved by the root,
    /// which adds 1, the reciprocal 1, and two products.
    fn tolerance(&self) -> f64 {
        let norm = if self.qk_norm { ((self.head_dim.div_ceil(16) + 4 + 3) as f64) / 2.0 + 4.0 } else { 0.0 };
        (4.0 + norm) * 2f64.powi(-24)
    }
    fn nasty() -> Vec<Self> {
        let plain = Self {
            rows: 1,
            heads: 1,
            kv_heads: 1,
            head_dim: 2,
            rotary: 2,
            capacity: 1,
            theta: USUAL_THETA,
            scaling: Scaling::None,
            qk_norm: false,
            eps: USUAL_EPS,
        };
        let llama3 = Scaling::Llama3 { factor: 8.0, low: 1.0, high: 4.0, original: 8192.0 };
        // gpt-oss's own numbers.
        let yarn = Scaling::Yarn {
            factor: 32.0,
            fast: 32.0,
            slow: 1.0,
            original: 4096.0,
            truncate: false,
            magnitude: 1.346_573_590_279_972_7,
        };
        // Of the sizes that Phi-3's have: from about 1 for the fastest to some tens for the slowest.
        let long = |rotary: usize| Scaling::Long {
            factors: (0..rotary / 2).map(|i| 1.08 + 0.6 * (i * i) as f64).collect(),
            magnitude: 1.190_238,
        };
        let mut all = vec![plain.clone()];
        for (rows, heads, kv_heads, head_dim, capacity) in [
            (1, 3, 1, 6, 5),
            (2, 4, 2, 30, 9),
            (5, 2, 2, 34, 3),
            (3, 6, 3, 64, 4096),
            (4, 5, 1, 80, 100),
            (7, 8, 2, 128, 131_072),
        ] {
            let shape = Self { rows, heads, kv_heads, head_dim, rotary: head_dim, capacity, ..plain.clone() };
            // Three quarters, as Phi-4-mini has it, and what that leaves of the smallest heads.
            let rotary = (head_dim * 3 / 8 * 2).max(2);
            all.push(Self { rotary, qk_norm: rows % 2 == 0, ..shape.clone() });
            all.push(Self { rotary, scaling: long(rotary), ..shape.clone() });
            all.push(Self { scaling: yarn.clone(), theta: 1.5e5, ..shape.clone() });
            all.push(Self { qk_norm: true, theta: 1e6, ..shape.clone() });
            all.push(Self { scaling: llama3.clone(), theta: 5e5, ..shape.clone() });
            all.push(shape);
        }
        all.push(Self { rows: 3, capacity: 50, head_dim: 32, rotary: 32, scaling: Scaling::Linear(4.0), ..plain });
        all
    }
}

/// One worker's rows.
#[derive(Debug)]
pub(crate) struct Args<'a> {
    op: &'a Rope,
    table: &'a [f32],
    /// Of q and k, with `qk_norm`.
    gains: Option<[&'a [f32]; 2]>,
    live: &'a Live,
    /// Its first row, counted over all spans.
    first: usize,
    qkv: &'a mut [f32],
}

/// What a head is turned by.
#[derive(Clone, Copy, Debug)]
struct Turn<'a> {
    /// rotary/2.
    cos: &'a [f32],
    /// rotary/2.
    sin: &'a [f32],
    /// head_dim: the gain of the norm that comes first.
    gain: Option<&'a [f32]>,
}

impl Args<'_> {
    /// Runs `turn` on each head of q and k.
    #[inline]
    fn each_head(&mut self, mut turn: impl FnMut(&mut [f32], Turn<'_>)) {
        let (op, half) = (self.op, self.op.rotary / 2);
        let positions = self.live.spans.iter().flat_map(|span| span.past..span.past + span.rows).skip(self.first);
        for (row, position) in self.qkv.chunks_exact_mut(op.row()).zip(positions) {
            let (cos, sin) = self.table[position * op.rotary..][..op.rotary].split_at(half);
            for (i, head) in row[..op.turned()].chunks_exact_mut(op.head_dim).enumerate() {
                let gain = self.gains.map(|gains| gains[usize::from(i >= op.heads)]);
                turn(head, Turn { cos, sin, gain });
            }
        }
    }
}

impl CpuOp for Rope {
    type Args<'a> = Args<'a>;
    /// capacity × (rotary/2 cosines, rotary/2 sines).
    type Ready = Buffer;

    fn ready(&self, weights: &[Buffer], pool: &Pool) -> Result<Buffer, Fault> {
        no_weights(Self::NAME, weights)?;
        table::table(self, pool)
    }
    fn resident(table: &Buffer) -> u64 {
        table.bytes() as u64
    }
    fn run(&self, table: &mut Buffer, pool: &Pool, kernel: Entry<Self>, io: &mut Io<'_>) -> Result<(), Fault> {
        let kernel = kernel.here()?;
        let rows = rows_in_use(Self::NAME, io.live, self.rows)?;
        let live = io.live;
        self.within(live)?;
        let [qkv] = &mut *io.outputs else { return Err(operands(Self::NAME, "one output, qkv")) };
        let gains = match (self.qk_norm, io.inputs) {
            (false, []) => None,
            (true, [q, k]) if q.len() == self.head_dim && k.len() == self.head_dim => Some([q.slice(), k.slice()]),
            _ => {
                let expected = "no inputs, or with qk_norm the gains of q and k, head_dim elements each";
                return Err(operands(Self::NAME, expected));
            }
        };
        let (table, row) = (table.slice::<f32>(), self.row());
        let grain = ((8 << 10) / row).max(1);
        share(pool, (rows, grain), (qkv.slice_mut::<f32>(), nothing()), (row, 0), &|range, qkv, _| {
            kernel.call(&mut Args { op: self, table, gains, live, first: range.start, qkv });
        });
        Ok(())
    }
}
