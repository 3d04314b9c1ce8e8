//! Packed weights to what the Arm kernels multiply, unit after unit until the panel is full.
#![expect(clippy::needless_range_loop, reason = "an index names the same row or output in several arrays")]

use super::lanes::*;
use crate::cpu::prefetch::prefetch;
use crate::format::Format;
use crate::gemm::affine;
use crate::gemm::packed::{LINE, Tile};
use std::arch::aarch64::*;

/// The stored lines and scales of the blocks from `from` on.
#[inline(always)]
pub(super) fn blocks<'t>(
    format: Format,
    tile: Tile<'t>,
    from: usize,
) -> impl Iterator<Item = (&'t [[u8; LINE]], &'t [u8])> {
    let (lines, scales) = stored(format);
    let codes = tile.codes.as_chunks::<LINE>().0[from * lines..].chunks_exact(lines);
    codes.zip(tile.scales[from * scales..].chunks_exact(scales)).inspect(|(lines, scales)| {
        for line in *lines {
            prefetch(line.as_ptr().wrapping_add(AHEAD));
        }
        // A stream of its own, too thin for the hardware to run far enough ahead of it.
        prefetch(scales.as_ptr().wrapping_add(AHEAD / 4));
    })
}

/// [`blocks`] of a format whose numbers of lines and bytes of scales are known.
#[inline(always)]
pub(super) fn whole_blocks<'t, const LINES: usize, const SCALES: usize>(
    tile: Tile<'t>,
    from: usize,
) -> impl Iterator<Item = (&'t [[u8; LINE]; LINES], &'t [u8; SCALES])> {
    let codes = &tile.codes.as_chunks::<LINE>().0.as_chunks::<LINES>().0[from..];
    codes.iter().zip(&tile.scales.as_chunks().0[from..]).inspect(|(lines, scales)| {
        for line in *lines {
            prefetch(line.as_ptr().wrapping_add(AHEAD));
        }
        prefetch(scales.as_ptr().wrapping_add(AHEAD / 4));
    })
}

/// Lines of 16 outputs × 4 codes of k, then a line of scales.
#[target_feature(enable = "neon")]
pub(super) fn lines(format: Format, steps: usize, tile: Tile<'_>, from: usize, panel: &mut [[u8; LINE]]) {
    let table = integers(format);
    for ((lines, scales), out) in blocks(format, tile, from).zip(panel.chunks_exact_mut(steps + 1)) {
        for (v, scale) in scales_of(format, scales).into_iter().enumerate() {
            put(&mut out[steps], v, vreinterpretq_u8_f32(scale));
        }
        if format == Format::Q8_0 {
            for (line, out) in lines.iter().zip(out) {
                for v in 0..VECTORS {
                    put(out, v, vreinterpretq_u8_s8(signed(load(line, v))));
                }
            }
            continue;
        }
        for (line, [low, high]) in lines.iter().zip(out.as_chunks_mut::<2>().0) {
            for v in 0..VECTORS {
                let codes = nibbles(load(line, v)).map(|code| vreinterpretq_u8_s8(vqtbl1q_s8(table, code)));
                put(low, v, codes[0]);
                put(high, v, codes[1]);
            }
        }
    }
}

/// Puts outputs 4v, 4v + 1 and 4v + 2, 4v + 3, two outputs a vector, into the two lines of a step.
#[inline]
#[target_feature(enable = "neon")]
fn put_two(out: &mut [[u8; LINE]], v: usize, two: [uint8x16_t; 2]) {
    for (i, two) in two.into_iter().enumerate() {
        put(&mut out[v / 2], v % 2 * 2 + i, two);
    }
}

/// The words of four outputs, `a` before `b` in k, as two outputs a vector.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn zipped(a: uint8x16_t, b: uint8x16_t) -> [uint8x16_t; 2] {
    let (a, b) = (vreinterpretq_u32_u8(a), vreinterpretq_u32_u8(b));
    [vreinterpretq_u8_u32(vzip1q_u32(a, b)), vreinterpretq_u8_u32(vzip2q_u32(a, b))]
}

