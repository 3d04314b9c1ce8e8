//! Loads, block scales and stores that the AVX2 paths share: a line of 16 outputs is two vectors of 8.
#![expect(unsafe_code, reason = "vector loads and stores")]

use super::few256::{BYTE, E2M1, NIBBLE};
use super::packed::{LANES, LINE};
use crate::cpu::split::Split;
use crate::format::{E2M1_TWICE, Format};
use std::arch::{asm, x86_64::*};

/// Both halves of a line.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn load(line: &[u8; LINE]) -> [__m256i; 2] {
    let at = line.as_ptr();
    // SAFETY: the first 32 of 64 bytes.
    let low = unsafe { _mm256_loadu_si256(at.cast()) };
    // SAFETY: the last 32 of 64 bytes.
    [low, unsafe { _mm256_loadu_si256(at.wrapping_add(LINE / 2).cast()) }]
}

/// Both halves of a line of f32.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn load_f32(line: &[u8; LINE]) -> [__m256; 2] {
    load(line).map(|half| _mm256_castsi256_ps(half))
}

/// Stores a line.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn put(line: &mut [u8; LINE], v: [__m256i; 2]) {
    let at = line.as_mut_ptr();
    // SAFETY: the first 32 of 64 bytes.
    unsafe { _mm256_storeu_si256(at.cast(), v[0]) };
    // SAFETY: the last 32 of 64 bytes.
    unsafe { _mm256_storeu_si256(at.wrapping_add(LINE / 2).cast(), v[1]) };
}

/// Stores a line of f32.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn put_f32(line: &mut [u8; LINE], v: [__m256; 2]) {
    put(line, [_mm256_castps_si256(v[0]), _mm256_castps_si256(v[1])]);
}

/// Sixteen values, both halves.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn load_values(values: &[f32; LANES]) -> [__m256; 2] {
    // SAFETY: the first 8 of 16 values.
    let low = unsafe { _mm256_loadu_ps(values.as_ptr()) };
    // SAFETY: the last 8 of 16 values.
    [low, unsafe { _mm256_loadu_ps(values.as_ptr().wrapping_add(8)) }]
}

/// Stores sixteen values.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn store_values(values: &mut [f32; LANES], v: [__m256; 2]) {
    // SAFETY: the first 8 of 16 values.
    unsafe { _mm256_storeu_ps(values.as_mut_ptr(), v[0]) };
    // SAFETY: the last 8 of 16 values.
    unsafe { _mm256_storeu_ps(values.as_mut_ptr().wrapping_add(8), v[1]) };
}

/// Lines of stored codes a block, and bytes of its 16 scales.
pub(super) const fn stored(format: Format) -> (usize, usize) {
    match format {
        Format::Mxfp4 => (4, LANES),
        Format::Nvfp4 => (2, LANES),
        Format::Q8_0 => (8, 2 * LANES),
        _ => (4, 2 * LANES),
    }
}

/// The scales of one block as f32; those of nvfp4 are 2⁻⁸ of their value (see `integer::plan`).
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn scales_of(format: Format, bytes: &[u8]) -> [__m256; 2] {
    let half = |at: usize| match format {
        Format::Mxfp4 => {
            // SAFETY: eight bytes, and the slice is checked to hold them.
            let codes = _mm256_cvtepu8_epi32(unsafe { _mm_loadl_epi64(bytes[8 * at..8 * at + 8].as_ptr().cast()) });
            // The code is the exponent field; 0 stands for the subnormal 2^-127 and 255 for NaN.
            let bits = _mm256_max_epu32(_mm256_slli_epi32::<23>(codes), _mm256_set1_epi32(0x40_0000));
            let nan = _mm256_cmpeq_epi32(codes, _mm256_set1_epi32(255));
            _mm256_castsi256_ps(_mm256_or_si256(bits, _mm256_and_si256(nan, _mm256_set1_epi32(0x40_0000))))
        }
        Format::Nvfp4 => {
            // SAFETY: as above.
            let codes = _mm_cvtepi8_epi16(unsafe { _mm_loadl_epi64(bytes[8 * at..8 * at + 8].as_ptr().cast()) });
            // Sign to bit 15, exponent and mantissa to 13..7; E4M3's one NaN pattern has no counterpart there.
            let half = _mm_and_si128(_mm_slli_epi16::<7>(codes), _mm_set1_epi16(0xbf80_u16.cast_signed()));
            let nan = _mm_cmpeq_epi16(_mm_and_si128(half, _mm_set1_epi16(0x3f80)), _mm_set1_epi16(0x3f80));
            _mm256_cvtph_ps(_mm_or_si128(half, _mm_and_si128(nan, _mm_set1_epi16(0x7e00))))
        }
        _ => {
            // SAFETY: sixteen bytes, and the slice is checked to hold them.
            _mm256_cvtph_ps(unsafe { _mm_loadu_si128(bytes[16 * at..16 * at + 16].as_ptr().cast()) })
        }
    };
    [half(0), half(1)]
}

