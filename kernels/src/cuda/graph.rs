//! Recorded work: a CUDA graph, replayed in one submission at the positions it is given.
#![expect(unsafe_code, reason = "graphs are captured, instantiated, launched and destroyed by handle")]

use super::context::Context;
use super::rows::Rows;
use crate::device::Replay;
use crate::{Fault, Live};
use cudarc::driver::{result, sys};
use std::sync::Arc;

/// Captures what `work` submits to the context's stream. Errors: what `work` says, or a step that cannot be captured.
pub(crate) fn capture(context: &Arc<Context>, work: &mut dyn FnMut() -> Result<(), Fault>) -> Result<Captured, Fault> {
    context.enter()?;
    let mode = sys::CUstreamCaptureMode_enum::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
    // SAFETY: the stream is the context's own.
    context.check("cuStreamBeginCapture", unsafe { result::stream::begin_capture(context.stream(), mode) })?;
    let worked = work();
    // SAFETY: the capture was begun above, and ends whatever `work` did.
    let graph = unsafe { result::stream::end_capture(context.stream()) };
    let graph = match (worked, context.check("cuStreamEndCapture", graph)) {
        (Ok(()), graph) => Graph(graph?),
        (Err(fault), graph) => {
            drop(graph.map(Graph));
            return Err(fault);
        }
    };
    // SAFETY: the graph was just captured.
    let executable = unsafe { result::graph::instantiate(graph.0, sys::CUgraphInstantiate_flags(0)) };
    let raw = context.check("cuGraphInstantiate", executable)?;
    Ok(Captured { raw, context: context.clone() })
}

struct Graph(sys::CUgraph);

impl Drop for Graph {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: captured once; what was instantiated from it stands by itself.
            let _ = unsafe { result::graph::destroy(self.0) };
        }
    }
}

/// Work that can be launched as a whole.
#[derive(Debug)]
pub(crate) struct Captured {
    raw: sys::CUgraphExec,
    context: Arc<Context>,
}

// SAFETY: the driver's handles may be used by any thread, and `&mut` lets one at a time.
unsafe impl Send for Captured {}

impl Captured {
    /// Submits all of it.
    pub(crate) fn launch(&mut self) -> Result<(), Fault> {
        self.context.enter()?;
        // SAFETY: instantiated once, and the buffers it works on are the recorder's to keep.
        let launched = unsafe { result::graph::launch(self.raw, self.context.stream()) };
        self.context.check("cuGraphLaunch", launched)
    }
}

impl Drop for Captured {
    fn drop(&mut self) {
        if self.context.enter().is_ok() {
            // SAFETY: instantiated once. A failure here has nobody left to tell.
            let _ = unsafe { result::graph::exec_destroy(self.raw) };
        }
    }
}

/// A decode step: captured work and the table of rows that it reads, which it moves on itself.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) captured: Captured,
    pub(crate) rows: Rows,
    pub(crate) count: usize,
    /// Held, so that its code stays loaded.
    pub(crate) _step: super::module::Function,
}

impl Replay for Recorded {
    fn run(&mut self, live: &Live) -> Result<(), Fault> {
        if live.rows() != self.count {
            return Err(Fault::Device(format!(
                "a recording of {} rows is replayed with {}: record it anew",
                self.count,
                live.rows()
            )));
        }
        if !self.rows.holds(live) {
            self.rows.set(live)?;
        }
        self.captured.launch()?;
        self.rows.advanced();
        Ok(())
    }
}
