//! Integer gemm on Arm with int8 matrix products: `smmla` sums eight products for each of 2 × 2 rows and outputs.
//!
//! The loop of `micro`, one block of 8 rows × 4 outputs, by llvm-mca 22 (cortex-x925, which it models as Neoverse V3 with 4 vector
//! pipes where X925 has 6, so that the shares tell more than the cycles; cortex-a725 with its 2):
//!
//! | block | activations | `smmla` | vector operations | X925 | A725 | bound, of the rate of `smmla` |
//! |--:|---|--:|--:|--:|--:|--:|
//! | 32 | one scale a row | 32 | 48 | 12.1 cycles | 24.1 | 67 % |
//! | 32 | scales of their own | 32 | 56 | 14.1 | 28.1 | 57 % |
//! | 16 | one scale a row | 16 | 32 | 8.1 | 16.1 | 50 % |
//! | 16 | scales of their own | 16 | 40 | 10.1 | 20.1 | 40 % |
//!
//! All at what the vector pipes allow; loads (34 in the first row) take 11.3 of its 12 cycles on 3 ports. What is not `smmla` is two or three
//! operations for each 2 × 2 sums of a block: less its start, times its scales, added to the total.
#![expect(unsafe_code, reason = "kernels compiled for int8 matrix products")]

use super::dotprod::BLOCKS;
use super::lanes::*;
use super::layout::{self, PANEL_K, integer_plan, integer_words};
use super::pairs::{GROUP, add_to, pair_kernels};
use super::walk::{Walk, by_pairs};
use super::{dotprod, unpack};
use crate::cpu::isa::{Feature, NEON_I8MM};
use crate::cpu::kernel::Kernel;
use crate::cpu::neon_asm::smmla;
use crate::format::Format;
use crate::gemm::Gemm;
use crate::gemm::packed::{LANES, LINE, Tile};
use crate::gemm::tiled::{Kernels, Multiply, Plan, Quantise};
use crate::gemm::way::{Packs, Way, integers_only};
use crate::{Fault, Prepared, Unsupported};
use std::arch::aarch64::*;

/// NEON with int8 matrix products; up to 4 rows go by dot products.
#[derive(Debug)]
pub(in crate::gemm) struct NeonI8mm;

impl Way for NeonI8mm {
    const NAME: &'static str = "neon-i8mm";
    const FEATURES: &'static [Feature] = NEON_I8MM;
    fn takes(op: &Gemm) -> Result<(), Unsupported> {
        integers_only(op, "int8 matrix products")
    }
    fn pack(op: &Gemm, packs: impl Packs) -> Result<Box<dyn Prepared>, Fault> {
        packs.with::<Self>(plan(op))
    }
}

/// Scratch.
fn plan(op: &Gemm) -> Plan {
    integer_plan(op, GROUP, 2)
}

impl Kernels for NeonI8mm {
    fn quantise<'a>() -> Kernel<Quantise<'a>> {
        // SAFETY: it asks for nothing but a subset of these features.
        unsafe { Kernel::new(NEON_I8MM, layout::integers::<GROUP, 2>) }
    }
    fn few<'a>() -> Kernel<Multiply<'a>> {
        // SAFETY: `few` asks for nothing but these features.
        unsafe { Kernel::new(NEON_I8MM, few) }
    }
    fn panels<'a>() -> Kernel<Multiply<'a>> {
        // SAFETY: `panels` asks for nothing but these features.
        unsafe { Kernel::new(NEON_I8MM, panels) }
    }
}

fn walk(op: &Gemm) -> Walk {
    let block = op.block();
    let words = integer_words(block);
    Walk { group: GROUP, units: op.k / block, panel: PANEL_K / block, words, lines: block / 4 + 2 }
}

#[inline]
#[target_feature(enable = "neon")]
fn start() -> int32x4_t {
    vdupq_n_s32(START)
}

