//! Root-mean-square normalisation of rows, alone or with the residual addition before it.
//!
//! | operand | type | shape |
//! |---|---|---|
//! | weights\[0\] gain | f32 | width |
//! | weights\[1\] gain of delta, with `delta_norm` only | f32 | width |
//! | inputs\[0\] x, or with `residual` delta | f32 | rows × width |
//! | outputs\[0\] y | f32 | rows × width |
//! | outputs\[1\] x, with `residual` only: read and written | f32 | rows × width |
//!
//! `y = x / sqrt(mean(x²) + eps) · gain`; with `residual`, `x += multiplier · delta` first, and with `delta_norm` (Gemma, whose
//! blocks have a norm behind them too) it is the normalised delta that is added.

mod cuda;
mod reference;
pub(crate) mod scalar;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(crate) mod vector;

use crate::cpu::pool::Pool;
use crate::cpu::share::share;
use crate::cpu::variant::{CpuOp, Entry, fits, operands, rows_in_use};
use crate::format::splitmix::derive;
use crate::format::synth::synth_f32;
use crate::{
    Arithmetic, AxisValue, Buffer, Example, Expected, Fault, Implementation, Index, Invalid, Io, Live, Op, Shape, Type,
};

/// The eps that most models use, and that ids leave out.
pub const USUAL_EPS: f32 = 1e-5;

/// The operation at one shape; see the module for its operands.
#[derive(Clone, Debug, PartialEq)]
pub struct RmsNorm {
    /// Rows at most.
    pub rows: usize,
    /// Elements a row.
    pub width: usize,
    /// Whether `x += multiplier · delta` comes first.
    pub residual: bool,
    /// What delta is multiplied with: 1 but for Granite. Counts with `residual` only.
    pub multiplier: f32,
    /// Whether delta is normalised, with gains of its own, before it is added. Counts with `residual` only.
    pub delta_norm: bool,
    /// Added to the mean of squares.
    pub eps: f32,
}

impl RmsNorm {
    /// The norm of most models: delta is added as it is.
    pub fn plain(rows: usize, width: usize, residual: bool, eps: f32) -> Self {
        Self { rows, width, residual, multiplier: 1.0, delta_norm: false, eps }
    }
}

static IMPLEMENTATIONS: &[&dyn Implementation<RmsNorm>] = &[
    #[cfg(target_arch = "x86_64")]
    &vector::avx512::KERNEL,
    #[cfg(target_arch = "x86_64")]
    &vector::avx2::KERNEL,
    #[cfg(target_arch = "aarch64")]
    &vector::neon::KERNEL,
    &scalar::SCALAR,
    &cuda::NAIVE,
];

impl Op for RmsNorm {
    const NAME: &'static str = "rmsnorm";

    fn implementations() -> &'static [&'static dyn Implementation<Self>] {
        IMPLEMENTATIONS
    }
    fn validate(&self) -> Result<(), Invalid> {
        let Self { rows, width, eps, .. } = *self;
        if rows == 0 || width == 0 {
            return Err(Invalid(format!("rmsnorm: rows {rows} and width {width} have to be at least 1")));
        }
        if !(eps.is_finite() && eps >= f32::MIN_POSITIVE) {
            return Err(Invalid(format!(
                "rmsnorm: eps {eps} has to be positive, such as 1e-5: a row of zeros divides by it"
            )));
        }
        if self.residual && !self.multiplier.is_finite() {
            return Err(Invalid(format!("rmsnorm: multiplier {} has to be finite", self.multiplier)));
        }
        if !self.residual && (self.delta_norm || self.multiplier != 1.0) {
            return Err(Invalid(
                "rmsnorm: delta_norm and multiplier are of the residual addition; set residual, or leave them out"
                    .into(),
            ));
        }
        fits(Self::NAME, &[rows, width])
    }
    fn axes(&self) -> Vec<(&'static str, AxisValue)> {
        let mut axes = vec![("rows", self.rows.into()), ("width", self.width.into())];
        if self.residual {
            axes.push(("residual", "true".into()));
        }
        if self.delta_norm {
            axes.push(("delta_norm", "true".into()));
        }
        if self.multiplier != 1.0 {
            axes.push(("multiplier", AxisValue::Text(self.multiplier.to_string())));
        }
        if self.eps != USUAL_EPS {
            axes.push(("eps", AxisValue::Text(format!("{:e}", self.eps))));
        }
        axes
    }
    fn arithmetic(&self) -> Arithmetic {
        Arithmetic::F32
    }
    /// Square and add, scale and gain; one more addition with `residual`, a product with a multiplier, and as much again as
    /// the norm for `delta_norm`.
    fn flops(&self, live: &Live) -> u64 {
        let each =
            4 + usize::from(self.residual) + usize::from(self.multiplier != 1.0) + if self.delta_norm { 4 } else { 0 };
        (live.rows() * self.width * each) as u64
    }
    /// x read, y written, the gains once; with `residual` delta read and x written too.
    fn bytes(&self, live: &Live) -> u64 {
        let operands = if self.residual { 4 } else { 2 };
        ((live.rows() * operands + self.gains()) * self.width * 4) as u64
    }
    fn outputs(&self) -> Vec<Shape> {
        vec![Shape { of: Type::F32, len: self.rows * self.width }; if self.residual { 2 } else { 1 }]
    }
    fn operand_bytes(&self) -> u64 {
        (self.width * (self.rows + self.gains()) * 4) as u64
    }
    fn live(&self) -> Live {
        Live::one(self.rows, 0)
    }
    fn example(&self, seed: u64) -> Example {
        let len = self.rows * self.width;
        let gain = |of| synth_f32(self.width, derive(seed, of), 0.1).iter().map(|x| 1.0 + x).collect::<Vec<f32>>();
        let mut weights = vec![gain(0).into()];
        if self.delta_norm {
            weights.push(gain(3).into());
        }
        let mut outputs = vec![vec![0.0; len].into()];
        if self.residual {
            outputs.push(synth_f32(len, derive(seed, 1), 1.0).into());
        }
        let input = synth_f32(len, derive(seed, 2), 1.5);
        Example { weights, inputs: vec![input.into()], outputs, live: self.live() }
    }
    fn reference(&self, example: &Example, indices: &[Index]) -> Vec<Expected> {
        reference::reference(self, example, indices)
    }
    /// In units of u = 2⁻²⁴, relative to |y|: x after the addition 1. The mean of squares: each square 3 (x twice, the
    /// product), a sum of at least 16 interleaved partial sums ⌈width/16⌉ + 4 (the terms are positive, so this is relative
    /// too), ÷ width 1, + eps 1; the root halves these and adds 1, the reciprocal 1. The two products 2, gain exact. What is
    /// added errs by as much again with `delta_norm`, and by 1 with a multiplier: the scale has a part for it.
    fn tolerance(&self) -> f64 {
        let sum = (self.width.div_ceil(16) + 4) as f64;
        let norm = (3.0 + sum + 2.0) / 2.0 + 4.0;
        let added = if self.delta_norm { norm } else { 0.0 } + if self.multiplier == 1.0 { 0.0 } else { 1.0 };
        (1.0 + norm + added) * 2f64.powi(-24)
    }
    fn nasty() -> Vec<Self> {
        let shapes =
            [(1, 1), (1, 7), (2, 15), (3, 16), (1, 17), (5, 31), (4, 33), (2, 127), (7, 128), (3, 1000), (33, 4096)];
        let of = |residual| move |&(rows, width)| Self::plain(rows, width, residual, USUAL_EPS);
        let mut all: Vec<_> = shapes.iter().map(of(false)).chain(shapes.iter().map(of(true))).collect();
        all.push(Self::plain(2, 64, true, 1e-6));
        all.extend(shapes.iter().map(of(true)).map(|op| Self { delta_norm: true, ..op }));
        all.extend(shapes.iter().map(of(true)).map(|op| Self { multiplier: 0.22, ..op }));
        all.push(Self { delta_norm: true, multiplier: 0.5, ..Self::plain(3, 100, true, 1e-6) });
        all
    }
}

