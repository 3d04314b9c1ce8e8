//! Where the elements of the key and value caches stand, and how a value is stored in them.

#![expect(unsafe_code, reason = "workers append to disjoint blocks of one cache, and read it after a barrier")]

use super::Attention;
use crate::cpu::pool::Worker;
use crate::cpu::split::Split;
use crate::{Buffer, Element, Span};
use half::bf16;
use std::ops::Range;

/// Tokens in a block of the key cache: one 512-bit vector of f32 scores.
pub(super) const LANES: usize = 16;

/// The shape of the caches: one region for each (sequence, kv head), of whole blocks of 16 tokens.
///
/// Values stand token by token, as attention sums them: \[sequence\]\[kv head\]\[slot\]\[head_dim\]. Keys stand transposed inside
/// a block, so that a vector load brings the same element of 16 keys and the score needs no horizontal sum; bf16 keeps
/// neighbouring elements of a key together, as bf16 dot-product instructions want them:
/// \[sequence\]\[kv head\]\[slot / 16\]\[head_dim / pair\]\[slot % 16\]\[pair\] with pair = 1 for f32 and 2 for bf16.
/// Either way a block of 16 tokens is one contiguous run of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    sequences: usize,
    kv_heads: usize,
    head_dim: usize,
    pair: usize,
    slots: usize,
}

impl Layout {
    pub(super) fn of(op: &Attention) -> Self {
        let pair = 4 / op.kv.element().size();
        let slots = op.capacity().next_multiple_of(LANES);
        Self { sequences: op.sequences, kv_heads: op.kv_heads, head_dim: op.head_dim, pair, slots }
    }
    /// Elements of either cache.
    pub fn len(&self) -> usize {
        self.sequences * self.kv_heads * self.region_len()
    }
    /// Never: a cache holds at least one token.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Tokens that each region has room for: the capacity, rounded up to whole blocks.
    pub fn slots(&self) -> usize {
        self.slots
    }
    /// Neighbouring elements of a key that stand together: 1 for f32, 2 for bf16.
    pub fn pair(&self) -> usize {
        self.pair
    }
    /// Position in the key cache of element `d` of the key of token `slot`.
    pub fn key(&self, sequence: usize, kv_head: usize, slot: usize, d: usize) -> usize {
        let block = self.region(sequence, kv_head).start + slot / LANES * LANES * self.head_dim;
        block + (d / self.pair * LANES + slot % LANES) * self.pair + d % self.pair
    }
    /// Position in the value cache of element `d` of the value of token `slot`.
    pub fn value(&self, sequence: usize, kv_head: usize, slot: usize, d: usize) -> usize {
        self.region(sequence, kv_head).start + slot * self.head_dim + d
    }
    /// The elements of one (sequence, kv head), in either cache.
    pub(super) fn region(&self, sequence: usize, kv_head: usize) -> Range<usize> {
        let start = (sequence * self.kv_heads + kv_head) * self.region_len();
        start..start + self.region_len()
    }
    fn region_len(&self) -> usize {
        self.slots * self.head_dim
    }
    /// What an element at `at` of a cache means: (sequence, kv head, slot, d).
    pub(super) fn place(&self, keys: bool, at: usize) -> (usize, usize, usize, usize) {
        let (region, at) = (at / self.region_len(), at % self.region_len());
        let (sequence, kv_head) = (region / self.kv_heads, region % self.kv_heads);
        if !keys {
            return (sequence, kv_head, at / self.head_dim, at % self.head_dim);
        }
        let (block, at) = (at / (LANES * self.head_dim), at % (LANES * self.head_dim));
        let (row, lane, part) = (at / (LANES * self.pair), at / self.pair % LANES, at % self.pair);
        (sequence, kv_head, block * LANES + lane, row * self.pair + part)
    }
}

/// An element type of the caches.
pub(super) trait Stored: Element + std::fmt::Debug {
    /// Neighbouring elements of a key that stand together: as many as fill 4 bytes.
    const PAIR: usize = 4 / size_of::<Self>();
    /// `value`, rounded to nearest even.
    fn store(value: f32) -> Self;
    /// Exact.
    fn widen(self) -> f32;
}

impl Stored for f32 {
    fn store(value: f32) -> Self {
        value
    }
    fn widen(self) -> f32 {
        self
    }
}
impl Stored for bf16 {
    fn store(value: f32) -> Self {
        Self::from_f32(value)
    }
    fn widen(self) -> f32 {
        self.to_f32()
    }
}

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
                    let start = self.layout.region(sequence, kv_head).start + block * LANES * dim;
                    let part = start..start + LANES * dim;
                    // SAFETY: this block of this head and sequence belongs to this worker alone until all have passed the barrier.
                    let keys = unsafe { self.keys.part(part.clone()) };
                    // SAFETY: as above.
                    let values = unsafe { self.values.part(part) };
                    for slot in slots.clone() {
                        let row = &qkv[(first + slot - span.past) * op.input_row()..][..op.input_row()];
                        let key = &row[(op.heads + kv_head) * dim..][..dim];
                        let value = &row[(op.heads + op.kv_heads + kv_head) * dim..][..dim];
                        let lane = slot % LANES;
                        for (line, key) in keys.chunks_exact_mut(LANES * T::PAIR).zip(key.chunks_exact(T::PAIR)) {
                            let lane = &mut line[lane * T::PAIR..(lane + 1) * T::PAIR];
                            lane.iter_mut().zip(key).for_each(|(stored, key)| *stored = T::store(*key));
                        }
                        for (stored, &value) in values[lane * dim..][..dim].iter_mut().zip(value) {
                            *stored = T::store(value);
                        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attention::KvType;

    #[test]
    fn places_and_positions_are_inverse_and_fill_the_cache() {
        for kv in [KvType::F32, KvType::Bf16] {
            let op = Attention { rows: 3, depth: 30, sequences: 2, kv, ..Attention::new(6, 3, 10) };
            let layout = op.layout();
            assert_eq!((layout.slots(), layout.len()), (48, 2 * 3 * 48 * 10));
            for at in 0..layout.len() {
                let (sequence, kv_head, slot, d) = layout.place(true, at);
                assert_eq!(layout.key(sequence, kv_head, slot, d), at);
                let (sequence, kv_head, slot, d) = layout.place(false, at);
                assert_eq!(layout.value(sequence, kv_head, slot, d), at);
            }
        }
    }
}
