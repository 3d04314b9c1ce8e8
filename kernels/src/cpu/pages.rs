//! Pages of host memory, huge where the system grants them, and the truth about which kind they became.
#![expect(unsafe_code, reason = "memory is mapped from and returned to the operating system")]

use crate::link::block::Block;
use crate::{Fault, Placement, os};
use std::ptr::NonNull;
use std::sync::Arc;

/// Buffers below this stay on base pages: a huge page would be mostly empty.
const HUGE_FROM: usize = 1 << 20;

/// A 64-byte aligned region of host memory.
#[derive(Debug)]
pub struct Pages {
    at: NonNull<u8>,
    bytes: usize,
    /// Whose it is, where the system did not give it to this value.
    lent: Option<Arc<Block>>,
}

// SAFETY: the region is owned by this value alone; sharing it is governed by the borrows of `Buffer`.
unsafe impl Send for Pages {}
// SAFETY: as above; `&Pages` gives out only a pointer.
unsafe impl Sync for Pages {}

/// How much of a region stands on huge pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageUse {
    /// Bytes in the region.
    pub bytes: u64,
    /// Bytes of it on huge pages; `None` where the system does not tell.
    pub huge: Option<u64>,
}

impl Pages {
    /// Memory that reads as zeros and that nobody has touched. Errors: the system has none left.
    pub(crate) fn untouched(bytes: usize, placement: Placement) -> Result<Self, Fault> {
        let huge = placement == Placement::Fast && bytes >= HUGE_FROM;
        let at = os::map(bytes.max(64), huge).ok_or(Fault::OutOfMemory { bytes: bytes as u64 })?;
        Ok(Self { at, bytes, lent: None })
    }
    /// What the host sees of `block`; `None` if nothing.
    pub(crate) fn of(block: &Arc<Block>) -> Option<Self> {
        Some(Self { at: block.host()?, bytes: block.bytes(), lent: Some(block.clone()) })
    }
    /// Zeroed memory. Errors: the system has none left.
    pub(crate) fn zeroed(bytes: usize, placement: Placement) -> Result<Self, Fault> {
        let pages = Self::untouched(bytes, placement)?;
        for offset in (0..bytes).step_by(4096) {
            // SAFETY: `offset < bytes`, inside the region just mapped. Touched here, so that no first-touch fault lands in a timing.
            unsafe { pages.at.as_ptr().wrapping_add(offset).write_volatile(0) };
        }
        Ok(pages)
    }
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
    pub(crate) fn as_ptr(&self) -> *const u8 {
        self.at.as_ptr()
    }
    pub(crate) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.at.as_ptr()
    }
    /// Which pages the region really got, read from the operating system now.
    pub fn usage(&self) -> PageUse {
        usage([self])
    }
}

/// Which pages several regions got together. Asking walks the page tables of the whole process: ask once for many.
pub fn usage<'a>(regions: impl IntoIterator<Item = &'a Pages>) -> PageUse {
    let mut ranges: Vec<_> = regions.into_iter().map(|p| (p.at.as_ptr() as usize, p.bytes)).collect();
    ranges.sort_unstable();
    PageUse { bytes: ranges.iter().map(|(_, bytes)| *bytes as u64).sum(), huge: os::huge_bytes(&ranges) }
}

impl Drop for Pages {
    fn drop(&mut self) {
        if self.lent.is_none() {
            os::unmap(self.at, self.bytes.max(64));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_zeroed_aligned_and_counted() {
        for bytes in [0, 1, 4097, (4 << 20) + 13] {
            let pages = Pages::zeroed(bytes, Placement::Fast).unwrap();
            assert_eq!(pages.as_ptr() as usize % 64, 0);
            let usage = pages.usage();
            assert_eq!(usage.bytes, bytes as u64);
            assert!(usage.huge.is_none_or(|huge| huge <= (bytes as u64).next_multiple_of(2 << 20)));
        }
    }

    #[test]
    fn too_much_is_a_fault_not_a_crash() {
        assert!(matches!(Pages::zeroed(1 << 56, Placement::Fast), Err(Fault::OutOfMemory { .. })));
    }
}
