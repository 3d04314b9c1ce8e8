//! Embedding with AVX2: eight elements at a time, the same bits as the formats' own decoders.
#![expect(unsafe_code, reason = "vector loads take pointers; a kernel is declared for its instructions")]

use super::{Args, Embed};
use crate::cpu::f32x8::{load, store};
use crate::cpu::isa;
use crate::cpu::variant::Variant;
use crate::format::{E2M1_VALUES, Format, e4m3, e8m0, f16};
use std::arch::x86_64::*;

// SAFETY: `tokens` asks of its caller only the features of its attribute, which AVX2 contains.
pub(super) static AVX2: Variant<Embed> = unsafe { Variant::<Embed>::new("avx2", isa::AVX2, tokens) };

#[target_feature(enable = "avx2,fma,f16c")]
fn tokens(args: &mut Args<'_>) {
    let format = args.format;
    args.each_token(|bytes, scale, x| match format {
        Format::Mxfp4 => mxfp4(bytes, x),
        Format::Nvfp4 => nvfp4(bytes, scale, x),
        Format::Q8_0 => q8_0(bytes, x),
        Format::Q4_0 => q4_0(bytes, x),
        Format::Bf16 => bf16(bytes, x),
        Format::F16 => half(bytes, x),
        Format::F32 => format.dequantize(bytes, scale, x),
    });
}

#[target_feature(enable = "avx2,fma,f16c")]
fn mxfp4(bytes: &[u8], x: &mut [f32]) {
    for (block, x) in bytes.as_chunks::<17>().0.iter().zip(x.as_chunks_mut::<32>().0) {
        let scale = _mm256_set1_ps(e8m0::decode(block[0]));
        for (codes, x) in block[1..].as_chunks().0.iter().zip(x.as_chunks_mut().0) {
            store(x, _mm256_mul_ps(e2m1(codes), scale));
        }
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn nvfp4(bytes: &[u8], tensor: f32, x: &mut [f32]) {
    let tensor = _mm256_set1_ps(tensor);
    for (block, x) in bytes.as_chunks::<9>().0.iter().zip(x.as_chunks_mut::<16>().0) {
        let scale = _mm256_set1_ps(e4m3::decode(block[0]));
        for (codes, x) in block[1..].as_chunks().0.iter().zip(x.as_chunks_mut().0) {
            store(x, _mm256_mul_ps(_mm256_mul_ps(e2m1(codes), scale), tensor));
        }
    }
}

/// Four bytes of two E2M1 codes each, the low one first.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn e2m1(codes: &[u8; 4]) -> __m256 {
    let pairs = _mm_cvtsi32_si128(i32::from_le_bytes(*codes));
    let codes = _mm256_cvtepu8_epi32(_mm_unpacklo_epi8(pairs, _mm_srli_epi16::<4>(pairs)));
    // The permute looks at the lowest three bits, the magnitude; the fourth is the sign, the others are the neighbour's.
    let magnitude = _mm256_permutevar8x32_ps(load(&MAGNITUDES), codes);
    let sign = _mm256_and_si256(_mm256_slli_epi32::<28>(codes), _mm256_set1_epi32(i32::MIN));
    _mm256_xor_ps(magnitude, _mm256_castsi256_ps(sign))
}

/// The first eight of E2M1, which are not negative.
const MAGNITUDES: [f32; 8] = *E2M1_VALUES.first_chunk().expect("there are sixteen values");

#[target_feature(enable = "avx2,fma,f16c")]
fn q8_0(bytes: &[u8], x: &mut [f32]) {
    for (block, x) in bytes.as_chunks::<34>().0.iter().zip(x.as_chunks_mut::<32>().0) {
        let scale = _mm256_set1_ps(f16::decode(u16::from_le_bytes([block[0], block[1]])));
        for (codes, x) in block[2..].as_chunks().0.iter().zip(x.as_chunks_mut().0) {
            store(x, _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(eight(codes))), scale));
        }
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn q4_0(bytes: &[u8], x: &mut [f32]) {
    for (block, x) in bytes.as_chunks::<18>().0.iter().zip(x.as_chunks_mut::<32>().0) {
        let scale = _mm256_set1_ps(f16::decode(u16::from_le_bytes([block[0], block[1]])));
        let (low, high) = x.split_at_mut(16);
        let halves = low.as_chunks_mut().0.iter_mut().zip(high.as_chunks_mut().0);
        for (codes, (low, high)) in block[2..].as_chunks().0.iter().zip(halves) {
            let codes = _mm256_cvtepu8_epi32(eight(codes));
            let value = |code| _mm256_cvtepi32_ps(_mm256_sub_epi32(code, _mm256_set1_epi32(8)));
            store(low, _mm256_mul_ps(value(_mm256_and_si256(codes, _mm256_set1_epi32(15))), scale));
            store(high, _mm256_mul_ps(value(_mm256_srli_epi32::<4>(codes)), scale));
        }
    }
}

#[target_feature(enable = "sse2")]
#[inline]
fn eight(x: &[u8; 8]) -> __m128i {
    // SAFETY: reads exactly the eight bytes of `x`, wherever they lie.
    unsafe { _mm_loadl_epi64(x.as_ptr().cast()) }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn bf16(bytes: &[u8], x: &mut [f32]) {
    let (x, rest) = x.as_chunks_mut::<8>();
    let (bytes, bytes_rest) = bytes.as_chunks::<16>();
    for (bytes, x) in bytes.iter().zip(x) {
        let bits = _mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(sixteen(bytes)));
        store(x, _mm256_castsi256_ps(bits));
    }
    Format::Bf16.dequantize(bytes_rest, 1.0, rest);
}

#[target_feature(enable = "avx2,fma,f16c")]
fn half(bytes: &[u8], x: &mut [f32]) {
    let (x, rest) = x.as_chunks_mut::<8>();
    let (bytes, bytes_rest) = bytes.as_chunks::<16>();
    for (bytes, x) in bytes.iter().zip(x) {
        store(x, _mm256_cvtph_ps(sixteen(bytes)));
    }
    Format::F16.dequantize(bytes_rest, 1.0, rest);
}

#[target_feature(enable = "sse2")]
#[inline]
fn sixteen(x: &[u8; 16]) -> __m128i {
    // SAFETY: reads exactly the sixteen bytes of `x`, wherever they lie.
    unsafe { _mm_loadu_si128(x.as_ptr().cast()) }
}
