//! The memory a bandwidth roof moves: its size, who shares it, on which pages.

use crate::cpu::pool::{Pool, Worker};
use crate::cuda::Gpu;
use crate::{AxisValue, Device, Invalid, Placement, Unsupported};
use std::ops::Range;

/// Bytes one run walks over at least, so that a run over a small set lasts far longer than the call of the pool (≈ 1 µs).
pub(crate) const RUN: usize = 64 << 20;
/// The same on a GPU, where 64 MiB are over after 14 µs and what stands around a launch would count. Its test double is a CPU.
const GPU_RUN: usize = 1 << 30;
const SIMULATED_RUN: usize = 1 << 20;
/// Shares are cut at multiples of this many bytes.
pub(crate) const GRAIN: usize = 4096;
/// Bytes of a cache line, the unit of every size here.
pub const LINE: usize = 64;

/// The arrays of a bandwidth roof, each of `bytes`, cut into contiguous shares of whole 4 KiB blocks, one a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkingSet {
    /// Size of each array, in bytes: a multiple of 64. `read` and `write` have one array, `copy` two, `triad` three.
    pub bytes: usize,
    /// Workers that share it. One that gets no 4 KiB block stays idle.
    pub threads: usize,
    /// The pages the arrays should stand on. Whoever allocates them must ask for this placement.
    pub pages: Placement,
    /// Which kind of core takes part: 0 all of them, 1 the fastest kind alone, 2 the next. Of one kind, 0 `threads` are all of it.
    pub cores: usize,
    /// How often a run is done over: a figure that does not grow with it was not measured.
    pub times: usize,
    /// Rounds of idling after each 4 KiB of a `read`, by which it moves less a second than it could; the other ops know no pause.
    pub pause: u32,
    /// Bytes one run walks over at least.
    run: usize,
}

impl WorkingSet {
    /// A size that no cache of this decade holds: 1 GiB.
    pub const MEMORY: usize = 1 << 30;

