//! Device memory: pages of the host, counted against the profile's size, fenced, and checked before each copy.
#![expect(unsafe_code, reason = "memory is had and given back by address")]

use crate::code::{self, Code};
use std::alloc::{Layout, alloc, dealloc};
use std::collections::BTreeMap;

/// What stands behind each allocation, and must still stand there when it is given back.
const FENCE: [u8; 64] = [0xa5; 64];
/// What fresh memory is filled with: NaN, codes and indexes that nothing has.
const POISON: u8 = 0xff;

/// What an allocation was asked for as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The device's own.
    Device,
    /// The host's, pinned.
    Pinned,
    /// That of both, which may be more than the device has.
    Managed,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    bytes: usize,
    kind: Kind,
    device: usize,
}

/// All that is allocated, by address, and what of the host's own memory is registered.
#[derive(Debug)]
pub struct Memory {
    total: u64,
    /// By device.
    used: Vec<u64>,
    blocks: BTreeMap<usize, Block>,
    registered: BTreeMap<usize, usize>,
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
    /// That many bytes of each of so many devices, all free.
    pub fn of(total: u64, devices: usize) -> Self {
        Self { total, used: vec![0; devices], blocks: BTreeMap::new(), registered: BTreeMap::new() }
    }
    /// Bytes of a device free and in all.
    ///
    /// # Panics
    /// At a device that there is not.
    pub fn info(&self, device: usize) -> (u64, u64) {
        (self.total.saturating_sub(self.used[device]), self.total)
    }
    /// The address of `bytes` bytes of a kind, of which managed ones may be more than there are; counted against `device`. Errors: of
    /// none, of more than are free.
    ///
    /// # Panics
    /// At a device that there is not.
    pub fn take(&mut self, bytes: usize, kind: Kind, device: usize) -> Result<usize, Code> {
        if bytes == 0 {
            return Err(code::INVALID_VALUE);
        }
        if kind != Kind::Managed && bytes as u64 > self.info(device).0 {
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
        self.used[device] += bytes as u64;
        self.blocks.insert(at as usize, Block { bytes, kind, device });
        Ok(at as usize)
    }
    /// Gives back what begins at `at`, which is `pinned` or not. Errors: nothing of the sort does; something was written behind it.
    pub fn give(&mut self, at: usize, pinned: bool) -> Result<(), Code> {
        let Block { bytes, kind, device } = *self.blocks.get(&at).ok_or(code::INVALID_VALUE)?;
        if (kind == Kind::Pinned) != pinned {
            return Err(code::INVALID_VALUE);
        }
        self.blocks.remove(&at);
        self.used[device] -= bytes as u64;
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
        self.blocks.iter().all(|(at, block)| Self::fenced(*at, block.bytes))
    }
    /// Whether `bytes` bytes from `at` lie in one allocation.
    pub fn holds(&self, at: usize, bytes: usize) -> bool {
        let before = self.blocks.range(..=at).next_back();
        before.is_some_and(|(start, block)| at.checked_add(bytes).is_some_and(|end| end <= start + block.bytes))
    }
    /// Whether they lie in one allocation of that device's own memory.
    pub fn holds_on(&self, device: usize, at: usize, bytes: usize) -> bool {
        let before = self.blocks.range(..=at).next_back();
        let own = before.is_some_and(|(_, block)| (block.kind, block.device) == (Kind::Device, device));
        own && self.holds(at, bytes)
    }
    /// Whether they lie in one managed allocation.
    pub fn manages(&self, at: usize, bytes: usize) -> bool {
        let before = self.blocks.range(..=at).next_back();
        self.holds(at, bytes) && before.is_some_and(|(_, block)| block.kind == Kind::Managed)
    }
    /// Whether the driver knows them: they were allocated by it or are registered with it.
    pub fn knows(&self, at: usize, bytes: usize) -> bool {
        let before = self.registered.range(..=at).next_back();
        let registered = before.is_some_and(|(start, len)| at.checked_add(bytes).is_some_and(|end| end <= start + len));
        registered || self.holds(at, bytes)
    }
    /// Registers the host's own memory. Errors: of none; what is registered already.
    pub fn register(&mut self, at: usize, bytes: usize) -> Result<(), Code> {
        if at == 0 || bytes == 0 {
            return Err(code::INVALID_VALUE);
        }
        if self.registered.range(..at + bytes).next_back().is_some_and(|(start, len)| start + len > at) {
            return Err(code::ALREADY_REGISTERED);
        }
        self.registered.insert(at, bytes);
        Ok(())
    }
    /// Takes that back. Errors: nothing that is registered begins there.
    pub fn unregister(&mut self, at: usize) -> Result<(), Code> {
        self.registered.remove(&at).map(drop).ok_or(code::NOT_REGISTERED)
    }
    /// Begin and length of the allocation that `at` lies in.
    pub fn around(&self, at: usize) -> Option<(usize, usize)> {
        let (start, len) = self.blocks.range(..=at).next_back()?;
        (at < start + len.bytes).then_some((*start, len.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_counted_and_its_ends_are_known() {
        let mut memory = Memory::of(1000, 1);
        let at = memory.take(600, Kind::Device, 0).expect("there is room");
        assert_eq!((at % 256, memory.info(0)), (0, (400, 1000)));
        assert_eq!(memory.take(401, Kind::Pinned, 0), Err(code::OUT_OF_MEMORY));
        assert!(memory.holds(at + 599, 1) && !memory.holds(at + 599, 2) && !memory.holds(at - 1, 1));
        assert_eq!(memory.give(at + 1, false), Err(code::INVALID_VALUE));
        assert_eq!((memory.give(at, true), memory.give(at, false)), (Err(code::INVALID_VALUE), Ok(())));
        assert_eq!((memory.info(0).0, memory.give(at, false)), (1000, Err(code::INVALID_VALUE)));
    }

    #[test]
    fn a_byte_written_behind_the_end_shows() {
        let mut memory = Memory::of(1000, 1);
        let at = memory.take(100, Kind::Device, 0).expect("there is room");
        assert!(memory.whole());
        // SAFETY: the fence stands behind the hundred bytes.
        unsafe { ((at + 100) as *mut u8).write(0) };
        assert!(!memory.whole());
        assert_eq!(memory.give(at, false), Err(code::ILLEGAL_ADDRESS));
    }

    #[test]
    fn managed_memory_may_be_more_than_there_is_and_what_is_registered_is_known() {
        let mut memory = Memory::of(1000, 1);
        let at = memory.take(3000, Kind::Managed, 0).expect("the host has it");
        assert_eq!(
            (memory.info(0).0, memory.manages(at, 3000), memory.take(1, Kind::Device, 0)),
            (0, true, Err(code::OUT_OF_MEMORY))
        );
        let own = [0_u8; 64];
        let here = own.as_ptr() as usize;
        assert!(!memory.knows(here, 64));
        assert_eq!(memory.register(here, 64), Ok(()));
        assert!(memory.knows(here + 1, 63) && !memory.knows(here + 1, 64) && !memory.manages(here, 1));
        assert_eq!(memory.register(here + 63, 1), Err(code::ALREADY_REGISTERED));
        assert_eq!((memory.unregister(here), memory.unregister(here)), (Ok(()), Err(code::NOT_REGISTERED)));
        assert_eq!(memory.give(at, false), Ok(()));
    }

    #[test]
    fn each_device_has_memory_of_its_own() {
        let mut memory = Memory::of(1000, 2);
        let at = memory.take(600, Kind::Device, 1).expect("there is room");
        assert_eq!((memory.info(0).0, memory.info(1).0), (1000, 400));
        assert!(memory.take(600, Kind::Device, 0).is_ok() && memory.take(600, Kind::Device, 1).is_err());
        assert!(memory.holds_on(1, at, 600) && !memory.holds_on(0, at, 1) && !memory.holds_on(1, at, 601));
        assert_eq!((memory.give(at, false), memory.info(1).0), (Ok(()), 1000));
    }
}
