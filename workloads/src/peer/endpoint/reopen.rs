//! Connections that a server closed without a word: what went into one of them is sent again, over a new one.
//!
//! llama-server announces `Keep-Alive` and closes after each stream all the same; its end of the connection is often gone only when the
//! next request is on its way. Nothing of the server's work is in that, so it is no failure of the server. A connection that was opened
//! for the request and is cut is one.

use std::cell::Cell;
use std::time::Duration;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{ConnectionDetails, Connector, DefaultConnector, Transport};

/// A connection that was closed before says so within a way there and back; what takes longer died at work.
pub(super) const SOON: Duration = Duration::from_secs(1);

thread_local! {
    /// Whether this thread opened a connection since it last asked.
    static OPENED: Cell<bool> = const { Cell::new(false) };
}

/// An agent that notes when it opens a connection.
pub(super) fn agent(config: ureq::config::Config) -> ureq::Agent {
    ureq::Agent::with_parts(config, Noting(DefaultConnector::new()), DefaultResolver::default())
}

/// What `send` returns, and whether it was sent over a connection opened for it: otherwise over one that had served before.
pub(super) fn noted<T>(send: impl FnOnce() -> T) -> (T, bool) {
    OPENED.set(false);
    let sent = send();
    (sent, OPENED.get())
}

/// What is said of `requests` that were sent again.
pub(super) fn note(requests: u64) -> Option<String> {
    let what = "went into a connection that the server had closed after another answer, and again into a new one";
    (requests > 0).then(|| format!("{requests} requests {what}: some microseconds of that are in their times"))
}

#[derive(Debug)]
struct Noting(DefaultConnector);

impl Connector for Noting {
    type Out = Box<dyn Transport>;

    fn connect(&self, details: &ConnectionDetails, chained: Option<()>) -> Result<Option<Self::Out>, ureq::Error> {
        OPENED.set(true);
        self.0.connect(details, chained)
    }
}
