//! How large a decoder is: parameters, bytes at rest, bytes that one token touches.

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

impl Config {
    /// Elements of a row of q, k and v together.
    pub fn qkv_width(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_dim
    }
    /// Elements of a row that attention gives.
    pub fn attention_width(&self) -> usize {
        self.heads * self.head_dim
    }
    /// (outputs, reduction) of the four projections of a layer: qkv, o, gate and up, down.
    pub fn projections(&self) -> [(usize, usize); 4] {
        [
            (self.qkv_width(), self.hidden),
            (self.hidden, self.attention_width()),
            (2 * self.intermediate, self.hidden),
            (self.hidden, self.intermediate),
        ]
    }
    /// Parameters in the projections of one layer.
    fn matrix_params(&self) -> u64 {
        self.projections().iter().map(|(n, k)| *n as u64 * *k as u64).sum()
    }
    /// Parameters of one layer that stay f32: two norms, biases, head norms.
    fn vector_params(&self) -> u64 {
        let biases = if self.qkv_bias { self.qkv_width() } else { 0 };
        let head_norms = if self.qk_norm { 2 * self.head_dim } else { 0 };
        (2 * self.hidden + biases + head_norms) as u64
    }
    fn table_params(&self) -> u64 {
        self.vocab as u64 * self.hidden as u64
    }
    /// Parameters; a tied table counts once.
    pub fn param_count(&self) -> u64 {
        let tables = if self.tied { 1 } else { 2 };
        let layer = self.matrix_params() + self.vector_params();
        self.layers as u64 * layer + self.hidden as u64 + tables * self.table_params()
    }
    /// Bytes of all weights in canonical storage; a tied table counts once.
    pub fn weight_bytes(&self, format: Format, head: Format) -> u64 {
        let tables = if self.tied { 1 } else { 2 };
        self.layers as u64 * self.layer_bytes(format)
            + 4 * self.hidden as u64
            + tables * stored(head, self.vocab, self.hidden)
    }
    /// Bytes of the weights of one layer.
    pub(crate) fn layer_bytes(&self, format: Format) -> u64 {
        let matrices: u64 = self.projections().iter().map(|(n, k)| stored(format, *n, *k)).sum();
        matrices + 4 * self.vector_params()
    }
    /// Bytes of keys and values that one token adds, over all layers.
    pub fn kv_bytes_per_token(&self, kv: KvType) -> u64 {
        (2 * self.layers * self.kv_heads * kv.bytes(self.head_dim)) as u64
    }
    /// Bytes that decoding one token of each of `batch` sequences touches, with `depth` tokens before it in each: every
    /// weight of every layer and the head once, one row of the embedding a sequence, keys and values read and appended.
    pub fn bytes_per_step(&self, depth: usize, batch: usize, storage: Storage) -> u64 {
        let Storage { format, head, kv } = storage;
        let row = stored(head, 1, self.hidden);
        self.layers as u64 * self.layer_bytes(format)
            + 4 * self.hidden as u64
            + stored(head, self.vocab, self.hidden)
            + (batch as u64)
                .saturating_mul((depth as u64 + 1).saturating_mul(self.kv_bytes_per_token(kv)).saturating_add(row))
    }
    /// [`bytes_per_step`](Self::bytes_per_step) of a single sequence.
    pub fn bytes_per_token(&self, depth: usize, storage: Storage) -> u64 {
        self.bytes_per_step(depth, 1, storage)
    }
    /// Operations of the body for `rows` tokens of one sequence after `past` others, all layers: products and attention.
    fn body_flops(&self, rows: u64, past: u64) -> u64 {
        let seen = rows.saturating_mul(past).saturating_add(rows.saturating_mul(rows + 1) / 2);
        let attention = (4 * (self.heads * self.head_dim) as u64).saturating_mul(seen);
        (2 * rows).saturating_mul(self.matrix_params()).saturating_add(attention).saturating_mul(self.layers as u64)
    }
    /// Operations of decoding one token after `depth` others.
    pub fn decode_flops(&self, depth: usize) -> u64 {
        self.body_flops(1, depth as u64).saturating_add(2 * self.table_params())
    }
    /// Operations of prefilling `rows` tokens after `depth` others, with the logits of the last one only: the last layer's
    /// feed-forward block is computed for that row alone.
    pub fn prefill_flops(&self, rows: usize, depth: usize) -> u64 {
        let feed_forward: u64 = self.projections()[2..].iter().map(|(n, k)| *n as u64 * *k as u64).sum();
        let left_out = (2 * (rows as u64 - 1)).saturating_mul(feed_forward);
        self.body_flops(rows as u64, depth as u64).saturating_sub(left_out).saturating_add(2 * self.table_params())
    }
}

/// Bytes of n × k elements in blocks along k, the last block of a row counted whole, with an NVFP4 tensor's scale.
pub(crate) fn stored(format: Format, n: usize, k: usize) -> u64 {
    let scale = if format == Format::Nvfp4 { 4 } else { 0 };
    n as u64 * k.div_ceil(format.block()) as u64 * format.block_bytes() as u64 + scale
}
