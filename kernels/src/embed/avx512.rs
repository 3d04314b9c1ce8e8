//! Codes of the formats to sixteen f32, with AVX-512.
#![expect(unsafe_code, reason = "vector loads take pointers")]

use crate::cpu::f32x16::avx512::{Lanes, load};
use crate::format::E2M1_VALUES;
use std::arch::x86_64::*;

/// Eight bytes of two E2M1 codes each, the low one first.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn from_e2m1(codes: &[u8; 8]) -> Lanes {
    let pairs = _mm_cvtsi64_si128(i64::from_le_bytes(*codes));
    let low = _mm_unpacklo_epi8(pairs, _mm_srli_epi16::<4>(pairs));
    // The permute looks at the lowest four bits of a lane alone.
    _mm512_permutexvar_ps(_mm512_cvtepu8_epi32(low), load(&E2M1_VALUES))
}

/// Signed bytes.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn from_bytes(codes: &[u8; 16]) -> Lanes {
    _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(sixteen(codes)))
}

/// The lower halves of the bytes, less 8 each, and the upper ones.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn from_nibbles(codes: &[u8; 16]) -> [Lanes; 2] {
    let codes = _mm512_cvtepu8_epi32(sixteen(codes));
    let value = |code| _mm512_cvtepi32_ps(_mm512_sub_epi32(code, _mm512_set1_epi32(8)));
    [value(_mm512_and_epi32(codes, _mm512_set1_epi32(15))), value(_mm512_srli_epi32::<4>(codes))]
}

/// bf16, little-endian.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn from_bf16(codes: &[u8; 32]) -> Lanes {
    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(thirty_two(codes))))
}

/// f16, little-endian.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn from_f16(codes: &[u8; 32]) -> Lanes {
    _mm512_cvtph_ps(thirty_two(codes))
}

#[target_feature(enable = "sse2")]
#[inline]
fn sixteen(x: &[u8; 16]) -> __m128i {
    // SAFETY: reads exactly the sixteen bytes of `x`, wherever they lie.
    unsafe { _mm_loadu_si128(x.as_ptr().cast()) }
}

#[target_feature(enable = "avx")]
#[inline]
fn thirty_two(x: &[u8; 32]) -> __m256i {
    // SAFETY: reads exactly the thirty-two bytes of `x`, wherever they lie.
    unsafe { _mm256_loadu_si256(x.as_ptr().cast()) }
}
