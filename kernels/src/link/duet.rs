//! A kernel and the host at work at the same time, each on a clock of its own.

use super::lane::Lane;
use super::words::Words;
use crate::Fault;
use std::sync::atomic::Ordering::Acquire;
use std::time::{Duration, Instant};

/// How long one side waits for the other: longer than a kernel's own limit, which is ten seconds.
const PATIENCE: Duration = Duration::from_secs(15);
/// Looks between two glances at the clock, at which the core is offered to others too.
const LOOKS: u32 = 4096;

/// What `host` returns, and how long the kernel that `submit` gave to the lane took.
pub(super) fn beside<T>(
    lane: &Lane,
    submit: impl FnOnce() -> Result<(), Fault>,
    host: impl FnOnce() -> Result<T, Fault>,
) -> Result<(T, Duration), Fault> {
    lane.begin()?;
    submit()?;
    lane.end()?;
    let ours = host();
    // Also where the host has failed: the kernel ends by itself then, and nothing of it may outlive what it works on.
    lane.wait()?;
    Ok((ours?, lane.until(lane)?))
}

/// Waits until word `at` holds `wanted`. Errors: it never did.
pub(super) fn await_word(words: &Words, at: usize, wanted: u32) -> Result<(), Fault> {
    let word = words.at(at);
    let (mut looks, mut until) = (0_u32, None);
    while word.load(Acquire) != wanted {
        looks = looks.wrapping_add(1);
        if looks.is_multiple_of(LOOKS) {
            let now = Instant::now();
            if now > *until.get_or_insert(now + PATIENCE) {
                let is = word.load(Acquire);
                return Err(Fault::Device(format!(
                    "the host waited for {wanted} and saw {is}: the GPU did not answer"
                )));
            }
            std::thread::yield_now();
        }
        std::hint::spin_loop();
    }
    Ok(())
}
