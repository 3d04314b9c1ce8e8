//! Matrix multiplication with weights and activations in the number formats of inference: the op's contract and its list.
//!
//! `y[m, n] = x[m, k] · W[n, k]ᵀ (+ bias[n])`, all row-major, k contiguous. m counts rows of activations (tokens), n outputs,
//! k is the reduction.
//!
//! | operand | shape | type |
//! |---|---|---|
//! | weights 0 | n × k in canonical blocks ([`Format`]) | `U8` for block formats and fp8, `Bf16`, `F32` |
//! | weights 1 (nvfp4) | the tensor's scale | `F32[1]` |
//! | weights 1 (fp8) | a scale for each output | `F32[n]` |
//! | last weight (if `bias`) | n | `F32` |
//! | input 0 | m × k | `F32` |
//! | output 0 | m × n | `F32` |
//!
//! One prepared gemm serves every `live.rows()` from 1 to m; rows beyond are neither read nor written. x arrives in f32, and
//! rounding it to [`Activations`] is part of the op and of its time. The rounding is defined bit for bit by [`crate::format`],
//! so that implementations differ in the order of their sums and in nothing else. The scale of an nvfp4 tensor, of an output and
//! of a row multiply the finished sum, so the range of f32 bounds sums without them.

mod activations;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod affine;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx2_float;
#[cfg(target_arch = "x86_64")]
mod avx2_vnni;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_bf16;
#[cfg(target_arch = "x86_64")]
mod avx512_fp8;
#[cfg(target_arch = "x86_64")]
mod avx512_vnni;
mod canonical;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod channels;
mod cublaslt_cuda;
mod experts_cuda;
#[cfg(target_arch = "x86_64")]
mod few256;
#[cfg(target_arch = "x86_64")]
mod float;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod grouped;
mod grouped_scalar;
#[cfg(target_arch = "x86_64")]
mod integer;
#[cfg(target_arch = "x86_64")]
mod integer256;
#[cfg(target_arch = "x86_64")]
mod lanes256;
#[cfg(target_arch = "x86_64")]
mod lanes512;
mod list;
mod mma_cuda;
mod naive_cuda;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod packed;
#[cfg(target_arch = "x86_64")]
mod quantise512;
mod reference;
mod scalar;
mod simt_cuda;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod tiled;
mod tiles_cuda;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod way;
mod wgmma_cuda;
#[cfg(target_arch = "x86_64")]
mod words512;

pub use activations::{Activations, UnknownActivations};
pub(crate) use list::experts;

use crate::format::Format;
use crate::format::synth::{synth, synth_f32, synth_rows, synth_scales};
use crate::{Arithmetic, AxisValue, Example, Expected, Host, Implementation, Index, Invalid, Live, Op, Shape, Type};

/// `y[m, n] = x[m, k] · Wᵀ (+ bias)`; see the module's page for the operands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Gemm {
    /// Most rows of activations.
    pub m: usize,
    /// Outputs.
    pub n: usize,
    /// Reduction length, a multiple of the blocks of weights and activations.
    pub k: usize,
    /// How the weights are stored.
    pub weights: Format,
    /// What x is rounded to before it is multiplied.
    pub activations: Activations,
    /// Whether a bias is added.
    pub bias: bool,
}

/// Elements of k that float kernels add up before they add the sum to the total; it enters [`Gemm::tolerance`].
pub(crate) const CHUNK: usize = 512;

impl Gemm {
    /// Whether the products are summed as integers inside a block.
    pub(crate) fn integer(&self) -> bool {
        !matches!(self.activations, Activations::F32 | Activations::Bf16 | Activations::Fp8)
    }
    /// Elements of k that share a weight scale; 1 where there is none.
    pub(crate) fn block(&self) -> usize {
        self.weights.block()
    }
    fn pair(&self) -> Result<(), Invalid> {
        use Activations as A;
        use Format as F;
        match (self.weights, self.activations) {
            (F::Mxfp4 | F::Nvfp4 | F::Q8_0 | F::Q4_0, A::F32 | A::Bf16 | A::Int8 | A::Int8g32) => Ok(()),
            (F::Mxfp4, A::Mxfp4) | (F::Nvfp4, A::Nvfp4) => Ok(()),
            (F::Fp8 | F::Bf16 | F::F16 | F::F32, A::F32 | A::Bf16) => Ok(()),
            (weights, A::F32 | A::Bf16) if weights.affine() => Ok(()),
            (F::Fp8, A::Fp8) => Ok(()),
            (weights, activations) => Err(Invalid(format!(
                "gemm: {} weights are not multiplied with {} activations; f32 and bf16 go with every weight, \
                 int8 and int8g32 with mxfp4, nvfp4, q8_0 and q4_0, mxfp4, nvfp4 and fp8 with themselves",
                weights.name(),
                activations.name()
            ))),
        }
    }
}

