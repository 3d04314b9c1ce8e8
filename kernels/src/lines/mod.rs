//! `lines`: how fast single lines are read in another order than their own, at random or so many bytes apart.
//!
//! One word of each line is added up; which lines those are does not depend on what was read, so that many reads are in flight at
//! once, unlike in `chase`. Counted are whole lines of 64 bytes: so much moves, whatever is used of it. At random every worker
//! draws from the whole array; at a stride each walks its own share.
//!
//! | operand | type | elements |
//! |---|---|---|
//! | inputs\[0\] the array | U64 | bytes ÷ 8 |
//! | outputs\[0\] sum of the words read, low half then high half | U32 | 2 |
//! | outputs\[1\] where each worker's walk stands: read, then written | U64 | threads |

mod order;
mod scalar;

use crate::cpu::pool::Pool;
use crate::cpu::split::Split;
use crate::cpu::variant::{CpuOp, Entry, no_weights};
use crate::working_set::{LINE, WorkingSet, noise};
use crate::{
    Arithmetic, AxisValue, Buffer, Example, Expected, Fault, Implementation, Index, Invalid, Io, Live, Op, Placement,
    Shape, Type,
};
pub use order::Order;
use std::ops::Range;

/// Words of a line.
const WORDS: usize = LINE / 8;
/// Lines a run, over all workers: some milliseconds in memory.
const COUNT: usize = 1 << 18;

/// Reads lines of a set in an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lines {
    /// What is read, and by whom.
    pub set: WorkingSet,
    /// In which order.
    pub order: Order,
}

impl Lines {
    /// Lines that one run reads.
    pub const fn count(&self) -> usize {
        COUNT * self.set.times
    }
    /// How many of them worker `index` reads.
    fn of(&self, index: usize) -> usize {
        let cut = |i: usize| self.count() * i / self.set.threads;
        cut(index + 1) - cut(index)
    }
    /// The words that a worker with this share of them may read.
    fn reach(&self, share: Range<usize>) -> Range<usize> {
        match self.order {
            Order::Random => 0..self.set.bytes / 8,
            Order::Stride(_) => share,
        }
    }
    /// Workers that get a share.
    fn shares(&self) -> impl Iterator<Item = (usize, Range<usize>)> {
        let (words, threads) = (self.set.bytes / 8, self.set.threads);
        // Equal shares whatever the cores: a walk's speed is its latency, not its core's arithmetic.
        let cut = move |i: usize| words / WORDS * i / threads * WORDS;
        (0..threads).map(move |i| (i, cut(i)..cut(i + 1))).filter(|(_, share)| !share.is_empty())
    }
}

/// One worker's walk.
pub(crate) struct Part<'a> {
    words: &'a [u64],
    order: Order,
    at: u64,
    count: usize,
    sum: u64,
}

static IMPLEMENTATIONS: &[&dyn Implementation<Lines>] = &[&scalar::SCALAR];