/// The scales of a block for sums of 2 × 2: `s0 s1 s0 s1` for each two outputs.
#[inline]
#[target_feature(enable = "neon")]
fn put_scales(format: Format, scales: &[u8], out: &mut [[u8; LINE]]) {
    for (v, scale) in scales_of(format, scales).into_iter().enumerate() {
        let (low, high) = (vget_low_f32(scale), vget_high_f32(scale));
        put_two(out, v, [low, high].map(|two| vreinterpretq_u8_f32(vcombine_f32(two, two))));
    }
}

/// For `smmla`: two lines for each 8 of k, two outputs × 8 codes a vector; then two lines of scales.
#[target_feature(enable = "neon")]
pub(super) fn integer_pairs(format: Format, steps: usize, tile: Tile<'_>, from: usize, panel: &mut [[u8; LINE]]) {
    let table = integers(format);
    for ((lines, scales), out) in blocks(format, tile, from).zip(panel.chunks_exact_mut(2 * steps + 2)) {
        let (codes, out_scales) = out.split_at_mut(2 * steps);
        put_scales(format, scales, out_scales);
        for (s, out) in codes.as_chunks_mut::<2>().0.iter_mut().enumerate() {
            for v in 0..VECTORS {
                let [a, b] = if format == Format::Q8_0 {
                    [signed(load(&lines[2 * s], v)), signed(load(&lines[2 * s + 1], v))]
                } else {
                    nibbles(load(&lines[s], v)).map(|code| vqtbl1q_s8(table, code))
                };
                put_two(out, v, zipped(vreinterpretq_u8_s8(a), vreinterpretq_u8_s8(b)));
            }
        }
    }
}

/// Sixteen int8, which bf16 holds exactly.
#[inline]
#[target_feature(enable = "neon")]
fn widened(codes: int8x16_t) -> [uint8x16_t; 2] {
    [vmovl_s8(vget_low_s8(codes)), vmovl_high_s8(codes)].map(|eight| {
        let low = vreinterpretq_u16_f32(vcvtq_f32_s32(vmovl_s16(vget_low_s16(eight))));
        let high = vreinterpretq_u16_f32(vcvtq_f32_s32(vmovl_high_s16(eight)));
        vreinterpretq_u8_u16(vuzp2q_u16(low, high))
    })
}

/// For `bfmmla` with blocks: two lines for each 4 of k, two outputs × 4 bf16 a vector, not yet scaled; then two lines of scales.
#[target_feature(enable = "neon")]
pub(super) fn bf16_blocks(format: Format, steps: usize, tile: Tile<'_>, from: usize, panel: &mut [[u8; LINE]]) {
    let [lower, upper] = bf16_bytes(format);
    for ((lines, scales), out) in blocks(format, tile, from).zip(panel.chunks_exact_mut(2 * steps + 2)) {
        let (codes, out_scales) = out.split_at_mut(2 * steps);
        put_scales(format, scales, out_scales);
        if format == Format::Q8_0 {
            for (line, out) in lines.iter().zip(codes.as_chunks_mut::<2>().0) {
                for v in 0..VECTORS {
                    put_two(out, v, widened(signed(load(line, v))));
                }
            }
            continue;
        }
        for (line, out) in lines.iter().zip(codes.as_chunks_mut::<4>().0) {
            for v in 0..VECTORS {
                for (out, code) in out.as_chunks_mut::<2>().0.iter_mut().zip(nibbles(load(line, v))) {
                    let (low, high) = (vqtbl1q_s8(lower, code), vqtbl1q_s8(upper, code));
                    put_two(out, v, [vzip1q_s8(low, high), vzip2q_s8(low, high)].map(|x| vreinterpretq_u8_s8(x)));
                }
            }
        }
    }
}

/// Eight bf16, four of one output and four of another, times their scales; the cut from f32 loses nothing where both are FP4's.
#[inline]
#[target_feature(enable = "neon")]
fn scaled<const FIRST: i32, const SECOND: i32>(eight: uint16x8_t, scales: float32x4_t) -> uint8x16_t {
    let low = vreinterpretq_f32_u32(vshll_n_u16::<16>(vget_low_u16(eight)));
    let high = vreinterpretq_f32_u32(vshll_high_n_u16::<16>(eight));
    let low = vreinterpretq_u16_f32(vmulq_laneq_f32::<FIRST>(low, scales));
    vreinterpretq_u8_u16(vuzp2q_u16(low, vreinterpretq_u16_f32(vmulq_laneq_f32::<SECOND>(high, scales))))
}

