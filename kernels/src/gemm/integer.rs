//! What the integer paths share: how activations stand in memory, and the constants of their panels.
//!
//! Vector dot products multiply unsigned with signed bytes. Weights are the unsigned side: their codes are looked up or stored
//! with an offset (12, 8 or 128), and each block's sum starts at −offset · Σ activations instead of 0, which costs nothing.

use super::Gemm;
use super::packed::LANES;
use super::tiled::{FEW, Plan, Quantise, TILES};
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
        few: FEW,
        apart: FEW,
        group: GROUP,
        row_words: blocks * words(block),
        grouped_words: blocks * words(block),
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

/// Zeroes the rows that are missing in the last group: they are multiplied too, and not stored.
pub(super) fn blank_missing_rows(call: &mut Quantise<'_>) {
    if call.grouped {
        let a_row = call.op.k / call.op.block() * words(call.op.block());
        call.out[call.rows.len() / GROUP * GROUP * a_row..].fill(0);
    }
}

/// Puts the codes and scales of `row`, which stand in the call's scratch, into words.
#[inline(always)]
pub(super) fn put_words(call: &mut Quantise<'_>, row: usize, row_scale: f32) {
    let (op, block) = (call.op, call.op.block());
    let (w, at) = (words(block), row - call.rows.start);
    let a_row = op.k / block * w;
    call.row_scales[at] = row_scale * call.factor;
    let (stride, base) = if call.grouped { (GROUP, at / GROUP * GROUP * a_row + at % GROUP) } else { (1, at * a_row) };
    for (b, codes) in call.codes.chunks_exact(block).enumerate() {
        let out = &mut call.out[base + b * w * stride..][..(w - 1) * stride + 1];
        let mut sum = 0;
        for (s, four) in codes.as_chunks::<4>().0.iter().enumerate() {
            out[s * stride] = i32::from_le_bytes(four.map(i8::cast_unsigned));
            sum += four.iter().map(|code| i32::from(*code)).sum::<i32>();
        }
        out[(w - 2) * stride] = -offset(op.weights) * sum;
        out[(w - 1) * stride] = call.scales[b].to_bits().cast_signed();
    }
}
