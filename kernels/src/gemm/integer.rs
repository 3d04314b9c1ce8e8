//! What the integer paths share: how activations stand in memory, and the constants of their panels.
//!
//! Vector dot products multiply unsigned with signed bytes. Weights are the unsigned side: their codes are looked up or stored
//! with an offset (12, 8 or 128), and each block's sum starts at −offset · Σ activations instead of 0, which costs nothing.

use super::Gemm;
use super::packed::LANES;
use super::tiled::{Plan, TILES};
use crate::format::Format;

/// Rows that the panel kernel takes at a time: GROUP × TILES i32 sums, as many f32 sums and TILES weights fit 32 registers.
pub(super) const GROUP: usize = 4;
/// Elements of k a panel: 3 tiles × 512 × 16 codes and their f32 scales are 27 to 30 KB, inside L1.
pub(super) const PANEL_K: usize = 512;

/// The words (i32) that one row has for each block: its codes by four, the start of the sum, and the bits of the f32 scale.
pub(super) const fn words(block: usize) -> usize {
    block / 4 + 2
}

/// What is added to a weight's code to make it unsigned.
pub(super) const fn offset(format: Format) -> i32 {
    match format {
        Format::Mxfp4 | Format::Nvfp4 => 12,
        Format::Q4_0 => 8,
        _ => 128,
    }
}

/// Scratch of an integer path.
pub(super) fn plan(op: &Gemm) -> Plan {
    let (block, blocks) = (op.block(), op.k / op.block());
    Plan {
        group: GROUP,
        row_words: blocks * words(block),
        panel: TILES * LANES * (PANEL_K + PANEL_K / block * size_of::<f32>()),
        // Decoded FP4 is twice the value; E4M3 scales are read as f16, whose exponent bias is 8 more.
        factor: match op.weights {
            Format::Mxfp4 => 0.5,
            Format::Nvfp4 => 0.5 * 256.0,
            _ => 1.0,
        },
        codes: op.k,
        scales: blocks,
    }
}
