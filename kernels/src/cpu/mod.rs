//! The host's processor as a device.

pub(crate) mod barrier;
pub mod clock;
pub(crate) mod cuts;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(crate) mod f32x16;
pub(crate) mod idle;
pub mod isa;
pub mod kernel;
#[cfg(target_arch = "aarch64")]
pub(crate) mod line128;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon_asm;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(crate) mod opaque;
pub mod pages;
pub mod pool;
pub(crate) mod prefetch;
pub(crate) mod share;
mod speed;
pub(crate) mod split;
pub(crate) mod variant;

use crate::{Backend, Buffer, Device, Fault, Placement, Type, Unsupported};
use pool::Pool;
use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The host's processor: a pool of pinned threads and the memory they share.
#[derive(Debug)]
pub struct Cpu {
    pool: Arc<Pool>,
    last_level_cache: u64,
}

impl Cpu {
    /// `threads` workers on the first CPUs this process may use (all of them if `None`).
    /// `last_level_cache` in bytes as detected; 0 stands for unknown and is taken as 64 MiB.
    pub fn new(threads: Option<usize>, last_level_cache: u64) -> Self {
        let count = threads.unwrap_or_else(|| pool::allowed_cpus().len()).max(1);
        Self::on(&Self::first_cpus(count), last_level_cache)
    }
    fn first_cpus(count: usize) -> Vec<usize> {
        let mut cpus = pool::allowed_cpus();
        if cpus.is_empty() {
            cpus.push(0);
        }
        // More threads than CPUs is allowed (and slow): CPUs are used again in turn.
        (0..count).map(|i| cpus[i % cpus.len()]).collect()
    }
    /// Workers on exactly these CPUs.
    pub fn on(cpus: &[usize], last_level_cache: u64) -> Self {
        Self::of_pool(Pool::new(cpus), last_level_cache)
    }
    /// One worker for each of `weights`, with shares in proportion to them, on the first CPUs this process may use.
    pub fn weighted(weights: &[u32], last_level_cache: u64) -> Self {
        Self::of_pool(Pool::weighted(&Self::first_cpus(weights.len()), weights), last_level_cache)
    }
    fn of_pool(pool: Pool, last_level_cache: u64) -> Self {
        let last_level_cache = if last_level_cache == 0 { 64 << 20 } else { last_level_cache };
        Self { pool: Arc::new(pool), last_level_cache }
    }
    /// The pool that kernels run on.
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }
    /// `device` as a CPU. Errors: it is something else.
    pub fn of(device: &dyn Device) -> Result<&Self, Unsupported> {
        let any: &dyn Any = device;
        any.downcast_ref().ok_or_else(|| Unsupported(format!("runs on a cpu, and {} is none", device.id())))
    }
}

impl Device for Cpu {
    fn id(&self) -> &str {
        "cpu"
    }
    fn backend(&self) -> Backend {
        Backend::Cpu
    }
    fn clock(&self) -> &'static str {
        "monotonic"
    }
    fn threads(&self) -> usize {
        self.pool.threads()
    }
    fn time(&self, work: &mut dyn FnMut() -> Result<(), Fault>) -> Result<Duration, Fault> {
        let start = Instant::now();
        work()?;
        Ok(start.elapsed())
    }
    fn alloc(&self, of: Type, len: usize, placement: Placement) -> Result<Buffer, Fault> {
        Buffer::host(of, len, placement)
    }
    fn last_level_cache(&self) -> u64 {
        self.last_level_cache
    }
    fn core_clocks(&self) -> Vec<f64> {
        let slots: Vec<_> = (0..self.pool.threads()).map(|_| std::sync::Mutex::new(None)).collect();
        self.pool.run(&|worker| {
            if let (Some(hz), Ok(mut slot)) = (clock::core_hz(), slots[worker.index].lock()) {
                *slot = Some(hz);
            }
        });
        slots.into_iter().filter_map(|slot| slot.into_inner().ok().flatten()).collect()
    }
}
