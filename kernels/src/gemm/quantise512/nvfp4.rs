//! nvfp4 scales of a quad into its words, brought to what a span can share: 8 blocks of 4 rows in one vector of bytes.
#![expect(unsafe_code, reason = "vector loads and stores")]

use super::align::SHIFTS;
use crate::format::e4m3::E4M3_NAN;
use crate::gemm::avx512_vnni::layout::{FP4, SPAN, Words};
use crate::gemm::integer::GROUP;
use crate::gemm::packed::LINE;
use crate::gemm::tiled::Quantise;
use std::arch::x86_64::*;

/// Blocks of a span.
pub(super) const BLOCKS: usize = SPAN / 16;

/// For each mantissa of a subnormal scale, m · 2⁻⁹: its mantissa 8 … 15, and its exponent above 2⁻²⁰. 0 is (8, 0).
const SUBNORMAL: ([i8; 8], [i8; 8]) = ([8, 8, 8, 12, 8, 10, 12, 14], [0, 8, 9, 9, 10, 10, 10, 10]);
/// The exponent of a normal scale, (8 + m) · 2^(e − 10), above 2⁻²⁰, less e.
const NORMAL: i8 = 10;
/// The exponent field of 2⁻²⁰.
const UNIT: i32 = 127 - 20;
/// The exponent of a span all of whose scales are 0: 2⁰.
const ONE: i8 = 20;

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn store(words: &mut [i32], at: usize, v: __m512i) {
    let words = &mut words[at..at + 16];
    // SAFETY: 16 words are there.
    unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), v) };
}

/// Eight numbers of bytes for each mantissa, in both halves.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn table(of: [i8; 8]) -> __m256i {
    _mm256_set1_epi64x(i64::from_le_bytes(of.map(i8::cast_unsigned)))
}

/// Four bytes, one a row, of the least or most of 8 · 4.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn of_rows(v: __m256i, of: impl Fn(__m128i, __m128i) -> __m128i) -> __m128i {
    let v = of(_mm256_castsi256_si128(v), _mm256_extracti128_si256::<1>(v));
    let v = of(v, _mm_shuffle_epi32::<0x4e>(v));
    of(v, _mm_shuffle_epi32::<0xb1>(v))
}

