//! Copies between a host's memory and a GPU's: by the copy engines or by a kernel, one way or both at once, timed by the GPU.

use super::block::Block;
use super::gate::Gate;
use super::lane::Lane;
use super::{Allocator, Region};
use crate::copy::cuda as copy;
use crate::cuda::Gpu;
use crate::cuda::launch::Args;
use crate::cuda::module::Function;
use crate::cuda::source::Unit;
use crate::parity::Check;
use crate::working_set::noise;
use crate::{Buffer, Device, Fault, Type, Unsupported};
use std::time::Duration;

/// Who copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// The driver, which gives it to a copy engine.
    Copy,
    /// A kernel on all SMs.
    Kernel,
}

impl Engine {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Copy, Self::Kernel];
    /// Its name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Copy => "engine",
            Self::Kernel => "kernel",
        }
    }
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Host to GPU.
    In,
    /// GPU to host.
    Out,
    /// Both at once.
    Both,
}

impl Direction {
    /// All.
    pub const ALL: [Self; 3] = [Self::In, Self::Out, Self::Both];
    /// Its name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
            Self::Both => "both",
        }
    }
    /// The lanes that take part: 0 is in, 1 is out.
    const fn lanes(self) -> &'static [usize] {
        match self {
            Self::In => &[0],
            Self::Out => &[1],
            Self::Both => &[0, 1],
        }
    }
}

/// What is compiled: the kernel of `copy`.
pub(super) fn unit() -> Unit {
    copy::unit(1)
}

/// Words of 64 bits in a page of 4 KiB, and bytes that are compared at once.
const PAGE: usize = 512;
const PIECE: usize = 4 << 20;

/// Everything that copies of one size and allocator need.
#[derive(Debug)]
pub struct Transfers {
    gpu: Gpu,
    /// One copy, in bytes, and how many stand behind each other, each of other bytes.
    bytes: usize,
    count: usize,
    /// What goes in and comes out, on either side; by lane.
    host: [Region; 2],
    device: [Region; 2],
    lanes: [Lane; 2],
    gate: Gate,
    kernel: Function,
    seed: u64,
}

