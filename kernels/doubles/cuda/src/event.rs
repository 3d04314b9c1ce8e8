//! Events: moments that a stream notes when it comes to them.

use crate::state::lock;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

/// A moment, once a stream has come to it, unless it was made to tell no time.
#[derive(Debug)]
pub struct Event {
    pub(crate) times: bool,
    state: Mutex<State>,
    passed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    at: Option<Instant>,
    /// Recordings that no stream has come to yet.
    due: usize,
}

impl Event {
    pub(crate) fn new(times: bool) -> Self {
        Self { times, state: Mutex::default(), passed: Condvar::new() }
    }
    /// It will be recorded.
    pub(crate) fn expect(&self) {
        lock(&self.state).due += 1;
    }
    /// The stream has come to it.
    pub(crate) fn pass(&self) {
        let mut state = lock(&self.state);
        *state = State { at: Some(Instant::now()), due: state.due.saturating_sub(1) };
        self.passed.notify_all();
    }
    /// Whether every recording has happened.
    pub(crate) fn is_past(&self) -> bool {
        lock(&self.state).due == 0
    }
    /// Returns when it has.
    pub(crate) fn wait(&self) {
        let mut state = lock(&self.state);
        while state.due > 0 {
            state = self.passed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
    /// When it was last recorded.
    pub(crate) fn at(&self) -> Option<Instant> {
        lock(&self.state).at
    }
}
