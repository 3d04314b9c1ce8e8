//! What a case takes, said before anything is allocated.

use crate::llm::arguments::Case;
use crate::llm::blocks::Blocks;
use crate::llm::size::stored;
use spark_kernels::Op;
use spark_kernels::gemm::{Activations, Gemm};

/// Room for what is not counted one by one: stacks, downloads of a check, the allocator's own.
const SLACK: u64 = 32 << 20;

impl Case {
    /// Most bytes of the device's memory that this case holds at once: packed weights, the largest tensor in canonical form
    /// beside them, caches, the buffers of a pass, what the ops keep for themselves, and what a check copies.
    pub(crate) fn bytes(&self) -> u64 {
        let (c, s) = (&self.config, &self.settings);
        let blocks = Blocks::new(c, s);
        let table = stored(s.head, c.vocab, c.hidden);
        // A tied table is held twice: packed for the head, in rows for the look-up.
        let weights = c.weight_bytes(s.format, s.head) + if c.tied { table } else { 0 };
        let largest = c.projections().iter().map(|(n, k)| stored(s.format, *n, *k)).fold(table, u64::max);
        let outputs = blocks.attention().outputs();
        let cache: u64 = outputs[1..].iter().map(|shape| shape.len as u64 * shape.of.size() as u64).sum();
        let (rows, sequences) = (s.rows as u64, s.sequences as u64);
        let widths = 3 * c.hidden + c.qkv_width() + c.attention_width() + 3 * c.intermediate;
        let passes = 4 * (rows.max(sequences) * widths as u64 + sequences * (2 * c.hidden + c.vocab) as u64);
        let layer: u64 = [blocks.qkv(), blocks.output(), blocks.gate_up(), blocks.down()].iter().map(scratch).sum();
        let scratches = (c.layers as u64).saturating_mul(layer).saturating_add(scratch(&blocks.head()));
        let tables = if c.qk_norm { c.layers as u64 } else { 1 } * (4 * s.capacity * c.head_dim) as u64;
        let caches = (c.layers as u64).saturating_mul(cache);
        // A check downloads the caches of one layer, and buffers of a pass twice.
        let check = 2 * passes + cache;
        [weights, largest, caches, passes, scratches, tables, check, SLACK].into_iter().fold(0, u64::saturating_add)
    }
}

/// Rounded activations that a prepared gemm keeps: a code and a part of a scale each, or an f32.
fn scratch(op: &Gemm) -> u64 {
    let elements = (op.m as u64).saturating_mul(op.k as u64);
    match op.activations {
        Activations::F32 | Activations::Bf16 => elements.saturating_mul(4),
        _ => elements.saturating_add(elements / 4),
    }
}
