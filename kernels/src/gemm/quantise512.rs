//! Activations to integer words on AVX-512, the bits of `crate::format`.
#![expect(unsafe_code, reason = "vector stores")]

use super::Activations;
use super::integer;
use super::lanes512::load_f32;
use super::packed::LANES;
use super::tiled::Quantise;
use crate::format::int8::{INT8_GROUP, scale_and_inverse};
use std::arch::x86_64::*;

/// The bits of the largest magnitude of `x`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn amax_bits(x: &[f32]) -> u32 {
    let (vectors, tail) = x.as_chunks::<LANES>();
    let magnitude = _mm512_set1_epi32(0x7fff_ffff);
    let mut most = _mm512_setzero_si512();
    for v in vectors {
        most = _mm512_max_epu32(most, _mm512_and_si512(_mm512_castps_si512(load_f32(v)), magnitude));
    }
    tail.iter().fold(_mm512_reduce_max_epu32(most), |most, x| most.max(x.to_bits() & 0x7fff_ffff))
}

/// The codes of [`crate::format::int8`] below a scale that was found before; the conversion rounds to nearest even.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn round_codes(x: &[f32], inverse: f32, codes: &mut [i8]) {
    let (inv, finite) = (_mm512_set1_ps(inverse), inverse != 0.0);
    let (x, x_tail) = x.as_chunks::<LANES>();
    let (codes, tail) = codes.as_chunks_mut::<LANES>();
    assert!(x.len() == codes.len() && x_tail.is_empty() && tail.is_empty(), "rows are whole blocks");
    for (x, codes) in x.iter().zip(codes) {
        // Codes are 0 where there is no scale: 0 times an infinity would not be.
        let rounded = _mm512_maskz_cvtps_epi32(if finite { 0xffff } else { 0 }, _mm512_mul_ps(load_f32(x), inv));
        let bytes = _mm512_cvtepi32_epi8(rounded);
        // SAFETY: 16 codes are there.
        unsafe { _mm_storeu_si128(codes.as_mut_ptr().cast(), bytes) };
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(super) fn quantise(call: &mut Quantise<'_>) {
    let (op, block) = (call.op, call.op.block());
    let k = op.k;
    integer::blank_missing_rows(call);
    for row in call.rows.clone() {
        let x = &call.x[row * k..][..k];
        let factor = match op.activations {
            Activations::Int8 => {
                let (scale, inverse) = scale_and_inverse(amax_bits(x));
                round_codes(x, inverse, call.codes);
                scale
            }
            Activations::Int8g32 => {
                let each = INT8_GROUP / block;
                for (g, x) in x.as_chunks::<INT8_GROUP>().0.iter().enumerate() {
                    let (scale, inverse) = scale_and_inverse(amax_bits(x));
                    round_codes(x, inverse, &mut call.codes[g * INT8_GROUP..][..INT8_GROUP]);
                    call.scales[g * each..][..each].fill(scale);
                }
                1.0
            }
            kind => kind.quantize(x, block, call.codes, call.scales, call.bytes),
        };
        integer::put_words(call, row, factor);
    }
}
