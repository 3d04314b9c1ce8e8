//! What a case takes, said before anything is allocated.

use crate::llm::arguments::Case;
use crate::llm::blocks::Blocks;
use crate::llm::size::{ROUTER, stored};
use crate::workload::Footprint;
use spark_kernels::gemm::{Activations, Gemm};
use spark_kernels::{Backend, Device, Op};
use spark_results::Work;

/// Room for what is not counted one by one: stacks, the program, small buffers, the allocator's own.
const SLACK: u64 = 32 << 20;
/// From here on a buffer stands on huge pages, and takes whole ones.
const HUGE_FROM: u64 = 1 << 20;
const HUGE_PAGE: u64 = 2 << 20;

/// What a buffer of so many bytes really takes.
fn paged(bytes: u64) -> u64 {
    bytes.checked_next_multiple_of(if bytes < HUGE_FROM { 4096 } else { HUGE_PAGE }).unwrap_or(u64::MAX)
}

impl Case {
    /// What this case takes on `device`, doing `work` an iteration.
    pub(crate) fn footprint(&self, work: &Work, device: &dyn Device) -> Footprint {
        let setup = self.sizes.total;
        Footprint { bytes: self.bytes(device), flops: work.flops, traffic: work.bytes, setup }
    }
    /// Most bytes of the device's memory that this case holds at once: packed weights, the largest tensor in canonical form
    /// beside them, caches, the buffers of a pass, what the ops keep for themselves, and what a check copies.
    pub(crate) fn bytes(&self, device: &dyn Device) -> u64 {
        let (c, s) = (&self.config, &self.settings);
        let (blocks, layers) = (Blocks::new(c, s), c.layers as u64);
        // A tied table is held twice: packed for the head, in rows for the look-up.
        let table = paged(stored(s.head, c.vocab, c.hidden));
        let (experts, active) = c.blocks();
        let [qkv, output, gate_up, down] = c.projections().map(|(n, k)| stored(s.format, n, k));
        let matrices = [qkv, output, gate_up.saturating_mul(experts), down.saturating_mul(experts)].map(paged);
        let (weights, largest) = match &self.weights {
            None => {
                let layer = matrices.iter().fold(0, |sum: u64, bytes| sum.saturating_add(*bytes));
                let largest = matrices.iter().copied().fold(table, u64::max);
                (layers.saturating_mul(layer).saturating_add(2 * table), largest)
            }
            // The table stays in the file, but for that of a GPU, which a tied head holds once more. A thirty-second is for formats whose scales are held wider than they are stored, and for
            // outputs missing in last tiles; each matrix takes whole pages, and products in parts share one place for their outputs.
            Some(stored) => {
                let pages = layers * 6 * HUGE_PAGE;
                let parts = 4 * s.rows as u64 * (c.qkv_width().max(2 * c.intermediate)) as u64;
                let twice = if c.tied && device.backend() == Backend::Cuda { stored.table() } else { 0 };
                let held = self.sizes.total + self.sizes.total / 32 + twice;
                (held.saturating_add(pages + parts), stored.largest())
            }
        };
        // Experts work in one scratch for all layers; every other gemm has its own.
        let own = [blocks.qkv(), blocks.output()].map(|op| scratch(&op));
        let (block, choices) = ([blocks.gate_up(), blocks.down()].map(|op| scratch(&op)), s.rows as u64 * active);
        let block: u64 = block.iter().sum();
        let (block, common) = match c.mixture {
            None => (block, 0),
            Some(mixture) => {
                let said = paged(4 * choices * c.hidden as u64);
                let routed = paged(4 * s.rows as u64 * mixture.logits() as u64) + 2 * paged(4 * choices);
                (
                    scratch(&Gemm { m: s.rows, n: mixture.logits(), k: c.hidden, ..router() }),
                    2 * active * block + said + routed,
                )
            }
        };
        let outputs = blocks.attention(false).outputs();
        let cache: u64 = outputs[1..].iter().map(|shape| paged(shape.len as u64 * shape.of.size() as u64)).sum();
        let vectors = match self.weights {
            None => c.layer_bytes(s.format).saturating_sub(qkv + output + experts * (gate_up + down)),
            // Counted among all weights.
            Some(_) => 0,
        };
        let layer = own.iter().fold(cache + vectors + block, |sum, bytes| sum.saturating_add(*bytes));
        let (rows, sequences) = (s.rows as u64, s.sequences as u64);
        let widths = [c.hidden, c.hidden, c.hidden, c.qkv_width(), c.attention_width()];
        let of_choices = [2 * c.intermediate, c.intermediate].map(|width| paged(4 * choices * width as u64));
        let passes: u64 = widths.map(|width| paged(4 * rows * width as u64)).iter().chain(&of_choices).sum();
        let last = 2 * paged(4 * sequences * c.hidden as u64) + paged(4 * s.logit_rows() as u64 * c.vocab as u64);
        let tables = 2 * paged((4 * s.capacity * c.rotary) as u64);
        // A check downloads the caches of one layer, and the larger buffers of a pass twice.
        let check = 2 * (passes + last) + cache;
        let all = [
            weights,
            largest,
            layers.saturating_mul(layer),
            scratch(&blocks.head()),
            common,
            passes,
            last,
            tables,
            check,
            SLACK,
        ];
        all.into_iter().fold(0, u64::saturating_add)
    }
}

/// A router's number types.
fn router() -> Gemm {
    Gemm { m: 1, n: 1, k: 1, weights: ROUTER, activations: Activations::F32, bias: true }
}

/// Rounded activations that a prepared gemm keeps: a code and a part of a scale each, or an f32.
fn scratch(op: &Gemm) -> u64 {
    let elements = (op.m as u64).saturating_mul(op.k as u64);
    paged(match op.activations {
        Activations::F32 | Activations::Bf16 | Activations::Fp8 => elements.saturating_mul(4),
        _ => elements.saturating_add(elements / 4),
    })
}
