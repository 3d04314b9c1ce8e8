//! Choosing the next token from its logits: the largest, or a seeded draw from the most probable ones.
//!
//! | operand | type | shape |
//! |---|---|---|
//! | inputs\[0\] logits | f32 | rows × vocab |
//! | outputs\[0\] tokens | u32 | rows |
//!
//! Greedy takes the largest logit, the lowest index among equals. NaN never wins; a row of nothing but NaN is a fault.
//! How a draw is made, so that every instruction set, thread count and platform draws the same token: see [`Method::TopP`].

mod cuda;
mod nucleus;
mod reference;
mod scalar;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod vector;

use crate::cpu::pool::Pool;
use crate::cpu::share::{nothing, share};
use crate::cpu::variant::{CpuOp, Entry, fits, no_weights, operands, rows_in_use};
use crate::format::splitmix::derive;
use crate::format::synth::synth_f32;
use crate::{
    Arithmetic, AxisValue, Buffer, Example, Expected, Fault, Implementation, Index, Invalid, Io, Live, Op, Shape, Span,
    Type,
};

/// More would let the sum of a row's weights leave the integers that f64 holds.
pub const MOST_VOCAB: usize = 1 << 22;

/// How the token is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// The largest logit.
    Greedy,
    /// A draw from the fewest most probable tokens that together have probability `top_p`.
    ///
    /// The weight of a token is the integer `trunc(2^30 · exp((logit − largest) / temperature))`, in f32 with
    /// [`exp_f32`](crate::math::exp_f32); 0 for NaN. Integers have one sum in whatever order they are added. The kept tokens are the heaviest, lower
    /// indices first among equals, until their weights reach `top_p` of the total; the draw walks them by index. The random
    /// number is a hash of the seed, the span's index and the position (`past` + row of the span), so it depends on no
    /// earlier draw.
    TopP {
        /// Divides the logits; above 0.
        temperature: f32,
        /// Above 0, at most 1.
        top_p: f32,
        /// Of the random numbers.
        seed: u64,
    },
}

/// The operation at one shape; see the module for its operands.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Rows of logits at most.
    pub rows: usize,
    /// Logits a row.
    pub vocab: usize,
    /// How the token is chosen.
    pub method: Method,
}

static IMPLEMENTATIONS: &[&dyn Implementation<Sample>] = &[
    #[cfg(target_arch = "x86_64")]
    &vector::avx512::KERNEL,
    #[cfg(target_arch = "x86_64")]
    &vector::avx2::KERNEL,
    #[cfg(target_arch = "aarch64")]
    &vector::neon::KERNEL,
    &scalar::SCALAR,
    &cuda::NAIVE,
];

impl Op for Sample {
    const NAME: &'static str = "sample";

