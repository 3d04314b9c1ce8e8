//! Linux: what no file under /proc or /sys tells, or tells only for the asking thread.

use std::time::Duration;

pub(super) fn page_bytes() -> Result<u64, String> {
    Ok(rustix::param::page_size() as u64)
}

/// The scheduler's own account, in nanoseconds; the clock call would need a feature more of rustix.
pub(super) fn thread_cpu_time() -> Result<Duration, String> {
    let path = "/proc/thread-self/schedstat";
    let text = std::fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))?;
    let ns = text.split_whitespace().next().and_then(|n| n.parse().ok());
    ns.map(Duration::from_nanos).ok_or_else(|| format!("{path}: not understood"))
}

pub(super) fn cpu_load_is_safe() -> Result<(), String> {
    Ok(())
}

/// A failure leaves the end of standard input, which is read between two runs.
pub(super) fn die_with_parent() {
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
}
