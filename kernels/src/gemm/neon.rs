//! Gemm on 64-bit Arm without extensions: int8 products summed in 16 bits as far as they fit, float paths over f32 multiply-add.
//!
//! What every Arm path shares is in the modules below: `lanes` (loads, decoding), `layout` (activations in memory), `unpack`
//! (weights to panels), `walk` (the loops around the kernels).
#![expect(unsafe_code, reason = "kernels compiled for NEON")]

pub(super) mod bf16;
pub(super) mod dotprod;
pub(super) mod float;
pub(super) mod i8mm;
mod lanes;
mod layout;
mod pairs;
mod unpack;
mod walk;

use super::Gemm;
use super::packed::{LANES, LINE};
use super::tiled::{Kernels, Multiply, Plan, Quantise};
use super::way::{Packs, Way};
use crate::cpu::isa::{Feature, NEON};
use crate::cpu::kernel::Kernel;
use crate::format::Format;
use crate::{Fault, Prepared};
use lanes::*;
use layout::{PANEL_K, integer_plan, integer_words};
use std::arch::aarch64::*;
use walk::{Walk, by_row};

/// Rows that the integer kernel takes at a time: 4 rows × 2 vectors of weights × 2 halves are 16 sums, and operands fit beside.
const GROUP: usize = 4;

/// Advanced SIMD, which every 64-bit Arm CPU has.
#[derive(Debug)]
pub(super) struct Neon;

impl Way for Neon {
    const NAME: &'static str = "neon";
    const FEATURES: &'static [Feature] = NEON;
    fn pack(op: &Gemm, packs: impl Packs) -> Result<Box<dyn Prepared>, Fault> {
        if op.integer() { packs.with::<Self>(plan(op)) } else { packs.with::<float::NeonFloat>(float::plan(op)) }
    }
}

impl Kernels for Neon {
    fn quantise<'a>() -> Kernel<Quantise<'a>> {
        // SAFETY: it asks for nothing but these features.
        unsafe { Kernel::new(NEON, layout::integers::<GROUP, 1>) }
    }
    fn few<'a>() -> Kernel<Multiply<'a>> {
        // SAFETY: `few` asks for nothing but these features.
        unsafe { Kernel::new(NEON, few) }
    }
    fn panels<'a>() -> Kernel<Multiply<'a>> {
        // SAFETY: `panels` asks for nothing but these features.
        unsafe { Kernel::new(NEON, panels) }
    }
}

/// Scratch of the integer path.
fn plan(op: &Gemm) -> Plan {
    integer_plan(op, GROUP, 1)
}

/// How the kernels of lines of 16 outputs walk.
fn walk(op: &Gemm, group: usize) -> Walk {
    let block = op.block();
    let words = integer_words(block);
    Walk { group, units: op.k / block, panel: PANEL_K / block, words, lines: block / 4 + 1 }
}

/// Four products a 32-bit lane of `weights` with lane `r` of `acts`, by pairs in 16 bits.
macro_rules! products {
    ($add:ident, $low:expr, $high:expr, $weights:expr, $word:expr) => {{
        let (weights, word) = ($weights, $word);
        $low = $add!(low $low, weights, word);
        $high = $add!(high $high, weights, word);
    }};
}
macro_rules! narrow {
    (low $sum:expr, $w:ident, $a:ident) => {
        vmlal_s8($sum, vget_low_s8($w), vget_low_s8($a))
    };
    (high $sum:expr, $w:ident, $a:ident) => {
        vmlal_high_s8($sum, $w, $a)
    };
}