    fn implementations() -> &'static [&'static dyn Implementation<Self>] {
        IMPLEMENTATIONS
    }
    fn validate(&self) -> Result<(), Invalid> {
        let Self { rows, vocab, method } = *self;
        if rows == 0 || vocab == 0 || vocab > MOST_VOCAB {
            return Err(Invalid(format!(
                "sample: rows {rows} and vocab {vocab} have to be at least 1, vocab at most {MOST_VOCAB}"
            )));
        }
        if let Method::TopP { temperature, top_p, .. } = method {
            if !(temperature.is_finite() && temperature >= f32::MIN_POSITIVE) {
                return Err(Invalid(format!(
                    "sample: temperature {temperature} has to be positive; for 0 choose greedy"
                )));
            }
            if !(top_p > 0.0 && top_p <= 1.0) {
                return Err(Invalid(format!("sample: top_p {top_p} has to be above 0 and at most 1")));
            }
        }
        fits(Self::NAME, &[rows, vocab])
    }
    fn axes(&self) -> Vec<(&'static str, AxisValue)> {
        let mut axes = vec![("rows", self.rows.into()), ("vocab", self.vocab.into())];
        match self.method {
            Method::Greedy => axes.push(("method", "greedy".into())),
            Method::TopP { temperature, top_p, seed } => {
                axes.push(("method", "top-p".into()));
                axes.push(("temperature", AxisValue::Text(temperature.to_string())));
                axes.push(("top_p", AxisValue::Text(top_p.to_string())));
                if seed != 0 {
                    axes.push(("seed", AxisValue::Int(seed)));
                }
            }
        }
        axes
    }
    fn arithmetic(&self) -> Arithmetic {
        Arithmetic::F32
    }
    /// One comparison a logit; for a draw also difference, quotient, exponential and sum.
    fn flops(&self, live: &Live) -> u64 {
        (live.rows() * self.vocab * if self.method == Method::Greedy { 1 } else { 5 }) as u64
    }
    fn bytes(&self, live: &Live) -> u64 {
        (live.rows() * (self.vocab + 1) * 4) as u64
    }
    fn outputs(&self) -> Vec<Shape> {
        vec![Shape { of: Type::U32, len: self.rows }]
    }
    fn operand_bytes(&self) -> u64 {
        (self.rows * self.vocab * 4) as u64
    }
    fn live(&self) -> Live {
        let first = self.rows.div_ceil(2);
        let spans = [Span { rows: first, past: 7 }, Span { rows: self.rows - first, past: 1000 }];
        Live { spans: spans.into_iter().filter(|span| span.rows > 0).collect() }
    }
    fn example(&self, seed: u64) -> Example {
        let mut logits = synth_f32(self.rows * self.vocab, seed, 3.0);
        // Equal logits, so that taking the first of them is seen: the largest of each row once more at its end.
        for row in logits.chunks_exact_mut(self.vocab) {
            row[self.vocab - 1] = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        }
        Example {
            weights: vec![],
            inputs: vec![logits.into()],
            outputs: vec![vec![0_u32; self.rows].into()],
            live: self.live(),
        }
    }
    fn reference(&self, example: &Example, indices: &[Index]) -> Vec<Expected> {
        reference::reference(self, example, indices)
    }
    /// A token is the right one or it is not.
    fn tolerance(&self) -> f64 {
        0.0
    }
    fn nasty() -> Vec<Self> {
        let draw = |temperature, top_p, seed| Method::TopP { temperature, top_p, seed };
        let methods = [Method::Greedy, draw(1.0, 0.9, 0), draw(0.6, 0.95, 7), draw(5.0, 1.0, 1), draw(1.0, 1e-6, 2)];
        let mut all = Vec::new();
        for (rows, vocab) in
            [(1, 1), (1, 7), (3, 15), (2, 16), (1, 65), (5, 1000), (2, 16_385), (3, 32_003), (1, 128_256)]
        {
            all.extend(methods.map(|method| Self { rows, vocab, method }));
        }
        all
    }
}

/// The largest logit of a part of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Best {
    value: f32,
    /// [`NONE`](Self::NONE)'s if no logit is a number.
    index: u32,
}

impl Best {
    const NONE: Self = Self { value: f32::NEG_INFINITY, index: u32::MAX };

    /// The better of a part and a later one.
    fn or(self, later: Self) -> Self {
        if self.index == Self::NONE.index || later.value > self.value { later } else { self }
    }
    /// The first logit equal to `value`.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    fn first(logits: &[f32], value: f32) -> Self {
        let index = logits.iter().position(|logit| *logit == value);
        index.map_or(Self::NONE, |index| Self { value, index: index as u32 })
    }
}

/// One worker's parts of the vocabulary, in one of the two phases.
#[derive(Debug)]
pub(crate) enum Args<'a> {
    /// The largest of each row in each part.
    Best {
        /// rows × vocab.
        logits: &'a [f32],
        vocab: usize,
        /// Its first part, and how many logits a part has.
        parts: (usize, usize),
        /// parts × rows.
        best: &'a mut [Best],
        rows: usize,
    },
    /// The weight of each logit of its parts.
    Weigh {
        logits: &'a [f32],
        largest: f32,
        temperature: f32,
        weights: &'a mut [u32],
        /// Their sums, by bin.
        bins: &'a mut [[u64; nucleus::BINS]],
    },
}

