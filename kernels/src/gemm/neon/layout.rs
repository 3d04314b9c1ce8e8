//! How the Arm paths hold activations in memory, and the kernels that put them there.
//!
//! A row is cut into units (a block of the weights), and a unit into words of 32 bits: four int8 or two bf16 a word, then, for
//! int8, the f32 scale of the unit twice. Where rows are grouped, the rows of a group stand side by side, `WIDTH` words of each:
//! one word for `sdot`, which takes four k of four rows from a vector; two for `smmla` and `bfmmla`, which take 8 bytes of k of
//! two rows.

use super::lanes::{put_codes, values};
use crate::format::int8::{INT8_GROUP, scale_and_inverse};
use crate::format::{Format, bf16, fp8};
use crate::gemm::packed::{LANES, LINE};
use crate::gemm::tiled::{FEW, Plan, Quantise, TILES};
use crate::gemm::{Activations, Gemm};
use std::arch::aarch64::*;

/// Elements of k of an integer panel: 3 tiles × 512 × 16 codes and their f32 scales are 27 to 36 KB. With a group of rows
/// (6 KB) and its sums they are inside the 64 KB of L1 that the cores with dot products have.
pub(super) const PANEL_K: usize = 512;

/// Words of a row in one unit of an integer path.
pub(super) const fn integer_words(block: usize) -> usize {
    block / 4 + 2
}

/// What decoding leaves out: codes of FP4 are twice their value, and E4M3 scales and weights are read as f16, whose exponent bias is 8 more.
pub(super) fn factor(format: Format, doubled: bool) -> f32 {
    let half = if doubled { 0.5 } else { 1.0 };
    match format {
        Format::Mxfp4 => half,
        Format::Nvfp4 => 256.0 * half,
        Format::Fp8 => 256.0,
        _ => 1.0,
    }
}

/// Scratch of an integer path whose panels hold `copies` of each scale.
pub(super) fn integer_plan(op: &Gemm, group: usize, copies: usize) -> Plan {
    let (block, blocks) = (op.block(), op.k / op.block());
    Plan {
        few: FEW,
        apart: FEW,
        group,
        row_words: blocks * integer_words(block),
        grouped_words: blocks * integer_words(block),
        panel: TILES * PANEL_K / block * (block * LANES + copies * LINE),
        factor: factor(op.weights, true),
        codes: op.k,
        scales: blocks,
    }
}

/// Puts word i of unit u of row `at` where it belongs in `out`, for all of them; `group` is 1 where rows stand by themselves.
#[inline(always)]
fn place<const WIDTH: usize>(
    out: &mut [i32],
    at: usize,
    (group, units, words): (usize, usize, usize),
    word: impl Fn(usize, usize) -> i32,
) {
    let out = &mut out[at / group * group * units * words..][..group * units * words];
    for (u, out) in out.chunks_exact_mut(group * words).enumerate() {
        let cells = out[at % group * WIDTH..].chunks_mut(group * WIDTH);
        for (c, cell) in cells.enumerate() {
            for (i, out) in cell[..WIDTH].iter_mut().enumerate() {
                *out = word(u, c * WIDTH + i);
            }
        }
    }
}

/// Rows that are missing in the last group are multiplied too, and not stored.
fn blank_missing_rows(call: &mut Quantise<'_>, group: usize, row_words: usize) {
    if call.grouped {
        call.out[call.rows.len() / group * group * row_words..].fill(0);
    }
}

/// Rows of x as int8 codes and their scales.
#[target_feature(enable = "neon")]
pub(super) fn integers<const GROUP: usize, const WIDTH: usize>(call: &mut Quantise<'_>) {
    let (op, block) = (call.op, call.op.block());
    let (units, words) = (op.k / block, integer_words(block));
    blank_missing_rows(call, GROUP, units * words);
    for row in call.rows.clone() {
        let at = row - call.rows.start;
        let scale = codes(call, row);
        call.row_scales[at] = scale * call.factor;
        let (codes, scales) = (call.codes.as_chunks::<4>().0, &call.scales);
        place::<WIDTH>(call.out, at, (if call.grouped { GROUP } else { 1 }, units, words), |u, i| {
            if i < words - 2 {
                i32::from_le_bytes(codes[u * (words - 2) + i].map(i8::cast_unsigned))
            } else {
                scales[u].to_bits().cast_signed()
            }
        });
    }
}

