//! `read`: how fast memory or a cache can be read.
//!
//! Every 64-bit word of one array is added up, `passes` times, in wrapping arithmetic: the sum is exact in every order,
//! so a kernel that leaves out a single line is found out.
//!
//! An array beyond 64 MiB (on a GPU 1 GiB) is read a window of that size a run, the windows in turn: every run still comes from as far away as the
//! whole array reaches, and is short enough to fall between two disturbances, as the kernels are that it is a roof for.
//!
//! | operand | type | elements |
//! |---|---|---|
//! | inputs\[0\] the array | U64 | bytes ÷ 8 |
//! | outputs\[0\] sum of the window, low half then high half | U32 | 2 |
//! | outputs\[1\] the window to read next, counted up by each run | U32 | 1 |

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod cuda;
#[cfg(target_arch = "aarch64")]
mod neon;
mod reference;
mod scalar;

use crate::cpu::idle::idle;
use crate::cpu::pool::Pool;
use crate::cpu::split::Split;
use crate::cpu::variant::{CpuOp, Entry, no_weights};
use crate::working_set::{GRAIN, RUN, WorkingSet, noise};
use crate::{
    Arithmetic, AxisValue, Buffer, Device, Example, Expected, Fault, Implementation, Index, Invalid, Io, Live, Op,
    Shape, Type, Unsupported,
};
use std::ops::Range;

/// Reads the whole set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read(pub WorkingSet);

impl Read {
    /// What one run walks over.
    fn window(&self) -> WorkingSet {
        self.0.window()
    }
    /// The words of window `at`; windows come round, and the last one overlaps its neighbour where they do not come out even.
    fn words(&self, at: u32) -> Range<usize> {
        let (bytes, all) = (self.window().bytes, self.0.bytes);
        let start = (at as usize % all.div_ceil(bytes) * bytes).min(all - bytes);
        start / 8..(start + bytes) / 8
    }
}

/// One worker's share and the sum it finds.
pub(crate) struct Part<'a> {
    /// Words, a multiple of 8.
    words: &'a [u64],
    passes: usize,
    sum: u64,
}

/// Which is fastest depends on machine, size and threads, and on a busy machine on the minute: a probe tries all and keeps the
/// best. The order is that of 1 GiB on an Intel server core, where several pages at once read 20 to 30 % more than one stream.
static IMPLEMENTATIONS: &[&dyn Implementation<Read>] = &[
    #[cfg(target_arch = "x86_64")]
    &avx512::PAGES4,
    #[cfg(target_arch = "x86_64")]
    &avx512::PAGES2,
    #[cfg(target_arch = "x86_64")]
    &avx512::PAGES8,
    #[cfg(target_arch = "x86_64")]
    &avx512::STREAMS4,
    #[cfg(target_arch = "x86_64")]
    &avx512::STREAMS2,
    #[cfg(target_arch = "x86_64")]
    &avx512::PAGES4_PREFETCHED,
    #[cfg(target_arch = "x86_64")]
    &avx512::FAR_PREFETCHED,
    #[cfg(target_arch = "x86_64")]
    &avx512::PLAIN,
    #[cfg(target_arch = "x86_64")]
    &avx512::PREFETCHED,
    #[cfg(target_arch = "x86_64")]
    &avx2::STREAMS4,
    #[cfg(target_arch = "x86_64")]
    &avx2::PLAIN,
    #[cfg(target_arch = "aarch64")]
    &neon::PAGES4,
    #[cfg(target_arch = "aarch64")]
    &neon::PLAIN,
    #[cfg(target_arch = "aarch64")]
    &neon::STREAMS4,
    #[cfg(target_arch = "aarch64")]
    &neon::PREFETCHED,
    #[cfg(target_arch = "aarch64")]
    &neon::FAR_PREFETCHED,
    &scalar::SCALAR,
    &cuda::LOADS8,
    &cuda::LOADS4,
    &cuda::CACHED4,
];

impl Op for Read {
    const NAME: &'static str = "read";
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
        self.window().moved()
    }
    fn outputs(&self) -> Vec<Shape> {
        vec![Shape { of: Type::U32, len: 2 }, Shape { of: Type::U32, len: 1 }]
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
        let words: Vec<u64> = (0..self.0.bytes / 8).map(|at| noise(seed, at)).collect();
        Example {
            weights: Vec::new(),
            inputs: vec![words.into()],
            outputs: vec![vec![0u32; 2].into(), vec![0u32].into()],
            live: self.live(),
        }
    }
    fn reference(&self, example: &Example, indices: &[Index]) -> Vec<Expected> {
        reference::expected(self, example, indices)
    }
    // Wrapping sums of integers are the same in every order: nothing but equality will do.
    fn tolerance(&self) -> f64 {
        0.0
    }
    fn nasty() -> Vec<Self> {
        let windows = WorkingSet::new(RUN + 4096 + 64, 2);
        let paused = WorkingSet::new((1 << 20) + 64, 2).paused(3);
        WorkingSet::nasty().into_iter().chain([windows, paused]).map(Self).collect()
    }
}

impl CpuOp for Read {
    type Args<'a> = Part<'a>;
    /// What each worker finds.
    type Ready = Vec<u64>;
    fn threads(&self) -> usize {
        self.0.threads
    }
    fn fits(&self, pool: &Pool) -> Result<(), Unsupported> {
        self.0.fits(pool)
    }
    fn ready(&self, weights: &[Buffer], pool: &Pool) -> Result<Vec<u64>, Fault> {
        no_weights(Self::NAME, weights).map(|()| vec![0; pool.threads()])
    }
    #[expect(unsafe_code, reason = "each worker writes its own sum")]
    fn run(&self, sums: &mut Vec<u64>, pool: &Pool, kernel: Entry<Self>, io: &mut Io<'_>) -> Result<(), Fault> {
        let kernel = kernel.here()?;
        let [total, next] = &mut io.outputs[..] else { unreachable!("read has two outputs") };
        let next = &mut next.slice_mut::<u32>()[0];
        let words = &io.inputs[0].slice::<u64>()[self.words(*next)];
        *next = next.wrapping_add(1);
        let window = self.window();
        let passes = window.passes();
        sums.fill(0);
        let each = Split::new(sums);
        pool.run(&|worker| {
            let Some(share) = window.share(worker, 8) else { return };
            // SAFETY: worker indices differ, so no two workers take the same sum.
            let mine = unsafe { each.part(worker.index..worker.index + 1) };
            if window.pause == 0 {
                let mut part = Part { words: &words[share], passes, sum: 0 };
                kernel.call(&mut part);
                mine[0] = part.sum;
                return;
            }
            for words in (0..passes).flat_map(|_| words[share.clone()].chunks(GRAIN / 8)) {
                let mut part = Part { words, passes: 1, sum: 0 };
                kernel.call(&mut part);
                mine[0] = mine[0].wrapping_add(part.sum);
                idle(window.pause);
            }
        });
        let sum = sums.iter().fold(0, |sum: u64, &part| sum.wrapping_add(part));
        total.slice_mut::<u32>().copy_from_slice(&[sum as u32, (sum >> 32) as u32]);
        Ok(())
    }
}