    /// `bytes` an array, shared by `threads`, on huge pages where the system grants them.
    pub const fn new(bytes: usize, threads: usize) -> Self {
        Self { bytes, threads, pages: Placement::Fast, cores: 0, times: 1, pause: 0, run: RUN }
    }
    /// The same on base pages.
    pub const fn on_small_pages(mut self) -> Self {
        self.pages = Placement::SmallPages;
        self
    }
    /// The same with `rounds` of idling after each 4 KiB of a `read`.
    pub const fn paused(mut self, rounds: u32) -> Self {
        self.pause = rounds;
        self
    }
    /// The same, done over `times` times.
    pub const fn repeated(mut self, times: usize) -> Self {
        self.times = times;
        self
    }
    /// The same, walked as a whole and exactly once in a run.
    pub const fn once(mut self) -> Self {
        self.run = self.bytes;
        self
    }
    /// The same on the cores of one kind: 1 is the fastest.
    pub const fn on_cores(mut self, kind: usize) -> Self {
        self.cores = kind;
        self
    }
    /// The same, walked for as long as a run on `device` has to take.
    pub(crate) fn on(mut self, device: &dyn Device) -> Self {
        if let Ok(gpu) = Gpu::of(device) {
            self.run = if gpu.simulated() { SIMULATED_RUN } else { GPU_RUN };
        }
        self
    }
    /// What one run of `read` walks over.
    pub(crate) fn window(self) -> Self {
        Self { bytes: self.bytes.min(self.run), ..self }
    }
    /// Times each array is walked in one run: enough to move 64 MiB, on a GPU 1 GiB.
    pub fn passes(&self) -> usize {
        self.run.div_ceil(self.bytes.max(LINE)) * self.times
    }
    /// Bytes of one array moved in one run.
    pub(crate) fn moved(&self) -> u64 {
        self.bytes as u64 * self.passes() as u64
    }
    pub(crate) fn validate(&self) -> Result<(), Invalid> {
        let (bytes, threads) = (self.bytes, self.threads);
        if bytes == 0 || !bytes.is_multiple_of(LINE) {
            return Err(Invalid(format!("bytes = {bytes} is no multiple of 64; round it up")));
        }
        if threads == 0 && self.cores == 0 {
            return Err(Invalid("threads = 0 moves nothing; ask for at least 1".to_owned()));
        }
        Ok(())
    }
    pub(crate) fn axes(&self) -> Vec<(&'static str, AxisValue)> {
        let mut axes = vec![("bytes", self.bytes.into())];
        axes.extend((self.cores > 0).then(|| ("cores", self.cores.into())));
        axes.extend(pages_axis(self.pages));
        axes.extend((self.pause > 0).then(|| ("pause", AxisValue::Int(self.pause.into()))));
        axes.extend((self.threads > 0).then(|| ("threads", self.threads.into())));
        axes
    }
    /// Whether `pool` has the cores it is for. Errors: both numbers.
    pub(crate) fn fits(&self, pool: &Pool) -> Result<(), Unsupported> {
        let kinds = pool.kinds();
        if self.cores > kinds {
            let asked = self.cores;
            return Err(Unsupported(format!("asks for cores of kind {asked}, and the device has {kinds} of them")));
        }
        Ok(())
    }
    /// Whether a GPU can walk it. Errors: what it has not.
    pub(crate) fn on_a_gpu(&self) -> Result<(), Unsupported> {
        match (self.cores, self.pause) {
            (0, 0) => Ok(()),
            (0, _) => Err(Unsupported("a GPU's reads know no pause".into())),
            _ => Err(Unsupported("a GPU has no cores of several kinds".into())),
        }
    }
    /// The elements of `size` bytes that `worker` walks; `None` if it has no part in this set.
    pub(crate) fn share(&self, mut worker: Worker<'_>, size: usize) -> Option<Range<usize>> {
        let share = if self.cores > 0 {
            let (index, count) = worker.of_kind(self.cores - 1, self.threads)?;
            let cut = |i: usize| (self.bytes.div_ceil(GRAIN) * i / count * GRAIN).min(self.bytes);
            cut(index)..cut(index + 1)
        } else {
            if worker.index >= self.threads {
                return None;
            }
            worker.count = self.threads;
            worker.share(self.bytes, GRAIN)
        };
        (!share.is_empty()).then(|| share.start / size..share.end / size)
    }
    /// Sizes at which lines, unrolled blocks, grains and shares do not come out even.
    pub(crate) fn nasty() -> Vec<Self> {
        let sizes = [64, 128, 4096 - 64, 4096, 4096 + 64, 3 * 4096 + 192, 16 << 10, 64 * 1009, (1 << 20) + 7 * 64];
        let mut sets: Vec<_> =
            sizes.iter().flat_map(|&bytes| (1..=3).map(move |threads| Self::new(bytes, threads))).collect();
        sets.push(Self::new(1 << 20, 2).on_small_pages());
        // A pool of equal workers has one kind, and declines the second.
        sets.extend([1, 2].map(|kind| Self { threads: 0, ..Self::new((1 << 18) + 64, 1).on_cores(kind) }));
        sets
    }
}

/// The axis `pages`, which is left out where the pages are huge.
pub(crate) fn pages_axis(pages: Placement) -> Option<(&'static str, AxisValue)> {
    (pages == Placement::SmallPages).then(|| ("pages", "small".into()))
}

/// Word `at` of the seeded stream: SplitMix64, addressed instead of stepped, so that every word can be had alone.
pub(crate) fn noise(seed: u64, at: usize) -> u64 {
    let z = seed.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add((at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_that_is_no_line_multiple_is_refused() {
        assert!(WorkingSet::new(0, 1).validate().is_err());
        assert!(WorkingSet::new(100, 1).validate().is_err());
        assert!(WorkingSet::new(64, 0).validate().is_err());
        assert!(WorkingSet::nasty().iter().all(|set| set.validate().is_ok()));
    }

    #[test]
    fn only_small_pages_are_named_in_an_id() {
        let set = WorkingSet::new(4096, 2);
        let names = |set: WorkingSet| set.axes().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(set), ["bytes", "threads"]);
        assert_eq!(names(set.on_small_pages()), ["bytes", "pages", "threads"]);
        assert_eq!(names(WorkingSet { threads: 0, ..set.on_cores(1) }), ["bytes", "cores"]);
    }
}
