//! New tokens into the caches, all workers together.
#![expect(unsafe_code, reason = "workers append to disjoint blocks of one cache, and read it after a barrier")]

use super::Attention;
use super::layout::{LANES, Layout};
use super::stored::Stored;
use crate::cpu::pool::Worker;
use crate::cpu::split::Split;
use crate::{Buffer, Span};

/// The two caches while the workers of a call append to them, each its own blocks of 16 tokens.
pub(super) struct Caches<'a, T> {
    layout: Layout,
    keys: Split<'a, T>,
    values: Split<'a, T>,
}

impl<'a, T: Stored> Caches<'a, T> {
    pub(super) fn new(layout: Layout, keys: &'a mut Buffer, values: &'a mut Buffer) -> Self {
        Self { layout, keys: Split::new(keys.slice_mut()), values: Split::new(values.slice_mut()) }
    }

    /// This worker's part of appending the live rows of `qkv`. Nobody may read the caches before all workers have done theirs.
    pub(super) fn append(&self, op: &Attention, worker: &Worker<'_>, qkv: &[f32], spans: &[Span]) {
        let (dim, mut first, mut unit) = (op.head_dim, 0, 0);
        for (sequence, span) in spans.iter().enumerate() {
            let end = span.past + span.rows;
            for block in span.past / LANES..end.div_ceil(LANES) {
                let slots = span.past.max(block * LANES)..end.min((block + 1) * LANES);
                for kv_head in 0..op.kv_heads {
                    unit += 1;
                    if slots.is_empty() || unit % worker.count != worker.index {
                        continue;
                    }
                    let start = self.layout.region(sequence, kv_head).start + block * T::block(dim);
                    let part = start..start + T::block(dim);
                    // SAFETY: this block of this head and sequence belongs to this worker alone until all have passed the barrier.
                    let keys = unsafe { self.keys.part(part.clone()) };
                    // SAFETY: as above.
                    let values = unsafe { self.values.part(part) };
                    for slot in slots.clone() {
                        let row = &qkv[(first + slot - span.past) * op.input_row()..][..op.input_row()];
                        let key = &row[(op.heads + kv_head) * dim..][..dim];
                        let value = &row[(op.heads + op.kv_heads + kv_head) * dim..][..dim];
                        T::put_key(keys, slot % LANES, key);
                        T::put_value(values, slot % LANES, value);
                    }
                }
            }
            first += span.rows;
        }
    }

    /// Keys and values of one (sequence, kv head).
    ///
    /// # Safety
    /// Every worker has appended, and none appends while these are borrowed.
    pub(super) unsafe fn region(&self, sequence: usize, kv_head: usize) -> (&[T], &[T]) {
        let region = self.layout.region(sequence, kv_head);
        // SAFETY: by this function's contract nobody writes.
        let keys = unsafe { self.keys.read(region.clone()) };
        // SAFETY: as above.
        let values = unsafe { self.values.read(region) };
        (keys, values)
    }
}
