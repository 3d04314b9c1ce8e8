//! The gated activation of a feed-forward block: `y = silu(gate) · up`, with `silu(g) = g / (1 + e^-g)`, or another [`Gate`].
//!
//! | operand | type | shape |
//! |---|---|---|
//! | inputs\[0\], a row is width of gate, then width of up | f32 | rows × 2·width |
//! | outputs\[0\] y | f32 | rows × width |
//!
//! All implementations give the same bits: the vector exponential repeats the scalar one's operations.

mod cuda;
mod gate;
mod reference;
mod scalar;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod vector;

pub use gate::{CLAMPED_ALPHA, Gate, UnknownGate};

use crate::cpu::pool::Pool;
use crate::cpu::share::{nothing, share};
use crate::cpu::variant::{CpuOp, Entry, fits, no_weights, operands, rows_in_use};
use crate::format::synth::synth_f32;
use crate::{
    Arithmetic, AxisValue, Buffer, Example, Expected, Fault, Implementation, Index, Invalid, Io, Live, Op, Shape, Type,
};

/// The operation at one shape; see the module for its operands.
#[derive(Clone, Debug, PartialEq)]
pub struct SwiGlu {
    /// Rows at most.
    pub rows: usize,
    /// Elements a row of the output.
    pub width: usize,
    /// What is done to gate and up.
    pub gate: Gate,
}

static IMPLEMENTATIONS: &[&dyn Implementation<SwiGlu>] = &[
    #[cfg(target_arch = "x86_64")]
    &vector::avx512::KERNEL,
    #[cfg(target_arch = "x86_64")]
    &vector::avx2::KERNEL,
    #[cfg(target_arch = "aarch64")]
    &vector::neon::KERNEL,
    &scalar::SCALAR,
    &cuda::NAIVE,
];

/// Elements of an output cache line, so that no two workers write one line, times what is worth a hand-over.
const GRAIN: usize = 2048;

impl Op for SwiGlu {
    const NAME: &'static str = "swiglu";

    fn implementations() -> &'static [&'static dyn Implementation<Self>] {
        IMPLEMENTATIONS
    }
    fn validate(&self) -> Result<(), Invalid> {
        if self.rows == 0 || self.width == 0 {
            let Self { rows, width, .. } = self;
            return Err(Invalid(format!("swiglu: rows {rows} and width {width} have to be at least 1")));
        }
        self.gate.validate()?;
        fits(Self::NAME, &[self.rows, 2, self.width])
    }
    fn axes(&self) -> Vec<(&'static str, AxisValue)> {
        let mut axes = vec![("rows", self.rows.into()), ("width", self.width.into())];
        if self.gate != Gate::Silu {
            axes.push(("gate", AxisValue::Text(self.gate.to_string())));
        }
        axes
    }
    fn arithmetic(&self) -> Arithmetic {
        Arithmetic::F32
    }
    /// Negation, exponential, sum, quotient and product, and what the gate has beside them, each counted as one.
    fn flops(&self, live: &Live) -> u64 {
        (live.rows() * self.width * self.gate.flops()) as u64
    }
    fn bytes(&self, live: &Live) -> u64 {
        (live.rows() * self.width * 3 * 4) as u64
    }
    fn outputs(&self) -> Vec<Shape> {
        vec![Shape { of: Type::F32, len: self.rows * self.width }]
    }
    fn operand_bytes(&self) -> u64 {
        (self.rows * 2 * self.width * 4) as u64
    }
    fn live(&self) -> Live {
        Live::one(self.rows, 0)
    }
    fn example(&self, seed: u64) -> Example {
        let input = synth_f32(self.rows * 2 * self.width, seed, 2.0);
        let y = vec![0.0; self.rows * self.width];
        Example { weights: vec![], inputs: vec![input.into()], outputs: vec![y.into()], live: self.live() }
    }
    fn reference(&self, example: &Example, indices: &[Index]) -> Vec<Expected> {
        reference::reference(self, example, indices)
    }
    /// In units of u = 2⁻²⁴, relative to |y| · (1 + |t|/(1 + e^t)), the second part for gates whose t is computed: the
    /// exponential 2 ulp, so 4, the sum 1, the quotient 1, the product 1; one more for the products of these. t itself: both
    /// constants, two products and a sum for GELU, each 1, which the scale's second part turns into relative errors of y;
    /// u + 1 for the clamped gate 1.
    fn tolerance(&self) -> f64 {
        8.0 * 2f64.powi(-24)
    }
    fn nasty() -> Vec<Self> {
        let shapes =
            [(1, 1), (1, 7), (2, 8), (3, 15), (1, 17), (5, 33), (7, 100), (2, 2047), (1, 2049), (3, 5000), (1, 14_336)];
        let of = |gate| shapes.map(|(rows, width)| Self { rows, width, gate });
        // The limit lies inside what the example has, so that both sides are clamped somewhere.
        [of(Gate::Silu), of(Gate::GeluTanh), of(Gate::Clamped { limit: 2.5 })].concat()
    }
}

/// One worker's elements.
#[derive(Debug)]
pub(crate) struct Args<'a> {
    input: &'a [f32],
    width: usize,
    gate: Gate,
    /// Its first element of y, counted over all rows.
    first: usize,
    y: &'a mut [f32],
}

impl Args<'_> {
    /// Runs `piece` on each row's part of the share: gate, up, y.
    #[inline]
    fn each_piece(&mut self, mut piece: impl FnMut(&[f32], &[f32], &mut [f32])) {
        let width = self.width;
        let mut done = 0;
        while done < self.y.len() {
            let (row, column) = ((self.first + done) / width, (self.first + done) % width);
            let len = (width - column).min(self.y.len() - done);
            let (gate, up) = self.input[row * 2 * width..][..2 * width].split_at(width);
            piece(&gate[column..][..len], &up[column..][..len], &mut self.y[done..][..len]);
            done += len;
        }
    }
}

impl CpuOp for SwiGlu {
    type Args<'a> = Args<'a>;
    type Ready = ();

    fn ready(&self, weights: &[Buffer], _pool: &Pool) -> Result<(), Fault> {
        no_weights(Self::NAME, weights)
    }
    fn run(&self, (): &mut (), pool: &Pool, kernel: Entry<Self>, io: &mut Io<'_>) -> Result<(), Fault> {
        let kernel = kernel.here()?;
        let rows = rows_in_use(Self::NAME, io.live, self.rows)?;
        let ([input], [y]) = (io.inputs, &mut *io.outputs) else {
            return Err(operands(Self::NAME, "one input and one output"));
        };
        let (input, width, gate) = (input.slice::<f32>(), self.width, self.gate);
        share(pool, (rows * width, GRAIN), (y.slice_mut(), nothing()), (1, 0), &|range, y, _| {
            kernel.call(&mut Args { input, width, gate, first: range.start, y });
        });
        Ok(())
    }
}
