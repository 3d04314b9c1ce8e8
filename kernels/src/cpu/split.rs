//! A mutable slice that the workers of one call cut into parts of their own.
#![expect(unsafe_code, reason = "that no two workers take the same part is the caller's promise")]

use std::marker::PhantomData;
use std::ops::Range;

/// `&mut [T]` that several workers may hold at once, each its own part.
#[derive(Debug)]
pub(crate) struct Split<'a, T> {
    at: *mut T,
    len: usize,
    whole: PhantomData<&'a mut [T]>,
}

// SAFETY: a `Split` is a `&mut [T]` handed out in parts; `part` obliges its caller to keep them disjoint.
unsafe impl<T: Send> Sync for Split<'_, T> {}
// SAFETY: as a `&mut [T]`.
unsafe impl<T: Send> Send for Split<'_, T> {}

impl<'a, T> Split<'a, T> {
    /// The slice to be cut, borrowed as long as its parts.
    pub(crate) fn new(whole: &'a mut [T]) -> Self {
        Self { at: whole.as_mut_ptr(), len: whole.len(), whole: PhantomData }
    }
    /// Elements `range`. Panics if they are not all inside.
    ///
    /// # Safety
    /// No two parts taken from one `Split` may overlap while both are in use.
    pub(crate) unsafe fn part(&self, range: Range<usize>) -> &'a mut [T] {
        assert!(range.start <= range.end && range.end <= self.len, "part {range:?} of {} elements", self.len);
        // SAFETY: inside the borrowed slice, as was just asserted, and disjoint from every other part by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.at.wrapping_add(range.start), range.len()) }
    }
}