#[inline]
#[target_feature(enable = "neon,dotprod,i8mm")]
fn mma(sum: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t {
    smmla(sum, vreinterpretq_s8_u8(a), vreinterpretq_s8_u8(b))
}

#[inline]
#[target_feature(enable = "neon")]
fn value(sum: int32x4_t) -> float32x4_t {
    small(sum)
}

pair_kernels!("neon,dotprod,i8mm");

/// Adds the products of some blocks of one tile with P pairs of rows; the weights are decoded in registers, once for all rows, 4
/// outputs at a time: 2P sums, as many totals. The constants are those of `dotprod::few_rows`.
#[inline]
#[target_feature(enable = "neon,dotprod,i8mm")]
fn few_pairs<
    const P: usize,
    const FORMAT: usize,
    const LINES: usize,
    const SCALES: usize,
    const WORDS: usize,
    const SCALED: bool,
>(
    tile: Tile<'_>,
    from: usize,
    rows: &[&[i32]],
    sums: &mut [[f32; LANES]],
) {
    let format = const { BLOCKS[FORMAT] };
    let table = integers(format);
    let units = rows[0].len() / WORDS;
    let sums = &mut sums.as_flattened_mut().as_chunks_mut::<4>().0[..2 * VECTORS * P];
    let mut pairs: [[&[[i32; WORDS]]; 2]; P] = [[&[]; 2]; P];
    for p in 0..P {
        // An odd last row is its own partner, and the partner's sums are not looked at.
        pairs[p] = [rows[2 * p], rows[(2 * p + 1).min(rows.len() - 1)]].map(|row| &row.as_chunks().0[..units]);
    }
    for v in 0..VECTORS {
        let mut total = [[vdupq_n_f32(0.0); 2]; P];
        for (u, (lines, scales)) in unpack::whole_blocks::<LINES, SCALES>(tile, from).enumerate().take(units) {
            let mut exact = [[start(); 2]; P];
            for s in 0..(WORDS - 2) / 2 {
                let [a, b] = if const { matches!(BLOCKS[FORMAT], Format::Q8_0) } {
                    [signed(load(&lines[2 * s], v)), signed(load(&lines[2 * s + 1], v))]
                } else {
                    nibbles(load(&lines[s], v)).map(|code| vqtbl1q_s8(table, code))
                };
                let two_outputs = unpack::zipped(vreinterpretq_u8_s8(a), vreinterpretq_u8_s8(b));
                for p in 0..P {
                    let [a, b] = pairs[p].map(|row| &row[u].as_chunks::<2>().0[s]);
                    let two_rows = vreinterpretq_u8_s32(two_rows(a, b));
                    for o in 0..2 {
                        exact[p][o] = mma(exact[p][o], two_rows, two_outputs[o]);
                    }
                }
            }
            let scale = scales_at(format, scales, v);
            let (low, high) = (vget_low_f32(scale), vget_high_f32(scale));
            let scales = [vcombine_f32(low, low), vcombine_f32(high, high)];
            for p in 0..P {
                for o in 0..2 {
                    let mut scale = scales[o];
                    if SCALED {
                        let [a, b] = pairs[p].map(|row| &row[u].as_chunks::<2>().0[WORDS / 2 - 1]);
                        scale = vmulq_f32(scale, vreinterpretq_f32_s32(two_rows(a, b)));
                    }
                    total[p][o] = vfmaq_f32(total[p][o], value(exact[p][o]), scale);
                }
            }
        }
        for p in 0..P {
            for o in 0..2 {
                add_to(&mut sums[8 * p + 2 * v + o], total[p][o]);
            }
        }
    }
}

#[target_feature(enable = "neon,dotprod,i8mm")]
fn few_of<const FORMAT: usize, const LINES: usize, const SCALES: usize, const WORDS: usize, const SCALED: bool>(
    call: &mut Multiply<'_>,
) {
    walk(call.op).few(
        call,
        |tile, from, _, rows, sums| match rows.len().div_ceil(2) {
            3 => few_pairs::<3, FORMAT, LINES, SCALES, WORDS, SCALED>(tile, from, rows, sums),
            4 => few_pairs::<4, FORMAT, LINES, SCALES, WORDS, SCALED>(tile, from, rows, sums),
            pairs => unreachable!("{pairs} pairs of rows go by dot products or by panels"),
        },
        by_pairs,
    );
}

#[target_feature(enable = "neon,dotprod,i8mm")]
fn few(call: &mut Multiply<'_>) {
    // Pairing outputs and rows costs as much as a matrix product saves on few rows. A block of mxfp4 by llvm-mca on cortex-x925: with
    // 2 and 4 rows 37 and 60 cycles by dot products, 46 and 66 by operations of pairs; with 6 and 8 rows 97 and 120, and 82 and 103.
    if call.rows <= dotprod::MOST {
        return dotprod::few(call);
    }
    match (call.op.weights, call.op.activations.grouped()) {
        (Format::Mxfp4, false) => few_of::<0, 4, 16, 10, false>(call),
        (Format::Mxfp4, true) => few_of::<0, 4, 16, 10, true>(call),
        (Format::Nvfp4, false) => few_of::<1, 2, 16, 6, false>(call),
        (Format::Nvfp4, true) => few_of::<1, 2, 16, 6, true>(call),
        (Format::Q8_0, false) => few_of::<2, 8, 32, 10, false>(call),
        (Format::Q8_0, true) => few_of::<2, 8, 32, 10, true>(call),
        (Format::Q4_0, false) => few_of::<3, 4, 32, 10, false>(call),
        (Format::Q4_0, true) => few_of::<3, 4, 32, 10, true>(call),
        (weights, _) => unreachable!("{weights} has no blocks"),
    }
}

#[target_feature(enable = "neon,dotprod,i8mm")]
fn panels_of<const STEPS: usize, const LINES: usize, const WORDS: usize, const SCALED: bool>(call: &mut Multiply<'_>) {
    let format = call.op.weights;
    walk(call.op).panels(
        call,
        |tile, from, panel| unpack::integer_pairs(format, STEPS, tile, from, panel),
        |panel, acts, sums| micro::<STEPS, LINES, WORDS, SCALED>(panel, acts, sums),
        by_pairs,
    );
}

#[target_feature(enable = "neon,dotprod,i8mm")]
fn panels(call: &mut Multiply<'_>) {
    match (call.op.block(), call.op.activations.grouped()) {
        (32, false) => panels_of::<4, 10, 80, false>(call),
        (32, true) => panels_of::<4, 10, 80, true>(call),
        (16, false) => panels_of::<2, 6, 48, false>(call),
        (16, true) => panels_of::<2, 6, 48, true>(call),
        (block, _) => unreachable!("blocks of {block}"),
    }
}
