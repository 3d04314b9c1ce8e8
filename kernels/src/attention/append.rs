//! New tokens into the caches, all workers together.
#![expect(unsafe_code, reason = "workers append to disjoint blocks of one cache, and read it after a barrier")]

use super::Attention;
use super::layout::{LANES, Layout};
use super::stored::Stored;
use crate::cpu::pool::Worker;
use crate::cpu::prefetch::prefetch;
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
        let dim = op.head_dim;
        let block_of = |unit: &Unit| {
            let start = self.layout.region(unit.sequence, unit.kv_head).start + unit.block * T::block(dim);
            start..start + T::block(dim)
        };
        // Neighbouring units for one worker: of a decode, the heads whose tiles it is likely to have.
        let own = worker.share(units(op, spans).count(), 1);
        let own = units(op, spans).skip(own.start).take(own.len());
        // A new key touches every line of its block, each far away: they are all asked for before the first is waited for.
        for unit in own.clone() {
            // SAFETY: this block of this head and sequence belongs to this worker alone until all have passed the barrier.
            fetch(unsafe { self.keys.part(block_of(&unit)) });
        }
        for unit in own {
            // SAFETY: as above; the parts asked for are borrowed no more.
            let keys = unsafe { self.keys.part(block_of(&unit)) };
            // SAFETY: as above.
            let values = unsafe { self.values.part(block_of(&unit)) };
            let Unit { block, kv_head, past, first, .. } = unit;
            for slot in past.max(block * LANES)..unit.end.min((block + 1) * LANES) {
                let row = &qkv[(first + slot - past) * op.input_row()..][..op.input_row()];
                let key = &row[(op.heads + kv_head) * dim..][..dim];
                let value = &row[(op.heads + op.kv_heads + kv_head) * dim..][..dim];
                T::put_key(keys, slot % LANES, key);
                T::put_value(values, slot % LANES, value);
            }
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

/// A block of one kv head of one sequence that new tokens come into.
struct Unit {
    sequence: usize,
    kv_head: usize,
    block: usize,
    /// The new tokens are slots past .. end, from row `first` of the input.
    past: usize,
    end: usize,
    first: usize,
}

/// Every unit of a call.
fn units<'a>(op: &Attention, spans: &'a [Span]) -> impl Iterator<Item = Unit> + Clone + 'a {
    let (kv_heads, mut first) = (op.kv_heads, 0);
    spans.iter().enumerate().flat_map(move |(sequence, span)| {
        let (past, end) = (span.past, span.past + span.rows);
        first += span.rows;
        let first = first - span.rows;
        let blocks = if span.rows == 0 { 0..0 } else { past / LANES..end.div_ceil(LANES) };
        blocks.flat_map(move |block| {
            (0..kv_heads).map(move |kv_head| Unit { sequence, kv_head, block, past, end, first })
        })
    })
}

/// Asks for every line of a block.
fn fetch<T>(block: &[T]) {
    block.chunks(64 / size_of::<T>()).for_each(|line| prefetch(line.as_ptr()));
}