/// Codes and scales of one row into the call's scratch, the bits of [`crate::format`]; returns the scale of the row.
#[target_feature(enable = "neon")]
fn codes(call: &mut Quantise<'_>, row: usize) -> f32 {
    let (op, block) = (call.op, call.op.block());
    let x = &call.x[row * op.k..][..op.k];
    match op.activations {
        Activations::Int8 => {
            let (scale, inverse) = scale_and_inverse(amax_bits(x));
            round_codes(x, inverse, call.codes);
            scale
        }
        Activations::Int8g32 => {
            let each = INT8_GROUP / block;
            for (g, x) in x.as_chunks::<INT8_GROUP>().0.iter().enumerate() {
                let (scale, inverse) = scale_and_inverse(amax_bits(x));
                round_codes(x, inverse, &mut call.codes[g * INT8_GROUP..][..INT8_GROUP]);
                call.scales[g * each..][..each].fill(scale);
            }
            1.0
        }
        kind => kind.quantize(x, block, call.codes, call.scales, call.bytes),
    }
}

/// The bits of the largest magnitude of `x`, a whole number of blocks.
#[target_feature(enable = "neon")]
fn amax_bits(x: &[f32]) -> u32 {
    let magnitude = vdupq_n_u32(0x7fff_ffff);
    let mut most = [vdupq_n_u32(0); 4];
    for x in x.as_chunks::<16>().0 {
        for (most, x) in most.iter_mut().zip(x.as_chunks::<4>().0) {
            *most = vmaxq_u32(*most, vandq_u32(vreinterpretq_u32_f32(values(x)), magnitude));
        }
    }
    vmaxvq_u32(vmaxq_u32(vmaxq_u32(most[0], most[1]), vmaxq_u32(most[2], most[3])))
}

/// The codes of [`crate::format::int8`] below a scale that was found before; the conversion rounds to nearest even.
#[target_feature(enable = "neon")]
fn round_codes(x: &[f32], inverse: f32, codes: &mut [i8]) {
    let (codes, tail) = codes.as_chunks_mut::<16>();
    assert!(16 * codes.len() == x.len() && tail.is_empty(), "rows are whole blocks");
    if inverse == 0.0 {
        // Where there is no scale codes are 0: 0 times an infinity would not be.
        return codes.fill([0; 16]);
    }
    for (x, codes) in x.as_chunks::<16>().0.iter().zip(codes) {
        let x = x.as_chunks::<4>().0;
        let [a, b, c, d] = std::array::from_fn(|i| vmovn_s32(vcvtnq_s32_f32(vmulq_n_f32(values(&x[i]), inverse))));
        put_codes(codes, vcombine_s8(vmovn_s16(vcombine_s16(a, b)), vmovn_s16(vcombine_s16(c, d))));
    }
}

/// Rows of x as f32, or rounded to bf16 or E4M3 and widened again: one word a unit.
pub(super) fn floats<const GROUP: usize>(call: &mut Quantise<'_>) {
    let (k, activations) = (call.op.k, call.op.activations);
    blank_missing_rows(call, GROUP, k);
    for row in call.rows.clone() {
        let (at, x) = (row - call.rows.start, &call.x[row * k..][..k]);
        let scale = activations.row_scale(x);
        call.row_scales[at] = scale * call.factor;
        let shape = (if call.grouped { GROUP } else { 1 }, k, 1);
        match activations {
            Activations::Bf16 => {
                place::<1>(call.out, at, shape, |u, _| i32::from(bf16::encode(x[u]).cast_signed()) << 16);
            }
            Activations::Fp8 => {
                place::<1>(call.out, at, shape, |u, _| fp8::element(x[u], scale).to_bits().cast_signed());
            }
            _ => place::<1>(call.out, at, shape, |u, _| x[u].to_bits().cast_signed()),
        }
    }
}

/// Rows of x as pairs of bf16, zeros beyond the end, in units of `words`.
pub(super) fn bf16_pairs<const GROUP: usize>(call: &mut Quantise<'_>, units: usize, words: usize) {
    let k = call.op.k;
    blank_missing_rows(call, GROUP, units * words);
    for row in call.rows.clone() {
        let (at, x) = (row - call.rows.start, &call.x[row * k..][..k]);
        let fp8 = call.op.activations == Activations::Fp8;
        let scale = call.op.activations.row_scale(x);
        call.row_scales[at] = scale * call.factor;
        // What is rounded to E4M3 is exact in bf16.
        let value =
            |i: usize| x.get(i).map_or(0, |x| u32::from(bf16::encode(if fp8 { fp8::element(*x, scale) } else { *x })));
        place::<2>(call.out, at, (if call.grouped { GROUP } else { 1 }, units, words), |u, i| {
            let first = 2 * (u * words + i);
            (value(first) | value(first + 1) << 16).cast_signed()
        });
    }
}
