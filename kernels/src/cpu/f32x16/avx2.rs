//! Sixteen f32 in two 256-bit registers.
#![expect(unsafe_code, reason = "vector loads and stores take pointers")]

use super::LANES;
use super::exponential::exponential;
pub(crate) use crate::cpu::isa::AVX2 as FEATURES;
use std::arch::x86_64::*;

/// In ids.
pub(crate) const NAME: &str = "avx2";
/// Sixteen f32.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lanes(pub(crate) __m256, pub(crate) __m256);

exponential!("avx2,fma,f16c");

macro_rules! lanewise {
    ($($(#[$doc:meta])* $name:ident($($x:ident),+) $value:expr;)*) => {$(
        $(#[$doc])*
        #[inline]
        #[target_feature(enable = "avx2,fma")]
        pub(crate) fn $name($($x: Lanes),+) -> Lanes {
            let half = |$($x: __m256),+| $value;
            Lanes(half($($x.0),+), half($($x.1),+))
        }
    )*};
}

lanewise! {
    plus(a, b) _mm256_add_ps(a, b);
    minus(a, b) _mm256_sub_ps(a, b);
    times(a, b) _mm256_mul_ps(a, b);
    divide(a, b) _mm256_div_ps(a, b);
    /// a · b + c, rounded once.
    multiply_add(a, b, c) _mm256_fmadd_ps(a, b, c);
    /// a · b − c, rounded once.
    multiply_subtract(a, b, c) _mm256_fmsub_ps(a, b, c);
    /// a where it is larger, else b: also where either is NaN.
    larger(a, b) _mm256_max_ps(a, b);
    /// a where it is smaller, else b: also where either is NaN.
    smaller(a, b) _mm256_min_ps(a, b);
    negative(x) _mm256_xor_ps(x, _mm256_set1_ps(-0.0));
    /// `yes` where a > b, else `no`.
    if_greater(a, b, yes, no) _mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_GT_OQ>(a, b));
    /// `yes` where a = b, else `no`.
    if_equal(a, b, yes, no) _mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_EQ_OQ>(a, b));
    /// x · 2^n for a whole n that stays within two factors' exponents; each product is rounded.
    scaled(x, n) {
        let n = _mm256_cvttps_epi32(n);
        // Half of it, towards zero as the scalar division: the sign bit is added before the arithmetic shift.
        let half = _mm256_srai_epi32::<1>(_mm256_add_epi32(n, _mm256_srli_epi32::<31>(n)));
        let power = |n| _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_add_epi32(n, _mm256_set1_epi32(127))));
        _mm256_mul_ps(_mm256_mul_ps(x, power(half)), power(_mm256_sub_epi32(n, half)))
    };
}

/// `x` in every lane.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn splat(x: f32) -> Lanes {
    Lanes(_mm256_set1_ps(x), _mm256_set1_ps(x))
}

/// All sixteen of `x`.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn load(x: &[f32; LANES]) -> Lanes {
    // SAFETY: the first eight of the sixteen elements of `x`.
    let low = unsafe { _mm256_loadu_ps(x.as_ptr()) };
    // SAFETY: and the last eight.
    let high = unsafe { _mm256_loadu_ps(x.as_ptr().wrapping_add(8)) };
    Lanes(low, high)
}

/// Stores all sixteen.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn store(x: &mut [f32; LANES], v: Lanes) {
    // SAFETY: the first eight of the sixteen elements of `x`.
    unsafe { _mm256_storeu_ps(x.as_mut_ptr(), v.0) };
    // SAFETY: and the last eight.
    unsafe { _mm256_storeu_ps(x.as_mut_ptr().wrapping_add(8), v.1) };
}

/// The at most sixteen of `x`, then zeros.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn load_part(x: &[f32]) -> Lanes {
    let mut whole = [0.0; LANES];
    whole[..x.len()].copy_from_slice(x);
    load(&whole)
}

/// Stores as many as `x` holds, at most sixteen.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn store_part(x: &mut [f32], v: Lanes) {
    let mut whole = [0.0; LANES];
    store(&mut whole, v);
    x.copy_from_slice(&whole[..x.len()]);
}

/// The sum of all lanes.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn sum(x: Lanes) -> f32 {
    let x = _mm256_add_ps(x.0, x.1);
    let x = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
    let x = _mm_add_ps(x, _mm_movehl_ps(x, x));
    _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)))
}

/// The largest of lanes that are all numbers.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn largest(x: Lanes) -> f32 {
    let x = _mm256_max_ps(x.0, x.1);
    let x = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
    let x = _mm_max_ps(x, _mm_movehl_ps(x, x));
    _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)))
}

/// The first lane in which they are equal, 16 if none.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn first_equal(a: Lanes, b: Lanes) -> u32 {
    let equal = |a, b| _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_EQ_OQ>(a, b));
    (1 << LANES | equal(a.1, b.1) << 8 | equal(a.0, b.0)).trailing_zeros()
}

/// Stores 0 ≤ x < 2^31 rounded towards 0, and 0 for NaN.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn truncate(to: &mut [u32; LANES], x: Lanes) {
    let whole = |x| {
        let number = _mm256_castps_si256(_mm256_cmp_ps::<_CMP_ORD_Q>(x, x));
        _mm256_and_si256(_mm256_cvttps_epi32(x), number)
    };
    let to = to.as_mut_ptr().cast::<__m256i>();
    // SAFETY: the first eight of the sixteen elements of `to`.
    unsafe { _mm256_storeu_si256(to, whole(x.0)) };
    // SAFETY: and the last eight.
    unsafe { _mm256_storeu_si256(to.wrapping_add(1), whole(x.1)) };
}
