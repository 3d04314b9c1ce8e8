//! Calls about streams, events and graphs.
#![expect(unsafe_code, reason = "a C library by nature: its callers hand it pointers")]
#![allow(missing_docs, clippy::missing_safety_doc, reason = "NVIDIA's header says what each call does and wants")]

use super::context::entered;
use super::{code_of, say};
use crate::code::{self, Code};
use crate::event::Event;
use crate::graph::Operation;
use crate::state::{double, lock};
use crate::stream::{Stream, begin, busy, drain, end, outside_capture, record, status, submit, wait_for};
use std::ffi::{c_int, c_uint, c_ulonglong, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

type Handle = *mut c_void;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuStreamCreate(stream: *mut Handle, _flags: c_uint) -> Code {
    // Small numbers that are no addresses; those of the header's own streams, 0 to 2, are left out.
    static NEXT: AtomicUsize = AtomicUsize::new(16);
    if let Err(code) = entered() {
        return code;
    }
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    lock(&double().streams).insert(number, Stream::default());
    // SAFETY: the header's contract: a writable handle.
    unsafe { say(stream, number as Handle) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuStreamCreateWithPriority(stream: *mut Handle, flags: c_uint, _priority: c_int) -> Code {
    // SAFETY: the header's contract is the same.
    unsafe { cuStreamCreate(stream, flags) }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamDestroy_v2(stream: Handle) -> Code {
    drain(stream as usize);
    match lock(&double().streams).remove(&(stream as usize)) {
        Some(_) => code_of(double().alive()),
        None => code::INVALID_HANDLE,
    }
}

/// Whether there is such a stream. Errors: there is none.
fn known(stream: Handle) -> Result<(), Code> {
    let fine = (stream as usize) < 3 || lock(&double().streams).contains_key(&(stream as usize));
    if fine { Ok(()) } else { Err(code::INVALID_HANDLE) }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamSynchronize(stream: Handle) -> Code {
    let allowed = known(stream).and_then(|()| entered()).and_then(|()| outside_capture());
    code_of(allowed.and_then(|()| {
        drain(stream as usize);
        double().alive()
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamQuery(stream: Handle) -> Code {
    if busy(stream as usize) { code::NOT_READY } else { cuStreamSynchronize(stream) }
}

/// The event behind a handle, held.
///
/// # Safety
/// It is null or came from `cuEventCreate` and was not destroyed.
unsafe fn held(event: *const Event) -> Option<Arc<Event>> {
    if event.is_null() {
        return None;
    }
    // SAFETY: the caller says so.
    unsafe { Arc::increment_strong_count(event) };
    // SAFETY: as above; the count that was just added is this value's.
    Some(unsafe { Arc::from_raw(event) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuStreamWaitEvent(stream: Handle, event: *const Event, _flags: c_uint) -> Code {
    // SAFETY: the header's contract: null or an event.
    let Some(event) = (unsafe { held(event) }) else { return code::INVALID_HANDLE };
    code_of(known(stream).and_then(|()| entered()).map(|()| wait_for(stream as usize, event)))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamBeginCapture_v2(stream: Handle, mode: c_int) -> Code {
    code_of(entered().and_then(|()| begin(stream as usize, mode)))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuStreamIsCapturing(stream: Handle, answer: *mut c_int) -> Code {
    // SAFETY: the header's contract: a writable number, in which a spoilt capture is 2.
    unsafe { say(answer, status(stream as usize)) }
}

/// What was captured; its executable form is the same.
#[derive(Debug)]
pub struct Graph(Vec<Operation>);

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuStreamEndCapture(stream: Handle, graph: *mut *mut Graph) -> Code {
    match end(stream as usize) {
        // SAFETY: the header's contract: a writable handle.
        Ok(nodes) => unsafe { say(graph, Box::into_raw(Box::new(Graph(nodes)))) },
        Err(code) => {
            // SAFETY: as above.
            unsafe { graph.write(std::ptr::null_mut()) };
            code
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGraphInstantiateWithFlags(
    executable: *mut *mut Graph,
    graph: *const Graph,
    _flags: c_ulonglong,
) -> Code {
    // SAFETY: the header's contract: null or a graph.
    let Some(graph) = (unsafe { graph.as_ref() }) else { return code::INVALID_VALUE };
    // SAFETY: the header's contract: a writable handle.
    unsafe { say(executable, Box::into_raw(Box::new(Graph(graph.0.clone())))) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGraphGetNodes(graph: *const Graph, _nodes: *mut Handle, count: *mut usize) -> Code {
    // SAFETY: the header's contract: null or a graph.
    let Some(graph) = (unsafe { graph.as_ref() }) else { return code::INVALID_VALUE };
    // SAFETY: the header's contract: a writable size. The nodes themselves have no handles here.
    unsafe { say(count, graph.0.len()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGraphLaunch(graph: *const Graph, stream: Handle) -> Code {
    // SAFETY: the header's contract: null or an executable graph.
    let Some(graph) = (unsafe { graph.as_ref() }) else { return code::INVALID_VALUE };
    let launch = || {
        entered()?;
        known(stream)?;
        graph.0.iter().try_for_each(|operation| submit(stream as usize, operation.clone()))
    };
    match launch() {
        // What breaks on the way is told to whoever waits.
        Err(code) if double().alive().is_err() && code == code_of(double().alive()) => code::SUCCESS,
        launched => code_of(launched),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphUpload(_graph: *const Graph, stream: Handle) -> Code {
    code_of(known(stream).and_then(|()| entered()))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGraphDestroy(graph: *mut Graph) -> Code {
    if graph.is_null() {
        return code::INVALID_VALUE;
    }
    // SAFETY: it came from `cuStreamEndCapture` or `cuGraphInstantiateWithFlags`, whose box it is.
    drop(unsafe { Box::from_raw(graph) });
    code::SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGraphExecDestroy(graph: *mut Graph) -> Code {
    // SAFETY: the header's contract is the same.
    unsafe { cuGraphDestroy(graph) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuEventCreate(event: *mut *const Event, flags: c_uint) -> Code {
    if let Err(code) = entered() {
        return code;
    }
    let made = Event::new(flags & 2 == 0);
    // SAFETY: the header's contract: a writable handle.
    unsafe { say(event, Arc::into_raw(Arc::new(made))) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuEventRecord(event: *const Event, stream: Handle) -> Code {
    // SAFETY: the header's contract: null or an event.
    let Some(event) = (unsafe { held(event) }) else { return code::INVALID_HANDLE };
    // In a capture it is an order among nodes, of which there is one only.
    if status(stream as usize) == 0 {
        record(stream as usize, event);
    }
    code_of(known(stream).and_then(|()| entered()))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuEventSynchronize(event: *const Event) -> Code {
    // SAFETY: the header's contract: null or an event.
    let Some(event) = (unsafe { held(event) }) else { return code::INVALID_HANDLE };
    code_of(entered().and_then(|()| outside_capture()).and_then(|()| {
        event.wait();
        double().alive()
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuEventQuery(event: *const Event) -> Code {
    // SAFETY: the header's contract: null or an event.
    match unsafe { held(event) } {
        None => code::INVALID_HANDLE,
        Some(event) if !event.is_past() => code::NOT_READY,
        Some(_) => code_of(entered()),
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuEventElapsedTime(ms: *mut f32, start: *const Event, end: *const Event) -> Code {
    // SAFETY: the header's contract: null or an event.
    let Some(start) = (unsafe { start.as_ref() }) else { return code::INVALID_HANDLE };
    // SAFETY: as above.
    let Some(end) = (unsafe { end.as_ref() }) else { return code::INVALID_HANDLE };
    if !start.times || !end.times {
        return code::INVALID_HANDLE;
    }
    if !start.is_past() || !end.is_past() {
        return code::NOT_READY;
    }
    let (Some(from), Some(to)) = (start.at(), end.at()) else { return code::INVALID_HANDLE };
    let seconds = if to >= from { (to - from).as_secs_f64() } else { -(from - to).as_secs_f64() };
    // SAFETY: the header's contract: a writable number.
    unsafe { say(ms, (seconds * 1e3) as f32) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuEventElapsedTime_v2(ms: *mut f32, start: *const Event, end: *const Event) -> Code {
    // SAFETY: the header's contract is the same.
    unsafe { cuEventElapsedTime(ms, start, end) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuEventDestroy_v2(event: *const Event) -> Code {
    if event.is_null() {
        return code::INVALID_HANDLE;
    }
    // SAFETY: it came from `cuEventCreate`; a stream that has still to come to it holds it longer.
    drop(unsafe { Arc::from_raw(event) });
    code_of(double().alive())
}