impl RmsNorm {
    /// Vectors of gains.
    fn gains(&self) -> usize {
        if self.delta_norm { 2 } else { 1 }
    }
}

/// One worker's rows.
#[derive(Debug)]
pub(crate) struct Args<'a> {
    /// x, or with a residual delta.
    input: &'a [f32],
    /// x that delta is added to; empty without a residual.
    state: &'a mut [f32],
    y: &'a mut [f32],
    gain: &'a [f32],
    /// Of delta; empty where it is added as it is.
    delta_gain: &'a [f32],
    multiplier: f32,
    eps: f32,
}

/// What a row is multiplied with, from the sum of its squares.
#[inline]
pub(crate) fn inverse_root(sum: f32, width: usize, eps: f32) -> f32 {
    1.0 / (sum / width as f32 + eps).sqrt()
}

impl CpuOp for RmsNorm {
    type Args<'a> = Args<'a>;
    /// The gain, and that of delta or nothing.
    type Ready = [Vec<f32>; 2];

    fn ready(&self, weights: &[Buffer], _pool: &Pool) -> Result<[Vec<f32>; 2], Fault> {
        let (gain, delta) = match (self.delta_norm, weights) {
            (false, [gain]) => (gain, None),
            (true, [gain, delta]) => (gain, Some(delta)),
            _ => return Err(operands(Self::NAME, "one weight, the gain, or with delta_norm two")),
        };
        if let Some(wrong) = [Some(gain), delta].into_iter().flatten().find(|gain| gain.len() != self.width) {
            return Err(Fault::Device(format!("rmsnorm: gain has {} elements, width is {}", wrong.len(), self.width)));
        }
        Ok([gain.slice::<f32>().to_vec(), delta.map_or_else(Vec::new, |gain| gain.slice::<f32>().to_vec())])
    }
    fn resident(gains: &[Vec<f32>; 2]) -> u64 {
        gains.iter().map(|gain| size_of_val(gain.as_slice()) as u64).sum()
    }
    fn run(&self, gains: &mut [Vec<f32>; 2], pool: &Pool, kernel: Entry<Self>, io: &mut Io<'_>) -> Result<(), Fault> {
        let kernel = kernel.here()?;
        let rows = rows_in_use(Self::NAME, io.live, self.rows)?;
        let Self { width, eps, multiplier, .. } = *self;
        let [gain, delta_gain] = &*gains;
        let wrong = || operands(Self::NAME, "one input and y, or with residual delta, y and x");
        let [input] = io.inputs else { return Err(wrong()) };
        let input = input.slice::<f32>();
        let (y, state): (&mut [f32], &mut [f32]) = match (self.residual, &mut *io.outputs) {
            (false, [y]) => (y.slice_mut(), &mut []),
            (true, [y, x]) => (y.slice_mut(), x.slice_mut()),
            _ => return Err(wrong()),
        };
        // Below about 16 Ki elements a hand-over takes as long as the work.
        let grain = ((16 << 10) / width).max(1);
        let each = (width, if self.residual { width } else { 0 });
        share(pool, (rows, grain), (y, state), each, &|range, y, state| {
            let input = &input[range.start * width..range.end * width];
            kernel.call(&mut Args { input, state, y, gain, delta_gain, multiplier, eps });
        });
        Ok(())
    }
}
