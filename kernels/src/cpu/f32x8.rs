//! Eight f32 at a time: loads and stores on slices, whole or cut short, and the deterministic exponential.
#![expect(unsafe_code, reason = "vector loads and stores take pointers")]

use std::arch::x86_64::*;
use std::f32::consts::LOG2_E;

/// The constants of `math::exp_f32`, which [`exp`] repeats; a test holds the two together.
pub(crate) const LN2: [f32; 2] = [f32::from_bits(0x3f31_7200), f32::from_bits(0x35bf_be8e)];
/// Adding it rounds to an integer, ties to even.
pub(crate) const ROUND: f32 = 12_582_912.0;
/// Above the first the result is infinite, below the second 0.
pub(crate) const ENDS: (f32, f32) = (88.73, -103.98);
/// 1/6! … 1/2!, in the order of Horner's rule, after 1/7!.
pub(crate) const TERMS: [f32; 5] = [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 1.0 / 2.0];

/// All eight of `x`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn load(x: &[f32; 8]) -> __m256 {
    // SAFETY: reads exactly the eight elements of `x`.
    unsafe { _mm256_loadu_ps(x.as_ptr()) }
}

/// Stores all eight.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn store(x: &mut [f32; 8], v: __m256) {
    // SAFETY: writes exactly the eight elements of `x`.
    unsafe { _mm256_storeu_ps(x.as_mut_ptr(), v) }
}

/// The at most eight of `x`, then zeros.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn load_part(x: &[f32]) -> __m256 {
    let mut whole = [0.0; 8];
    whole[..x.len()].copy_from_slice(x);
    load(&whole)
}

/// Stores as many as `x` holds, at most eight.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn store_part(x: &mut [f32], v: __m256) {
    let mut whole = [0.0; 8];
    store(&mut whole, v);
    x.copy_from_slice(&whole[..x.len()]);
}

/// The sum of all lanes.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn sum(v: __m256) -> f32 {
    let mut lanes = [0.0; 8];
    store(&mut lanes, v);
    ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]))
}

/// [`crate::math::exp_f32`] in each lane, bit for bit: the same operations in the same order, none fused.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn exp(x: __m256) -> __m256 {
    let all = |x: f32| _mm256_set1_ps(x);
    let (add, sub, mul) = (_mm256_add_ps, _mm256_sub_ps, _mm256_mul_ps);
    let n = sub(add(mul(x, all(LOG2_E)), all(ROUND)), all(ROUND));
    let r = sub(sub(x, mul(n, all(LN2[0]))), mul(n, all(LN2[1])));
    let mut tail = all(1.0 / 5040.0);
    for term in TERMS {
        tail = add(all(term), mul(r, tail));
    }
    let mantissa = add(all(1.0), add(r, mul(mul(r, r), tail)));
    let whole = _mm256_cvttps_epi32(n);
    // Half of it, towards zero as the scalar division: the sign bit is added before the arithmetic shift.
    let half = _mm256_srai_epi32::<1>(_mm256_add_epi32(whole, _mm256_srli_epi32::<31>(whole)));
    let power = |n| _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_add_epi32(n, _mm256_set1_epi32(127))));
    let value = mul(mul(mantissa, power(half)), power(_mm256_sub_epi32(whole, half)));
    let value = _mm256_blendv_ps(value, all(f32::INFINITY), _mm256_cmp_ps::<_CMP_GT_OQ>(x, all(ENDS.0)));
    let value = _mm256_blendv_ps(value, all(0.0), _mm256_cmp_ps::<_CMP_LT_OQ>(x, all(ENDS.1)));
    _mm256_blendv_ps(value, x, _mm256_cmp_ps::<_CMP_UNORD_Q>(x, x))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{f32x16, isa};
    use crate::math::exp_f32;

    #[target_feature(enable = "avx2,fma,f16c")]
    fn eight(x: &[f32; 8]) -> [f32; 8] {
        let mut y = [0.0; 8];
        store(&mut y, exp(load(x)));
        y
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    fn sixteen(x: &[f32; 16]) -> [f32; 16] {
        let mut y = [0.0; 16];
        f32x16::store(&mut y, f32x16::exp(f32x16::load(x)));
        y
    }

    #[test]
    fn the_exponential_has_the_scalar_bits_in_every_lane() {
        let odd = [0.0, -0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 88.72, 88.73, 88.74, -87.4, -103.97, -103.99];
        let values: Vec<f32> = (0..100_000).map(|i| -110.0 + 0.002 * i as f32).chain(odd).collect();
        let same = |x: &[f32], y: &[f32]| {
            for (x, y) in x.iter().zip(y) {
                assert_eq!(y.to_bits(), exp_f32(*x).to_bits(), "exp({x})");
            }
        };
        if isa::require(isa::AVX2).is_ok() {
            for x in values.as_chunks::<8>().0.iter().chain(values.last_chunk()) {
                // SAFETY: the features were just found.
                same(x, &unsafe { eight(x) });
            }
        }
        if isa::require(isa::AVX512).is_ok() {
            for x in values.as_chunks::<16>().0.iter().chain(values.last_chunk()) {
                // SAFETY: as above.
                same(x, &unsafe { sixteen(x) });
            }
        }
    }

    #[test]
    fn parts_read_and_write_nothing_beyond_their_end() {
        if isa::require(isa::AVX2).is_err() {
            return;
        }
        #[target_feature(enable = "avx2,fma,f16c")]
        fn copy(x: &[f32], y: &mut [f32]) {
            store_part(y, load_part(x));
        }
        for len in 0..=8 {
            let x: Vec<f32> = (1..=len).map(|i| i as f32).collect();
            let mut y = vec![0.0; len];
            // SAFETY: the features were just found.
            unsafe { copy(&x, &mut y) };
            assert_eq!(x, y);
        }
    }
}
