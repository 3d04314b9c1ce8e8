//! One mutable slice cut into parts for the workers of a call.
#![expect(unsafe_code, reason = "workers write disjoint parts of one slice at the same time")]

use std::marker::PhantomData;
use std::ops::Range;

/// A mutable slice whose parts are handed out by range; the borrow checker cannot see that workers' ranges are disjoint.
#[derive(Debug)]
pub(crate) struct Split<'a, T> {
    at: *mut T,
    len: usize,
    whole: PhantomData<&'a mut [T]>,
}

// SAFETY: it gives out nothing but `&mut [T]`, whose disjointness `part` demands; T itself may be sent.
unsafe impl<T: Send> Sync for Split<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Split<'_, T> {}

impl<'a, T> Split<'a, T> {
    /// Takes the slice over for as long as it is borrowed.
    pub(crate) fn new(whole: &'a mut [T]) -> Self {
        Self { at: whole.as_mut_ptr(), len: whole.len(), whole: PhantomData }
    }
    /// A part that can be split further: it gives out nothing by itself. Panics if `range` is not inside.
    #[cfg_attr(
        not(any(target_arch = "x86_64", target_arch = "aarch64")),
        allow(dead_code, reason = "for experts on vector instructions")
    )]
    pub(crate) fn within(&self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} is inside 0..{}", self.len);
        Self { at: self.at.wrapping_add(range.start), len: range.len(), whole: PhantomData }
    }
    /// The elements in `range`, borrowed as long as the slice is. Panics if it is not inside the slice.
    ///
    /// # Safety
    /// While the part lives, no other part that overlaps it does, on any thread.
    pub(crate) unsafe fn part(&self, range: Range<usize>) -> &'a mut [T] {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} is inside 0..{}", self.len);
        // SAFETY: the range was just found inside the slice, which this value borrows; the caller keeps parts disjoint.
        unsafe { std::slice::from_raw_parts_mut(self.at.wrapping_add(range.start), range.len()) }
    }
    /// The elements in `range`, to read. Panics if it is not inside the slice.
    ///
    /// # Safety
    /// While they are borrowed, no part that overlaps them lives, on any thread.
    pub(crate) unsafe fn read(&self, range: Range<usize>) -> &'a [T] {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} is inside 0..{}", self.len);
        // SAFETY: the range was just found inside the slice, which this value borrows; the caller sees to it that nobody writes.
        unsafe { std::slice::from_raw_parts(self.at.wrapping_add(range.start), range.len()) }
    }
}
