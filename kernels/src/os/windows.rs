//! Windows and everything else: the allocator's memory, threads left to the scheduler.
#![expect(unsafe_code, reason = "memory is taken from and returned to the global allocator")]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;

fn layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes, 4096).ok()
}

/// Zeroed memory. `None`: there is none. Large pages need a privilege that users rarely have.
pub(crate) fn map(bytes: usize, _huge: bool) -> Option<NonNull<u8>> {
    // SAFETY: the layout's size is not zero: callers ask for at least 64 bytes.
    NonNull::new(unsafe { alloc_zeroed(layout(bytes)?) })
}

/// Returns what [`map`] gave.
pub(crate) fn unmap(at: NonNull<u8>, bytes: usize) {
    if let Some(layout) = layout(bytes) {
        // SAFETY: `map` allocated with this very layout, and the owner is being dropped.
        unsafe { dealloc(at.as_ptr(), layout) };
    }
}

/// The system does not tell.
pub(crate) fn huge_bytes(_ranges: &[(usize, usize)]) -> Option<u64> {
    None
}

/// One entry a logical core.
pub(crate) fn allowed_cpus() -> Vec<usize> {
    (0..std::thread::available_parallelism().map_or(1, usize::from)).collect()
}

/// Threads are not bound to cores: all are taken for one kind.
pub(crate) fn core_kinds(cpus: &[usize]) -> Vec<u64> {
    vec![0; cpus.len()]
}

/// Not bound: the scheduler decides.
pub(crate) fn pin(_cpus: &[usize]) -> bool {
    false
}
