//! Bytes of a model's weights, part by part, as what a pass reads is counted from them.

use crate::llm::size::stored;
use crate::llm::{Config, Storage};

/// Bytes of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Of all weights; a tied table counts once.
    pub total: u64,
    /// Of all layers, but for their feed-forward blocks.
    pub shared: u64,
    /// Of one feed-forward block: of an expert, where there are experts.
    pub block: u64,
    /// Of the head and the norm before it.
    pub head: u64,
    /// Of one row of the embedding.
    pub row: u64,
}

impl Sizes {
    /// Of synthetic weights of `config`.
    pub fn synthetic(config: &Config, storage: Storage) -> Self {
        Self {
            total: config.weight_bytes(storage.format, storage.head),
            shared: config.touched_bytes(0, storage.format),
            block: config.block_bytes(storage.format),
            head: config.head_bytes(storage.head),
            row: stored(storage.head, 1, config.hidden),
        }
    }
    /// What a pass reads that goes through so many feed-forward blocks over all layers, the head not among it.
    pub(crate) fn touched(&self, blocks: u64) -> u64 {
        self.shared.saturating_add(blocks.saturating_mul(self.block))
    }
}
