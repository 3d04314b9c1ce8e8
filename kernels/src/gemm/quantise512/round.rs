//! Rounding: the largest magnitudes of sixteen blocks at a time, their scales in one vector, then codes.
#![expect(unsafe_code, reason = "vector stores")]

use crate::format::int8::scale_and_inverse;
use crate::format::magnitude::{INFINITE_BITS, NEGLIGIBLE};
use crate::format::{e4m3, e8m0, nvfp4};
use crate::gemm::lanes512::load_f32;
use crate::gemm::packed::LANES;
use std::arch::x86_64::*;

// What blocks are rounded to, as constant parameters.
pub(super) const INT8: u8 = 0;
pub(super) const MXFP4: u8 = 1;
pub(super) const NVFP4: u8 = 2;

/// |x| as bits, which order like the magnitudes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn magnitudes(x: &[f32; LANES]) -> __m512i {
    _mm512_and_si512(_mm512_castps_si512(load_f32(x)), _mm512_set1_epi32(0x7fff_ffff))
}

/// The bits of the largest magnitude of `x`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn amax_bits(x: &[f32]) -> u32 {
    let (vectors, tail) = x.as_chunks::<LANES>();
    // Independent maxima, so that their latency does not bind.
    let (fours, rest) = vectors.as_chunks::<4>();
    let mut most = [_mm512_setzero_si512(); 4];
    for four in fours {
        for i in 0..4 {
            most[i] = _mm512_max_epu32(most[i], magnitudes(&four[i]));
        }
    }
    for v in rest {
        most[0] = _mm512_max_epu32(most[0], magnitudes(v));
    }
    let most = _mm512_max_epu32(_mm512_max_epu32(most[0], most[1]), _mm512_max_epu32(most[2], most[3]));
    tail.iter().fold(_mm512_reduce_max_epu32(most), |most, x| most.max(x.to_bits() & 0x7fff_ffff))
}

/// The largest of each of sixteen vectors.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn largest(v: &[__m512i; LANES]) -> __m512i {
    let max = |a, b| _mm512_max_epu32(a, b);
    let pair = |i: usize| max(_mm512_unpacklo_epi32(v[i], v[i + 1]), _mm512_unpackhi_epi32(v[i], v[i + 1]));
    let four = |i: usize| {
        let (a, b) = (pair(i), pair(i + 2));
        max(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b))
    };
    let quarters = |a, b| max(_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0xdd>(a, b));
    quarters(quarters(four(0), four(4)), quarters(four(8), four(12)))
}

/// The int8 codes of 16 elements; the conversion rounds to nearest even.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn nearest(x: __m512) -> __m512i {
    _mm512_cvtps_epi32(x)
}

/// Twice the E2M1 values of 16 elements: see `format::e2m1::twice_number`, of which this is the vector form.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn twice(x: __m512) -> __m512i {
    let a = _mm512_min_ps(_mm512_abs_ps(x), _mm512_set1_ps(6.0));
    let octave =
        _mm512_and_si512(_mm512_castps_si512(_mm512_max_ps(a, _mm512_set1_ps(1.0))), _mm512_set1_epi32(0x7f80_0000));
    let align = _mm512_castsi512_ps(_mm512_add_epi32(octave, _mm512_set1_epi32(22 << 23)));
    let rounded = _mm512_sub_ps(_mm512_add_ps(a, align), align);
    let code = _mm512_cvtps_epi32(_mm512_add_ps(rounded, rounded));
    let negative = _mm512_movepi32_mask(_mm512_castps_si512(x));
    _mm512_mask_sub_epi32(code, negative, _mm512_setzero_si512(), code)
}

/// Codes of one vector of `x` times `inverse`; 0 where there is no scale, as 0 times an infinity would not be.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn codes_of<const TO: u8>(x: &[f32; LANES], inverse: __m512, some: u16, codes: &mut [i8; LANES]) {
    let scaled = _mm512_mul_ps(load_f32(x), inverse);
    let rounded = if TO == INT8 { nearest(scaled) } else { twice(scaled) };
    let bytes = _mm_maskz_mov_epi8(some, _mm512_cvtepi32_epi8(rounded));
    // SAFETY: 16 codes are there.
    unsafe { _mm_storeu_si128(codes.as_mut_ptr().cast(), bytes) };
}

/// One scale for all of `x`: the row's is returned.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn round_row(x: &[f32], codes: &mut [i8]) -> f32 {
    let (scale, inverse) = scale_and_inverse(amax_bits(x));
    let (x, x_tail) = x.as_chunks::<LANES>();
    let (codes, tail) = codes.as_chunks_mut::<LANES>();
    assert!(x.len() == codes.len() && x_tail.is_empty() && tail.is_empty(), "rows are whole blocks");
    let (some, inverse) = (if inverse == 0.0 { 0 } else { u16::MAX }, _mm512_set1_ps(inverse));
    for (x, codes) in x.iter().zip(codes) {
        codes_of::<INT8>(x, inverse, some, codes);
    }
    scale
}