/// FP4 for `bfmmla` without blocks: two lines for each 4 of k, two outputs × 4 bf16 a vector, scaled. E2M1 has 2 significant bits
/// and E4M3 has 4, so that products have at most 6 of the 8 of bf16.
#[target_feature(enable = "neon")]
pub(super) fn bf16_scaled(format: Format, tile: Tile<'_>, from: usize, panel: &mut [[u8; LINE]]) {
    let ([lower, upper], block) = (bf16_bytes(format), format.block());
    for ((lines, scales), out) in blocks(format, tile, 4 * from / block).zip(panel.chunks_exact_mut(block / 2)) {
        let scales = scales_of(format, scales);
        for (line, out) in lines.iter().zip(out.as_chunks_mut::<4>().0) {
            for v in 0..VECTORS {
                for (out, code) in out.as_chunks_mut::<2>().0.iter_mut().zip(nibbles(load(line, v))) {
                    let (low, high) = (vqtbl1q_s8(lower, code), vqtbl1q_s8(upper, code));
                    let first = scaled::<0, 1>(vreinterpretq_u16_s8(vzip1q_s8(low, high)), scales[v]);
                    put_two(out, v, [first, scaled::<2, 3>(vreinterpretq_u16_s8(vzip2q_s8(low, high)), scales[v])]);
                }
            }
        }
    }
}

/// For `bfmmla` with bf16 weights: two lines for each 4 of k, two outputs × 4 a vector, zeros beyond the end.
#[target_feature(enable = "neon")]
pub(super) fn bf16_pairs(tile: Tile<'_>, from: usize, panel: &mut [[u8; LINE]]) {
    let lines = tile.codes.as_chunks::<LINE>().0[2 * from..].chunks(2);
    for (lines, out) in lines.zip(panel.as_chunks_mut::<2>().0) {
        prefetch(lines[0].as_ptr().wrapping_add(AHEAD));
        prefetch(lines[0].as_ptr().wrapping_add(AHEAD + LINE));
        for v in 0..VECTORS {
            let second = lines.get(1).map_or(vdupq_n_u8(0), |line| load(line, v));
            put_two(out, v, zipped(load(&lines[0], v), second));
        }
    }
}

/// Two elements of k of eight outputs, outputs 0–3 and 4–7, from a vector of their E4M3 codes: 2⁻⁸ of each value, as f16 with its
/// exponent bias of 8 less. Codes of NaN come out as numbers: the scale of their output is NaN.
#[inline]
#[target_feature(enable = "neon")]
fn two_k_of_fp8(codes: uint8x16_t) -> [[float32x4_t; 2]; 2] {
    let codes = vreinterpretq_s16_u8(codes);
    [vshlq_n_s16::<8>(codes), codes].map(|codes| {
        // Sign to bit 15, exponent and mantissa to 13..7.
        let half = vandq_u16(vreinterpretq_u16_s16(vshrq_n_s16::<1>(codes)), vdupq_n_u16(0xbf80));
        [widen_half(vget_low_u16(half)), widen_half(vget_high_u16(half))]
    })
}

/// For `bfmmla` with fp8 weights: two lines for each 4 of k, two outputs × 4 bf16 a vector, zeros beyond the end.
#[target_feature(enable = "neon")]
pub(super) fn fp8_pairs(tile: Tile<'_>, from: usize, panel: &mut [[u8; LINE]]) {
    let lines = tile.codes.as_chunks::<LINE>().0[from..].iter();
    for (line, out) in lines.zip(panel.as_chunks_mut::<2>().0) {
        prefetch(line.as_ptr().wrapping_add(AHEAD));
        for half in 0..2 {
            let (first, second) = (two_k_of_fp8(load(line, half)), two_k_of_fp8(load(line, half + 2)));
            for i in 0..2 {
                let pair = |[even, odd]: [[float32x4_t; 2]; 2]| {
                    let (even, odd) = (vreinterpretq_u16_f32(even[i]), vreinterpretq_u16_f32(odd[i]));
                    vreinterpretq_u8_u16(vtrn2q_u16(even, odd))
                };
                put_two(out, 2 * half + i, zipped(pair(first), pair(second)));
            }
        }
    }
}

