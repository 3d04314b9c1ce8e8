//! Everything that differs by operating system in finding out about a machine; the rest of the crate asks here.

mod sysroot;
pub use sysroot::SysRoot;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as native;

// The texts that macOS and Windows answer with are parsed by portable code, so that its tests run everywhere.
#[cfg(any(target_os = "macos", test))]
mod macos;
#[cfg(target_os = "macos")]
use macos as native;

#[cfg(any(target_os = "windows", test))]
mod windows;
#[cfg(target_os = "windows")]
use windows as native;

use std::time::Duration;

#[cfg(not(target_os = "linux"))]
use spark_results::Machine;

/// Bytes in a base page of the running system.
///
/// # Errors
/// Why it is unknown.
pub fn page_bytes() -> Result<u64, String> {
    native::page_bytes()
}

/// CPU time that the calling thread has used since it began.
///
/// # Errors
/// Why it is unknown.
pub fn thread_cpu_time() -> Result<Duration, String> {
    native::thread_cpu_time()
}

/// Whether asking `sysinfo` for CPU load is safe: Wine lacks the Windows call behind it and the process would die.
///
/// # Errors
/// Why it must not be asked.
pub fn cpu_load_is_safe() -> Result<(), String> {
    native::cpu_load_is_safe()
}

/// Ends this process when its parent does, where the system can: elsewhere the end of its standard input has to do.
pub fn die_with_parent() {
    #[cfg(target_os = "linux")]
    native::die_with_parent();
}

/// What a system without /proc and /sys says about the machine.
#[cfg(not(target_os = "linux"))]
pub(crate) fn machine() -> Machine {
    native::machine()
}

/// What a program prints on stdout, at most half a megabyte of it.
#[cfg(not(target_os = "linux"))]
fn output(program: &str, args: &[&str]) -> Result<String, String> {
    let out = std::process::Command::new(program).args(args).output().map_err(|e| format!("{program}: {e}"))?;
    // macOS' sysctl exits with 1 when one of several names is unknown, and has printed the others.
    if out.stdout.is_empty() {
        return Err(format!("{program} {}: {} with no output", args.join(" "), out.status));
    }
    Ok(String::from_utf8_lossy(&out.stdout[..out.stdout.len().min(512 * 1024)]).into_owned())
}
