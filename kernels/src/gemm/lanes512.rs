//! Loads, stores and block scales that the AVX-512 paths share.
#![expect(unsafe_code, reason = "vector loads and stores")]

use super::packed::{LANES, LINE};
use crate::cpu::split::Split;
use std::arch::x86_64::*;

// Formats as constant parameters, so that a kernel is compiled for each.
pub(super) const MXFP4: u8 = 0;
pub(super) const NVFP4: u8 = 1;
pub(super) const Q8_0: u8 = 2;
pub(super) const Q4_0: u8 = 3;

/// How far ahead of its use a line of weights is asked for, in bytes.
pub(super) const AHEAD: usize = 4096;

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(super) fn load(line: &[u8; LINE]) -> __m512i {
    // SAFETY: 64 bytes are there.
    unsafe { _mm512_loadu_si512(line.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(super) fn load_f32(values: &[f32; LANES]) -> __m512 {
    // SAFETY: 16 values are there.
    unsafe { _mm512_loadu_ps(values.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(super) fn store_f32(values: &mut [f32; LANES], v: __m512) {
    // SAFETY: 16 values are there.
    unsafe { _mm512_storeu_ps(values.as_mut_ptr(), v) }
}

/// The scales of one block as f32; those of nvfp4 are 2⁻⁸ of their value (see `decoding_factor`).
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(super) fn scales_of<const F: u8>(bytes: &[u8]) -> __m512 {
    match F {
        MXFP4 => {
            // SAFETY: the caller's chunk holds 16 bytes, and the slice is checked to.
            let codes = unsafe { _mm_loadu_si128(bytes[..16].as_ptr().cast()) };
            let codes = _mm512_cvtepu8_epi32(codes);
            // The code is the exponent field; 0 stands for the subnormal 2^-127 and 255 for NaN.
            let bits = _mm512_max_epu32(_mm512_slli_epi32::<23>(codes), _mm512_set1_epi32(0x40_0000));
            let nan = _mm512_cmpeq_epi32_mask(codes, _mm512_set1_epi32(255));
            _mm512_castsi512_ps(_mm512_mask_mov_epi32(bits, nan, _mm512_set1_epi32(0x7fc0_0000)))
        }
        NVFP4 => {
            // SAFETY: as above.
            let codes = unsafe { _mm_loadu_si128(bytes[..16].as_ptr().cast()) };
            // Sign to bit 15, exponent and mantissa to 13..7; E4M3's one NaN pattern has no counterpart there.
            let wide = _mm256_slli_epi16::<7>(_mm256_cvtepi8_epi16(codes));
            let half = _mm256_and_si256(wide, _mm256_set1_epi16(0xbf80_u16.cast_signed()));
            let field = _mm256_and_si256(half, _mm256_set1_epi16(0x3f80));
            let nan = _mm256_cmpeq_epi16_mask(field, _mm256_set1_epi16(0x3f80));
            _mm512_cvtph_ps(_mm256_mask_mov_epi16(half, nan, _mm256_set1_epi16(0x7e00)))
        }
        _ => {
            // SAFETY: the caller's chunk holds 32 bytes, and the slice is checked to.
            let halves = unsafe { _mm256_loadu_si256(bytes[..32].as_ptr().cast()) };
            _mm512_cvtph_ps(halves)
        }
    }
}

/// Scales, biases and stores the sums of tile `t` for the live rows from `row` on.
#[inline]
#[expect(clippy::too_many_arguments, reason = "a call's fields one by one: its scratch is borrowed elsewhere")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(super) fn finish(
    n: usize,
    rows: usize,
    bias: &[f32],
    row_scales: &[f32],
    y: &Split<'_, f32>,
    t: usize,
    row: usize,
    sums: &[__m512],
) {
    let bias = load_f32(&bias.as_chunks::<LANES>().0[t]);
    let live = LANES.min(n - t * LANES);
    for (row, sum) in (row..rows).zip(sums) {
        let scaled = _mm512_add_ps(_mm512_mul_ps(*sum, _mm512_set1_ps(row_scales[row])), bias);
        let at = row * n + t * LANES;
        // SAFETY: a tile is in one worker's share only, so these outputs of the row are this worker's.
        let out = unsafe { y.part(at..at + live) };
        // SAFETY: the mask keeps the store inside `out`.
        unsafe { _mm512_mask_storeu_ps(out.as_mut_ptr(), 0xffff >> (LANES - live), scaled) };
    }
}
