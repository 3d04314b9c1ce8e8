//! Spans of k as the panel kernels see them: the words of four rows, and the lines of a tile's panel.
//!
//! A span is 128 along k: 4 blocks of 32 or 8 of 16. Inside one, sums stay integers for as long as scales allow, so that a
//! conversion and a multiply-add are paid once a span and not once a block.

use super::few::{APART, MOST};
use crate::format::Format;
use crate::gemm::integer::{self, GROUP};
use crate::gemm::packed::{LANES, LINE};
use crate::gemm::tiled::{Plan, TILES};
use crate::gemm::{Activations, Gemm};

/// Elements of k a span.
pub(in crate::gemm) const SPAN: usize = 128;
/// Words of codes of one row in a span; also lines of decoded codes of one tile.
pub(in crate::gemm) const CODES: usize = SPAN / 4;

// Panels of weights, as constant parameters: what the lines behind the CODES lines of decoded codes are.

/// mxfp4: codes are shifted to the span's smallest exponent and one line of scales serves all, or a line a block.
pub(super) const ALIGNED: u8 = 0;
/// nvfp4: a line of 16-bit scales a block and a line of what they are multiples of, or an f32 line a block.
pub(super) const INTEGER: u8 = 1;
/// nvfp4 for nvfp4 activations: for each block the 16-bit scales times 8 … 15, and what they are multiples of.
pub(super) const TABLE: u8 = 2;
/// q8_0, q4_0: an f32 line a block.
pub(super) const PLAIN: u8 = 3;

// Activations, as constant parameters.

/// One scale a row.
pub(super) const ROW: u8 = 0;
/// An f32 scale a block: int8g32.
pub(super) const GROUPED: u8 = 1;
/// FP4 with the block scales of its format.
pub(in crate::gemm) const FP4: u8 = 2;

/// What an entry at [`Words::index`] is at most: the bytes before the last of eight lines.
pub(in crate::gemm) const INDEX: i32 = 7 * LINE as i32;
const _: () = assert!(INDEX & -INDEX == LINE as i32, "a mask that keeps whole lines");

/// Blocks a span.
pub(super) const fn blocks(panel: u8) -> usize {
    if panel == INTEGER || panel == TABLE { 8 } else { 4 }
}

/// Lines of one tile and span.
pub(super) const fn lines(panel: u8) -> usize {
    match panel {
        INTEGER => CODES + 8 + 1,
        TABLE => CODES + 8 * 8 + 1,
        _ => CODES + 4,
    }
}

/// Spans a panel: with 3 tiles 21 to 28 KB, which stays in a L1 of 32 KiB beside the rows that pass.
pub(super) const fn spans(panel: u8) -> usize {
    match panel {
        INTEGER => 3,
        TABLE => 1,
        _ => 4,
    }
}

/// Where things stand in the words of four rows and one span of `blocks` blocks: each is GROUP words an entry, one a row.
#[derive(Clone, Copy, Debug)]
pub(in crate::gemm) struct Words {
    /// The start of each block's sum: −offset · Σ codes.
    pub(in crate::gemm) starts: usize,
    /// The start of the span's sum.
    pub(in crate::gemm) whole: usize,
    /// The f32 scale of each block, where activations have any.
    pub(in crate::gemm) scales: usize,
    /// FP4: the f32 scale of the span, where its blocks share one (nvfp4: but for the mantissas at `index`).
    pub(in crate::gemm) shared: usize,
    /// FP4: not 0 in the first word if a row has no such scale; then `scales` have to be used.
    pub(in crate::gemm) apart: usize,
    /// nvfp4: the mantissa of each block's scale less 8, times the bytes of a line.
    pub(in crate::gemm) index: usize,
    /// All of them.
    pub(in crate::gemm) len: usize,
}

impl Words {
    /// For blocks of `block` elements below activations that are int8 (`ROW`), int8g32 (`GROUPED`) or `FP4`.
    pub(in crate::gemm) const fn of(block: usize, kind: u8) -> Self {
        let each = GROUP * SPAN / block;
        let starts = GROUP * CODES;
        let whole = starts + each;
        let scales = whole + GROUP;
        let shared = scales + each;
        let apart = shared + GROUP;
        let index = apart + GROUP;
        let len = match kind {
            ROW => scales,
            GROUPED => shared,
            _ => index + each,
        };
        Self { starts, whole, scales, shared, apart, index, len }
    }
}

/// What kind of scales activations have.
pub(in crate::gemm) const fn kind(activations: Activations) -> u8 {
    match activations {
        Activations::Mxfp4 | Activations::Nvfp4 => FP4,
        Activations::Int8g32 => GROUPED,
        _ => ROW,
    }
}

/// The panel of weights below activations of this kind.
pub(super) const fn panel(weights: Format, kind: u8) -> u8 {
    match weights {
        Format::Mxfp4 => ALIGNED,
        Format::Nvfp4 if kind == FP4 => TABLE,
        Format::Nvfp4 => INTEGER,
        _ => PLAIN,
    }
}

/// What a panel adds to a weight's code to make it unsigned: 12 · 2³ where it may be shifted by 3.
pub(in crate::gemm) const fn offset(weights: Format) -> i32 {
    match weights {
        Format::Mxfp4 => 96,
        _ => integer::offset(weights),
    }
}

/// Scratch of this path. Few rows stand as in the other integer paths, many in spans.
pub(super) fn plan(op: &Gemm) -> Plan {
    let (kind, spans_of_k) = (kind(op.activations), op.k.div_ceil(SPAN));
    let panel = panel(op.weights, kind);
    Plan {
        few: MOST,
        apart: APART,
        grouped_words: spans_of_k * Words::of(op.block(), kind).len / GROUP,
        panel: TILES * lines(panel) * spans(panel) * LINE,
        codes: GROUP * spans_of_k * SPAN,
        scales: GROUP * spans_of_k * SPAN / op.block(),
        ..integer::plan(op)
    }
}

const _: () = assert!(LINE == 4 * LANES && Words::of(16, FP4).len.is_multiple_of(GROUP));
