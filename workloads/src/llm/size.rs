//! How large a decoder is: parameters, bytes at rest, bytes and operations of a pass.

use crate::llm::Config;
use spark_kernels::attention::KvType;
use spark_kernels::format::Format;

/// How the tensors of a model are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Storage {
    /// Format of the projections of every layer.
    pub format: Format,
    /// Format of the embedding and the head.
    pub head: Format,
    /// Type of the cached keys and values.
    pub kv: KvType,
}

/// How the router of a mixture is stored, whatever the projections are: it is small, and what it says decides.
pub const ROUTER: Format = Format::Bf16;

impl Config {
    /// Elements of a row of q, k and v together.
    pub fn qkv_width(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_dim
    }
    /// Elements of a row that attention gives.
    pub fn attention_width(&self) -> usize {
        self.heads * self.head_dim
    }
    /// (outputs, reduction) of the four projections of a layer: qkv, o, gate and up, down; the last two of one expert where
    /// there are experts.
    pub fn projections(&self) -> [(usize, usize); 4] {
        [
            (self.qkv_width(), self.hidden),
            (self.hidden, self.attention_width()),
            (2 * self.intermediate, self.hidden),
            (self.hidden, self.intermediate),
        ]
    }
    /// Feed-forward blocks of a layer, and how many a token goes through: experts, or one.
    pub fn blocks(&self) -> (u64, u64) {
        self.mixture.map_or((1, 1), |mixture| (mixture.all() as u64, mixture.taken() as u64))
    }
    /// Feed-forward blocks that `rows` tokens with no common habits are expected to touch, over all layers: of E experts each
    /// token takes k, beside those that all share, so an expert is left alone with a probability of (1 − k/E)^rows.
    pub fn expected_blocks(&self, rows: u64) -> u64 {
        let shared = self.mixture.map_or(0, |mixture| mixture.shared as u64);
        let (experts, active) = (self.blocks().0 - shared, self.blocks().1 - shared);
        let alone = (1.0 - active as f64 / experts as f64).powf(rows as f64);
        let chosen = if rows <= 1 { (rows * active) as f64 } else { experts as f64 * (1.0 - alone) };
        let a_layer = chosen + (shared * rows.min(1)) as f64;
        (self.layers as f64 * a_layer).round() as u64
    }

    /// Parameters in the projections of one layer's attention, and in its router.
    fn attention_params(&self) -> u64 {
        let [qkv, output, ..] = self.projections().map(|(n, k)| n as u64 * k as u64);
        qkv + output + self.mixture.map_or(0, |mixture| (mixture.logits() * self.hidden) as u64)
    }
    /// Parameters in the projections of one feed-forward block.
    fn block_params(&self) -> u64 {
        let [.., gate_up, down] = self.projections().map(|(n, k)| n as u64 * k as u64);
        gate_up + down
    }
    /// Parameters of one feed-forward block that stay f32.
    fn block_biases(&self) -> u64 {
        let bias = self.mixture.is_some_and(|mixture| mixture.bias);
        if bias { (2 * self.intermediate + self.hidden) as u64 } else { 0 }
    }
    /// Parameters of one layer that stay f32, beside those of its feed-forward blocks: norms, biases, sinks.
    fn vector_params(&self) -> u64 {
        let or_none = |has: bool, len: usize| if has { len as u64 } else { 0 };
        let norms = if self.post_norms { 4 } else { 2 } * self.hidden as u64;
        norms
            + or_none(self.qkv_bias, self.qkv_width())
            + or_none(self.output_bias, self.hidden)
            + or_none(self.qk_norm, 2 * self.head_dim)
            + or_none(self.sinks, self.heads)
            + self.mixture.map_or(0, |mixture| or_none(mixture.bias, mixture.logits()))
    }
    fn table_params(&self) -> u64 {
        self.vocab as u64 * self.hidden as u64
    }
    fn params(&self, blocks: u64) -> u64 {
        let layer = self.attention_params() + self.vector_params();
        self.layers as u64 * (layer + blocks * (self.block_params() + self.block_biases())) + self.hidden as u64
    }
    /// Parameters; a tied table counts once.
    pub fn param_count(&self) -> u64 {
        self.params(self.blocks().0) + if self.tied { 1 } else { 2 } * self.table_params()
    }
    /// Parameters that one token goes through: those of the experts it is given to, and no table but the head.
    pub fn active_param_count(&self) -> u64 {
        self.params(self.blocks().1) + self.table_params()
    }

