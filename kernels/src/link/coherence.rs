//! One line between a host and a GPU: handovers, atomics of both, false sharing, and data passed on through caches.

use super::duet::{await_word, beside};
use super::lane::Lane;
use super::words::Words;
use super::{Allocator, Region};
use crate::cuda::Gpu;
use crate::cuda::arch::FROM_SM80;
use crate::cuda::launch::{Args, Grid};
use crate::cuda::module::{Function, Module};
use crate::cuda::source::{Source, Unit};
use crate::{Buffer, Device, Fault, Placement, Type, Unsupported};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::{Duration, Instant};

static SOURCE: Source = Source { path: "link/coherence.cu", text: include_str!("coherence.cu") };

pub(super) fn unit() -> Unit {
    Unit::plain(&SOURCE, FROM_SM80, &["pong", "add_gpu", "add_sys", "count", "consume", "produce"])
}

/// Among whom an atomic of the GPU is atomic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Its own threads.
    Gpu,
    /// The whole system.
    System,
}

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// One core of the host.
    Cpu,
    /// The GPU.
    Gpu,
    /// Both at once.
    Both,
}

/// Where the host counts beside a thread of the GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Neighbour {
    /// In the same line of 64 bytes.
    SameLine,
    /// In a line of its own.
    OtherLine,
}

/// What one side did in how long; nothing where it took no part.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Did {
    /// How often.
    pub times: u64,
    /// In how long.
    pub time: Duration,
}

/// What both did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Both {
    /// The host.
    pub cpu: Did,
    /// The GPU.
    pub gpu: Did,
}

/// Threads of a block that moves data.
const THREADS: usize = 512;
/// The words, by number.
const LINE: usize = 0;
const OWN: usize = 1;
const BEGUN: usize = 2;
const ENDED: usize = 3;
const LATE: usize = 4;
const TURN: usize = 5;
const ACKS: usize = 6;
const GO: usize = 7;
const WORDS: usize = 8;

/// Everything the experiments need, on memory of one allocator.
#[derive(Debug)]
pub struct Coherence {
    gpu: Gpu,
    allocator: Allocator,
    module: Arc<Module>,
    words: Words,
    lane: Lane,
    /// A word a block, and the sum of what was read.
    kept: Buffer,
    total: Buffer,
}

