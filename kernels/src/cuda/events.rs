//! The GPU's own clock: a pair of events round the work.
#![expect(unsafe_code, reason = "events are recorded and read by handle")]

use super::context::Context;
use crate::Fault;
use cudarc::driver::{result, sys};
use std::sync::Arc;
use std::time::Duration;

/// Two events that time.
#[derive(Debug)]
pub(crate) struct Events {
    pair: [sys::CUevent; 2],
    context: Arc<Context>,
}

// SAFETY: the driver's handles may be used by any thread, and `&mut` lets one at a time.
unsafe impl Send for Events {}

impl Events {
    pub(crate) fn new(context: &Arc<Context>) -> Result<Self, Fault> {
        context.enter()?;
        // The default flags: an event made without timing times nothing.
        let event = || {
            let made = result::event::create(sys::CUevent_flags_enum::CU_EVENT_DEFAULT);
            context.check("cuEventCreate", made)
        };
        Ok(Self { pair: [event()?, event()?], context: context.clone() })
    }
    /// How long what `work` submits takes on the GPU, from the first launch to the end of the last.
    pub(crate) fn time(&mut self, work: &mut dyn FnMut() -> Result<(), Fault>) -> Result<Duration, Fault> {
        let [start, end] = self.pair;
        self.record(start)?;
        work()?;
        self.record(end)?;
        // SAFETY: the event was just recorded on the context's stream.
        self.context.check("cuEventSynchronize", unsafe { result::event::synchronize(end) })?;
        // SAFETY: both were recorded, and the later one has passed.
        let ms = self.context.check("cuEventElapsedTime", unsafe { result::event::elapsed(start, end) })?;
        Ok(Duration::from_secs_f64(f64::from(ms.max(0.0)) / 1e3))
    }
    fn record(&self, event: sys::CUevent) -> Result<(), Fault> {
        self.context.enter()?;
        // SAFETY: event and stream are this context's own.
        self.context.check("cuEventRecord", unsafe { result::event::record(event, self.context.stream()) })
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        if self.context.enter().is_ok() {
            for event in self.pair {
                // SAFETY: made once. A failure here has nobody left to tell.
                let _ = unsafe { result::event::destroy(event) };
            }
        }
    }
}