    /// Bytes of one feed-forward block; a tensor's scale is not its own.
    pub fn block_bytes(&self, format: Format) -> u64 {
        let [.., gate_up, down] = self.projections().map(|(n, k)| elements(format, n, k));
        gate_up + down + 4 * self.block_biases()
    }
    /// Bytes of the weights of one layer that every token touches: all but the feed-forward blocks.
    fn shared_bytes(&self, format: Format) -> u64 {
        let [qkv, output, ..] = self.projections().map(|(n, k)| stored(format, n, k));
        let router = self.mixture.map_or(0, |mixture| stored(ROUTER, mixture.logits(), self.hidden));
        qkv + output + router + 4 * self.vector_params() + 2 * tensor_scale(format)
    }
    /// Bytes of the weights of one layer.
    pub(crate) fn layer_bytes(&self, format: Format) -> u64 {
        self.shared_bytes(format) + self.blocks().0 * self.block_bytes(format)
    }
    /// Bytes of all weights in canonical storage; a tied table counts once.
    pub fn weight_bytes(&self, format: Format, head: Format) -> u64 {
        let tables = if self.tied { 1 } else { 2 };
        self.layers as u64 * self.layer_bytes(format)
            + 4 * self.hidden as u64
            + tables * stored(head, self.vocab, self.hidden)
    }
    /// Bytes of the layers' weights that a pass reads which touches so many feed-forward blocks, over all layers.
    pub(crate) fn touched_bytes(&self, blocks: u64, format: Format) -> u64 {
        self.layers as u64 * self.shared_bytes(format) + blocks.saturating_mul(self.block_bytes(format))
    }
    /// Bytes of the head, and of the norm before it.
    pub(crate) fn head_bytes(&self, head: Format) -> u64 {
        4 * self.hidden as u64 + stored(head, self.vocab, self.hidden)
    }

    /// Bytes of keys and values that one token adds in one layer.
    fn kv_bytes_a_layer(&self, kv: KvType) -> u64 {
        (2 * self.kv_heads * kv.bytes(self.head_dim)) as u64
    }
    /// Bytes of keys and values that one token adds, over all layers.
    pub fn kv_bytes_per_token(&self, kv: KvType) -> u64 {
        self.layers as u64 * self.kv_bytes_a_layer(kv)
    }
    /// Bytes of keys and values that `rows` tokens read and add one after another, with `past` before them: in layers with a
    /// window no more than it.
    pub(crate) fn kv_bytes_read(&self, rows: usize, past: usize, kv: KvType) -> u64 {
        self.seen_pairs(rows as u64, past as u64).saturating_mul(self.kv_bytes_a_layer(kv))
    }
    /// Pairs of a token and one that it sees, over all layers.
    fn seen_pairs(&self, rows: u64, past: u64) -> u64 {
        let local = self.windowed.iter().filter(|windowed| **windowed).count() as u64;
        let all = (self.layers as u64 - local).saturating_mul(pairs(rows, past, u64::MAX));
        let window = self.window.map_or(u64::MAX, |window| window as u64);
        all.saturating_add(local.saturating_mul(pairs(rows, past, window)))
    }
    /// Bytes that decoding one token of each sequence touches, with `depths` tokens before it, where the tokens together go
    /// through `blocks` different feed-forward blocks over all layers: every other weight of every layer and the head once, one
    /// row of the embedding a sequence, keys and values read and appended.
    pub fn bytes_of_step(&self, depths: &[usize], blocks: u64, storage: Storage) -> u64 {
        let Storage { format, head, kv } = storage;
        let row = stored(head, 1, self.hidden);
        let each = depths.iter().map(|depth| self.kv_bytes_read(1, *depth, kv).saturating_add(row));
        each.fold(self.touched_bytes(blocks, format) + self.head_bytes(head), u64::saturating_add)
    }
    /// [`bytes_of_step`](Self::bytes_of_step) of `batch` sequences of one depth that touch as many experts as is expected.
    pub fn bytes_per_step(&self, depth: usize, batch: usize, storage: Storage) -> u64 {
        let one = self.kv_bytes_read(1, depth, storage.kv).saturating_add(stored(storage.head, 1, self.hidden));
        let blocks = self.expected_blocks(batch as u64);
        self.bytes_of_step(&[], blocks, storage).saturating_add((batch as u64).saturating_mul(one))
    }
    /// [`bytes_per_step`](Self::bytes_per_step) of a single sequence.
    pub fn bytes_per_token(&self, depth: usize, storage: Storage) -> u64 {
        self.bytes_per_step(depth, 1, storage)
    }

