//! `triad`: STREAM's a = b + s·c on f32, the bandwidth of a loop that reads two arrays and writes a third.
//!
//! Counted as STREAM counts: 12 bytes an element. Ordinary stores read the line they overwrite first, and that fourth stream
//! is not counted (a third more traffic); kernels `…-nt` avoid it with non-temporal stores.
//!
//! | operand | type | elements |
//! |---|---|---|
//! | inputs\[0\] b | F32 | bytes ÷ 4 |
//! | inputs\[1\] c | F32 | bytes ÷ 4 |
//! | inputs\[2\] s | F32 | 1 |
//! | outputs\[0\] a | F32 | bytes ÷ 4 |

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod cuda;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

use crate::cpu::pool::Pool;
use crate::cpu::split::Split;
use crate::cpu::variant::{CpuOp, Entry, no_weights};
use crate::working_set::{WorkingSet, noise};
use crate::{
    Arithmetic, AxisValue, Buffer, Device, Example, Expected, Fault, Implementation, Index, Invalid, Io, Live, Op,
    Shape, Type, Unsupported,
};

/// a = b + s·c over three arrays of the set's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Triad(pub WorkingSet);

/// One worker's share of the three arrays, each of as many whole lines.
pub(crate) struct Part<'a> {
    a: &'a mut [f32],
    b: &'a [f32],
    c: &'a [f32],
    s: f32,
    passes: usize,
}

static IMPLEMENTATIONS: &[&dyn Implementation<Triad>] = &[
    #[cfg(target_arch = "x86_64")]
    &avx512::NT,
    #[cfg(target_arch = "x86_64")]
    &avx512::TEMPORAL,
    #[cfg(target_arch = "x86_64")]
    &avx2::NT,
    #[cfg(target_arch = "x86_64")]
    &avx2::TEMPORAL,
    #[cfg(target_arch = "aarch64")]
    &neon::NT,
    #[cfg(target_arch = "aarch64")]
    &neon::TEMPORAL,
    &scalar::SCALAR,
    &cuda::STREAMED,
    &cuda::PLAIN,
];

/// Between −1 and 1 and never 0: 23 random bits, the lowest set.
fn value(noise: u64) -> f32 {
    ((noise >> 40) as i32 | 1) as f32 / (1 << 23) as f32 - 1.0
}

impl Op for Triad {
    const NAME: &'static str = "triad";
    fn implementations() -> &'static [&'static dyn Implementation<Self>] {
        IMPLEMENTATIONS
    }
    fn validate(&self) -> Result<(), Invalid> {
        self.0.validate()
    }
    fn on(self, device: &dyn Device) -> Self {
        Self(self.0.on(device))
    }
    fn axes(&self) -> Vec<(&'static str, AxisValue)> {
        self.0.axes()
    }
    fn arithmetic(&self) -> Arithmetic {
        Arithmetic::F32
    }
    fn flops(&self, _live: &Live) -> u64 {
        self.0.moved() / 4 * 2
    }
    fn bytes(&self, _live: &Live) -> u64 {
        3 * self.0.moved()
    }
    fn outputs(&self) -> Vec<Shape> {
        vec![Shape { of: Type::F32, len: self.0.bytes / 4 }]
    }
    fn operand_bytes(&self) -> u64 {
        2 * self.0.bytes as u64 + 4
    }
    fn live(&self) -> Live {
        Live::one(1, 0)
    }
    fn placement(&self) -> crate::Placement {
        self.0.pages
    }
    fn example(&self, seed: u64) -> Example {
        let len = self.0.bytes / 4;
        let array = |stream: u64| (0..len).map(|at| value(noise(seed ^ stream << 32, at))).collect::<Vec<f32>>();
        Example {
            weights: Vec::new(),
            inputs: vec![array(1).into(), array(2).into(), vec![value(noise(seed ^ 3 << 32, 0))].into()],
            outputs: vec![vec![0f32; len].into()],
            live: self.live(),
        }
    }
    fn reference(&self, example: &Example, indices: &[Index]) -> Vec<Expected> {
        let [b, c, s] = [0, 1, 2].map(|i| example.inputs[i].slice::<f32>());
        let s = f64::from(s[0]);
        let expected = |at: usize| {
            let (b, product) = (f64::from(b[at]), s * f64::from(c[at]));
            Expected { value: b + product, scale: b.abs() + product.abs() }
        };
        indices.iter().map(|index| expected(index.at)).collect()
    }
    // With u = 2⁻²⁴: the product is off by ≤ u·|s·c|, the sum by ≤ u·(|b| + |s·c|·(1 + u)), together ≤ u·(2 + u) relative to
    // |b| + |s·c|. Fused it is ≤ u.
    fn tolerance(&self) -> f64 {
        let u = 2f64.powi(-24);
        u * (2.0 + u)
    }
    fn nasty() -> Vec<Self> {
        WorkingSet::nasty().into_iter().map(Self).collect()
    }
}

impl CpuOp for Triad {
    type Args<'a> = Part<'a>;
    type Ready = ();
    fn threads(&self) -> usize {
        self.0.threads
    }
    fn fits(&self, pool: &Pool) -> Result<(), Unsupported> {
        self.0.fits(pool)
    }
    fn ready(&self, weights: &[Buffer], _pool: &Pool) -> Result<(), Fault> {
        no_weights(Self::NAME, weights)
    }
    #[expect(unsafe_code, reason = "each worker writes its own share")]
    fn run(&self, (): &mut (), pool: &Pool, kernel: Entry<Self>, io: &mut Io<'_>) -> Result<(), Fault> {
        let kernel = kernel.here()?;
        let [b, c, s] = [0, 1, 2].map(|i| io.inputs[i].slice::<f32>());
        let a = Split::new(io.outputs[0].slice_mut::<f32>());
        pool.run(&|worker| {
            let Some(share) = self.0.share(worker, 4) else { return };
            // SAFETY: the shares of different workers are disjoint.
            let a = unsafe { a.part(share.clone()) };
            kernel.call(&mut Part { a, b: &b[share.clone()], c: &c[share], s: s[0], passes: self.0.passes() });
        });
        Ok(())
    }
}