/// Scales of sixteen blocks with these largest magnitudes, what their elements are multiplied by (0 for all codes 0), and the
/// bytes that stand for the scales: `format`'s functions of the same names in vectors, every step rounded as there.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn scales_of<const TO: u8>(amax: __m512i, row_scale: f32) -> (__m512, __m512, __m512i) {
    let all = |x: f32| _mm512_set1_ps(x);
    let word = |x: u32| _mm512_set1_epi32(x.cast_signed());
    let finite = _mm512_cmplt_epu32_mask(amax, word(INFINITE_BITS));
    let value = _mm512_castsi512_ps(amax);
    match TO {
        INT8 => {
            let some = finite & _mm512_cmp_ps_mask::<_CMP_GE_OQ>(value, all(NEGLIGIBLE));
            let scale = _mm512_mask_mov_ps(all(f32::NAN), finite, _mm512_maskz_div_ps(some, value, all(127.0)));
            (scale, _mm512_maskz_div_ps(some, all(127.0), value), word(0))
        }
        MXFP4 => {
            let exponent = _mm512_srli_epi32::<23>(amax);
            let code = _mm512_sub_epi32(_mm512_max_epu32(exponent, word(2)), word(2));
            let code = _mm512_mask_mov_epi32(word(e8m0::E8M0_NAN.into()), finite, code);
            let inverse = _mm512_maskz_slli_epi32::<23>(finite, _mm512_sub_epi32(word(254), code));
            let bits = _mm512_max_epu32(_mm512_slli_epi32::<23>(code), word(0x40_0000));
            let scale = _mm512_mask_mov_ps(all(f32::NAN), finite, _mm512_castsi512_ps(bits));
            (scale, _mm512_castsi512_ps(inverse), code)
        }
        _ => {
            let ratio = _mm512_div_ps(_mm512_div_ps(value, all(6.0)), all(row_scale));
            let bits = _mm512_castps_si512(ratio);
            // `e4m3::encode` of what is not negative.
            let odd = _mm512_and_si512(_mm512_srli_epi32::<20>(bits), word(1));
            let up = _mm512_add_epi32(_mm512_add_epi32(bits, word(0x7_ffff)), odd);
            let normal = _mm512_sub_epi32(_mm512_srli_epi32::<20>(up), word((127 - 7) << 3));
            let aligned = _mm512_castps_si512(_mm512_add_ps(ratio, all(16384.0)));
            let small = _mm512_sub_epi32(aligned, word(16384.0_f32.to_bits()));
            let is_small = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(ratio, all(0.015625));
            let code = _mm512_mask_mov_epi32(normal, is_small, small);
            let top = _mm512_cmp_ps_mask::<_CMP_GE_OQ>(ratio, all(e4m3::E4M3_MAX));
            let code = _mm512_mask_mov_epi32(code, top, word(0x7e));
            let code = _mm512_mask_mov_epi32(word(e4m3::E4M3_NAN.into()), finite, code);
            let mantissa = _mm512_and_si512(code, word(7));
            let subnormal = _mm512_mul_ps(_mm512_cvtepi32_ps(mantissa), all(1.0 / 512.0));
            let field = _mm512_add_epi32(_mm512_slli_epi32::<20>(code), word((127 - 7) << 23));
            let is_subnormal = _mm512_cmplt_epu32_mask(code, word(8));
            let scale = _mm512_mask_mov_ps(_mm512_castsi512_ps(field), is_subnormal, subnormal);
            let some = finite & _mm512_test_epi32_mask(code, code);
            let inverse = _mm512_maskz_div_ps(some, all(1.0), _mm512_mul_ps(scale, all(row_scale)));
            (_mm512_mask_mov_ps(all(f32::NAN), finite, scale), inverse, code)
        }
    }
}

/// A scale for each HALVES · 16 elements, in `scales`, and for FP4 its byte in `bytes`; what multiplies the row is returned.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn round_blocks<const TO: u8, const HALVES: usize>(
    x: &[f32],
    codes: &mut [i8],
    scales: &mut [f32],
    bytes: &mut [u8],
) -> f32 {
    let row_scale = if TO == NVFP4 {
        let most = amax_bits(x);
        // With an infinity or a NaN in the row, the slow way round them.
        if most < INFINITE_BITS { nvfp4::tensor_scale_of(f32::from_bits(most)) } else { nvfp4::tensor_scale(x) }
    } else {
        1.0
    };
    let (x, codes) = (x.as_chunks::<LANES>().0, codes.as_chunks_mut::<LANES>().0);
    let some = x.chunks(LANES * HALVES).zip(codes.chunks_mut(LANES * HALVES));
    for (((x, codes), scales), bytes) in some.zip(scales.chunks_mut(LANES)).zip(bytes.chunks_mut(LANES)) {
        let mut most = [_mm512_setzero_si512(); LANES];
        for (most, x) in most.iter_mut().zip(x.chunks_exact(HALVES)) {
            *most = magnitudes(&x[0]);
            if HALVES == 2 {
                *most = _mm512_max_epu32(*most, magnitudes(&x[1]));
            }
        }
        let (scale, inverse, byte) = scales_of::<TO>(largest(&most), row_scale);
        let blocks = x.len() / HALVES;
        let there = 0xffff >> (LANES - blocks);
        let (scales, bytes) = (&mut scales[..blocks], &mut bytes[..blocks]);
        // SAFETY: the mask keeps the store inside `scales`.
        unsafe { _mm512_mask_storeu_ps(scales.as_mut_ptr(), there, scale) };
        // SAFETY: the mask keeps the store inside `bytes`.
        unsafe { _mm512_mask_cvtepi32_storeu_epi8(bytes.as_mut_ptr().cast(), there, byte) };
        let mut inverses = [0.0; LANES];
        // SAFETY: 16 values are there.
        unsafe { _mm512_storeu_ps(inverses.as_mut_ptr(), inverse) };
        for ((x, codes), inverse) in x.chunks_exact(HALVES).zip(codes.chunks_exact_mut(HALVES)).zip(inverses) {
            let some = if inverse == 0.0 { 0 } else { u16::MAX };
            for (x, codes) in x.iter().zip(codes) {
                codes_of::<TO>(x, _mm512_set1_ps(inverse), some, codes);
            }
        }
    }
    match TO {
        INT8 => 1.0,
        MXFP4 => 0.5,
        _ => 0.5 * row_scale,
    }
}
