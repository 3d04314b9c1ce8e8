//! Integer gemm on Arm with dot products: `sdot` sums four products for each of 4 outputs, against one word of activations.
//!
//! By llvm-mca 22 (see `i8mm` for its models) the loops are at what the vector pipes allow. `micro`, one block of 16 of 4 rows × 8
//! outputs with one scale a row: 32 `sdot` of 48 vector operations, 12.1 cycles on cortex-x925 and 24.1 on cortex-a725; the 8 `sdot`
//! of a step of a longer block 2.1 and 4.1. `few_rows`, one row, one block of mxfp4 (272 bytes): 25.6 and 49.2 cycles, of which
//! the scales cost 4.5 and 9. That is 10.6 and 5.5 bytes a cycle, above the 14 GB/s that a core of 20 can get of 273.
#![expect(unsafe_code, reason = "kernels compiled for dot products")]
#![expect(clippy::needless_range_loop, reason = "an index names the same row or output in several arrays")]

use super::lanes::*;
use super::layout::{self, integer_plan};
use super::pairs::add_to;
use super::walk::by_row;
use super::{unpack, walk};
use crate::cpu::isa::{Feature, NEON_DOTPROD};
use crate::cpu::kernel::Kernel;
use crate::cpu::neon_asm::sdot_lane;
use crate::format::Format;
use crate::gemm::Gemm;
use crate::gemm::packed::{LANES, LINE, Tile};
use crate::gemm::tiled::{Kernels, Multiply, Plan, Quantise};
use crate::gemm::way::{Packs, Way, integers_only};
use crate::{Fault, Prepared, Unsupported};
use std::arch::aarch64::*;

/// Rows that the panel kernel takes at a time, one vector of activations: with half a line of outputs 4 × 2 sums and as many f32
/// totals, 2 weights, 1 activation, scales and constants fit 32 registers. A step of 4 k is 3 loads and 8 `sdot`.
const GROUP: usize = 4;
/// Rows that share a decoding of the weights in registers, where rows stand by themselves.
pub(super) const MOST: usize = 4;

/// NEON with int8 dot products.
#[derive(Debug)]
pub(in crate::gemm) struct NeonDotprod;

impl Way for NeonDotprod {
    const NAME: &'static str = "neon-dotprod";
    const FEATURES: &'static [Feature] = NEON_DOTPROD;
    fn takes(op: &Gemm) -> Result<(), Unsupported> {
        integers_only(op, "int8 dot products")
    }
    fn pack(op: &Gemm, packs: impl Packs) -> Result<Box<dyn Prepared>, Fault> {
        packs.with::<Self>(plan(op))
    }
}

/// Scratch.
fn plan(op: &Gemm) -> Plan {
    integer_plan(op, GROUP, 1)
}

impl Kernels for NeonDotprod {
    fn quantise<'a>() -> Kernel<Quantise<'a>> {
        // SAFETY: it asks for nothing but a subset of these features.
        unsafe { Kernel::new(NEON_DOTPROD, layout::integers::<GROUP, 1>) }
    }
    fn few<'a>() -> Kernel<Multiply<'a>> {
        // SAFETY: `few` asks for nothing but these features.
        unsafe { Kernel::new(NEON_DOTPROD, few) }
    }
    fn panels<'a>() -> Kernel<Multiply<'a>> {
        // SAFETY: `panels` asks for nothing but these features.
        unsafe { Kernel::new(NEON_DOTPROD, panels) }
    }
}

/// Adds the products of one panel with one group of rows to `sums`. LINES = STEPS + 1, WORDS = 4 (STEPS + 2).
#[inline(never)]
#[target_feature(enable = "neon,dotprod")]
fn micro<const STEPS: usize, const LINES: usize, const WORDS: usize, const SCALED: bool>(
    panel: &[[u8; LINE]],
    acts: &[i32],
    sums: &mut [[f32; LANES]],
) {
    let sums = sums.first_chunk_mut::<GROUP>().expect("sums of a group");
    for half in [0, 2] {
        let mut total = [[vdupq_n_f32(0.0); 2]; GROUP];
        for (lines, acts) in panel.as_chunks::<LINES>().0.iter().zip(acts.as_chunks::<WORDS>().0) {
            let acts = acts.as_chunks::<GROUP>().0;
            let mut exact = [starts(), starts(), starts(), starts()];
            for s in 0..STEPS {
                let words = vreinterpretq_s8_s32(words(&acts[s]));
                for v in 0..2 {
                    let codes = load_codes(&lines[s], half + v);
                    exact[0][v] = sdot_lane::<0>(exact[0][v], codes, words);
                    exact[1][v] = sdot_lane::<1>(exact[1][v], codes, words);
                    exact[2][v] = sdot_lane::<2>(exact[2][v], codes, words);
                    exact[3][v] = sdot_lane::<3>(exact[3][v], codes, words);
                }
            }
            for v in 0..2 {
                let scale = load_f32(&lines[STEPS], half + v);
                for r in 0..GROUP {
                    let mut scale = scale;
                    if SCALED {
                        scale = vmulq_n_f32(scale, f32::from_bits(acts[STEPS][r].cast_unsigned()));
                    }
                    total[r][v] = vfmaq_f32(total[r][v], small(exact[r][v]), scale);
                }
            }
        }
        for r in 0..GROUP {
            for v in 0..2 {
                add_to(&mut sums[r].as_chunks_mut::<4>().0[half + v], total[r][v]);
            }
        }
    }
}