/// f32 of four outputs for each of their four codes.
#[inline]
#[target_feature(enable = "neon")]
fn four_k(codes: int8x16_t, halved: bool, scale: float32x4_t) -> [float32x4_t; 4] {
    let words = vreinterpretq_s32_s8(codes);
    let value = |code: int32x4_t| {
        let value = if halved { vcvtq_n_f32_s32::<1>(code) } else { vcvtq_f32_s32(code) };
        vmulq_f32(value, scale)
    };
    [
        value(vshrq_n_s32::<24>(vshlq_n_s32::<24>(words))),
        value(vshrq_n_s32::<24>(vshlq_n_s32::<16>(words))),
        value(vshrq_n_s32::<24>(vshlq_n_s32::<8>(words))),
        value(vshrq_n_s32::<24>(words)),
    ]
}

/// Elements `from ..` in f32, a line of 16 outputs each.
#[target_feature(enable = "neon")]
pub(super) fn floats(format: Format, tile: Tile<'_>, from: usize, panel: &mut [[u8; LINE]]) {
    let put_four = |out: &mut [[u8; LINE]], v: usize, four: [float32x4_t; 4]| {
        for (out, x) in out.iter_mut().zip(four) {
            put(out, v, vreinterpretq_u8_f32(x));
        }
    };
    match format {
        Format::F32 => panel.copy_from_slice(&tile.codes.as_chunks::<LINE>().0[from..][..panel.len()]),
        Format::Fp8 => {
            for (line, out) in tile.codes.as_chunks::<LINE>().0[from / 4..].iter().zip(panel.chunks_mut(4)) {
                prefetch(line.as_ptr().wrapping_add(AHEAD));
                for v in 0..VECTORS {
                    // Vectors 0 and 1 hold the first two of k, for eight outputs each; the last four of a k may be fewer.
                    let two = two_k_of_fp8(load(line, v));
                    for (two, out) in two.into_iter().zip(out.iter_mut().skip(v / 2 * 2)) {
                        put(out, v % 2 * 2, vreinterpretq_u8_f32(two[0]));
                        put(out, v % 2 * 2 + 1, vreinterpretq_u8_f32(two[1]));
                    }
                }
            }
        }
        Format::Bf16 => {
            for (line, out) in tile.codes.as_chunks::<LINE>().0[from / 2..].iter().zip(panel.chunks_mut(2)) {
                prefetch(line.as_ptr().wrapping_add(AHEAD));
                for v in 0..VECTORS {
                    let pair = vreinterpretq_u32_u8(load(line, v));
                    put(&mut out[0], v, vreinterpretq_u8_u32(vshlq_n_u32::<16>(pair)));
                    // The last pair of an odd k is half a pair.
                    if let Some(out) = out.get_mut(1) {
                        put(out, v, vreinterpretq_u8_u32(vandq_u32(pair, vdupq_n_u32(0xffff_0000))));
                    }
                }
            }
        }
        Format::Q8_0 => {
            for ((lines, scales), out) in blocks(format, tile, from / 32).zip(panel.chunks_exact_mut(32)) {
                let scale = scales_of(format, scales);
                for (line, out) in lines.iter().zip(out.as_chunks_mut::<4>().0) {
                    for v in 0..VECTORS {
                        put_four(out, v, four_k(signed(load(line, v)), false, scale[v]));
                    }
                }
            }
        }
        Format::Mxfp4 | Format::Nvfp4 | Format::Q4_0 => {
            let (table, halved, block) = (integers(format), format != Format::Q4_0, format.block());
            for ((lines, scales), out) in blocks(format, tile, from / block).zip(panel.chunks_exact_mut(block)) {
                let scale = scales_of(format, scales);
                for (line, out) in lines.iter().zip(out.as_chunks_mut::<8>().0) {
                    for v in 0..VECTORS {
                        for (out, code) in out.as_chunks_mut::<4>().0.iter_mut().zip(nibbles(load(line, v))) {
                            put_four(out, v, four_k(vqtbl1q_s8(table, code), halved, scale[v]));
                        }
                    }
                }
            }
        }
        _ => affine::unpack(format, tile, from, (0, 1), panel),
    }
}
