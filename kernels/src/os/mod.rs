//! What differs by operating system: mapping memory, pinning threads, telling kinds of core apart, the last cache.

mod available;
mod caches;
pub use available::available_memory;
pub use caches::last_level_cache;

#[cfg(target_os = "linux")]
mod cores;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::{allowed_cpus, core_kinds, huge_bytes, map, pin, unmap};

#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
pub(crate) use macos::{allowed_cpus, core_kinds, huge_bytes, map, pin, unmap};

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
mod windows;
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(crate) use windows::{allowed_cpus, core_kinds, huge_bytes, map, pin, unmap};
