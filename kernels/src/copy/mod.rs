//! `copy`: how fast one array can be copied to another.
//!
//! Counted as STREAM counts: every byte once read and once written. Ordinary stores read the line they overwrite first, and
//! that third stream is not counted; kernels `…-nt` avoid it with non-temporal stores.
//!
//! | operand | type | elements |
//! |---|---|---|
//! | inputs\[0\] the array | U32 | bytes ÷ 4 |
//! | outputs\[0\] its copy | U32 | bytes ÷ 4 |

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub(crate) mod cuda;
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

/// Copies one array of the set's size to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copy(pub WorkingSet);

/// One worker's share of both arrays.
pub(crate) struct Part<'a> {
    /// Whole lines.
    from: &'a [u32],
    /// As many.
    to: &'a mut [u32],
    passes: usize,
}

static IMPLEMENTATIONS: &[&dyn Implementation<Copy>] = &[
    #[cfg(target_arch = "x86_64")]
    &avx512::NT,
    #[cfg(target_arch = "x86_64")]
    &avx512::PAGES4_NT,
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

impl Op for Copy {
    const NAME: &'static str = "copy";
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
        0
    }
    fn bytes(&self, _live: &Live) -> u64 {
        2 * self.0.moved()
    }
    fn outputs(&self) -> Vec<Shape> {
        vec![Shape { of: Type::U32, len: self.0.bytes / 4 }]
    }
    fn operand_bytes(&self) -> u64 {
        self.0.bytes as u64
    }
    fn live(&self) -> Live {
        Live::one(1, 0)
    }
    fn placement(&self) -> crate::Placement {
        self.0.pages
    }
    fn example(&self, seed: u64) -> Example {
        let from: Vec<u32> = (0..self.0.bytes / 4).map(|at| noise(seed, at) as u32).collect();
        let to = vec![0u32; from.len()];
        Example { weights: Vec::new(), inputs: vec![from.into()], outputs: vec![to.into()], live: self.live() }
    }
    fn reference(&self, example: &Example, indices: &[Index]) -> Vec<Expected> {
        let from = &example.inputs[0];
        indices.iter().map(|index| Expected { value: from.value(index.at), scale: 1.0 }).collect()
    }
    // A word is copied or it is not.
    fn tolerance(&self) -> f64 {
        0.0
    }
    fn nasty() -> Vec<Self> {
        WorkingSet::nasty().into_iter().map(Self).collect()
    }
}

impl CpuOp for Copy {
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
        let from = io.inputs[0].slice::<u32>();
        let to = Split::new(io.outputs[0].slice_mut::<u32>());
        pool.run(&|worker| {
            let Some(share) = self.0.share(worker, 4) else { return };
            // SAFETY: the shares of different workers are disjoint.
            let to = unsafe { to.part(share.clone()) };
            kernel.call(&mut Part { from: &from[share], to, passes: self.0.passes() });
        });
        Ok(())
    }
}
