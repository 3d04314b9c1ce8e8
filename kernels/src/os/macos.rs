//! macOS: anonymous maps; threads cannot be bound to cores there, and base pages are 16 KiB.
#![expect(unsafe_code, reason = "memory is mapped from and returned to the kernel")]

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use std::ptr::NonNull;

/// Maps zeroed memory. `None`: the kernel has none. Huge pages are not to be had for anonymous memory.
pub(crate) fn map(bytes: usize, _huge: bool) -> Option<NonNull<u8>> {
    // SAFETY: a new private anonymous map overlaps nothing.
    let raw =
        unsafe { mmap_anonymous(std::ptr::null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE) }
            .ok()?;
    NonNull::new(raw.cast())
}

/// Returns what [`map`] gave.
pub(crate) fn unmap(at: NonNull<u8>, bytes: usize) {
    // SAFETY: `map` gave exactly this range, and its owner is being dropped.
    let _ = unsafe { munmap(at.as_ptr().cast(), bytes) };
}

/// The system does not tell.
pub(crate) fn huge_bytes(_ranges: &[(usize, usize)]) -> Option<u64> {
    None
}

/// One entry a logical core; the numbers are not kernel handles here.
pub(crate) fn allowed_cpus() -> Vec<usize> {
    (0..std::thread::available_parallelism().map_or(1, usize::from)).collect()
}

/// Threads cannot be bound to a kind of core: all are taken for one.
pub(crate) fn core_kinds(cpus: &[usize]) -> Vec<u64> {
    vec![0; cpus.len()]
}

/// Threads cannot be bound here.
pub(crate) fn pin(_cpus: &[usize]) -> bool {
    false
}
