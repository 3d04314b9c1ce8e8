//! What stands in a stream behind a kernel that waits for the host: done in order, by a thread of its own.

use crate::event::Event;
use crate::graph::Operation;
use crate::state::lock;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Something that a stream has still to do.
#[derive(Debug)]
pub(crate) enum Later {
    /// An operation.
    Operation(Operation),
    /// A moment to be noted.
    Record(Arc<Event>),
    /// A moment of another stream to be waited for.
    Await(Arc<Event>),
}

impl Later {
    fn happen(self) {
        match self {
            Later::Operation(operation) => operation.run(),
            Later::Record(event) => event.pass(),
            Later::Await(event) => event.wait(),
        }
    }
}

/// What a stream has still to do; nothing, but behind a kernel that waits for the host.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    empty: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: VecDeque<Later>,
    busy: bool,
}

impl Queue {
    /// Puts `later` behind what is being done; gives it back if nothing is.
    pub(crate) fn behind(&self, later: Later) -> Option<Later> {
        let mut inner = lock(&self.inner);
        if !inner.busy {
            return Some(later);
        }
        inner.waiting.push_back(later);
        None
    }
    /// Begins with `first` on a thread of its own, which ends when nothing is left.
    pub(crate) fn begin(self: Arc<Self>, first: Later) {
        lock(&self.inner).busy = true;
        std::thread::spawn(move || {
            let mut next = Some(first);
            while let Some(later) = next {
                later.happen();
                let mut inner = lock(&self.inner);
                next = inner.waiting.pop_front();
                inner.busy = next.is_some();
            }
            self.empty.notify_all();
        });
    }
    /// Whether something is left to do.
    pub(crate) fn busy(&self) -> bool {
        lock(&self.inner).busy
    }
    /// Returns when nothing is.
    pub(crate) fn drained(&self) {
        let mut inner = lock(&self.inner);
        while inner.busy {
            inner = self.empty.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