/// Twice each E2M1 value plus 12, in both 128-bit halves.
static UNSIGNED_E2M1: [u8; 32] = {
    let mut table = [0; 32];
    let mut i = 0;
    while i < 32 {
        table[i] = (E2M1_TWICE[i % 16] + 12) as u8;
        i += 1;
    }
    table
};

/// The unsigned codes of step `s` of a block, which stands in `lines`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn decode<const CODES: u8>(lines: &[[u8; LINE]], s: usize) -> [__m256i; 2] {
    if CODES == BYTE {
        return load(&lines[s]);
    }
    // SAFETY: the table holds 32 bytes.
    let table = unsafe { _mm256_loadu_si256(UNSIGNED_E2M1.as_ptr().cast()) };
    load(&lines[s / 2]).map(|both| {
        let four = if s.is_multiple_of(2) { both } else { _mm256_srli_epi16::<4>(both) };
        let code = _mm256_and_si256(four, _mm256_set1_epi8(15));
        if CODES == NIBBLE { code } else { _mm256_shuffle_epi8(table, code) }
    })
}

/// Decodes blocks `from ..` of one tile: `steps` lines of unsigned codes and one of f32 scales each.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn unpack_codes(
    format: Format,
    tile: super::packed::Tile<'_>,
    from: usize,
    steps: usize,
    out: &mut [[u8; LINE]],
) {
    let (lines_a_block, scale_bytes) = stored(format);
    let lines = tile.codes.as_chunks::<LINE>().0[from * lines_a_block..].chunks_exact(lines_a_block);
    let scales = tile.scales[from * scale_bytes..].chunks_exact(scale_bytes);
    for ((lines, scales), out) in lines.zip(scales).zip(out.chunks_exact_mut(steps + 1)) {
        if format == Format::Q8_0 {
            out[..steps].copy_from_slice(lines);
        } else {
            for (line, out) in lines.chunks_exact(1).zip(out.as_chunks_mut::<2>().0) {
                _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast::<u8>().wrapping_add(AHEAD).cast());
                for (s, out) in out.iter_mut().enumerate() {
                    put(out, if format == Format::Q4_0 { decode::<NIBBLE>(line, s) } else { decode::<E2M1>(line, s) });
                }
            }
        }
        put_f32(&mut out[steps], scales_of(format, scales));
    }
}

/// The sums of one block, times the block scales of its outputs and, if SCALED, of the row (the bits of an f32), on top of `sum`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn scaled_sum<const SCALED: bool>(
    sum: [__m256; 2],
    exact: [__m256i; 2],
    mut scales: [__m256; 2],
    row: i32,
) -> [__m256; 2] {
    if SCALED {
        let a = _mm256_set1_ps(f32::from_bits(row.cast_unsigned()));
        scales = scales.map(|half| _mm256_mul_ps(half, a));
    }
    [0, 1].map(|half| _mm256_fmadd_ps(_mm256_cvtepi32_ps(exact[half]), scales[half], sum[half]))
}

/// Has all sums of one step formed before those of the next: by itself the compiler sorts the work of many steps by halves, and keeps
/// the words of all of them in memory meanwhile.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn in_order<const R: usize>(sums: &mut [[__m256i; 2]; R]) {
    match &mut sums[..] {
        [[a, b]] => {
            // SAFETY: no instruction at all; the sums come back as they went in.
            unsafe {
                asm!(
                    "/* {0} {1} */",
                    inout(ymm_reg) * a,
                    inout(ymm_reg) * b,
                    options(pure, nomem, nostack, preserves_flags)
                );
            }
        }
        [[a, b], [c, d]] => {
            // SAFETY: as above.
            unsafe {
                asm!(
                    "/* {0} {1} {2} {3} */",
                    inout(ymm_reg) * a,
                    inout(ymm_reg) * b,
                    inout(ymm_reg) * c,
                    inout(ymm_reg) * d,
                    options(pure, nomem, nostack, preserves_flags)
                );
            }
        }
        _ => {}
    }
}

/// Scales, biases and stores the sum of tile `t` for `row`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn finish(call: &super::tiled::Multiply<'_>, y: &Split<'_, f32>, t: usize, row: usize, sum: [__m256; 2]) {
    let n = call.op.n;
    let bias = load_values(&call.bias.as_chunks::<LANES>().0[t]);
    let scale = _mm256_set1_ps(call.row_scales[row]);
    let mut values = [0.0; LANES];
    let scaled = |half: usize| _mm256_add_ps(_mm256_mul_ps(sum[half], scale), bias[half]);
    store_values(&mut values, [scaled(0), scaled(1)]);
    let (at, live) = (row * n + t * LANES, LANES.min(n - t * LANES));
    // SAFETY: a tile is in one worker's share only, so these outputs of the row are this worker's.
    unsafe { y.part(at..at + live) }.copy_from_slice(&values[..live]);
}

/// How far ahead of its use a line of weights is asked for, in bytes.
pub(super) const AHEAD: usize = 2048;
