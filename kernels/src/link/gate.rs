//! A gate before streams: all that is enqueued behind it begins when the host opens it.

use super::Allocator;
use super::lane::Lane;
use super::words::Words;
use crate::Fault;
use crate::cuda::Gpu;
use crate::cuda::arch::FROM_SM80;
use crate::cuda::launch::{Args, Grid};
use crate::cuda::module::Function;
use crate::cuda::source::{Source, Unit};
use std::sync::atomic::Ordering;

static SOURCE: Source = Source { path: "link/gate.cu", text: include_str!("gate.cu") };

pub(super) fn unit() -> Unit {
    Unit::plain(&SOURCE, FROM_SM80, &["hold"])
}

/// A gate; what was held is let go when it is dropped.
#[derive(Debug)]
pub(super) struct Gate {
    words: Words,
    hold: Function,
    turn: u32,
}

const TURN: usize = 0;
const LATE: usize = 1;

impl Gate {
    pub(super) fn new(gpu: &Gpu) -> Result<Self, Fault> {
        Ok(Self {
            words: Words::new(gpu, Allocator::Pinned, 2)?,
            hold: gpu.module(&unit())?.function("hold")?,
            turn: 0,
        })
    }
    /// Shuts it, for lanes that are held from now on.
    pub(super) fn shut(&mut self) {
        self.turn = self.turn.wrapping_add(1);
    }
    /// What is submitted to `lane` from now on waits until it opens.
    pub(super) fn hold(&self, lane: &Lane) -> Result<(), Fault> {
        let args = Args::new().address(self.words.address(TURN)).bits(self.turn).address(self.words.address(LATE));
        lane.launch(&self.hold, Grid::line(1, 1), args)
    }
    /// Opens it.
    pub(super) fn open(&self) {
        self.words.at(TURN).store(self.turn, Ordering::Release);
    }
    /// Whether a kernel went on by itself. Errors: one did, and what it held was not held.
    pub(super) fn held(&self) -> Result<(), Fault> {
        match self.words.at(LATE).load(Ordering::Acquire) {
            0 => Ok(()),
            _ => Err(Fault::Device("the gate before a stream was not seen to open within ten seconds".into())),
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.open();
    }
}