impl Op for Lines {
    const NAME: &'static str = "lines";
    fn implementations() -> &'static [&'static dyn Implementation<Self>] {
        IMPLEMENTATIONS
    }
    fn validate(&self) -> Result<(), Invalid> {
        self.set.validate()?;
        if self.set.cores > 0 {
            return Err(Invalid("cores: lines are read by any core; leave it out".to_owned()));
        }
        match self.order {
            Order::Stride(bytes) if bytes == 0 || !bytes.is_multiple_of(LINE) => {
                Err(Invalid(format!("stride:{bytes} is no multiple of 64 bytes; round it up")))
            }
            _ => Ok(()),
        }
    }
    fn axes(&self) -> Vec<(&'static str, AxisValue)> {
        let mut axes = self.set.axes();
        axes.push(("order", AxisValue::Text(self.order.to_string())));
        axes
    }
    fn arithmetic(&self) -> Arithmetic {
        Arithmetic::F32
    }
    fn flops(&self, _live: &Live) -> u64 {
        0
    }
    fn bytes(&self, _live: &Live) -> u64 {
        (self.count() * LINE) as u64
    }
    fn outputs(&self) -> Vec<Shape> {
        vec![Shape { of: Type::U32, len: 2 }, Shape { of: Type::U64, len: self.set.threads }]
    }
    fn operand_bytes(&self) -> u64 {
        self.set.bytes as u64
    }
    fn live(&self) -> Live {
        Live::one(1, 0)
    }
    fn placement(&self) -> Placement {
        self.set.pages
    }
    fn example(&self, seed: u64) -> Example {
        let words: Vec<u64> = (0..self.set.bytes / 8).map(|at| noise(seed, at)).collect();
        let starts: Vec<u64> = (0..self.set.threads).map(|worker| self.order.start(worker)).collect();
        Example {
            weights: Vec::new(),
            inputs: vec![words.into()],
            outputs: vec![vec![0u32; 2].into(), starts.into()],
            live: self.live(),
        }
    }
    /// Every walk again. Positions stay below 2^53 and are exact in f64.
    fn reference(&self, example: &Example, indices: &[Index]) -> Vec<Expected> {
        let words = example.inputs[0].slice::<u64>();
        let mut at = example.outputs[1].slice::<u64>().to_vec();
        let mut sum = 0u64;
        for (worker, share) in self.shares() {
            let words = &words[self.reach(share)];
            for _ in 0..self.of(worker) {
                let (line, next) = self.order.step(at[worker], words.len() / WORDS);
                sum = sum.wrapping_add(words[line * WORDS]);
                at[worker] = next;
            }
        }
        let value = |index: &Index| match (index.output, index.at) {
            (0, 0) => f64::from(sum as u32),
            (0, _) => f64::from((sum >> 32) as u32),
            (_, worker) => at[worker] as f64,
        };
        indices.iter().map(|index| Expected { value: value(index), scale: 1.0 }).collect()
    }
    // A line is the right one or it is not.
    fn tolerance(&self) -> f64 {
        0.0
    }
    fn nasty() -> Vec<Self> {
        let orders =
            [Order::Random, Order::Stride(64), Order::Stride(320), Order::Stride(4096), Order::Stride(1 << 20)];
        let sizes = [64, 4096 + 64, 64 * 1009, 1 << 20];
        let set = |bytes| (1..=3).map(move |threads| WorkingSet::new(bytes, threads));
        let sets = sizes.into_iter().flat_map(set).chain([WorkingSet::new(1 << 20, 2).on_small_pages()]);
        sets.flat_map(|set| orders.map(|order| Self { set, order })).collect()
    }
}

impl CpuOp for Lines {
    type Args<'a> = Part<'a>;
    /// What each worker finds.
    type Ready = Vec<u64>;
    fn threads(&self) -> usize {
        self.set.threads
    }
    fn ready(&self, weights: &[Buffer], pool: &Pool) -> Result<Vec<u64>, Fault> {
        no_weights(Self::NAME, weights).map(|()| vec![0; pool.threads()])
    }
    #[expect(unsafe_code, reason = "each worker writes its own sum and its own position")]
    fn run(&self, sums: &mut Vec<u64>, pool: &Pool, kernel: Entry<Self>, io: &mut Io<'_>) -> Result<(), Fault> {
        let kernel = kernel.here()?;
        let [total, at] = &mut io.outputs[..] else { unreachable!("lines has two outputs") };
        let words = io.inputs[0].slice::<u64>();
        sums.fill(0);
        let (each, at) = (Split::new(sums), Split::new(at.slice_mut::<u64>()));
        pool.run(&|worker| {
            let Some((index, share)) = self.shares().find(|(index, _)| *index == worker.index) else { return };
            // SAFETY: worker indices differ, so no two workers take the same position.
            let at = unsafe { at.part(index..index + 1) };
            // SAFETY: nor the same sum.
            let sum = unsafe { each.part(index..index + 1) };
            let (words, count) = (&words[self.reach(share)], self.of(index));
            let mut part = Part { words, order: self.order, at: at[0], count, sum: 0 };
            kernel.call(&mut part);
            (sum[0], at[0]) = (part.sum, part.at);
        });
        let sum = sums.iter().fold(0, |sum: u64, &part| sum.wrapping_add(part));
        total.slice_mut::<u32>().copy_from_slice(&[sum as u32, (sum >> 32) as u32]);
        Ok(())
    }
}
