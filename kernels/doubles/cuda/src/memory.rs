//! Device memory: pages of the host, counted against the profile's size, fenced, and checked before each copy.
#![expect(unsafe_code, reason = "memory is had and given back by address")]

use crate::code::{self, Code};
use std::alloc::{Layout, alloc, dealloc};
use std::collections::BTreeMap;

/// What stands behind each allocation, and must still stand there when it is given back.
const FENCE: [u8; 64] = [0xa5; 64];
/// What fresh memory is filled with: NaN, codes and indexes that nothing has.
const POISON: u8 = 0xff;

/// All that is allocated, by address.
#[derive(Debug)]
pub struct Memory {
    total: u64,
    used: u64,
    blocks: BTreeMap<usize, usize>,
}

/// Bytes at the end that are fenced. With a sanitizer the allocator's own fences are finer.
fn fence() -> usize {
    if std::env::var_os("SPARK_CUDA_DOUBLE_CXXFLAGS").is_some() { 0 } else { FENCE.len() }
}

fn layout(bytes: usize) -> Option<Layout> {
    // As a driver aligns.
    Layout::from_size_align(bytes.checked_add(fence())?.max(1), 256).ok()
}

impl Memory {
    /// That many bytes, all free.
    pub const fn of(total: u64) -> Self {
        Self { total, used: 0, blocks: BTreeMap::new() }
    }
    /// Bytes free and in all.
    pub const fn info(&self) -> (u64, u64) {
        (self.total - self.used, self.total)
    }
    /// The address of `bytes` bytes. Errors: of none, of more than are free.
    pub fn take(&mut self, bytes: usize) -> Result<usize, Code> {
        if bytes == 0 {
            return Err(code::INVALID_VALUE);
        }
        if bytes as u64 > self.total - self.used {
            return Err(code::OUT_OF_MEMORY);
        }
        let layout = layout(bytes).ok_or(code::OUT_OF_MEMORY)?;
        // SAFETY: the layout has a size above 0.
        let at = unsafe { alloc(layout) };
        if at.is_null() {
            return Err(code::OUT_OF_MEMORY);
        }
        // SAFETY: just allocated, `bytes` long and more.
        unsafe { at.write_bytes(POISON, bytes) };
        // SAFETY: behind the bytes there is room for the fence.
        let end = unsafe { at.add(bytes) };
        // SAFETY: as above.
        unsafe { end.copy_from_nonoverlapping(FENCE.as_ptr(), fence()) };
        self.used += bytes as u64;
        self.blocks.insert(at as usize, bytes);
        Ok(at as usize)
    }
    /// Gives back what begins at `at`. Errors: nothing does; something was written behind it.
    pub fn give(&mut self, at: usize) -> Result<(), Code> {
        let bytes = self.blocks.remove(&at).ok_or(code::INVALID_VALUE)?;
        self.used -= bytes as u64;
        let whole = Self::fenced(at, bytes);
        if let Some(layout) = layout(bytes) {
            // SAFETY: allocated by `take` with the same layout, and taken out of the list just now.
            unsafe { dealloc(at as *mut u8, layout) };
        }
        if whole { Ok(()) } else { Err(code::ILLEGAL_ADDRESS) }
    }
    fn fenced(at: usize, bytes: usize) -> bool {
        // SAFETY: `take` allocated the fence behind the bytes.
        let fence = unsafe { std::slice::from_raw_parts((at + bytes) as *const u8, fence()) };
        fence.iter().all(|b| *b == FENCE[0])
    }
    /// Whether every fence stands, which says that no launch wrote behind what it was given.
    pub fn whole(&self) -> bool {
        self.blocks.iter().all(|(at, bytes)| Self::fenced(*at, *bytes))
    }
    /// Whether `bytes` bytes from `at` lie in one allocation.
    pub fn holds(&self, at: usize, bytes: usize) -> bool {
        let before = self.blocks.range(..=at).next_back();
        before.is_some_and(|(start, len)| at.checked_add(bytes).is_some_and(|end| end <= start + len))
    }
    /// Begin and length of the allocation that `at` lies in.
    pub fn around(&self, at: usize) -> Option<(usize, usize)> {
        let (start, len) = self.blocks.range(..=at).next_back()?;
        (at < start + len).then_some((*start, *len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_counted_and_its_ends_are_known() {
        let mut memory = Memory::of(1000);
        let at = memory.take(600).expect("there is room");
        assert_eq!((at % 256, memory.info()), (0, (400, 1000)));
        assert_eq!(memory.take(401), Err(code::OUT_OF_MEMORY));
        assert!(memory.holds(at + 599, 1) && !memory.holds(at + 599, 2) && !memory.holds(at - 1, 1));
        assert_eq!(memory.give(at + 1), Err(code::INVALID_VALUE));
        assert_eq!(memory.give(at), Ok(()));
        assert_eq!((memory.info().0, memory.give(at)), (1000, Err(code::INVALID_VALUE)));
    }

    #[test]
    fn a_byte_written_behind_the_end_shows() {
        let mut memory = Memory::of(1000);
        let at = memory.take(100).expect("there is room");
        assert!(memory.whole());
        // SAFETY: the fence stands behind the hundred bytes.
        unsafe { ((at + 100) as *mut u8).write(0) };
        assert!(!memory.whole());
        assert_eq!(memory.give(at), Err(code::ILLEGAL_ADDRESS));
    }
}