/// Puts the scales of the quad at `quad`, whose bytes stand in the call's scratch a row behind the other, into its words; shifts
/// the codes of rows and spans whose exponents lie close enough to share one, and says of which they do not.
///
/// Each block of a span that shares keeps the mantissa of its scale, less 8, as the place of a line. A block whose scale is 0 holds zeros.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn scales(call: &mut Quantise<'_>, quad: usize) {
    let at = const { Words::of(16, FP4) };
    let spans = call.op.k.div_ceil(SPAN);
    let bytes: [&[[u8; BLOCKS]]; GROUP] =
        std::array::from_fn(|r| call.bytes[r * spans * BLOCKS..][..spans * BLOCKS].as_chunks().0);
    let (codes, _) = call.codes[..GROUP * spans * SPAN].as_chunks_mut::<SPAN>();
    let out = call.out[quad / GROUP * spans * at.len..].chunks_exact_mut(at.len);
    let all = |x: i8| _mm256_set1_epi8(x);
    for (s, out) in out.take(spans).enumerate() {
        let mut row = [_mm_setzero_si128(); GROUP];
        for r in 0..GROUP {
            row[r] = _mm_cvtsi64_si128(i64::from_le_bytes(bytes[r][s]));
        }
        // Byte 4b + r is block b of row r, as the words stand.
        let (even, odd) = (_mm_unpacklo_epi8(row[0], row[2]), _mm_unpacklo_epi8(row[1], row[3]));
        let code = _mm256_set_m128i(_mm_unpackhi_epi8(even, odd), _mm_unpacklo_epi8(even, odd));
        let (exponent, fraction) =
            (_mm256_and_si256(_mm256_srli_epi16::<3>(code), all(15)), _mm256_and_si256(code, all(7)));
        let (normal, some) = (_mm256_test_epi8_mask(exponent, exponent), _mm256_test_epi8_mask(code, all(0x7f)));
        let nan = _mm256_cmpeq_epi8_mask(_mm256_and_si256(code, all(0x7f)), all(E4M3_NAN.cast_signed()));
        let small = _mm256_shuffle_epi8(table(SUBNORMAL.0), fraction);
        let mantissa = _mm256_mask_add_epi8(small, normal, fraction, all(8));
        let small = _mm256_shuffle_epi8(table(SUBNORMAL.1), fraction);
        let power = _mm256_mask_add_epi8(small, normal, exponent, all(NORMAL));
        let least = of_rows(_mm256_mask_mov_epi8(all(-1), some, power), |a, b| _mm_min_epu8(a, b));
        let most = of_rows(_mm256_maskz_mov_epi8(some, power), |a, b| _mm_max_epu8(a, b));
        let far = _mm_cmpgt_epu8_mask(_mm_subs_epu8(most, least), _mm_set1_epi8(SHIFTS.cast_signed()));
        let nans = (0..32).step_by(GROUP).fold(0, |nans, b| nans | nan >> b);
        let apart = (u32::from(far) | nans) & 15;
        let none = _mm_cmplt_epu8_mask(most, least);
        let least = _mm_mask_mov_epi8(least, none, _mm_set1_epi8(ONE));
        // Rows that do not share keep each block's exponent.
        let base = _mm256_mask_mov_epi8(_mm256_broadcastd_epi32(least), apart * 0x1111_1111, power);
        let power_of = |bytes: __m128i| {
            let field = _mm512_add_epi32(_mm512_cvtepu8_epi32(bytes), _mm512_set1_epi32(UNIT));
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(field))
        };
        for half in 0..2 {
            let half_of = |v| if half == 0 { _mm256_castsi256_si128(v) } else { _mm256_extracti128_si256::<1>(v) };
            let whole = _mm512_cvtepu8_epi32(half_of(mantissa));
            let (some, nan) = ((some >> (16 * half)) as u16, (nan >> (16 * half)) as u16);
            let value = _mm512_maskz_mul_ps(some, _mm512_cvtepi32_ps(whole), power_of(half_of(base)));
            let value = _mm512_mask_mov_ps(value, nan, _mm512_set1_ps(f32::NAN));
            store(out, at.scales + 16 * half, _mm512_castps_si512(value));
            let index = _mm512_slli_epi32::<{ LINE.ilog2() }>(_mm512_sub_epi32(whole, _mm512_set1_epi32(8)));
            store(out, at.index + 16 * half, index);
        }
        let mut shared = [0_i32; 16];
        store(&mut shared, 0, _mm512_castps_si512(power_of(least)));
        for r in 0..GROUP {
            out[at.shared + r] = if apart >> r & 1 == 0 { shared[r] } else { 0 };
        }
        out[at.apart] = apart.cast_signed();
        let shift = _mm256_subs_epu8(power, base);
        if _mm256_testz_si256(shift, shift) == 0 {
            for r in 0..GROUP {
                shift_row(&mut codes[r * spans + s], r as i8, shift);
            }
        }
    }
}

/// Shifts the codes of row `r` left, each block by its byte 4b + r of `by`, which the caller knows to lose nothing.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn shift_row(codes: &mut [i8; SPAN], r: i8, by: __m256i) {
    let kept = _mm512_set1_epi32(i32::from_le_bytes([0xff, 0xfe, 0xfc, 0xf8]));
    for (half, codes) in codes.as_chunks_mut::<64>().0.iter_mut().enumerate() {
        let lanes = _mm512_add_epi32(
            _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3),
            _mm512_set1_epi32(4 * half as i32),
        );
        let blocks = _mm512_permutexvar_epi32(lanes, _mm512_castsi256_si512(by));
        let by = _mm512_shuffle_epi8(blocks, _mm512_set1_epi8(r));
        // SAFETY: 64 codes are there.
        let x = unsafe { _mm512_loadu_si512(codes.as_ptr().cast()) };
        // Shifted by pairs: what the lower code loses to the upper is cut off again.
        let x = _mm512_sllv_epi16(x, _mm512_and_si512(by, _mm512_set1_epi16(0xff)));
        let x = _mm512_and_si512(x, _mm512_shuffle_epi8(kept, by));
        // SAFETY: 64 codes are there.
        unsafe { _mm512_storeu_si512(codes.as_mut_ptr().cast(), x) };
    }
}
