//! bf16 gemm on Arm with bf16 matrix products: `bfmmla` sums four products for each of 2 × 2 rows and outputs in f32.
//!
//! bf16 holds every weight but f32: FP4 values with and without their scale, E4M3, and codes of q8_0 and q4_0 exactly, so that blocks can
//! be summed unscaled and scaled once. On the error, u = 2⁻²⁴: `bfmmla` adds two pairs of exact products in turn, rounding the sum of a pair and each addition
//! to odd, so by less than 2u of Σ|a·b| each. In a stretch of c elements a term passes through at most 1 + ⌈c / 2⌉ of these:
//! (c + 3) u. Additions of stretches and panels, the row's scale and the bias round by u each. Altogether, in u, against the
//! min(k, 512) + ⌈k / 512⌉ + 8 of `Gemm::tolerance`:
//!
//! - bf16, fp8 and scaled FP4 weights: min(k, 256) + 3 + ⌈k / 256⌉ + 2. It is less up to [`MOST_K`];
//! - blocks of 32: 32 + 3, 8 blocks a panel, ⌈k / 256⌉ panels, 2; of 16: 16 + 3, 16 blocks, ⌈k / 256⌉ panels, 2. (Of a k below
//!   256 as many blocks as it has: 32 + 3 + 1 + 2 against 32 + 1 + 8 for one of them.)
//!
//! By llvm-mca 22 (see `i8mm` for its models) the loop of `plain_micro`, 16 `bfmmla` and 8 loads, takes 4.1 cycles on cortex-x925's 4
//! modelled pipes and 8.1 on cortex-a725's 2: at their bound. Blocks of q8_0 and q4_0 have 8 sums instead of 16, and the 8 `bfmmla`
//! of a step wait 4.1 cycles for each other on the first, unless the next block's overtake them, and not at all on the second.
//!
//! Subnormals are taken for 0, which moves a sum by less than 2⁻¹²⁶ (|a| + |b| + 1) a product. With FPCR.EBF set, which no program
//! starts with, sums of pairs are fused and rounded to nearest: less than that.
#![expect(unsafe_code, reason = "kernels compiled for bf16 matrix products")]
#![expect(clippy::needless_range_loop, reason = "an index names the same row or output in several arrays")]

mod few;

use super::lanes::{VECTORS, load, load_f32, words};
use super::layout;
use super::pairs::{GROUP, add_to, pair_kernels};
use super::unpack;
use super::walk::{Walk, by_pairs};
use crate::cpu::isa::{Feature, NEON_BF16};
use crate::cpu::kernel::Kernel;
use crate::cpu::neon_asm::bfmmla;
use crate::format::Format;
use crate::gemm::packed::{LANES, LINE};
use crate::gemm::tiled::{FEW, Kernels, Multiply, Plan, Quantise, TILES};
use crate::gemm::way::{Packs, Way};
use crate::gemm::{Activations, Gemm};
use crate::{Fault, Prepared, Unsupported};
use std::arch::aarch64::*;

/// Elements of k a panel: 3 tiles × 256 × 16 bf16 and their f32 scales are 24 to 30 KB of L1.
const PANEL_K: usize = 256;
/// Above it one addition a panel could round more than the tolerance allows.
const MOST_K: usize = 1 << 17;

/// NEON with bf16 matrix products.
#[derive(Debug)]
pub(in crate::gemm) struct NeonBf16;

impl Way for NeonBf16 {
    const NAME: &'static str = "neon-bf16";
    const FEATURES: &'static [Feature] = NEON_BF16;
    fn takes(op: &Gemm) -> Result<(), Unsupported> {
        match (op.weights, op.activations) {
            (Format::F32 | Format::F16, Activations::Bf16) => {
                Err(Unsupported(format!("{} weights are not exact in bf16", op.weights)))
            }
            (weights, Activations::Bf16) if weights.affine() => {
                Err(Unsupported(format!("{weights} weights are not exact in bf16")))
            }
            (_, Activations::Bf16 | Activations::Fp8) if op.k > MOST_K => {
                Err(Unsupported(format!("k = {} is more than the {MOST_K} whose rounding was bounded", op.k)))
            }
            (_, Activations::Bf16) | (Format::Fp8, Activations::Fp8) => Ok(()),
            (_, activations) => Err(Unsupported(format!("bf16 matrix products take no {activations} activations"))),
        }
    }
    fn pack(op: &Gemm, packs: impl Packs) -> Result<Box<dyn Prepared>, Fault> {
        packs.with::<Self>(plan(op))
    }
}

/// Scratch.
fn plan(op: &Gemm) -> Plan {
    let walk = walk(op);
    Plan {
        few: FEW,
        apart: FEW,
        group: GROUP,
        row_words: walk.units * walk.words,
        grouped_words: walk.units * walk.words,
        panel: TILES * walk.panel * walk.lines * LINE,
        factor: layout::factor(op.weights, false),
        codes: 0,
        scales: 0,
    }
}

