//! A spinning barrier among the workers of one call, which a panicking worker breaks open.

use crate::cpu::pool::relax;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::*};

/// Holds `count` workers until all have come.
#[derive(Debug)]
pub(crate) struct Barrier {
    count: usize,
    arrived: AtomicUsize,
    round: AtomicU64,
    broken: AtomicBool,
}

impl Barrier {
    pub(crate) fn new(count: usize) -> Self {
        Self { count, arrived: AtomicUsize::new(0), round: AtomicU64::new(0), broken: AtomicBool::new(false) }
    }
    /// Waits for the others. Panics if one of them panicked: it will never come.
    pub(crate) fn wait(&self) {
        if self.count == 1 {
            return;
        }
        let round = self.round.load(Acquire);
        if self.arrived.fetch_add(1, AcqRel) + 1 == self.count {
            self.arrived.store(0, Relaxed);
            self.round.fetch_add(1, Release);
            return;
        }
        let mut spins = 0;
        while self.round.load(Acquire) == round {
            assert!(!self.broken.load(Acquire), "another worker of this call panicked");
            relax(&mut spins);
        }
    }
    /// Frees everyone who waits or will wait in this call.
    pub(crate) fn break_open(&self) {
        self.broken.store(true, Release);
    }
    /// Makes it whole again, when no worker is inside.
    pub(crate) fn repair(&self) {
        self.arrived.store(0, Relaxed);
        self.broken.store(false, Release);
    }
}