/// Adds the products of one panel with R rows to `sums`; word s of row r is `acts[s * R + r]` in each unit.
///
/// A product of FP4 or q4_0 is at most 12 · 127, so all 8 of a lane fit 16 bits: 12,192. Of q8_0 (WIDE) two do: 2 · 128 · 127 =
/// 32,512; they go on to 32 bits at once.
#[inline]
#[target_feature(enable = "neon")]
fn micro<const R: usize, const STEPS: usize, const SCALED: bool, const WIDE: bool>(
    panel: &[[u8; LINE]],
    acts: &[i32],
    sums: &mut [[f32; LANES]],
) {
    let sums = &mut sums[..R];
    for (lines, acts) in panel.chunks_exact(STEPS + 1).zip(acts.chunks_exact((STEPS + 2) * R)) {
        for half in [0, 2] {
            let mut short = [[[vdupq_n_s16(0); 2]; 2]; R];
            let mut long = [[[vdupq_n_s32(0); 2]; 2]; R];
            for s in (0..STEPS).step_by(2) {
                for r in 0..R {
                    let word = [0, 1].map(|i| vreinterpretq_s8_s32(vdupq_n_s32(acts[(s + i) * R + r])));
                    for v in 0..2 {
                        let [low, high] = &mut short[r][v];
                        if WIDE {
                            (*low, *high) = (vdupq_n_s16(0), vdupq_n_s16(0));
                        }
                        products!(narrow, *low, *high, load_codes(&lines[s], half + v), word[0]);
                        products!(narrow, *low, *high, load_codes(&lines[s + 1], half + v), word[1]);
                        if WIDE {
                            long[r][v] = [vpadalq_s16(long[r][v][0], *low), vpadalq_s16(long[r][v][1], *high)];
                        }
                    }
                }
            }
            for r in 0..R {
                for v in 0..2 {
                    let [low, high] = if WIDE { long[r][v] } else { short[r][v].map(|x| vpaddlq_s16(x)) };
                    let mut scale = load_f32(&lines[STEPS], half + v);
                    if SCALED {
                        scale = vmulq_n_f32(scale, f32::from_bits(acts[STEPS * R + r].cast_unsigned()));
                    }
                    let sum = &mut sums[r].as_chunks_mut::<4>().0[half + v];
                    put_values(sum, vfmaq_f32(values(sum), vcvtq_f32_s32(vpaddq_s32(low, high)), scale));
                }
            }
        }
    }
}

#[target_feature(enable = "neon")]
fn few_of<const STEPS: usize, const SCALED: bool, const WIDE: bool>(call: &mut Multiply<'_>) {
    let format = call.op.weights;
    walk(call.op, 1).few(
        call,
        |tile, from, panel, rows, sums| {
            unpack::lines(format, STEPS, tile, from, panel);
            for (row, sums) in rows.iter().zip(sums.as_chunks_mut::<1>().0) {
                micro::<1, STEPS, SCALED, WIDE>(panel, row, sums);
            }
        },
        by_row,
    );
}

#[target_feature(enable = "neon")]
fn panels_of<const STEPS: usize, const SCALED: bool, const WIDE: bool>(call: &mut Multiply<'_>) {
    let format = call.op.weights;
    walk(call.op, GROUP).panels(
        call,
        |tile, from, panel| unpack::lines(format, STEPS, tile, from, panel),
        |panel, acts, sums| micro::<GROUP, STEPS, SCALED, WIDE>(panel, acts, sums),
        by_row,
    );
}

#[target_feature(enable = "neon")]
fn few(call: &mut Multiply<'_>) {
    match (call.op.weights, call.op.activations.grouped()) {
        (Format::Nvfp4, false) => few_of::<4, false, false>(call),
        (Format::Nvfp4, true) => few_of::<4, true, false>(call),
        (Format::Q8_0, false) => few_of::<8, false, true>(call),
        (Format::Q8_0, true) => few_of::<8, true, true>(call),
        (_, false) => few_of::<8, false, false>(call),
        (_, true) => few_of::<8, true, false>(call),
    }
}

#[target_feature(enable = "neon")]
fn panels(call: &mut Multiply<'_>) {
    match (call.op.weights, call.op.activations.grouped()) {
        (Format::Nvfp4, false) => panels_of::<4, false, false>(call),
        (Format::Nvfp4, true) => panels_of::<4, true, false>(call),
        (Format::Q8_0, false) => panels_of::<8, false, true>(call),
        (Format::Q8_0, true) => panels_of::<8, true, true>(call),
        (_, false) => panels_of::<8, false, false>(call),
        (_, true) => panels_of::<8, true, false>(call),
    }
}