impl Kernels for NeonBf16 {
    fn quantise<'a>() -> Kernel<Quantise<'a>> {
        crate::cpu::variant::portable(round)
    }
    fn few<'a>() -> Kernel<Multiply<'a>> {
        // SAFETY: `few` asks for nothing but these features.
        unsafe { Kernel::new(NEON_BF16, few::few) }
    }
    fn panels<'a>() -> Kernel<Multiply<'a>> {
        // SAFETY: `panels` asks for nothing but these features.
        unsafe { Kernel::new(NEON_BF16, panels) }
    }
}

/// A unit is a block, or 4 elements of k where there are none. Both put the same words in the same places.
fn walk(op: &Gemm) -> Walk {
    match op.block() {
        1 => plain_walk(op),
        block => {
            Walk { group: GROUP, units: op.k / block, panel: PANEL_K / block, words: block / 2, lines: block / 2 + 2 }
        }
    }
}

fn plain_walk(op: &Gemm) -> Walk {
    Walk { group: GROUP, units: op.k.div_ceil(4), panel: PANEL_K / 4, words: 2, lines: 2 }
}

fn round(call: &mut Quantise<'_>) {
    let Walk { units, words, .. } = walk(call.op);
    layout::bf16_pairs::<GROUP>(call, units, words);
}

#[inline]
#[target_feature(enable = "neon")]
fn start() -> float32x4_t {
    vdupq_n_f32(0.0)
}

#[inline]
#[target_feature(enable = "neon")]
fn starts() -> [float32x4_t; 2] {
    [start(); 2]
}

#[inline]
#[target_feature(enable = "neon,bf16")]
fn mma(sum: float32x4_t, a: uint8x16_t, b: uint8x16_t) -> float32x4_t {
    bfmmla(sum, vreinterpretq_u16_u8(a), vreinterpretq_u16_u8(b))
}

#[inline]
#[target_feature(enable = "neon")]
fn value(sum: float32x4_t) -> float32x4_t {
    sum
}

pair_kernels!("neon,bf16");

/// [`micro`] without scales: one sum over the whole panel.
#[inline(never)]
#[target_feature(enable = "neon,bf16")]
fn plain_micro(panel: &[[u8; LINE]], acts: &[i32], sums: &mut [[f32; LANES]]) {
    let sums = sums.as_flattened_mut().as_chunks_mut::<4>().0;
    let sums = sums.first_chunk_mut::<{ GROUP * VECTORS }>().expect("sums of a group");
    for half in 0..2 {
        let mut chunk = [[start(); 4]; 4];
        for (lines, acts) in panel.as_chunks::<2>().0.iter().zip(acts.as_chunks::<{ 2 * GROUP }>().0) {
            let mut two_outputs = [vdupq_n_u8(0); 4];
            for o in 0..4 {
                two_outputs[o] = load(&lines[half], o);
            }
            for p in 0..4 {
                let two_rows = vreinterpretq_u8_s32(words(&acts.as_chunks::<4>().0[p]));
                for o in 0..4 {
                    chunk[p][o] = mma(chunk[p][o], two_rows, two_outputs[o]);
                }
            }
        }
        for p in 0..4 {
            for o in 0..4 {
                add_to(&mut sums[8 * p + 4 * half + o], chunk[p][o]);
            }
        }
    }
}

#[target_feature(enable = "neon,bf16")]
fn panels(call: &mut Multiply<'_>) {
    match call.op.weights {
        format @ (Format::Q8_0 | Format::Q4_0) => walk(call.op).panels(
            call,
            |tile, from, panel| unpack::bf16_blocks(format, 8, tile, from, panel),
            |panel, acts, sums| micro::<8, 18, 128, false>(panel, acts, sums),
            by_pairs,
        ),
        // Scaling each weight once a panel is less than scaling each sum once a block, unless there are few rows.
        format @ (Format::Mxfp4 | Format::Nvfp4) => plain_walk(call.op).panels(
            call,
            |tile, from, panel| unpack::bf16_scaled(format, tile, from, panel),
            |panel, acts, sums| plain_micro(panel, acts, sums),
            by_pairs,
        ),
        Format::Fp8 => plain_walk(call.op).panels(
            call,
            |tile, from, panel| unpack::fp8_pairs(tile, from, panel),
            |panel, acts, sums| plain_micro(panel, acts, sums),
            by_pairs,
        ),
        _ => plain_walk(call.op).panels(
            call,
            |tile, from, panel| unpack::bf16_pairs(tile, from, panel),
            |panel, acts, sums| plain_micro(panel, acts, sums),
            by_pairs,
        ),
    }
}