#[target_feature(enable = "neon,dotprod")]
fn panels_of<const STEPS: usize, const LINES: usize, const WORDS: usize, const SCALED: bool>(call: &mut Multiply<'_>) {
    let format = call.op.weights;
    walk(call.op, GROUP).panels(
        call,
        |tile, from, panel| unpack::lines(format, STEPS, tile, from, panel),
        |panel, acts, sums| micro::<STEPS, LINES, WORDS, SCALED>(panel, acts, sums),
        by_row,
    );
}

#[target_feature(enable = "neon,dotprod")]
fn panels(call: &mut Multiply<'_>) {
    match (call.op.block(), call.op.activations.grouped()) {
        (32, false) => panels_of::<8, 9, 40, false>(call),
        (32, true) => panels_of::<8, 9, 40, true>(call),
        (16, false) => panels_of::<4, 5, 24, false>(call),
        (16, true) => panels_of::<4, 5, 24, true>(call),
        (block, _) => unreachable!("blocks of {block}"),
    }
}

/// Adds the products of some blocks of one tile with R rows; the weights are decoded in registers, once for all rows, V vectors of
/// outputs at a time. WORDS a block of each row: 16 of k are four of them, one vector. LINES and SCALES are what [`stored`] says of
/// FORMAT, as constants, so that nothing is checked inside the loop.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn few_rows<
    const R: usize,
    const V: usize,
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
    let sums = sums.first_chunk_mut::<R>().expect("sums of each row");
    let mut acts: [&[[i32; WORDS]]; R] = [&[]; R];
    let units = rows[0].len() / WORDS;
    for r in 0..R {
        acts[r] = &rows[r].as_chunks().0[..units];
    }
    for first in (0..VECTORS).step_by(V) {
        let mut total = [[vdupq_n_f32(0.0); V]; R];
        for (u, (lines, scales)) in unpack::whole_blocks::<LINES, SCALES>(tile, from).enumerate().take(units) {
            let mut exact = [[vdupq_n_s32(START); V]; R];
            for q in 0..(WORDS - 2) / 4 {
                let mut four = [vdupq_n_s8(0); R];
                for r in 0..R {
                    four[r] = vreinterpretq_s8_s32(words(&acts[r][u].as_chunks::<4>().0[q]));
                }
                macro_rules! add {
                    ($lane:literal, $v:ident, $codes:expr) => {
                        let codes = $codes;
                        for r in 0..R {
                            exact[r][$v] = sdot_lane::<$lane>(exact[r][$v], codes, four[r]);
                        }
                    };
                }
                for v in 0..V {
                    if const { matches!(BLOCKS[FORMAT], Format::Q8_0) } {
                        add!(0, v, signed(load(&lines[4 * q], first + v)));
                        add!(1, v, signed(load(&lines[4 * q + 1], first + v)));
                        add!(2, v, signed(load(&lines[4 * q + 2], first + v)));
                        add!(3, v, signed(load(&lines[4 * q + 3], first + v)));
                    } else {
                        let [a, b] = nibbles(load(&lines[2 * q], first + v)).map(|code| vqtbl1q_s8(table, code));
                        add!(0, v, a);
                        add!(1, v, b);
                        let [c, d] = nibbles(load(&lines[2 * q + 1], first + v)).map(|code| vqtbl1q_s8(table, code));
                        add!(2, v, c);
                        add!(3, v, d);
                    }
                }
            }
            let scale = scales_of(format, scales);
            for r in 0..R {
                for v in 0..V {
                    let mut scale = scale[first + v];
                    if SCALED {
                        scale = vmulq_n_f32(scale, f32::from_bits(acts[r][u][WORDS - 2].cast_unsigned()));
                    }
                    total[r][v] = vfmaq_f32(total[r][v], small(exact[r][v]), scale);
                }
            }
        }
        for r in 0..R {
            for v in 0..V {
                add_to(&mut sums[r].as_chunks_mut::<4>().0[first + v], total[r][v]);
            }
        }
    }
}

/// The formats with blocks, so that one can be a parameter of a kernel.
pub(super) const BLOCKS: [Format; 4] = [Format::Mxfp4, Format::Nvfp4, Format::Q8_0, Format::Q4_0];

#[target_feature(enable = "neon,dotprod")]
fn few_of<const FORMAT: usize, const LINES: usize, const SCALES: usize, const WORDS: usize, const SCALED: bool>(
    call: &mut Multiply<'_>,
) {
    walk(call.op, 1).few(
        call,
        |tile, from, _, rows, sums| {
            for (rows, sums) in rows.chunks(MOST).zip(sums.chunks_mut(MOST)) {
                match rows.len() {
                    1 => few_rows::<1, 4, FORMAT, LINES, SCALES, WORDS, SCALED>(tile, from, rows, sums),
                    2 => few_rows::<2, 4, FORMAT, LINES, SCALES, WORDS, SCALED>(tile, from, rows, sums),
                    3 => few_rows::<3, 2, FORMAT, LINES, SCALES, WORDS, SCALED>(tile, from, rows, sums),
                    _ => few_rows::<MOST, 2, FORMAT, LINES, SCALES, WORDS, SCALED>(tile, from, rows, sums),
                }
            }
        },
        by_row,
    );
}

#[target_feature(enable = "neon,dotprod")]
pub(super) fn few(call: &mut Multiply<'_>) {
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
