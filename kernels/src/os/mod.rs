//! What differs by operating system: mapping memory and pinning threads.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::{allowed_cpus, huge_bytes, map, pin, unmap};

#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
pub(crate) use macos::{allowed_cpus, huge_bytes, map, pin, unmap};

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
mod windows;
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(crate) use windows::{allowed_cpus, huge_bytes, map, pin, unmap};
