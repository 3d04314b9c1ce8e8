//! `chase`: how long one dependent read takes, over a random cycle through every line of the set.
//!
//! The array is cut into lines of 64 bytes. The first word of each holds the index of the word to read next; followed from
//! anywhere, these links pass through every line once before they come back (Sattolo's algorithm makes one single cycle).
//! Neither a prefetcher nor out-of-order execution can run ahead: time ÷ hops is the latency of a read at this size.
//!
//! | operand | type | elements |
//! |---|---|---|
//! | inputs\[0\] the links, in every eighth word | U64 | bytes ÷ 8 |
//! | outputs\[0\] the line the walk stands at: read, then written | U32 | 1 |
//!
//! The position is state and must be kept from run to run: a walk that starts anew each time would meet the same
//! 16384 lines again, in a cache. A set has been walked whole after [`Chase::runs_to_cover`] runs.

mod cuda;
mod cycle;
mod scalar;

use crate::cpu::pool::Pool;
use crate::cpu::variant::{CpuOp, Entry, no_weights};
use crate::working_set::{LINE, pages_axis};
use crate::{
    Arithmetic, AxisValue, Buffer, Example, Expected, Fault, Implementation, Index, Invalid, Io, Live, Op, Placement,
    Shape, Type,
};

/// Hops a run: about 2 ms in memory, 20 µs in the first-level cache.
const HOPS: usize = 1 << 14;
/// Words of a line.
const WORDS: usize = LINE / 8;

/// Follows links through a set of `bytes` on one thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chase {
    /// Size of the set, in bytes: a multiple of 64, at most 256 GiB.
    pub bytes: usize,
    /// The pages it should stand on. Whoever allocates it must ask for this placement.
    pub pages: Placement,
}

impl Chase {
    /// A walk through `bytes` on huge pages where the system grants them.
    pub const fn new(bytes: usize) -> Self {
        Self { bytes, pages: Placement::Fast }
    }
    /// Dependent reads of one run: latency is the time of a run ÷ this.
    pub const fn hops(&self) -> usize {
        HOPS
    }
    /// Runs after which every line has been visited: fewer leave a cache partly cold.
    pub const fn runs_to_cover(&self) -> usize {
        (self.bytes / LINE).div_ceil(HOPS)
    }
}

/// The links and where the walk stands.
pub(crate) struct Part<'a> {
    links: &'a [u64],
    /// Index of a line.
    at: &'a mut u32,
    hops: usize,
}

static IMPLEMENTATIONS: &[&dyn Implementation<Chase>] = &[&scalar::SCALAR, &cuda::THROUGH_L1, &cuda::PAST_L1];

impl Op for Chase {
    const NAME: &'static str = "chase";
    fn implementations() -> &'static [&'static dyn Implementation<Self>] {
        IMPLEMENTATIONS
    }
    fn validate(&self) -> Result<(), Invalid> {
        let bytes = self.bytes;
        if bytes == 0 || !bytes.is_multiple_of(LINE) {
            return Err(Invalid(format!("bytes = {bytes} is no multiple of 64; round it up")));
        }
        if bytes / LINE > u32::MAX as usize {
            return Err(Invalid(format!("bytes = {bytes} has more than 2^32 lines; stay below 256 GiB")));
        }
        Ok(())
    }
    fn axes(&self) -> Vec<(&'static str, AxisValue)> {
        let mut axes = vec![("bytes", self.bytes.into())];
        axes.extend(pages_axis(self.pages));
        axes
    }
    fn arithmetic(&self) -> Arithmetic {
        Arithmetic::F32
    }
    fn flops(&self, _live: &Live) -> u64 {
        0
    }
    fn bytes(&self, _live: &Live) -> u64 {
        (self.hops() * LINE) as u64
    }
    fn outputs(&self) -> Vec<Shape> {
        vec![Shape { of: Type::U32, len: 1 }]
    }
    fn operand_bytes(&self) -> u64 {
        self.bytes as u64
    }
    fn live(&self) -> Live {
        Live::one(1, 0)
    }
    fn placement(&self) -> Placement {
        self.pages
    }
    fn example(&self, seed: u64) -> Example {
        Example {
            weights: Vec::new(),
            inputs: vec![cycle::links(self.bytes / LINE, seed).into()],
            outputs: vec![vec![0u32].into()],
            live: self.live(),
        }
    }
    /// The walk again, line by line. An index is exact in f64.
    fn reference(&self, example: &Example, indices: &[Index]) -> Vec<Expected> {
        let links = example.inputs[0].slice::<u64>();
        let start = example.outputs[0].slice::<u32>()[0] as usize;
        let end = (0..self.hops()).fold(start, |line, _| links[line * WORDS] as usize / WORDS);
        indices.iter().map(|_| Expected { value: end as f64, scale: 1.0 }).collect()
    }
    // A line is the right one or it is not.
    fn tolerance(&self) -> f64 {
        0.0
    }
    fn nasty() -> Vec<Self> {
        let sizes = [64, 128, 192, 4096, 4096 + 64, 64 * 1009, (1 << 21) + 64];
        let mut walks: Vec<_> = sizes.map(Self::new).into();
        walks.push(Self { bytes: 1 << 20, pages: Placement::SmallPages });
        walks
    }
}

impl CpuOp for Chase {
    type Args<'a> = Part<'a>;
    type Ready = ();
    fn ready(&self, weights: &[Buffer], _pool: &Pool) -> Result<(), Fault> {
        no_weights(Self::NAME, weights)
    }
    fn run(&self, (): &mut (), pool: &Pool, kernel: Entry<Self>, io: &mut Io<'_>) -> Result<(), Fault> {
        let kernel = kernel.here()?;
        let links = io.inputs[0].slice::<u64>();
        let at = &mut io.outputs[0].slice_mut::<u32>()[0];
        let part = std::sync::Mutex::new(Part { links, at, hops: self.hops() });
        pool.run(&|worker| {
            if worker.index == 0
                && let Ok(mut part) = part.lock()
            {
                kernel.call(&mut part);
            }
        });
        Ok(())
    }
}
