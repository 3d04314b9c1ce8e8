//! The clock that the SMs of a GPU really run at, by their own counters against the GPU's wall clock.

use super::Gpu;
use super::arch::FROM_SM80;
use super::launch::{Args, Grid};
use super::module::Function;
use super::source::{Source, Unit};
use crate::{Buffer, Device, Fault, Placement, Type};

static SOURCE: Source = Source { path: "cuda/clock.cu", text: include_str!("clock.cu") };

/// Ticks that [`Stamps::now`] works for: a millisecond at 2 GHz, a thousand steps of the wall clock.
const TICKS: u64 = 2_000_000;
/// The same on a test double, which runs one block after the other.
const SIMULATED_TICKS: u64 = 1000;
/// Blocks of a stamp an SM: the scheduler puts some on every SM, wherever others still stand.
const BLOCKS_AN_SM: usize = 4;

/// What is compiled.
pub(crate) fn unit() -> Unit {
    Unit::plain(&SOURCE, FROM_SM80, &["stamp", "spin"])
}

/// Two stamps of every SM, one before and one after a window of work on the GPU's stream.
#[derive(Debug)]
pub struct Stamps {
    stamp: Function,
    spin: Function,
    before: Buffer,
    after: Buffer,
}

impl Stamps {
    /// Room for the stamps of all SMs. Errors: no compiler, no memory.
    pub fn new(gpu: &Gpu) -> Result<Self, Fault> {
        let module = gpu.module(&unit())?;
        let room = || gpu.alloc(Type::U64, 2 * gpu.threads(), Placement::Fast);
        Ok(Self { stamp: module.function("stamp")?, spin: module.function("spin")?, before: room()?, after: room()? })
    }
    /// Submits the stamp that begins a window.
    pub fn begin(&mut self, gpu: &Gpu) -> Result<(), Fault> {
        stamp(&self.stamp, &mut self.before, gpu)
    }
    /// Submits the stamp that ends it.
    pub fn end(&mut self, gpu: &Gpu) -> Result<(), Fault> {
        stamp(&self.stamp, &mut self.after, gpu)
    }
    /// The clock of each SM over a millisecond of work of its own, for windows that are too short to tell it. Errors: as above.
    pub fn now(&mut self, gpu: &Gpu) -> Result<Vec<f64>, Fault> {
        let ticks = if gpu.simulated() { SIMULATED_TICKS } else { TICKS };
        self.begin(gpu)?;
        gpu.launch(&self.spin, Grid::line(gpu.threads(), 128), Args::new().long(ticks))?;
        self.end(gpu)?;
        self.clocks(gpu)
    }
    /// Waits, and gives the mean clock of each SM over the window, in Hz. SMs share a clock: one that no stamp came to has the median of
    /// the others.
    pub fn clocks(&self, gpu: &Gpu) -> Result<Vec<f64>, Fault> {
        let (before, after) = (gpu.download(&self.before)?, gpu.download(&self.after)?);
        let pairs = before.slice::<u64>().as_chunks::<2>().0.iter().zip(after.slice::<u64>().as_chunks::<2>().0);
        let clock = |([ticks, ns], [ticks_after, ns_after]): (&[u64; 2], &[u64; 2])| {
            let (ticks, ns) = (ticks_after.checked_sub(*ticks)?, ns_after.checked_sub(*ns)?);
            (ns > 0).then(|| ticks as f64 / ns as f64 * 1e9)
        };
        let mut clocks: Vec<f64> =
            pairs.filter(|(before, after)| before[1] > 0 && after[1] > before[1]).filter_map(clock).collect();
        clocks.sort_unstable_by(f64::total_cmp);
        if let Some(median) = clocks.get(clocks.len() / 2).copied() {
            clocks.resize(gpu.threads(), median);
        }
        Ok(clocks)
    }
}

fn stamp(function: &Function, into: &mut Buffer, gpu: &Gpu) -> Result<(), Fault> {
    let args = Args::new().write(into).int(gpu.threads());
    gpu.launch(function, Grid::line(BLOCKS_AN_SM * gpu.threads(), 32), args)
}
