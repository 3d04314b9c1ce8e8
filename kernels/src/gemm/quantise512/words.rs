//! Codes into the words that kernels read: four of k a word, with the starts of the sums beside them.
#![expect(unsafe_code, reason = "vector loads and stores")]

use crate::gemm::avx512_vnni::layout::{self, CODES, SPAN, Words, kind};
use crate::gemm::integer::{self, GROUP};
use crate::gemm::tiled::Quantise;
use std::arch::x86_64::*;

/// A row by itself or interleaved with others of its group: each block's codes, its start and its scale.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn row(call: &mut Quantise<'_>, at: usize) {
    let (op, block, group) = (call.op, call.op.block(), call.op.activations.group());
    let (words, offset) = (integer::words(block), integer::offset(op.weights));
    let grain = call.grain;
    let out = &mut call.out[at / grain * grain * (op.k / block) * words..];
    for ((b, codes), out) in call.codes[..op.k].chunks_exact(block).enumerate().zip(out.chunks_exact_mut(words * grain))
    {
        let out = &mut out[at % grain..];
        let (mut sum, each) = (0, _mm_set1_epi8(offset as i8));
        for (code, out) in codes.as_chunks::<4>().0.iter().zip(out.chunks_mut(grain)) {
            out[0] = i32::from_le_bytes(code.map(i8::cast_unsigned));
        }
        for codes in codes.as_chunks::<16>().0 {
            // SAFETY: 16 bytes are there.
            let codes = unsafe { _mm_loadu_si128(codes.as_ptr().cast()) };
            let sums = _mm_dpbusd_epi32(_mm_setzero_si128(), each, codes);
            let halves = _mm_add_epi32(sums, _mm_unpackhi_epi64(sums, sums));
            sum += _mm_cvtsi128_si32(halves) + _mm_extract_epi32::<1>(halves);
        }
        out[block / 4 * grain] = -sum;
        out[(block / 4 + 1) * grain] =
            if group == 1 { 0 } else { call.scales[b * block / group].to_bits().cast_signed() };
    }
}

/// Sixteen words of each of four rows, interleaved.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn interleave(rows: [__m512i; GROUP]) -> [__m512i; GROUP] {
    let [a, b, c, d] = rows;
    let (ab, cd) = (_mm512_unpacklo_epi32(a, b), _mm512_unpacklo_epi32(c, d));
    let (ab_high, cd_high) = (_mm512_unpackhi_epi32(a, b), _mm512_unpackhi_epi32(c, d));
    // Quarter q of the i-th holds word 4q + i of all rows.
    let (w, x) = (_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    let (y, z) = (_mm512_unpacklo_epi64(ab_high, cd_high), _mm512_unpackhi_epi64(ab_high, cd_high));
    let (wx, wx_high) = (_mm512_shuffle_i32x4::<0x44>(w, x), _mm512_shuffle_i32x4::<0xee>(w, x));
    let (yz, yz_high) = (_mm512_shuffle_i32x4::<0x44>(y, z), _mm512_shuffle_i32x4::<0xee>(y, z));
    [
        _mm512_shuffle_i32x4::<0x88>(wx, yz),
        _mm512_shuffle_i32x4::<0xdd>(wx, yz),
        _mm512_shuffle_i32x4::<0x88>(wx_high, yz_high),
        _mm512_shuffle_i32x4::<0xdd>(wx_high, yz_high),
    ]
}

/// The codes of four rows and what their sums start at, span by span.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn quad(call: &mut Quantise<'_>, quad: usize) {
    let (op, block) = (call.op, call.op.block());
    let at = Words::of(block, kind(op.activations));
    let padded = op.k.next_multiple_of(SPAN);
    let offset = _mm512_set1_epi8(layout::offset(op.weights) as i8);
    let out = call.out[quad / GROUP * (padded / SPAN) * at.len..].chunks_exact_mut(at.len);
    let rows: [&[[i8; SPAN]]; GROUP] =
        std::array::from_fn(|r| call.codes[r * padded..][..padded].as_chunks::<SPAN>().0);
    for (s, out) in out.take(padded / SPAN).enumerate() {
        let (codes, rest) = out.split_at_mut(GROUP * CODES);
        let mut sums = [_mm_setzero_si128(); 2 * GROUP];
        for half in 0..2 {
            let mut words = [_mm512_setzero_si512(); GROUP];
            for r in 0..GROUP {
                let codes = &rows[r][s].as_chunks::<64>().0[half];
                // SAFETY: 64 codes are there.
                words[r] = unsafe { _mm512_loadu_si512(codes.as_ptr().cast()) };
            }
            for (i, line) in interleave(words).into_iter().enumerate() {
                let codes = &mut codes.as_chunks_mut::<16>().0[half * GROUP + i];
                // SAFETY: 16 words are there.
                unsafe { _mm512_storeu_si512(codes.as_mut_ptr().cast(), line) };
                // Four words of each row: a block of 16.
                let part = _mm512_dpbusd_epi32(_mm512_setzero_si512(), offset, line);
                let (a, b) = (_mm512_castsi512_si256(part), _mm512_extracti64x4_epi64::<1>(part));
                let part = _mm256_add_epi32(a, b);
                sums[half * GROUP + i] =
                    _mm_add_epi32(_mm256_castsi256_si128(part), _mm256_extracti128_si256::<1>(part));
            }
        }
        let mut whole = _mm_setzero_si128();
        let (starts, rest) = rest.as_chunks_mut::<GROUP>().0.split_at_mut(SPAN / block);
        for (b, start) in starts.iter_mut().enumerate() {
            let sum = if block == 16 { sums[b] } else { _mm_add_epi32(sums[2 * b], sums[2 * b + 1]) };
            let negative = _mm_sub_epi32(_mm_setzero_si128(), sum);
            whole = _mm_add_epi32(whole, negative);
            // SAFETY: four words are there.
            unsafe { _mm_storeu_si128(start.as_mut_ptr().cast(), negative) };
        }
        // SAFETY: four words are there.
        unsafe { _mm_storeu_si128(rest[0].as_mut_ptr().cast(), whole) };
    }
}
