//! A device: a place that holds memory, runs work and can time it.

use crate::{Buffer, Fault, Host, Placement, Type};
use std::any::Any;
use std::fmt::Debug;
use std::time::Duration;

/// The family of hardware an implementation is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Backend {
    /// The host's processor.
    Cpu,
    /// An NVIDIA GPU.
    Cuda,
}

/// A place that holds memory, runs work and can time it.
pub trait Device: Any + Debug + Send + Sync {
    /// Its name in every record: `cpu`, `cuda:0`.
    fn id(&self) -> &str;
    /// The family it belongs to.
    fn backend(&self) -> Backend;
    /// The clock that [`Device::time`] reads, by name.
    fn clock(&self) -> &'static str;
    /// How many threads or units share an op's work.
    fn threads(&self) -> usize;
    /// Runs `work` and returns how long it took on this device's own clock.
    fn time(&self, work: &mut dyn FnMut() -> Result<(), Fault>) -> Result<Duration, Fault>;
    /// Zeroed memory. Errors: not enough of it.
    fn alloc(&self, of: Type, len: usize, placement: Placement) -> Result<Buffer, Fault>;
    /// A copy of `host` in this device's fastest memory.
    fn upload(&self, host: &Host) -> Result<Buffer, Fault> {
        self.upload_to(host, Placement::Fast)
    }
    /// A copy of `host` in memory of that kind.
    fn upload_to(&self, host: &Host, placement: Placement) -> Result<Buffer, Fault> {
        let mut buffer = self.alloc(host.of(), host.len(), placement)?;
        buffer.fill(host);
        Ok(buffer)
    }
    /// A copy of `buffer` on the host.
    fn download(&self, buffer: &Buffer) -> Result<Host, Fault> {
        Ok(buffer.to_host())
    }
    /// Whether its memory is a part of the host's, so that what it takes the host lacks.
    fn integrated(&self) -> bool {
        false
    }
    /// Size of the last cache before memory, in bytes: what a cold operand has to exceed.
    fn last_level_cache(&self) -> u64;
    /// The core clock right now, in Hz, one value a worker, measured by work (not asked of the system). Empty where the device cannot.
    fn core_clocks(&self) -> Vec<f64>;
}