impl Args<'_> {
    /// Runs the phase with an instruction set's two functions.
    #[inline]
    fn phase(&mut self, find: impl Fn(&[f32]) -> Best, weigh: impl FnOnce(&[f32], f32, f32, &mut [u32])) {
        match self {
            Self::Best { logits, vocab, parts: (first, size), best, rows } => {
                for (part, best) in best.chunks_exact_mut(*rows).enumerate() {
                    let start = ((*first + part) * *size).min(*vocab);
                    let end = (start + *size).min(*vocab);
                    for (row, best) in logits.chunks_exact(*vocab).zip(best) {
                        let found = find(&row[start..end]);
                        *best = Best { index: found.index.saturating_add(start as u32), ..found };
                    }
                }
            }
            Self::Weigh { logits, largest, temperature, weights, bins } => {
                weigh(logits, *largest, *temperature, weights);
                nucleus::count(weights, bins);
            }
        }
    }
}

/// Scratch.
#[derive(Debug)]
pub(crate) struct Ready {
    /// Parts of the vocabulary, one a worker, and logits a part.
    parts: usize,
    size: usize,
    /// parts × rows.
    best: Vec<Best>,
    nucleus: nucleus::Nucleus,
}

impl CpuOp for Sample {
    type Args<'a> = Args<'a>;
    type Ready = Ready;

    fn ready(&self, weights: &[Buffer], pool: &Pool) -> Result<Ready, Fault> {
        no_weights(Self::NAME, weights)?;
        // Less than that is read by one worker sooner than it is handed over. Parts begin at cache lines.
        let parts = if self.vocab < 16 << 10 { 1 } else { pool.threads() };
        let size = self.vocab.div_ceil(parts).next_multiple_of(16);
        let drawn = if self.method == Method::Greedy { 0 } else { self.vocab };
        Ok(Ready {
            parts,
            size,
            best: vec![Best::NONE; parts * self.rows],
            nucleus: nucleus::Nucleus::new(drawn, parts, size),
        })
    }
    fn run(&self, ready: &mut Ready, pool: &Pool, kernel: Entry<Self>, io: &mut Io<'_>) -> Result<(), Fault> {
        let rows = rows_in_use(Self::NAME, io.live, self.rows)?;
        if rows == 0 {
            return Ok(());
        }
        let ([logits], [tokens]) = (io.inputs, &mut *io.outputs) else {
            return Err(operands(Self::NAME, "one input, the logits, and one output, the tokens"));
        };
        let (vocab, Ready { parts, size, best, nucleus }) = (self.vocab, ready);
        let logits = &logits.slice::<f32>()[..rows * vocab];
        let (parts, size) = (*parts, *size);
        let best = &mut best[..parts * rows];
        let find = kernel.here()?;
        share(pool, (parts, 1), (&mut *best, nothing()), (rows, 0), &|range, best, _| {
            find.call(&mut Args::Best { logits, vocab, parts: (range.start, size), best, rows });
        });
        let places =
            io.live.spans.iter().enumerate().flat_map(|(i, span)| (0..span.rows).map(move |r| (i, span.past + r)));
        for ((row, token), (span, position)) in tokens.slice_mut::<u32>().iter_mut().enumerate().zip(places) {
            let largest = (0..parts).fold(Best::NONE, |largest, part| largest.or(best[part * rows + row]));
            if largest.index == Best::NONE.index {
                return Err(Fault::Device(format!(
                    "sample: all {vocab} logits of row {row} are NaN; look for the first op that makes one"
                )));
            }
            *token = match self.method {
                Method::Greedy => largest.index,
                Method::TopP { temperature, top_p, seed } => {
                    let random = derive(derive(seed, span as u64), position as u64);
                    nucleus.weigh(pool, kernel, &logits[row * vocab..][..vocab], largest.value, temperature)?;
                    nucleus.draw(top_p, random)
                }
            };
        }
        Ok(())
    }
}
