//! Logits bent to a range by a tanh, in place: `x ← cap · tanh(x / cap)` (Gemma 2).
//!
//! | operand | type | shape |
//! |---|---|---|
//! | outputs\[0\] x, read and written | f32 | rows × width |
//!
//! All implementations give the same bits: tanh is 2 / (1 + e^(−2x / cap)) − 1, the vector exponential repeats the scalar one's
//! operations, and what is lost of small x is small beside the cap.

mod cuda;
mod reference;
mod scalar;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod vector;

use crate::cpu::pool::Pool;
use crate::cpu::share::{nothing, share};
use crate::cpu::variant::{CpuOp, Entry, fits, no_weights, operands, rows_in_use};
use crate::format::synth::synth_f32;
use crate::{
    Arithmetic, AxisValue, Buffer, Example, Expected, Fault, Implementation, Index, Invalid, Io, Live, Op, Shape, Type,
};

/// The operation at one shape; see the module for its operands.
#[derive(Clone, Debug, PartialEq)]
pub struct Softcap {
    /// Rows at most.
    pub rows: usize,
    /// Elements a row.
    pub width: usize,
    /// What no value gets beyond.
    pub cap: f32,
}

static IMPLEMENTATIONS: &[&dyn Implementation<Softcap>] = &[
    #[cfg(target_arch = "x86_64")]
    &vector::avx512::KERNEL,
    #[cfg(target_arch = "x86_64")]
    &vector::avx2::KERNEL,
    #[cfg(target_arch = "aarch64")]
    &vector::neon::KERNEL,
    &scalar::SCALAR,
    &cuda::NAIVE,
];

/// Elements that are worth a hand-over.
const GRAIN: usize = 2048;

impl Op for Softcap {
    const NAME: &'static str = "softcap";

    fn implementations() -> &'static [&'static dyn Implementation<Self>] {
        IMPLEMENTATIONS
    }
    fn validate(&self) -> Result<(), Invalid> {
        let Self { rows, width, cap } = *self;
        if rows == 0 || width == 0 {
            return Err(Invalid(format!("softcap: rows {rows} and width {width} have to be at least 1")));
        }
        // Above this, 2 / cap would be no normal number.
        if !(cap.is_finite() && (1e-30..1e30).contains(&cap)) {
            return Err(Invalid(format!("softcap: cap {cap} has to be positive, such as 30")));
        }
        fits(Self::NAME, &[rows, width])
    }
    fn axes(&self) -> Vec<(&'static str, AxisValue)> {
        let cap = AxisValue::Text(self.cap.to_string());
        vec![("rows", self.rows.into()), ("width", self.width.into()), ("cap", cap)]
    }
    fn arithmetic(&self) -> Arithmetic {
        Arithmetic::F32
    }
    /// Product, exponential, sum, quotient, difference and product, each counted as one.
    fn flops(&self, live: &Live) -> u64 {
        (6 * live.rows() * self.width) as u64
    }
    fn bytes(&self, live: &Live) -> u64 {
        (2 * 4 * live.rows() * self.width) as u64
    }
    fn outputs(&self) -> Vec<Shape> {
        vec![Shape { of: Type::F32, len: self.rows * self.width }]
    }
    fn operand_bytes(&self) -> u64 {
        0
    }
    fn live(&self) -> Live {
        Live::one(self.rows, 0)
    }
    fn example(&self, seed: u64) -> Example {
        let x = synth_f32(self.rows * self.width, seed, self.cap);
        Example { weights: vec![], inputs: vec![], outputs: vec![x.into()], live: self.live() }
    }
    fn reference(&self, example: &Example, indices: &[Index]) -> Vec<Expected> {
        reference::reference(self, example, indices)
    }
    /// In units of u = 2⁻²⁴, relative to the cap: 2 / cap, its product with x, and the exponential err by 2a + 4 of t = e^a, of which
    /// tanh has 2t / (1 + t)² · (2a + 4) ≤ 2.5; the sum and the quotient 2 each, as the quotient is at most 2; difference and
    /// product 1 each.
    fn tolerance(&self) -> f64 {
        8.5 * 2f64.powi(-24)
    }
    fn nasty() -> Vec<Self> {
        let shapes = [(1, 1), (2, 8), (3, 15), (1, 17), (5, 33), (2, 2047), (1, 2049), (3, 5000)];
        shapes.into_iter().flat_map(|(rows, width)| [30.0, 0.7].map(|cap| Self { rows, width, cap })).collect()
    }
}

/// One worker's elements.
#[derive(Debug)]
pub(crate) struct Args<'a> {
    cap: f32,
    x: &'a mut [f32],
}

impl CpuOp for Softcap {
    type Args<'a> = Args<'a>;
    type Ready = ();

    fn ready(&self, weights: &[Buffer], _pool: &Pool) -> Result<(), Fault> {
        no_weights(Self::NAME, weights)
    }
    fn run(&self, (): &mut (), pool: &Pool, kernel: Entry<Self>, io: &mut Io<'_>) -> Result<(), Fault> {
        let kernel = kernel.here()?;
        let rows = rows_in_use(Self::NAME, io.live, self.rows)?;
        let ([], [x]) = (io.inputs, &mut *io.outputs) else {
            return Err(operands(Self::NAME, "no input and one output, which is read and written"));
        };
        let cap = self.cap;
        share(pool, (rows * self.width, GRAIN), (x.slice_mut(), nothing()), (1, 0), &|_, x, _| {
            kernel.call(&mut Args { cap, x });
        });
        Ok(())
    }
}
