//! Words of memory that a host and a GPU see at the same time.
#![expect(unsafe_code, reason = "memory is shared with kernels that run meanwhile")]

use super::Allocator;
use super::block::Block;
use super::region::Region;
use crate::Fault;
use crate::cuda::Gpu;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

/// Words on lines of their own.
#[derive(Debug)]
pub(super) struct Words(Block);

/// Bytes between two words: no two of them share a line, nor the pair of lines that some processors fetch.
const APART: usize = 256;

impl Words {
    /// `count` zeros that `allocator` gives. Errors: no such memory, or the host does not reach it.
    pub(super) fn new(gpu: &Gpu, allocator: Allocator, count: usize) -> Result<Self, Fault> {
        let block = Block::new(gpu, allocator, count * APART)?;
        if block.host().is_none() || block.device().is_none() {
            let why = format!("{}: host and GPU do not both reach it", allocator.name());
            return Err(crate::Unsupported(why).into());
        }
        let words = Self(block);
        (0..count).for_each(|at| words.at(at).store(0, Ordering::Relaxed));
        Ok(words)
    }
    fn place(&self, at: usize, offset: usize) -> &AtomicU32 {
        assert!((at + 1) * APART <= self.0.bytes(), "word {at} of {} bytes", self.0.bytes());
        let Some(base) = self.0.host() else { unreachable!("looked at by `new`") };
        // SAFETY: inside the block, aligned as every allocator aligns, alive as long as `self`; all access of either side is atomic.
        unsafe { AtomicU32::from_ptr(base.as_ptr().wrapping_add(at * APART + offset).cast()) }
    }
    /// Word `at`, as the host sees it. Panics if there are not so many.
    pub(super) fn at(&self, at: usize) -> &AtomicU32 {
        self.place(at, 0)
    }
    /// A word in the same line.
    pub(super) fn neighbour(&self, at: usize) -> &AtomicU32 {
        self.place(at, 4)
    }
    /// The address of word `at` on the GPU.
    pub(super) fn address(&self, at: usize) -> u64 {
        self.0.device().unwrap_or(0) + (at * APART) as u64
    }
}

/// A region that a kernel has in its hands and hands to the host and back, round by round.
#[derive(Debug)]
pub(super) struct HandedOver<'a> {
    at: NonNull<u64>,
    len: usize,
    region: PhantomData<&'a mut Region>,
}

impl Region {
    /// For a kernel that runs meanwhile. Panics if the host does not reach it.
    pub(super) fn words(&mut self) -> HandedOver<'_> {
        let Some(at) = self.block().host() else { panic!("the host does not reach this memory") };
        HandedOver { at: at.cast(), len: self.block().bytes() / 8, region: PhantomData }
    }
}

impl HandedOver<'_> {
    /// Word `at` of round `round` becomes at + (round << 40). To be called while the kernel waits for the host.
    pub(super) fn write(&self, round: u32) {
        // SAFETY: the region is borrowed by this value, so only the kernel could be in it, and that waits for the release that follows.
        let words = unsafe { std::slice::from_raw_parts_mut(self.at.as_ptr(), self.len) };
        words.iter_mut().enumerate().for_each(|(at, word)| *word = at as u64 + (u64::from(round) << 40));
    }
    /// All words added up. To be called when the kernel has handed them over.
    pub(super) fn sum(&self) -> u64 {
        // SAFETY: as in `write`; the kernel's release was acquired, and it writes only after the host's next.
        let words = unsafe { std::slice::from_raw_parts(self.at.as_ptr(), self.len) };
        words.iter().fold(0, |sum: u64, word| sum.wrapping_add(*word))
    }
}
