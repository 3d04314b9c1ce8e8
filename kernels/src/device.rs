//! A device: a place that holds memory, runs work and can time it.

use crate::buffer::bytes_of;
use crate::{Buffer, Element, Fault, Host, Live, Placement, Type};
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
    /// A copy of `buffer` on the host, after everything that was submitted before.
    fn download(&self, buffer: &Buffer) -> Result<Host, Fault> {
        Ok(buffer.to_host())
    }
    /// Whether its memory is a part of the host's, so that what it takes the host lacks.
    fn integrated(&self) -> bool {
        false
    }
    /// Writes `bytes` over the elements of `buffer` from element `at` on; [`write()`] does it for values of a type. Panics if they
    /// do not fit.
    fn write_bytes(&self, buffer: &mut Buffer, at: usize, bytes: &[u8]) -> Result<(), Fault> {
        let at = at * buffer.of().size();
        buffer.bytes_mut()[at..at + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
    /// Waits for everything that was submitted. Errors: what went wrong in it.
    fn wait(&self) -> Result<(), Fault> {
        Ok(())
    }
    /// What `work` submits, kept to be submitted again in one stroke; `None` where that would be no cheaper than `work` itself,
    /// as on a CPU. `work` runs on `live`, is not carried out now, and may not allocate, wait or copy from or to the host.
    fn record(
        &self,
        _live: &Live,
        _work: &mut dyn FnMut() -> Result<(), Fault>,
    ) -> Result<Option<Box<dyn Replay>>, Fault> {
        Ok(None)
    }
    /// Bytes of memory that it can give now, where that is not the host's to tell. `None`: ask the system.
    fn free_memory(&self) -> Option<u64> {
        None
    }
    /// Why this process cannot use it any more, if so.
    fn lost(&self) -> Option<String> {
        None
    }
    /// Size of the last cache before memory, in bytes: what a cold operand has to exceed.
    fn last_level_cache(&self) -> u64;
    /// The core clock right now, in Hz, one value a worker, measured by work (not asked of the system). Empty where the device cannot.
    fn core_clocks(&self) -> Vec<f64>;
    /// The mean core clock inside the window of the last [`Device::time`], in Hz, where the device stamps its own cycles around it: that
    /// times the window's length is what the work took in cycles. `None`: it cannot, or the window was too short for its stamps.
    fn window_clock(&self) -> Option<f64> {
        None
    }
}

/// Work that a device has recorded: see [`Device::record`].
pub trait Replay: Debug + Send {
    /// Submits it once, at the positions of `live`, which has to have the rows it was recorded with. A replay at positions one
    /// further than the last costs the host nothing but the submission.
    fn run(&mut self, live: &Live) -> Result<(), Fault>;
}

/// Writes `values` over the elements of `buffer` from `at` on. Panics if the type is another or they do not fit.
pub fn write<T: Element>(device: &dyn Device, buffer: &mut Buffer, at: usize, values: &[T]) -> Result<(), Fault> {
    assert!(T::TYPE == buffer.of(), "buffer holds {:?}, written as {:?}", buffer.of(), T::TYPE);
    assert!(
        at.checked_add(values.len()).is_some_and(|end| end <= buffer.len()),
        "{at} + {} <= {} elements",
        values.len(),
        buffer.len()
    );
    device.write_bytes(buffer, at, bytes_of(values))
}