    /// Products of one token in one layer: attention's projections, router, and the blocks it goes through.
    fn layer_products(&self) -> u64 {
        self.attention_params() + self.blocks().1 * self.block_params()
    }
    /// Operations of the body for `rows` tokens of one sequence after `past` others, all layers: products and attention.
    fn body_flops(&self, rows: u64, past: u64) -> u64 {
        let attention = (4 * (self.heads * self.head_dim) as u64).saturating_mul(self.seen_pairs(rows, past));
        (2 * rows).saturating_mul(self.layer_products()).saturating_mul(self.layers as u64).saturating_add(attention)
    }
    /// Operations of decoding one token after `depth` others.
    pub fn decode_flops(&self, depth: usize) -> u64 {
        self.body_flops(1, depth as u64).saturating_add(2 * self.table_params())
    }
    /// Operations of decoding `tokens` tokens one after another, after `depth` others.
    pub fn generating_flops(&self, tokens: usize, depth: usize) -> u64 {
        let head = (2 * tokens as u64).saturating_mul(self.table_params());
        self.body_flops(tokens as u64, depth as u64).saturating_add(head)
    }
    /// Operations of prefilling `rows` tokens after `depth` others, with the logits of the last one only: the last layer's
    /// feed-forward block is computed for that row alone.
    pub fn prefill_flops(&self, rows: usize, depth: usize) -> u64 {
        let router = self.mixture.map_or(0, |mixture| (mixture.logits() * self.hidden) as u64);
        let feed_forward = self.blocks().1 * self.block_params() + router;
        let left_out = (2 * (rows as u64 - 1)).saturating_mul(feed_forward);
        self.body_flops(rows as u64, depth as u64).saturating_sub(left_out).saturating_add(2 * self.table_params())
    }
}

/// Pairs of a token and one that it sees, for `rows` tokens after `past`: row r sees past + r + 1, at most `window`.
fn pairs(rows: u64, past: u64, window: u64) -> u64 {
    let rising = window.saturating_sub(past).min(rows);
    let level = (rows - rising).saturating_mul(if rows > rising { window } else { 0 });
    rising.saturating_mul(past).saturating_add(rising.saturating_mul(rising + 1) / 2).saturating_add(level)
}

/// Bytes of n × k elements in blocks along k, the last block of a row counted whole, and of the scales that rows have.
fn elements(format: Format, n: usize, k: usize) -> u64 {
    let scale = if format == Format::Fp8 { 4 } else { 0 };
    n as u64 * (k.div_ceil(format.block()) as u64 * format.block_bytes() as u64 + scale)
}

/// Bytes of the scale that a tensor has for itself.
fn tensor_scale(format: Format) -> u64 {
    if format == Format::Nvfp4 { 4 } else { 0 }
}

/// Bytes of a tensor of n × k elements, with its scales.
pub(crate) fn stored(format: Format, n: usize, k: usize) -> u64 {
    elements(format, n, k) + tensor_scale(format)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_those_of_counting_one_by_one() {
        for (rows, past) in [(1, 0), (1, 9), (7, 0), (7, 3), (20, 100)] {
            for window in [1, 3, 8, 50, u64::MAX] {
                let counted: u64 = (0..rows).map(|r| (past + r + 1).min(window)).sum();
                assert_eq!(pairs(rows, past, window), counted, "{rows} after {past}, window {window}");
            }
        }
    }
}
