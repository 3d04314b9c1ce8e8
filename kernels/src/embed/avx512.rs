//! Embedding with AVX-512: sixteen elements at a time, the same bits as the formats' own decoders.
#![expect(unsafe_code, reason = "vector loads take pointers; a kernel is declared for its instructions")]

use super::{Args, Embed};
use crate::cpu::f32x16::{load, store};
use crate::cpu::isa;
use crate::cpu::variant::Variant;
use crate::format::{E2M1_VALUES, Format, e4m3, e8m0, f16};
use std::arch::x86_64::*;

// SAFETY: `tokens` asks of its caller only the features of its attribute, which AVX512 contains.
pub(super) static AVX512: Variant<Embed> = unsafe { Variant::<Embed>::new("avx512", isa::AVX512, tokens) };

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
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

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn mxfp4(bytes: &[u8], x: &mut [f32]) {
    for (block, x) in bytes.as_chunks::<17>().0.iter().zip(x.as_chunks_mut::<32>().0) {
        let scale = _mm512_set1_ps(e8m0::decode(block[0]));
        for (codes, x) in block[1..].as_chunks().0.iter().zip(x.as_chunks_mut().0) {
            store(x, _mm512_mul_ps(e2m1(codes), scale));
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn nvfp4(bytes: &[u8], tensor: f32, x: &mut [f32]) {
    let tensor = _mm512_set1_ps(tensor);
    for (block, x) in bytes.as_chunks::<9>().0.iter().zip(x.as_chunks_mut::<16>().0) {
        let scale = _mm512_set1_ps(e4m3::decode(block[0]));
        for (codes, x) in block[1..].as_chunks().0.iter().zip(x.as_chunks_mut().0) {
            store(x, _mm512_mul_ps(_mm512_mul_ps(e2m1(codes), scale), tensor));
        }
    }
}

/// Eight bytes of two E2M1 codes each, the low one first.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
#[inline]
fn e2m1(codes: &[u8; 8]) -> __m512 {
    let pairs = _mm_cvtsi64_si128(i64::from_le_bytes(*codes));
    let low = _mm_unpacklo_epi8(pairs, _mm_srli_epi16::<4>(pairs));
    // The permute looks at the lowest four bits of a lane alone.
    _mm512_permutexvar_ps(_mm512_cvtepu8_epi32(low), load(&E2M1_VALUES))
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn q8_0(bytes: &[u8], x: &mut [f32]) {
    for (block, x) in bytes.as_chunks::<34>().0.iter().zip(x.as_chunks_mut::<32>().0) {
        let scale = _mm512_set1_ps(f16::decode(u16::from_le_bytes([block[0], block[1]])));
        for (codes, x) in block[2..].as_chunks().0.iter().zip(x.as_chunks_mut().0) {
            store(x, _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(sixteen(codes))), scale));
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn q4_0(bytes: &[u8], x: &mut [f32]) {
    for (block, x) in bytes.as_chunks::<18>().0.iter().zip(x.as_chunks_mut::<32>().0) {
        let scale = _mm512_set1_ps(f16::decode(u16::from_le_bytes([block[0], block[1]])));
        let (low, high) = x.split_at_mut(16);
        let halves = low.as_chunks_mut().0.iter_mut().zip(high.as_chunks_mut().0);
        for (codes, (low, high)) in block[2..].as_chunks().0.iter().zip(halves) {
            let codes = _mm512_cvtepu8_epi32(sixteen(codes));
            let value = |code| _mm512_cvtepi32_ps(_mm512_sub_epi32(code, _mm512_set1_epi32(8)));
            store(low, _mm512_mul_ps(value(_mm512_and_epi32(codes, _mm512_set1_epi32(15))), scale));
            store(high, _mm512_mul_ps(value(_mm512_srli_epi32::<4>(codes)), scale));
        }
    }
}

#[target_feature(enable = "sse2")]
#[inline]
fn sixteen(x: &[u8; 16]) -> __m128i {
    // SAFETY: reads exactly the sixteen bytes of `x`, wherever they lie.
    unsafe { _mm_loadu_si128(x.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn bf16(bytes: &[u8], x: &mut [f32]) {
    let (x, rest) = x.as_chunks_mut::<16>();
    let (bytes, bytes_rest) = bytes.as_chunks::<32>();
    for (bytes, x) in bytes.iter().zip(x) {
        let bits = _mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(thirty_two(bytes)));
        store(x, _mm512_castsi512_ps(bits));
    }
    Format::Bf16.dequantize(bytes_rest, 1.0, rest);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn half(bytes: &[u8], x: &mut [f32]) {
    let (x, rest) = x.as_chunks_mut::<16>();
    let (bytes, bytes_rest) = bytes.as_chunks::<32>();
    for (bytes, x) in bytes.iter().zip(x) {
        store(x, _mm512_cvtph_ps(thirty_two(bytes)));
    }
    Format::F16.dequantize(bytes_rest, 1.0, rest);
}

#[target_feature(enable = "avx")]
#[inline]
fn thirty_two(x: &[u8; 32]) -> __m256i {
    // SAFETY: reads exactly the thirty-two bytes of `x`, wherever they lie.
    unsafe { _mm256_loadu_si256(x.as_ptr().cast()) }
}
