//! Sixteen f32 in one 512-bit register.
#![expect(unsafe_code, reason = "vector loads and stores take pointers")]

use super::LANES;
use super::exponential::exponential;
pub(crate) use crate::cpu::isa::AVX512 as FEATURES;
use std::arch::x86_64::*;

/// In ids.
pub(crate) const NAME: &str = "avx512";
/// Sixteen f32.
pub(crate) type Lanes = __m512;

exponential!("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c");

macro_rules! lanewise {
    ($($(#[$doc:meta])* $name:ident($($x:ident),+) $value:expr;)*) => {$(
        $(#[$doc])*
        #[inline]
        #[target_feature(enable = "avx512f,avx512dq")]
        pub(crate) fn $name($($x: Lanes),+) -> Lanes {
            $value
        }
    )*};
}

lanewise! {
    plus(a, b) _mm512_add_ps(a, b);
    minus(a, b) _mm512_sub_ps(a, b);
    times(a, b) _mm512_mul_ps(a, b);
    divide(a, b) _mm512_div_ps(a, b);
    /// a · b + c, rounded once.
    multiply_add(a, b, c) _mm512_fmadd_ps(a, b, c);
    /// a · b − c, rounded once.
    multiply_subtract(a, b, c) _mm512_fmsub_ps(a, b, c);
    /// a where it is larger, else b: also where either is NaN.
    larger(a, b) _mm512_max_ps(a, b);
    /// a where it is smaller, else b: also where either is NaN.
    smaller(a, b) _mm512_min_ps(a, b);
    negative(x) _mm512_xor_ps(x, _mm512_set1_ps(-0.0));
    /// `yes` where a > b, else `no`.
    if_greater(a, b, yes, no) _mm512_mask_mov_ps(no, _mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b), yes);
    /// `yes` where a = b, else `no`.
    if_equal(a, b, yes, no) _mm512_mask_mov_ps(no, _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b), yes);
    /// x · 2^n for a whole n that stays within two factors' exponents; each product is rounded.
    scaled(x, n) {
        let n = _mm512_cvttps_epi32(n);
        // Half of it, towards zero as the scalar division: the sign bit is added before the arithmetic shift.
        let half = _mm512_srai_epi32::<1>(_mm512_add_epi32(n, _mm512_srli_epi32::<31>(n)));
        let power = |n| _mm512_castsi512_ps(_mm512_slli_epi32::<23>(_mm512_add_epi32(n, _mm512_set1_epi32(127))));
        _mm512_mul_ps(_mm512_mul_ps(x, power(half)), power(_mm512_sub_epi32(n, half)))
    };
}

/// `x` in every lane.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn splat(x: f32) -> Lanes {
    _mm512_set1_ps(x)
}

/// All sixteen of `x`.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn load(x: &[f32; LANES]) -> Lanes {
    // SAFETY: reads exactly the sixteen elements of `x`.
    unsafe { _mm512_loadu_ps(x.as_ptr()) }
}

/// Stores all sixteen.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn store(x: &mut [f32; LANES], v: Lanes) {
    // SAFETY: writes exactly the sixteen elements of `x`.
    unsafe { _mm512_storeu_ps(x.as_mut_ptr(), v) }
}

/// The at most sixteen of `x`, then zeros.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn load_part(x: &[f32]) -> Lanes {
    // SAFETY: the mask has one bit for each element of `x`, and masked-out lanes are not read.
    unsafe { _mm512_maskz_loadu_ps(mask(x.len()), x.as_ptr()) }
}

/// Stores as many as `x` holds, at most sixteen.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn store_part(x: &mut [f32], v: Lanes) {
    // SAFETY: the mask has one bit for each element of `x`, and masked-out lanes are not written.
    unsafe { _mm512_mask_storeu_ps(x.as_mut_ptr(), mask(x.len()), v) }
}

/// The lowest `len` bits; all sixteen from 16 on.
#[inline]
fn mask(len: usize) -> u16 {
    if len >= LANES { u16::MAX } else { (1 << len) - 1 }
}

/// The sum of all lanes.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn sum(x: Lanes) -> f32 {
    _mm512_reduce_add_ps(x)
}

/// The largest of lanes that are all numbers.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn largest(x: Lanes) -> f32 {
    _mm512_reduce_max_ps(x)
}

/// The first lane in which they are equal, 16 if none.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn first_equal(a: Lanes, b: Lanes) -> u32 {
    (1 << LANES | u32::from(_mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b))).trailing_zeros()
}

/// Stores 0 ≤ x < 2^31 rounded towards 0, and 0 for NaN.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn truncate(to: &mut [u32; LANES], x: Lanes) {
    let whole = _mm512_maskz_cvttps_epi32(_mm512_cmp_ps_mask::<_CMP_ORD_Q>(x, x), x);
    // SAFETY: writes exactly the sixteen elements of `to`.
    unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), whole) }
}