impl Coherence {
    /// On words of `allocator`. Errors: both at once cannot work on such memory; no compiler, no memory.
    pub fn new(gpu: &Gpu, allocator: Allocator) -> Result<Self, Fault> {
        allocator.seen_by_both_at_once(gpu.properties())?;
        Ok(Self {
            gpu: gpu.clone(),
            allocator,
            module: gpu.module(&unit())?,
            words: Words::new(gpu, allocator, WORDS)?,
            lane: Lane::new(gpu)?,
            kept: gpu.alloc(Type::U32, gpu.threads(), Placement::Fast)?,
            total: gpu.alloc(Type::U64, 1, Placement::Fast)?,
        })
    }
    fn function(&self, name: &str) -> Result<Function, Fault> {
        self.module.function(name)
    }
    fn clear(&self) {
        (0..WORDS).for_each(|at| self.words.at(at).store(0, Release));
    }
    fn in_time(&self) -> Result<(), Fault> {
        match self.words.at(LATE).load(Acquire) {
            0 => Ok(()),
            _ => Err(Fault::Device("the GPU waited for the host and did not see what it wrote".into())),
        }
    }
    /// Blocks that are on the GPU at the same time. The double runs one after another.
    fn blocks(&self) -> usize {
        if self.gpu.simulated() { 1 } else { self.gpu.threads() }
    }
    /// Hands a line to and fro so often (an even number), with release and acquire for the whole system: how long it all took.
    pub fn handover(&mut self, handovers: u32) -> Result<Duration, Fault> {
        self.clear();
        let (function, words) = (self.function("pong")?, &self.words);
        let args = Args::new().address(words.address(LINE)).bits(handovers);
        let args = args.address(words.address(BEGUN)).address(words.address(LATE));
        let (took, _) = beside(
            &self.lane,
            || self.lane.launch(&function, Grid::line(1, 1), args),
            || {
                await_word(words, BEGUN, 1)?;
                let began = Instant::now();
                for turn in (0..handovers).step_by(2) {
                    await_word(words, LINE, turn)?;
                    words.at(LINE).store(turn + 1, Release);
                }
                await_word(words, LINE, handovers)?;
                Ok(began.elapsed())
            },
        )?;
        self.in_time().map(|()| took)
    }
    /// Adds to one word: the GPU `times` on each of so many threads, one an SM; the host, if both are at it, for as long as that takes.
    /// Errors: the host's atomics and the GPU's are not atomic to each other; what stands there in the end is not what was added.
    pub fn atomics(&mut self, scope: Scope, who: Who, times: u32) -> Result<Both, Fault> {
        if who == Who::Both && (!self.gpu.properties().sharing.native_atomics || scope == Scope::Gpu) {
            let why = "atomics of host and GPU on one word are not atomic to each other here";
            return Err(Unsupported(why.into()).into());
        }
        self.clear();
        let word = self.words.at(LINE);
        let add = |most: u64| {
            let (began, mut done) = (Instant::now(), 0_u64);
            // Looked at once in 64 additions, so that the look is not what is measured.
            loop {
                (0..64).for_each(|_| {
                    word.fetch_add(1, Relaxed);
                });
                done += 64;
                if done >= most || self.words.at(ENDED).load(Relaxed) >= self.blocks() as u32 {
                    break;
                }
            }
            Did { times: done, time: began.elapsed() }
        };
        let mut both = Both::default();
        if who == Who::Cpu {
            both.cpu = add(u64::from(times).next_multiple_of(64));
        } else {
            let function = self.function(if scope == Scope::Gpu { "add_gpu" } else { "add_sys" })?;
            let address = |at| self.words.address(at);
            let args = Args::new().address(address(LINE)).bits(times).address(address(BEGUN)).address(address(GO));
            let args = args.address(address(ENDED));
            let args = args.read(&self.kept);
            let submit = || self.lane.launch(&function, Grid::line(self.blocks(), 1), args);
            let (cpu, time) = beside(&self.lane, submit, || {
                await_word(&self.words, BEGUN, 1)?;
                self.words.at(GO).store(1, Release);
                if who == Who::Gpu {
                    return Ok(Did::default());
                }
                Ok(add(u64::MAX))
            })?;
            both = Both { cpu, gpu: Did { times: u64::from(times) * self.blocks() as u64, time } };
        }
        let (is, added) = (word.load(Acquire), both.cpu.times + both.gpu.times);
        // The word counts modulo 2³².
        if is != added as u32 {
            return Err(Fault::Device(format!("{added} were added and the word holds {is}")));
        }
        Ok(both)
    }
    /// Lets a thread of the GPU count in its own word, and the host in another beside it: in the same line, or not. `who` alone or both.
    pub fn false_sharing(&mut self, beside_it: Neighbour, who: Who, times: u32) -> Result<Both, Fault> {
        self.clear();
        let own = match beside_it {
            Neighbour::SameLine => self.words.neighbour(LINE),
            Neighbour::OtherLine => self.words.at(OWN),
        };
        own.store(0, Relaxed);
        let count = |most: u64| {
            let (began, mut done) = (Instant::now(), 0_u64);
            loop {
                (0..64).for_each(|_| own.store(own.load(Relaxed).wrapping_add(1), Relaxed));
                done += 64;
                if done >= most || self.words.at(ENDED).load(Relaxed) > 0 {
                    break;
                }
            }
            Did { times: done, time: began.elapsed() }
        };
        let mut both = Both::default();
        if who == Who::Cpu {
            both.cpu = count(u64::from(times).next_multiple_of(64));
        } else {
            let function = self.function("count")?;
            let address = |at| self.words.address(at);
            let args = Args::new().address(address(LINE)).bits(times).address(address(BEGUN)).address(address(GO));
            let args = args.address(address(ENDED));
            let submit = || self.lane.launch(&function, Grid::line(1, 1), args);
            let (cpu, time) = beside(&self.lane, submit, || {
                await_word(&self.words, BEGUN, 1)?;
                self.words.at(GO).store(1, Release);
                if who == Who::Gpu {
                    return Ok(Did::default());
                }
                Ok(count(u64::MAX))
            })?;
            both = Both { cpu, gpu: Did { times: u64::from(times), time } };
        }
        let found = (u64::from(self.words.at(LINE).load(Acquire)), own.load(Acquire));
        if found != (both.gpu.times, both.cpu.times as u32) {
            return Err(Fault::Device(format!("counted {both:?} and found {found:?}: one side's word was lost")));
        }
        Ok(both)
    }
    /// One core writes `bytes`, and the GPU reads them while they stand in that core's caches: how long from the release until all blocks
    /// have read, in each of so many rounds.
    pub fn consume(&mut self, bytes: usize, rounds: u32) -> Result<Vec<Duration>, Fault> {
        self.passed_on(bytes, rounds, true)
    }
    /// The GPU writes `bytes`, and one core reads them: how long that core reads, in each round.
    pub fn produce(&mut self, bytes: usize, rounds: u32) -> Result<Vec<Duration>, Fault> {
        self.passed_on(bytes, rounds, false)
    }
    fn passed_on(&mut self, bytes: usize, rounds: u32, to_gpu: bool) -> Result<Vec<Duration>, Fault> {
        let len = (bytes / 8).next_multiple_of(8);
        let mut data = Region::new(&self.gpu, self.allocator, Type::U64, len)?;
        data.host()?.slice_mut::<u64>().fill(0);
        crate::device::write(&self.gpu, &mut self.total, 0, &[0_u64])?;
        self.gpu.wait()?;
        self.clear();
        let blocks = self.blocks().min(len.div_ceil(2 * THREADS));
        let function = self.function(if to_gpu { "consume" } else { "produce" })?;
        let words = &self.words;
        let at = data.block().device().unwrap_or(0);
        let args = Args::new().address(at).int(len / 2).bits(rounds).address(words.address(TURN));
        let args = args.address(words.address(ACKS));
        let args = if to_gpu { args.write(&mut self.total) } else { args }.address(words.address(LATE));
        let submit = || self.lane.launch(&function, Grid::line(blocks, THREADS as u32), args);
        let shared = data.words();
        let mut sum = 0_u64;
        let (times, _) = beside(&self.lane, submit, || {
            let mut times = Vec::new();
            for round in 1..=rounds {
                if to_gpu {
                    shared.write(round);
                }
                let began = Instant::now();
                words.at(TURN).store(round, Release);
                await_word(words, ACKS, round * blocks as u32)?;
                let answered = Instant::now();
                if !to_gpu {
                    sum = sum.wrapping_add(shared.sum());
                }
                times.push(if to_gpu { answered - began } else { answered.elapsed() });
            }
            Ok(times)
        })?;
        self.in_time()?;
        if to_gpu {
            sum = self.gpu.download(&self.total)?.slice::<u64>()[0];
        }
        let (len, rounds) = (len as u64, u64::from(rounds));
        let turns = (rounds * (rounds + 1) / 2) << 40;
        let right = (len * (len - 1) / 2).wrapping_mul(rounds).wrapping_add(turns.wrapping_mul(len));
        if sum != right {
            return Err(Fault::Device(format!("what was passed on adds up to {sum} in place of {right}")));
        }
        Ok(times)
    }
}
