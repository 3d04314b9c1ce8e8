//! A stream of its own beside the context's, with a moment at either end.
#![expect(unsafe_code, reason = "streams, events and copies are asked for by handle and address")]

use super::block::Block;
use crate::Fault;
use crate::cuda::Gpu;
use crate::cuda::context::Context;
use crate::cuda::launch::{Args, Grid, launch_on};
use crate::cuda::module::Function;
use cudarc::driver::{result, sys};
use std::sync::Arc;
use std::time::Duration;

/// A stream and two events that time.
#[derive(Debug)]
pub(super) struct Lane {
    stream: sys::CUstream,
    begun: sys::CUevent,
    ended: sys::CUevent,
    context: Arc<Context>,
}

// SAFETY: the driver's handles may be used by any thread.
unsafe impl Send for Lane {}
// SAFETY: as above.
unsafe impl Sync for Lane {}

impl Lane {
    pub(super) fn new(gpu: &Gpu) -> Result<Self, Fault> {
        let context = gpu.context().clone();
        context.enter()?;
        let event = || {
            let made = result::event::create(sys::CUevent_flags_enum::CU_EVENT_DEFAULT);
            context.check("cuEventCreate", made)
        };
        let (begun, ended) = (event()?, event()?);
        let stream = result::stream::create(result::stream::StreamKind::NonBlocking);
        Ok(Self { stream: context.check("cuStreamCreate", stream)?, begun, ended, context })
    }
    fn record(&self, event: sys::CUevent) -> Result<(), Fault> {
        self.context.enter()?;
        // SAFETY: event and stream are this value's own.
        self.context.check("cuEventRecord", unsafe { result::event::record(event, self.stream) })
    }
    /// Notes the moment at which what is submitted next begins.
    pub(super) fn begin(&self) -> Result<(), Fault> {
        self.record(self.begun)
    }
    /// Notes the moment at which all so far has ended.
    pub(super) fn end(&self) -> Result<(), Fault> {
        self.record(self.ended)
    }
    /// Submits one launch.
    pub(super) fn launch(&self, function: &Function, grid: Grid, args: Args<'_>) -> Result<(), Fault> {
        launch_on(self.stream, function, grid, args)
    }
    /// Submits a copy of `bytes` from `at` on in both, by the driver. Panics if they do not lie inside both.
    pub(super) fn copy(&self, to: &Block, from: &Block, at: usize, bytes: usize) -> Result<(), Fault> {
        let most = to.bytes().min(from.bytes());
        assert!(at.checked_add(bytes).is_some_and(|end| end <= most), "{at} + {bytes} <= {most} bytes");
        self.context.enter()?;
        let (to, from) = (to.either() + at as u64, from.either() + at as u64);
        // SAFETY: both ranges were found inside blocks that the caller keeps until it has waited for this lane.
        let copied = unsafe { sys::cuMemcpyAsync(to, from, bytes, self.stream) }.result();
        self.context.check("cuMemcpyAsync", copied)
    }
    /// Submits a copy of `bytes` between the memories of two GPUs. Panics as [`Lane::copy`] does.
    pub(super) fn copy_peer(&self, to: &Block, from: &Block, at: usize, bytes: usize) -> Result<(), Fault> {
        let most = to.bytes().min(from.bytes());
        assert!(at.checked_add(bytes).is_some_and(|end| end <= most), "{at} + {bytes} <= {most} bytes");
        self.context.enter()?;
        let (target, source) = (to.either() + at as u64, from.either() + at as u64);
        let (there, here) = (to.context().raw(), from.context().raw());
        // SAFETY: as above; each address belongs to the context that is named with it.
        let copied = unsafe { sys::cuMemcpyPeerAsync(target, there, source, here, bytes, self.stream) }.result();
        self.context.check("cuMemcpyPeerAsync", copied)
    }
    /// Waits for all that was submitted. Errors: what went wrong in it.
    pub(super) fn wait(&self) -> Result<(), Fault> {
        self.context.enter()?;
        // SAFETY: the stream is this value's own.
        self.context.check("cuStreamSynchronize", unsafe { result::stream::synchronize(self.stream) })
    }
    /// From the moment at which this lane began to that at which `other` ended; both have to be past.
    pub(super) fn until(&self, other: &Self) -> Result<Duration, Fault> {
        self.context.enter()?;
        // SAFETY: both were recorded, and their streams were waited for.
        let ms = unsafe { result::event::elapsed(self.begun, other.ended) };
        let ms = self.context.check("cuEventElapsedTime", ms)?;
        Ok(Duration::from_secs_f64(f64::from(ms.max(0.0)) / 1e3))
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if self.context.enter().is_err() {
            return;
        }
        // SAFETY: made once. A failure here, as those below, has nobody left to tell.
        let _ = unsafe { result::stream::synchronize(self.stream) };
        // SAFETY: made once.
        let _ = unsafe { result::stream::destroy(self.stream) };
        for event in [self.begun, self.ended] {
            // SAFETY: made once.
            let _ = unsafe { result::event::destroy(event) };
        }
    }
}
