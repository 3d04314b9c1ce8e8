//! Where the elements of the key and value caches stand.

use super::{Attention, KvType};
use std::ops::Range;

/// Tokens in a block of the key cache: one 512-bit vector of f32 scores.
pub(super) const LANES: usize = 16;

/// The shape of the caches: one region for each (sequence, kv head), of whole blocks of 16 tokens, each one run of memory.
///
/// Keys stand transposed inside a block, so that a vector load brings the same element of 16 keys and the score needs no horizontal
/// sum; neighbouring elements of a key that fill 4 bytes stay together, as dot-product instructions want them:
/// \[sequence\]\[kv head\]\[slot / 16\]\[head_dim / pair\]\[slot % 16\]\[pair\] with pair = 1 for f32, 2 for bf16, 4 for int8 and fp8.
/// Values stand token by token, as attention sums them, int8 and fp8 in fours of tokens:
/// \[sequence\]\[kv head\]\[slot / tokens\]\[head_dim\]\[tokens\] with tokens = 4 for int8 and fp8, else 1.
///
/// int8, of a key or value x: scale = max|x| ÷ 127, code = x · (127 ÷ max|x|) rounded to nearest even, element = code · scale, all in
/// f32. Values store the code in two's complement, keys the code + 128: so the instruction wants its two sides. Behind the codes of
/// a block stand its 16 scales, f32 in this machine's byte order. An x below 2⁻¹⁰⁰ everywhere is stored as zeros, one that is not
/// finite with a NaN for a scale. fp8 stores E4M3 codes and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    sequences: usize,
    kv_heads: usize,
    head_dim: usize,
    pair: usize,
    tokens: usize,
    /// Elements behind the codes of a block.
    tail: usize,
    slots: usize,
}

/// What an element of a cache is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) sequence: usize,
    pub(super) kv_head: usize,
    pub(super) slot: usize,
    pub(super) part: Element,
}

/// Which part of a key or value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    /// Its element, or the code of it.
    At(usize),
    /// A byte of its scale.
    Scale(usize),
}

impl Layout {
    pub(super) fn of(op: &Attention) -> Self {
        let Attention { sequences, kv_heads, head_dim, .. } = *op;
        let pair = 4 / op.kv.element().size();
        let (tokens, tail) = match op.kv {
            KvType::F32 | KvType::Bf16 => (1, 0),
            KvType::Int8 => (4, LANES * size_of::<f32>()),
            KvType::Fp8 => (4, 0),
        };
        let slots = op.capacity().next_multiple_of(LANES);
        Self { sequences, kv_heads, head_dim, pair, tokens, tail, slots }
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
    /// Neighbouring elements of a key that stand together: 1 for f32, 2 for bf16, 4 for int8 and fp8.
    pub fn pair(&self) -> usize {
        self.pair
    }
    /// Neighbouring tokens of an element of a value that stand together: 4 for int8 and fp8, else 1.
    pub fn tokens(&self) -> usize {
        self.tokens
    }
    /// Position in the key cache of element `d` of the key of token `slot`.
    pub fn key(&self, sequence: usize, kv_head: usize, slot: usize, d: usize) -> usize {
        self.block(sequence, kv_head, slot) + (d / self.pair * LANES + slot % LANES) * self.pair + d % self.pair
    }
    /// Position in the value cache of element `d` of the value of token `slot`.
    pub fn value(&self, sequence: usize, kv_head: usize, slot: usize, d: usize) -> usize {
        let (group, token) = (slot % LANES / self.tokens, slot % self.tokens);
        self.block(sequence, kv_head, slot) + (group * self.head_dim + d) * self.tokens + token
    }
    /// Position in either cache of the first of the 4 bytes of token `slot`'s scale; `None` where there are none.
    pub fn scale(&self, sequence: usize, kv_head: usize, slot: usize) -> Option<usize> {
        let codes = self.block(sequence, kv_head, slot) + LANES * self.head_dim;
        (self.tail > 0).then_some(codes + slot % LANES * size_of::<f32>())
    }
    /// Where the block of token `slot` begins.
    fn block(&self, sequence: usize, kv_head: usize, slot: usize) -> usize {
        self.region(sequence, kv_head).start + slot / LANES * self.block_len()
    }
    /// Elements of a block of 16 tokens.
    pub(super) fn block_len(&self) -> usize {
        LANES * self.head_dim + self.tail
    }
    /// The elements of one (sequence, kv head), in either cache.
    pub(super) fn region(&self, sequence: usize, kv_head: usize) -> Range<usize> {
        let start = (sequence * self.kv_heads + kv_head) * self.region_len();
        start..start + self.region_len()
    }
    fn region_len(&self) -> usize {
        self.slots / LANES * self.block_len()
    }
    /// What the element at `at` of a cache means.
    pub(super) fn place(&self, keys: bool, at: usize) -> Place {
        let (region, at) = (at / self.region_len(), at % self.region_len());
        let (sequence, kv_head) = (region / self.kv_heads, region % self.kv_heads);
        let (block, at) = (at / self.block_len(), at % self.block_len());
        let (lane, part) = if at >= LANES * self.head_dim {
            let byte = at - LANES * self.head_dim;
            (byte / size_of::<f32>(), Element::Scale(byte % size_of::<f32>()))
        } else if keys {
            let (line, lane) = (at / (LANES * self.pair), at / self.pair % LANES);
            (lane, Element::At(line * self.pair + at % self.pair))
        } else {
            let (group, at) = (at / (self.head_dim * self.tokens), at % (self.head_dim * self.tokens));
            (group * self.tokens + at % self.tokens, Element::At(at / self.tokens))
        };
        Place { sequence, kv_head, slot: block * LANES + lane, part }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_positions_are_inverse_and_fill_the_cache() {
        for &kv in KvType::ALL {
            let op = Attention { rows: 3, depth: 30, sequences: 2, kv, ..Attention::new(6, 3, 12) };
            let layout = op.layout();
            assert_eq!((layout.slots(), layout.len()), (48, 2 * 3 * 48 * kv.bytes(12) / kv.element().size()));
            for (at, keys) in (0..layout.len()).flat_map(|at| [(at, true), (at, false)]) {
                let Place { sequence, kv_head, slot, part } = layout.place(keys, at);
                let found = match part {
                    Element::At(d) if keys => layout.key(sequence, kv_head, slot, d),
                    Element::At(d) => layout.value(sequence, kv_head, slot, d),
                    Element::Scale(byte) => layout.scale(sequence, kv_head, slot).unwrap() + byte,
                };
                assert_eq!(found, at);
            }
        }
    }
}
