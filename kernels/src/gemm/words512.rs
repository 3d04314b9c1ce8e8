//! Rows of f32 into the words of groups of eight, by vectors: word by word each is a store of its own.
#![expect(unsafe_code, reason = "masked loads and vector stores")]

use super::Activations;
use super::float::{GROUP, apart};
use super::packed::LANES;
use super::tiled::Quantise;
use std::arch::x86_64::*;

const _: () = assert!(GROUP == 8);

/// bf16 in f32 of 16 values, as `format::bf16::encode` rounds.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn to_bf16(x: __m512i) -> __m512i {
    let word = |x: i32| _mm512_set1_epi32(x);
    let even = _mm512_and_si512(_mm512_srli_epi32::<16>(x), word(1));
    let up = _mm512_add_epi32(_mm512_add_epi32(x, word(0x7fff)), even);
    let value = _mm512_castsi512_ps(x);
    let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(value, value);
    let rounded = _mm512_mask_or_epi32(up, nan, x, word(0x40_0000));
    _mm512_and_si512(rounded, word(0xffff_0000_u32.cast_signed()))
}

/// Sixteen words of each of eight rows: vector i holds words 2i and 2i + 1 of all rows.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn interleave(rows: [__m512i; GROUP]) -> [__m512i; GROUP] {
    let mut four = [[_mm512_setzero_si512(); 4]; 2];
    for half in 0..2 {
        let [a, b, c, d] = [0, 1, 2, 3].map(|r| rows[4 * half + r]);
        let (ab, cd) = (_mm512_unpacklo_epi32(a, b), _mm512_unpacklo_epi32(c, d));
        let (ab_high, cd_high) = (_mm512_unpackhi_epi32(a, b), _mm512_unpackhi_epi32(c, d));
        // Quarter q of the i-th holds word 4q + i of the four rows.
        four[half] = [
            _mm512_unpacklo_epi64(ab, cd),
            _mm512_unpackhi_epi64(ab, cd),
            _mm512_unpacklo_epi64(ab_high, cd_high),
            _mm512_unpackhi_epi64(ab_high, cd_high),
        ];
    }
    let mut out = [_mm512_setzero_si512(); GROUP];
    for pair in 0..2 {
        let [a, b] = [2 * pair, 2 * pair + 1];
        // Quarters 0 and 2, then 1 and 3, of words 4q + a and 4q + b.
        let [low, low_high] = [(0, a), (1, a)].map(|(half, i)| four[half][i]);
        let [high, high_high] = [(0, b), (1, b)].map(|(half, i)| four[half][i]);
        for q in 0..4 {
            out[2 * q + pair] = quarters(q, low, low_high, high, high_high);
        }
    }
    out
}

/// Quarter `q` of each of four vectors.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn quarters(q: usize, a: __m512i, b: __m512i, c: __m512i, d: __m512i) -> __m512i {
    let (ab, cd) = match q {
        0 => (_mm512_shuffle_i32x4::<0x00>(a, b), _mm512_shuffle_i32x4::<0x00>(c, d)),
        1 => (_mm512_shuffle_i32x4::<0x55>(a, b), _mm512_shuffle_i32x4::<0x55>(c, d)),
        2 => (_mm512_shuffle_i32x4::<0xaa>(a, b), _mm512_shuffle_i32x4::<0xaa>(c, d)),
        _ => (_mm512_shuffle_i32x4::<0xff>(a, b), _mm512_shuffle_i32x4::<0xff>(c, d)),
    };
    _mm512_shuffle_i32x4::<0x88>(ab, cd)
}

/// The call's rows as f32 words in groups, rounded to bf16 where the op asks for it. Missing rows of the last group are zeros.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(super) fn put_groups(call: &mut Quantise<'_>) {
    let (k, first) = (call.op.k, call.rows.start);
    let narrow = call.op.activations == Activations::Bf16;
    call.row_scales.fill(call.factor);
    for (group, out) in call.out.chunks_exact_mut(GROUP * apart(k)).enumerate() {
        let rows = first + group * GROUP..call.rows.end.min(first + (group + 1) * GROUP);
        // A group has words for whole panels: what is behind the last of k may be written to.
        for (at, out) in (0..k).step_by(LANES).zip(out.as_chunks_mut::<{ GROUP * LANES }>().0) {
            let some = LANES.min(k - at);
            let mut words = [_mm512_setzero_si512(); GROUP];
            for (row, word) in rows.clone().zip(&mut words) {
                let x = &call.x[row * k + at..][..some];
                // SAFETY: the mask keeps the load inside `x`.
                *word = unsafe { _mm512_maskz_loadu_epi32(0xffff >> (LANES - some), x.as_ptr().cast()) };
                if narrow {
                    *word = to_bf16(*word);
                }
            }
            for (word, out) in interleave(words).into_iter().zip(out.as_chunks_mut::<LANES>().0) {
                // SAFETY: 16 words are there.
                unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), word) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::bf16;

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    fn rounded(x: &[u32; 16]) -> [u32; 16] {
        let mut out = [0; 16];
        // SAFETY: 16 words are there.
        let x = to_bf16(unsafe { _mm512_loadu_si512(x.as_ptr().cast()) });
        // SAFETY: as above.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), x) };
        out
    }

    #[test]
    fn a_vector_rounds_to_bf16_as_a_number_does() {
        if crate::cpu::isa::require(crate::cpu::isa::AVX512).is_err() {
            return;
        }
        let odd =
            [0, 1, 0x7fff, 0x8000, 0x8001, 0x1_8000, 0x7f7f_8000, 0x7f80_0000, 0x7f80_0001, 0x7fc0_1234, 0xff80_0001];
        for base in odd.into_iter().chain((0..=u32::MAX).step_by(65_537)) {
            let x: [u32; 16] = std::array::from_fn(|i| base.wrapping_add((i as u32) << 13));
            // SAFETY: the CPU was just found to have AVX-512.
            let out = unsafe { rounded(&x) };
            let expected = x.map(|x| u32::from(bf16::encode(f32::from_bits(x))) << 16);
            assert_eq!(out, expected, "{x:x?}");
        }
    }
}