impl Transfers {
    /// Bytes of memory that they take on the host's side and on the GPU's.
    pub const fn footprint(bytes: usize, count: usize) -> u64 {
        4 * (bytes as u64).saturating_mul(count as u64)
    }
    /// `count` copies of `bytes` each (a multiple of 64), between the GPU's own memory and what `allocator` gives. Errors: there is no
    /// such memory, or not so much.
    pub fn new(gpu: &Gpu, allocator: Allocator, bytes: usize, count: usize, seed: u64) -> Result<Self, Fault> {
        if bytes == 0 || !bytes.is_multiple_of(64) {
            return Err(Unsupported(format!("bytes = {bytes} is no multiple of 64; round it up")).into());
        }
        let len = bytes.checked_mul(count.max(1)).ok_or(Fault::OutOfMemory { bytes: u64::MAX })? / 8;
        let region = |allocator| Region::new(gpu, allocator, Type::U64, len);
        Ok(Self {
            gpu: gpu.clone(),
            bytes,
            count: count.max(1),
            host: [region(allocator)?, region(allocator)?],
            device: [region(Allocator::Device)?, region(Allocator::Device)?],
            lanes: [Lane::new(gpu)?, Lane::new(gpu)?],
            gate: Gate::new(gpu)?,
            kernel: gpu.module(&unit())?.function("copy_words")?,
            seed,
        })
    }
    /// Bytes that a run moves, each counted once.
    pub fn moved(&self, direction: Direction) -> u64 {
        (self.bytes * self.count * direction.lanes().len()) as u64
    }
    /// Copies in one run.
    pub fn copies(&self, direction: Direction) -> u64 {
        (self.count * direction.lanes().len()) as u64
    }
    /// Whether `engine` can do it. Errors: why not.
    pub fn possible(&self, engine: Engine) -> Result<(), Unsupported> {
        match engine {
            Engine::Copy => Ok(()),
            Engine::Kernel => self.host[0].allocator().seen_by_gpu(self.gpu.properties()),
        }
    }
    /// Whether the gate holds its copies until all of them are enqueued: from memory that the driver does not know a copy waits for the
    /// stream before the call returns, and behind a gate that would be for ever.
    pub fn gated(&self, engine: Engine) -> bool {
        engine == Engine::Kernel || self.host[0].allocator().waits_in_a_stream()
    }
    fn ends(&self, lane: usize) -> (&Block, &Block) {
        let (host, device) = (self.host[lane].block(), self.device[lane].block());
        if lane == 0 { (device, host) } else { (host, device) }
    }
    /// Submits the copies of one lane.
    fn submit(&self, engine: Engine, lane: usize) -> Result<(), Fault> {
        let (to, from) = self.ends(lane);
        for at in 0..self.count {
            let start = at * self.bytes;
            match engine {
                Engine::Copy => self.lanes[lane].copy(to, from, start, self.bytes)?,
                Engine::Kernel => {
                    let (Some(to), Some(from)) = (to.device(), from.device()) else {
                        return Err(Unsupported("a kernel does not reach this memory".into()).into());
                    };
                    let args = Args::new().address(from + start as u64).address(to + start as u64);
                    let args = args.long(self.bytes as u64).int(1);
                    self.lanes[lane].launch(&self.kernel, copy::grid(self.bytes, self.gpu.threads()), args)?;
                }
            }
        }
        Ok(())
    }
    /// Brings managed pages back to the host, from where each run is to begin.
    fn settle(&mut self, direction: Direction) -> Result<(), Fault> {
        if !matches!(self.host[0].allocator(), Allocator::Managed | Allocator::ManagedAdvised) {
            return Ok(());
        }
        for lane in direction.lanes() {
            let words = self.host[*lane].host()?.slice_mut::<u64>();
            words.iter_mut().step_by(PAGE).for_each(|word| *word = std::hint::black_box(*word));
        }
        Ok(())
    }
    /// Does all copies once and tells how long they took on the GPU's clock, from the first one's beginning to the last one's end.
    pub fn run(&mut self, engine: Engine, direction: Direction) -> Result<Duration, Fault> {
        self.settle(direction)?;
        let (used, gated) = (direction.lanes(), self.gated(engine));
        self.gate.shut();
        let submitted = (|| {
            for lane in used {
                if gated {
                    self.gate.hold(&self.lanes[*lane])?;
                }
                self.lanes[*lane].begin()?;
                if gated || used.len() == 1 {
                    self.submit(engine, *lane)?;
                    self.lanes[*lane].end()?;
                }
            }
            if gated || used.len() == 1 {
                return Ok(());
            }
            // Calls that return when the bytes are taken: only two threads have both ways at work at once.
            let this = &*self;
            let one = |lane: usize| this.submit(engine, lane).and_then(|()| this.lanes[lane].end());
            std::thread::scope(|scope| {
                let other = scope.spawn(move || one(1));
                let ours = one(0);
                other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).and(ours)
            })
        })();
        // Whatever went wrong, what is held has to be let go before anybody waits.
        self.gate.open();
        submitted?;
        let mut longest = Duration::ZERO;
        for lane in used {
            self.lanes[*lane].wait()?;
        }
        if gated {
            self.gate.held()?;
        }
        for from in used {
            for to in used {
                longest = longest.max(self.lanes[*from].until(&self.lanes[*to])?);
            }
        }
        Ok(longest)
    }
    /// Fills the sources anew, copies once, and compares every word of what came with what was to come; of write-combined memory, which the
    /// host reads a thousand times slower, one a page.
    pub fn verify(&mut self, engine: Engine, direction: Direction) -> Result<Check, Fault> {
        self.seed = self.seed.wrapping_add(1);
        let seed = self.seed;
        for lane in direction.lanes() {
            let value = |at: usize| noise(seed + *lane as u64, at);
            let sides = [&mut self.host[*lane], &mut self.device[*lane]];
            let (from, to) = if *lane == 0 { (0, 1) } else { (1, 0) };
            for (side, region) in sides.into_iter().enumerate() {
                if side == from {
                    region.fill::<u64>(&self.gpu, value)?;
                } else if side == to {
                    region.fill::<u64>(&self.gpu, |_| 0)?;
                }
            }
        }
        self.run(engine, direction)?;
        let (mut wrong, mut compared) = (0_usize, 0_usize);
        for lane in direction.lanes() {
            let region = if *lane == 0 { &mut self.device[*lane] } else { &mut self.host[*lane] };
            let step = if region.allocator() == Allocator::WriteCombined { PAGE } else { 1 };
            let mut look = |start: usize, words: &[u64]| {
                for (at, word) in words.iter().enumerate().step_by(step) {
                    wrong += usize::from(*word != noise(seed + *lane as u64, start + at));
                    compared += 1;
                }
            };
            if region.allocator().seen_by_host() {
                look(0, region.host()?.slice::<u64>());
                continue;
            }
            let buffer: &Buffer = region.gpu()?;
            let mut piece = vec![0_u64; PIECE / 8];
            for start in (0..buffer.len()).step_by(piece.len()) {
                let words = &mut piece[..(buffer.len() - start).min(PIECE / 8)];
                self.gpu.read(buffer, start, words)?;
                look(start, words);
            }
        }
        Ok(Check { max_error: wrong as f64 / compared.max(1) as f64, tolerance: 0.0, compared })
    }
}
