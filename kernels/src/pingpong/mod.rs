//! `pingpong`: how long one core waits until it sees what another wrote: a line that two workers hand to each other.
//!
//! Worker `one` writes an odd number when it sees an even one, `other` the next even one when it sees an odd one, with release and
//! acquire. A run hands the line over [`PingPong::handovers`] times; its time ÷ that is half a round trip.
//!
//! | operand | type | elements |
//! |---|---|---|
//! | outputs\[0\] what stands in the line in the end | U32 | 1 |

mod scalar;

use crate::cpu::pool::Pool;
use crate::cpu::variant::{CpuOp, Entry, no_weights};
use crate::{
    Arithmetic, AxisValue, Buffer, Example, Expected, Fault, Implementation, Index, Invalid, Io, Live, Op, Shape, Type,
    Unsupported,
};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Handovers a run: about half a millisecond, long against the call of the pool.
const HANDOVERS: u32 = 10_000;

/// Hands a line to and fro between two workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PingPong {
    /// The worker that begins.
    pub one: usize,
    /// The worker that answers.
    pub other: usize,
}

impl PingPong {
    /// How often the line changes hands in one run.
    pub const fn handovers(&self) -> u64 {
        HANDOVERS as u64
    }
}

/// A word with a line of its own, and with the neighbour that some processors fetch along.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Line(AtomicU32);

/// One worker's part.
pub(crate) struct Part<'a> {
    line: &'a Line,
    /// What it waits for first: 0 or 1.
    first: u32,
    handovers: u32,
}

static IMPLEMENTATIONS: &[&dyn Implementation<PingPong>] = &[&scalar::SCALAR];

impl Op for PingPong {
    const NAME: &'static str = "pingpong";
    fn implementations() -> &'static [&'static dyn Implementation<Self>] {
        IMPLEMENTATIONS
    }
    fn validate(&self) -> Result<(), Invalid> {
        if self.one == self.other {
            return Err(Invalid(format!("one and other are both worker {}; it takes two", self.one)));
        }
        Ok(())
    }
    fn axes(&self) -> Vec<(&'static str, AxisValue)> {
        vec![("one", self.one.into()), ("other", self.other.into())]
    }
    fn arithmetic(&self) -> Arithmetic {
        Arithmetic::F32
    }
    fn flops(&self, _live: &Live) -> u64 {
        0
    }
    fn bytes(&self, _live: &Live) -> u64 {
        0
    }
    fn outputs(&self) -> Vec<Shape> {
        vec![Shape { of: Type::U32, len: 1 }]
    }
    fn operand_bytes(&self) -> u64 {
        0
    }
    fn live(&self) -> Live {
        Live::one(1, 0)
    }
    fn example(&self, _seed: u64) -> Example {
        Example { weights: Vec::new(), inputs: Vec::new(), outputs: vec![vec![0u32].into()], live: self.live() }
    }
    fn reference(&self, _example: &Example, indices: &[Index]) -> Vec<Expected> {
        indices.iter().map(|_| Expected { value: f64::from(HANDOVERS), scale: 1.0 }).collect()
    }
    // A handover happened or it did not.
    fn tolerance(&self) -> f64 {
        0.0
    }
    fn nasty() -> Vec<Self> {
        [(0, 1), (1, 0), (1, 2), (2, 0)].map(|(one, other)| Self { one, other }).into()
    }
}

impl CpuOp for PingPong {
    type Args<'a> = Part<'a>;
    type Ready = Box<Line>;
    fn threads(&self) -> usize {
        self.one.max(self.other) + 1
    }
    fn fits(&self, pool: &Pool) -> Result<(), Unsupported> {
        let cpu = |worker: usize| pool.cpus().get(worker);
        if self.one != self.other && cpu(self.one) == cpu(self.other) {
            // Each would wait for the scheduler to let the other in.
            return Err(Unsupported(format!("workers {} and {} share one cpu", self.one, self.other)));
        }
        Ok(())
    }
    fn ready(&self, weights: &[Buffer], _pool: &Pool) -> Result<Box<Line>, Fault> {
        no_weights(Self::NAME, weights).map(|()| Box::default())
    }
    fn run(&self, line: &mut Box<Line>, pool: &Pool, kernel: Entry<Self>, io: &mut Io<'_>) -> Result<(), Fault> {
        let kernel = kernel.here()?;
        *line.0.get_mut() = 0;
        let line = &**line;
        pool.run(&|worker| {
            let first = if worker.index == self.one {
                0
            } else if worker.index == self.other {
                1
            } else {
                return;
            };
            kernel.call(&mut Part { line, first, handovers: HANDOVERS });
        });
        io.outputs[0].slice_mut::<u32>()[0] = line.0.load(Relaxed);
        Ok(())
    }
}
