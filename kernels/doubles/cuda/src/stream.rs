//! Streams: what is submitted to one is done at once; kept while it is captured; done later behind a kernel that waits for the host.

use crate::behind::{Later, Queue};
use crate::code::{self, Code};
use crate::event::Event;
use crate::graph::Operation;
use crate::state::{double, lock};
use std::sync::Arc;
use std::thread::ThreadId;

/// A stream, and what is being captured from it.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    capture: Option<Capture>,
    queue: Arc<Queue>,
}

#[derive(Debug)]
struct Capture {
    nodes: Vec<Operation>,
    /// Who may not do what cannot be captured meanwhile: nobody, this thread, or (relaxed) all may.
    guarded: Guarded,
    spoilt: bool,
}

#[derive(Debug, PartialEq)]
enum Guarded {
    All,
    Thread(ThreadId),
    Nobody,
}

/// Does an operation, or keeps it. Errors: it cannot be done; the context is broken.
pub(crate) fn submit(stream: usize, operation: Operation) -> Result<(), Code> {
    let double = double();
    double.alive()?;
    operation.check()?;
    if let Some(capture) = lock(&double.streams).get_mut(&stream).and_then(|s| s.capture.as_mut()) {
        capture.nodes.push(operation);
        return Ok(());
    }
    let Some(queue) = queue(stream) else {
        operation.run();
        return Ok(());
    };
    if operation.of_pageable() {
        // As a driver does: what it cannot fetch later it fetches before it returns, and so after all that stands before.
        queue.drained();
    }
    let waits = operation.waits_for_host();
    match queue.behind(Later::Operation(operation)) {
        Some(Later::Operation(first)) if !waits => first.run(),
        Some(first) => queue.begin(first),
        None => {}
    }
    Ok(())
}

fn queue(stream: usize) -> Option<Arc<Queue>> {
    lock(&double().streams).get(&stream).map(|s| s.queue.clone())
}

/// Notes the moment when the stream comes to it.
pub(crate) fn record(stream: usize, event: Arc<Event>) {
    event.expect();
    let now = match queue(stream) {
        Some(queue) => queue.behind(Later::Record(event)),
        None => Some(Later::Record(event)),
    };
    if let Some(Later::Record(event)) = now {
        event.pass();
    }
}

/// Lets the stream go on only behind the event.
pub(crate) fn wait_for(stream: usize, event: Arc<Event>) {
    if event.is_past() {
        return;
    }
    match queue(stream) {
        Some(queue) => {
            if let Some(first) = queue.behind(Later::Await(event)) {
                queue.begin(first);
            }
        }
        None => event.wait(),
    }
}

/// Whether the stream has something left to do.
pub(crate) fn busy(stream: usize) -> bool {
    queue(stream).is_some_and(|queue| queue.busy())
}

/// Returns when the stream has done all.
pub(crate) fn drain(stream: usize) {
    if let Some(queue) = queue(stream) {
        queue.drained();
    }
}

/// Returns when every stream has done all.
pub(crate) fn drain_all() {
    let all: Vec<_> = lock(&double().streams).values().map(|s| s.queue.clone()).collect();
    all.iter().for_each(|queue| queue.drained());
}

/// Begins to keep what is submitted. Errors: it is being kept already, or is the stream that cannot be captured.
pub(crate) fn begin(stream: usize, mode: i32) -> Result<(), Code> {
    let mut streams = lock(&double().streams);
    let of = streams.get_mut(&stream).ok_or(code::STREAM_CAPTURE_UNSUPPORTED)?;
    if of.capture.is_some() {
        return Err(code::INVALID_VALUE);
    }
    let guarded = match mode {
        0 => Guarded::All,
        1 => Guarded::Thread(std::thread::current().id()),
        _ => Guarded::Nobody,
    };
    of.capture = Some(Capture { nodes: Vec::new(), guarded, spoilt: false });
    Ok(())
}

/// What was kept. Errors: nothing was begun, or it was spoilt by a call that cannot be captured.
pub(crate) fn end(stream: usize) -> Result<Vec<Operation>, Code> {
    let mut streams = lock(&double().streams);
    let capture = streams.get_mut(&stream).and_then(|s| s.capture.take()).ok_or(code::INVALID_VALUE)?;
    if capture.spoilt { Err(code::STREAM_CAPTURE_INVALIDATED) } else { Ok(capture.nodes) }
}

/// Whether a stream is being captured: 0 no, 1 yes, 2 it was spoilt.
pub(crate) fn status(stream: usize) -> i32 {
    let streams = lock(&double().streams);
    streams.get(&stream).and_then(|s| s.capture.as_ref()).map_or(0, |c| 1 + i32::from(c.spoilt))
}

/// Refuses what waits or allocates while a capture forbids it, and spoils that capture.
pub(crate) fn outside_capture() -> Result<(), Code> {
    double().alive()?;
    let here = Guarded::Thread(std::thread::current().id());
    let mut streams = lock(&double().streams);
    let mut fine = true;
    for capture in streams.values_mut().filter_map(|s| s.capture.as_mut()) {
        if capture.guarded == Guarded::All || capture.guarded == here {
            capture.spoilt = true;
            fine = false;
        }
    }
    if fine { Ok(()) } else { Err(code::STREAM_CAPTURE_UNSUPPORTED) }
}