impl Op for Gemm {
    const NAME: &'static str = "gemm";

    fn implementations() -> &'static [&'static dyn Implementation<Self>] {
        list::implementations()
    }

    fn validate(&self) -> Result<(), Invalid> {
        self.pair()?;
        for (name, value) in [("m", self.m), ("n", self.n), ("k", self.k)] {
            if value == 0 {
                return Err(Invalid(format!("gemm: {name} = 0; it has to be at least 1")));
            }
        }
        let (weights, group) = (self.weights.block(), self.activations.group());
        for (of, block) in [(self.weights.name(), weights), (self.activations.name(), group)] {
            if !self.k.is_multiple_of(block) {
                let near = self.k.next_multiple_of(weights.max(group));
                return Err(Invalid(format!(
                    "gemm: k = {} is no multiple of the {block} of {of}; choose k = {near}",
                    self.k
                )));
            }
        }
        // Kernels count bytes of one operand in usize and block sums in i32; the operations of a call are counted in u64.
        let products = [2, self.m, self.n, self.k].iter().try_fold(1, |all: u64, part| all.checked_mul(*part as u64));
        if products.is_none()
            || [(self.m, self.k), (self.n, self.k), (self.m, self.n)].iter().any(|(a, b)| {
                a.checked_mul(*b)
                    .and_then(|elements| elements.checked_mul(8))
                    .is_none_or(|bytes| bytes > isize::MAX as usize)
            })
        {
            let Self { m, n, k, .. } = self;
            return Err(Invalid(format!(
                "gemm: m = {m}, n = {n}, k = {k} is more than can be counted; choose a smaller shape"
            )));
        }
        Ok(())
    }

    fn axes(&self) -> Vec<(&'static str, AxisValue)> {
        let mut axes = vec![
            ("activations", self.activations.name().into()),
            ("format", self.weights.name().into()),
            ("k", self.k.into()),
            ("m", self.m.into()),
            ("n", self.n.into()),
        ];
        if self.bias {
            axes.push(("bias", 1.into()));
        }
        axes
    }

    fn arithmetic(&self) -> Arithmetic {
        match self.activations {
            Activations::F32 => Arithmetic::F32,
            // E4M3 is exact in bf16, and no CPU multiplies it as it is.
            Activations::Bf16 | Activations::Fp8 => Arithmetic::Bf16,
            _ => Arithmetic::Int8,
        }
    }

    fn flops(&self, live: &Live) -> u64 {
        2 * live.rows() as u64 * self.n as u64 * self.k as u64
    }

    fn bytes(&self, live: &Live) -> u64 {
        let extra = 4 * (self.weights.scales(self.n) + if self.bias { self.n } else { 0 });
        (self.n * self.weights.bytes(self.k) + extra) as u64 + 4 * (live.rows() * (self.k + self.n)) as u64
    }

    fn outputs(&self) -> Vec<Shape> {
        vec![Shape { of: Type::F32, len: self.m * self.n }]
    }

    fn operand_bytes(&self) -> u64 {
        let vectors = self.weights.scales(self.n) + if self.bias { self.n } else { 0 };
        (self.weights.bytes(self.n * self.k) + 4 * (self.m * self.k + vectors)) as u64
    }
    fn live(&self) -> Live {
        Live::one(self.m, 0)
    }
    fn example(&self, seed: u64) -> Example {
        let stored = match self.weights {
            Format::Bf16 => {
                let (bytes, _) = synth(self.weights, self.n, self.k, seed);
                let value = |b: &[u8; 2]| half::bf16::from_bits(u16::from_le_bytes(*b));
                Host::Bf16(bytes.as_chunks::<2>().0.iter().map(value).collect())
            }
            Format::F32 => {
                let mut row = vec![0; 4 * self.k];
                let mut values = Vec::with_capacity(self.n * self.k);
                for r in 0..self.n {
                    synth_rows(self.weights, r..r + 1, self.k, seed, &mut row);
                    values.extend(row.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)));
                }
                Host::F32(values)
            }
            _ => Host::U8(synth(self.weights, self.n, self.k, seed).0),
        };
        let mut weights = vec![stored];
        if self.weights.scales(self.n) > 0 {
            weights.push(synth_scales(self.weights, 0..self.n, seed).into());
        }
        if self.bias {
            weights.push(synth_f32(self.n, seed ^ 0xb1a5, 0.5).into());
        }
        Example {
            weights,
            inputs: vec![synth_f32(self.m * self.k, seed ^ 0xac71, 1.0).into()],
            outputs: vec![vec![0.0_f32; self.m * self.n].into()],
            live: Live::one(self.m, 0),
        }
    }

    fn reference(&self, example: &Example, indices: &[Index]) -> Vec<Expected> {
        reference::reference(self, example, indices)
    }

    // Products are exact or rounded once, and x and W are the reference's bit for bit, so errors are those of summing in
    // f32: each of the additions that a term passes through rounds by at most u = 2^-24 of Σ|a·b|, to first order.
    // Integer paths: exact inside a block, then one addition a block, and at most 8 roundings of scales, bias and products.
    // Float paths: at most CHUNK additions inside a chunk, one a chunk, at most 8 for scales, bias and products. The worst
    // case is allowed; typical errors are about its square root. The 1.01 covers the terms of second order.
    fn tolerance(&self) -> f64 {
        let additions = if self.integer() { self.k / self.block() } else { self.k.min(CHUNK) + self.k.div_ceil(CHUNK) };
        1.01 * (additions + 8) as f64 * f64::EPSILON * f64::from(1 << 28)
    }

    fn nasty() -> Vec<Self> {
        use Activations as A;
        use Format as F;
        let pairs = [
            (F::Mxfp4, A::F32),
            (F::Mxfp4, A::Bf16),
            (F::Mxfp4, A::Int8),
            (F::Mxfp4, A::Int8g32),
            (F::Mxfp4, A::Mxfp4),
            (F::Nvfp4, A::F32),
            (F::Nvfp4, A::Bf16),
            (F::Nvfp4, A::Int8),
            (F::Nvfp4, A::Int8g32),
            (F::Nvfp4, A::Nvfp4),
            (F::Q8_0, A::F32),
            (F::Q8_0, A::Bf16),
            (F::Q8_0, A::Int8),
            (F::Q8_0, A::Int8g32),
            (F::Q4_0, A::F32),
            (F::Q4_0, A::Bf16),
            (F::Q4_0, A::Int8),
            (F::Q4_0, A::Int8g32),
            (F::Fp8, A::F32),
            (F::Fp8, A::Bf16),
            (F::Fp8, A::Fp8),
            (F::Bf16, A::F32),
            (F::Bf16, A::Bf16),
            (F::F32, A::F32),
            (F::F32, A::Bf16),
            (F::F16, A::F32),
            (F::F16, A::Bf16),
            (F::Q4_1, A::F32),
            (F::Q5_0, A::F32),
            (F::Q5_1, A::F32),
            (F::Q5_1, A::Bf16),
            (F::Q4K, A::F32),
            (F::Q4K, A::Bf16),
            (F::Q5K, A::F32),
            (F::Q6K, A::F32),
            (F::Q6K, A::Bf16),
        ];
        // One row and one output; a tail in every direction; several tiles a worker, and several steps of them; more than one
        // chunk of k and of rows.
        let shapes = [
            (1, 1, 32),
            (3, 17, 32),
            (1, 49, 96),
            (9, 33, 544),
            (5, 16, 1056),
            (2, 177, 160),
            (29, 100, 64),
            (70, 150, 1120),
        ];
        let mut all = Vec::new();
        for (weights, activations) in pairs {
            for (at, (m, n, k)) in shapes.into_iter().enumerate() {
                let k = usize::next_multiple_of(k, weights.block());
                all.push(Self { m, n, k, weights, activations, bias: at % 2 == 1 });
            }
            // k's that only the formats without wide blocks allow.
            let odd = Self { m: 13, n: 19, k: 7, weights, activations, bias: true };
            let half = Self { k: 48, ..odd.clone() };
            all.extend([odd, half].into_iter().filter(|op| op.validate().is_ok()));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_is_taken_or_refused_with_a_reason() {
        let mut taken = 0;
        for weights in Format::ALL {
            for activations in Activations::ALL {
                let op = Gemm { m: 1, n: 1, k: 256, weights, activations, bias: false };
                match op.validate() {
                    Ok(()) => taken += 1,
                    Err(reason) => assert!(reason.0.contains(weights.name()), "{reason}"),
                }
            }
        }
        assert_eq!(taken, 39);
    }

    #[test]
    fn a_shape_that_does_not_divide_is_refused_with_the_next_that_does() {
        let op = Gemm { m: 1, n: 1, k: 48, weights: Format::Nvfp4, activations: Activations::Int8g32, bias: false };
        let reason = op.validate().unwrap_err().0;
        assert!(reason.contains("k = 48") && reason.contains("k = 64"), "{reason}");
        assert!(Gemm { m: 0, k: 64, ..op.clone() }.validate().is_err());
        assert!(Gemm { n: usize::MAX / 32, k: 64, ..op }.validate().is_err());
    }
}
