//! Ctrl-C: the first asks the run to end in good order, the second ends the program at once.

use super::ui;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

static ASKED: AtomicBool = AtomicBool::new(false);

/// Starts listening. Errors: the system does not let us.
pub(super) fn listen() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| {
        if ASKED.swap(true, SeqCst) {
            // Records are on disk as they happen: nothing is lost but the task in flight.
            std::process::exit(130);
        }
        ui::Voice::default().warn("stopping as soon as the work in flight allows; once more ends the program at once");
    })
}

/// Whether somebody asked to stop.
pub(super) fn asked() -> bool {
    ASKED.load(SeqCst)
}
