//! Codes of the formats to sixteen f32, with AVX2.
#![expect(unsafe_code, reason = "vector loads take pointers")]

use crate::cpu::f32x16::avx2::Lanes;
use crate::format::E2M1_VALUES;
use std::arch::x86_64::*;

/// The first eight of E2M1, which are not negative.
const MAGNITUDES: [f32; 8] = *E2M1_VALUES.first_chunk().expect("there are sixteen values");

/// Eight bytes of two E2M1 codes each, the low one first.
#[target_feature(enable = "avx2")]
#[inline]
pub(super) fn from_e2m1(codes: &[u8; 8]) -> Lanes {
    let pairs = _mm_cvtsi64_si128(i64::from_le_bytes(*codes));
    let codes = _mm_unpacklo_epi8(pairs, _mm_srli_epi16::<4>(pairs));
    // SAFETY: reads exactly the eight elements.
    let magnitudes = unsafe { _mm256_loadu_ps(MAGNITUDES.as_ptr()) };
    let value = |codes| {
        let codes = _mm256_cvtepu8_epi32(codes);
        // The permute looks at the lowest three bits, the magnitude; the fourth is the sign, the others are the neighbour's.
        let sign = _mm256_and_si256(_mm256_slli_epi32::<28>(codes), _mm256_set1_epi32(i32::MIN));
        _mm256_xor_ps(_mm256_permutevar8x32_ps(magnitudes, codes), _mm256_castsi256_ps(sign))
    };
    Lanes(value(codes), value(_mm_srli_si128::<8>(codes)))
}

/// Signed bytes.
#[target_feature(enable = "avx2")]
#[inline]
pub(super) fn from_bytes(codes: &[u8; 16]) -> Lanes {
    let codes = sixteen(codes);
    let value = |codes| _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(codes));
    Lanes(value(codes), value(_mm_srli_si128::<8>(codes)))
}

/// The lower halves of the bytes, less 8 each, and the upper ones.
#[target_feature(enable = "avx2")]
#[inline]
pub(super) fn from_nibbles(codes: &[u8; 16]) -> [Lanes; 2] {
    let codes = sixteen(codes);
    let mask = _mm_set1_epi8(15);
    [codes, _mm_srli_epi16::<4>(codes)].map(|codes| {
        let codes = _mm_sub_epi8(_mm_and_si128(codes, mask), _mm_set1_epi8(8));
        let value = |codes| _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(codes));
        Lanes(value(codes), value(_mm_srli_si128::<8>(codes)))
    })
}

/// bf16, little-endian.
#[target_feature(enable = "avx2")]
#[inline]
pub(super) fn from_bf16(codes: &[u8; 32]) -> Lanes {
    let value = |codes| _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(codes)));
    let [low, high] = halves(codes);
    Lanes(value(low), value(high))
}

/// f16, little-endian.
#[target_feature(enable = "avx2,f16c")]
#[inline]
pub(super) fn from_f16(codes: &[u8; 32]) -> Lanes {
    let [low, high] = halves(codes);
    Lanes(_mm256_cvtph_ps(low), _mm256_cvtph_ps(high))
}

#[target_feature(enable = "sse2")]
#[inline]
fn halves(x: &[u8; 32]) -> [__m128i; 2] {
    let halves = x.as_chunks().0;
    [sixteen(&halves[0]), sixteen(&halves[1])]
}

#[target_feature(enable = "sse2")]
#[inline]
fn sixteen(x: &[u8; 16]) -> __m128i {
    // SAFETY: reads exactly the sixteen bytes of `x`, wherever they lie.
    unsafe { _mm_loadu_si128(x.as_ptr().cast()) }
}
