//! Copies between the memories of two GPUs.
#![expect(unsafe_code, reason = "the driver is asked which GPUs reach each other")]

use super::gate::Gate;
use super::lane::Lane;
use super::{Allocator, Region};
use crate::cuda::Gpu;
use crate::parity::Check;
use crate::working_set::noise;
use crate::{Fault, Type, Unsupported};
use cudarc::driver::sys;
use std::time::Duration;

/// Two GPUs with memory on each.
#[derive(Debug)]
pub struct Peers {
    gpus: [Gpu; 2],
    regions: [Region; 2],
    lane: Lane,
    gate: Gate,
    bytes: usize,
    count: usize,
    /// Whether they reach each other's memory; else the driver copies through the host.
    direct: bool,
    seed: u64,
}

impl Peers {
    /// `count` copies of `bytes` each, from `here` to `there`. Errors: they are one GPU; no memory.
    pub fn new(here: &Gpu, there: &Gpu, bytes: usize, count: usize, seed: u64) -> Result<Self, Fault> {
        if here.ordinal() == there.ordinal() {
            return Err(Unsupported("a copy to a peer takes two GPUs".into()).into());
        }
        let len = bytes.checked_mul(count.max(1)).ok_or(Fault::OutOfMemory { bytes: u64::MAX })? / 8;
        let region = |gpu| Region::new(gpu, Allocator::Device, Type::U64, len);
        let regions = [region(here)?, region(there)?];
        Ok(Self {
            direct: enable(here, there)? & enable(there, here)?,
            regions,
            lane: Lane::new(here)?,
            gate: Gate::new(here)?,
            gpus: [here.clone(), there.clone()],
            bytes,
            count: count.max(1),
            seed,
        })
    }
    /// Whether they reach each other's memory.
    pub fn direct(&self) -> bool {
        self.direct
    }
    /// Bytes of one run.
    pub fn moved(&self) -> u64 {
        (self.bytes * self.count) as u64
    }
    /// Does all copies once: how long they took.
    pub fn run(&mut self) -> Result<Duration, Fault> {
        self.gate.shut();
        let submitted = (|| {
            // Through the host the driver may wait for the stream before a copy returns.
            if self.direct {
                self.gate.hold(&self.lane)?;
            }
            self.lane.begin()?;
            for at in 0..self.count {
                let (to, from) = (self.regions[1].block(), self.regions[0].block());
                self.lane.copy_peer(to, from, at * self.bytes, self.bytes)?;
            }
            self.lane.end()
        })();
        self.gate.open();
        submitted?;
        self.lane.wait()?;
        self.gate.held()?;
        self.lane.until(&self.lane)
    }
    /// Fills the source anew, copies once and compares every word.
    pub fn verify(&mut self) -> Result<Check, Fault> {
        self.seed = self.seed.wrapping_add(1);
        let seed = self.seed;
        self.regions[0].fill::<u64>(&self.gpus[0], |at| noise(seed, at))?;
        self.regions[1].fill::<u64>(&self.gpus[1], |_| 0)?;
        self.gpus[1].context().synchronize_all()?;
        self.run()?;
        let buffer = &*self.regions[1].gpu()?;
        let mut words = vec![0_u64; buffer.len()];
        self.gpus[1].read(buffer, 0, &mut words)?;
        let wrong = words.iter().enumerate().filter(|(at, word)| **word != noise(seed, *at)).count();
        Ok(Check { max_error: wrong as f64 / words.len().max(1) as f64, tolerance: 0.0, compared: words.len() })
    }
}

/// Lets `from` reach the memory of `to`. False: it cannot.
fn enable(from: &Gpu, to: &Gpu) -> Result<bool, Fault> {
    from.context().enter()?;
    let mut can = 0;
    // SAFETY: both are devices of this driver, and a number is written.
    let asked = unsafe { sys::cuDeviceCanAccessPeer(&raw mut can, from.ordinal(), to.ordinal()) }.result();
    from.context().check("cuDeviceCanAccessPeer", asked)?;
    if can == 0 {
        return Ok(false);
    }
    // SAFETY: a context is current, and the other's stays retained for as long as its `Gpu` lives.
    match unsafe { sys::cuCtxEnablePeerAccess(to.context().raw(), 0) } {
        sys::CUresult::CUDA_SUCCESS | sys::CUresult::CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED => Ok(true),
        other => from.context().check("cuCtxEnablePeerAccess", other.result()).map(|()| true),
    }
}
