//! Sixteen f32 at a time: loads and stores on slices, whole or cut short, and the deterministic exponential.
#![expect(unsafe_code, reason = "vector loads and stores take pointers")]

use crate::cpu::f32x8::{ENDS, LN2, ROUND, TERMS};
use std::arch::x86_64::*;
use std::f32::consts::LOG2_E;

/// All sixteen of `x`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) fn load(x: &[f32; 16]) -> __m512 {
    // SAFETY: reads exactly the sixteen elements of `x`.
    unsafe { _mm512_loadu_ps(x.as_ptr()) }
}

/// Stores all sixteen.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) fn store(x: &mut [f32; 16], v: __m512) {
    // SAFETY: writes exactly the sixteen elements of `x`.
    unsafe { _mm512_storeu_ps(x.as_mut_ptr(), v) }
}

/// The at most sixteen of `x`, then zeros.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) fn load_part(x: &[f32]) -> __m512 {
    // SAFETY: the mask has one bit for each element of `x`, and masked-out lanes are not read.
    unsafe { _mm512_maskz_loadu_ps(mask(x.len()), x.as_ptr()) }
}

/// Stores as many as `x` holds, at most sixteen.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) fn store_part(x: &mut [f32], v: __m512) {
    // SAFETY: the mask has one bit for each element of `x`, and masked-out lanes are not written.
    unsafe { _mm512_mask_storeu_ps(x.as_mut_ptr(), mask(x.len()), v) }
}

/// The lowest `len` bits; all sixteen from 16 on.
#[inline]
pub(crate) fn mask(len: usize) -> u16 {
    if len >= 16 { u16::MAX } else { (1 << len) - 1 }
}

/// [`crate::math::exp_f32`] in each lane, bit for bit: the same operations in the same order, none fused.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) fn exp(x: __m512) -> __m512 {
    let all = |x: f32| _mm512_set1_ps(x);
    let (add, sub, mul) = (_mm512_add_ps, _mm512_sub_ps, _mm512_mul_ps);
    let n = sub(add(mul(x, all(LOG2_E)), all(ROUND)), all(ROUND));
    let r = sub(sub(x, mul(n, all(LN2[0]))), mul(n, all(LN2[1])));
    let mut tail = all(1.0 / 5040.0);
    for term in TERMS {
        tail = add(all(term), mul(r, tail));
    }
    let mantissa = add(all(1.0), add(r, mul(mul(r, r), tail)));
    let whole = _mm512_cvttps_epi32(n);
    // Half of it, towards zero as the scalar division: the sign bit is added before the arithmetic shift.
    let half = _mm512_srai_epi32::<1>(_mm512_add_epi32(whole, _mm512_srli_epi32::<31>(whole)));
    let power = |n| _mm512_castsi512_ps(_mm512_slli_epi32::<23>(_mm512_add_epi32(n, _mm512_set1_epi32(127))));
    let value = mul(mul(mantissa, power(half)), power(_mm512_sub_epi32(whole, half)));
    let value = _mm512_mask_mov_ps(value, _mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, all(ENDS.0)), all(f32::INFINITY));
    let value = _mm512_mask_mov_ps(value, _mm512_cmp_ps_mask::<_CMP_LT_OQ>(x, all(ENDS.1)), all(0.0));
    _mm512_mask_mov_ps(value, _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(x, x), x)
}
