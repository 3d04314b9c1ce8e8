//! Sixteen f32 in four 128-bit registers.
#![expect(unsafe_code, reason = "vector loads and stores take pointers")]

use super::LANES;
use super::exponential::exponential;
pub(crate) use crate::cpu::isa::NEON as FEATURES;
use std::arch::aarch64::*;

/// In ids.
pub(crate) const NAME: &str = "neon";
/// Sixteen f32.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lanes(pub(crate) float32x4_t, pub(crate) float32x4_t, pub(crate) float32x4_t, pub(crate) float32x4_t);

exponential!("neon");

macro_rules! lanewise {
    ($($(#[$doc:meta])* $name:ident($($x:ident),+) $value:expr;)*) => {$(
        $(#[$doc])*
        #[inline]
        #[target_feature(enable = "neon")]
        pub(crate) fn $name($($x: Lanes),+) -> Lanes {
            let quarter = |$($x: float32x4_t),+| $value;
            Lanes(quarter($($x.0),+), quarter($($x.1),+), quarter($($x.2),+), quarter($($x.3),+))
        }
    )*};
}

lanewise! {
    plus(a, b) vaddq_f32(a, b);
    minus(a, b) vsubq_f32(a, b);
    times(a, b) vmulq_f32(a, b);
    divide(a, b) vdivq_f32(a, b);
    /// a · b + c, rounded once.
    multiply_add(a, b, c) vfmaq_f32(c, a, b);
    /// a · b − c, rounded once.
    multiply_subtract(a, b, c) vfmaq_f32(vnegq_f32(c), a, b);
    /// a where it is larger, else b: also where either is NaN, which NEON's own maximum would pass on.
    larger(a, b) vbslq_f32(vcgtq_f32(a, b), a, b);
    /// a where it is smaller, else b: also where either is NaN.
    smaller(a, b) vbslq_f32(vcltq_f32(a, b), a, b);
    negative(x) vnegq_f32(x);
    /// `yes` where a > b, else `no`.
    if_greater(a, b, yes, no) vbslq_f32(vcgtq_f32(a, b), yes, no);
    /// `yes` where a = b, else `no`.
    if_equal(a, b, yes, no) vbslq_f32(vceqq_f32(a, b), yes, no);
    /// x · 2^n for a whole n that stays within two factors' exponents; each product is rounded.
    scaled(x, n) {
        let n = vcvtq_s32_f32(n);
        // Half of it, towards zero as the scalar division: the sign bit is added before the arithmetic shift.
        let half = vshrq_n_s32::<1>(vsubq_s32(n, vshrq_n_s32::<31>(n)));
        let power = |n| vreinterpretq_f32_s32(vshlq_n_s32::<23>(vaddq_s32(n, vdupq_n_s32(127))));
        vmulq_f32(vmulq_f32(x, power(half)), power(vsubq_s32(n, half)))
    };
}

/// `x` in every lane.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn splat(x: f32) -> Lanes {
    let x = vdupq_n_f32(x);
    Lanes(x, x, x, x)
}

/// All sixteen of `x`.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn load(x: &[f32; LANES]) -> Lanes {
    let quarter = |i: usize| {
        // SAFETY: four of the sixteen elements of `x`: i < 4.
        unsafe { vld1q_f32(x.as_ptr().wrapping_add(4 * i)) }
    };
    Lanes(quarter(0), quarter(1), quarter(2), quarter(3))
}

/// Stores all sixteen.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn store(x: &mut [f32; LANES], v: Lanes) {
    for (i, quarter) in [v.0, v.1, v.2, v.3].into_iter().enumerate() {
        // SAFETY: four of the sixteen elements of `x`: i < 4.
        unsafe { vst1q_f32(x.as_mut_ptr().wrapping_add(4 * i), quarter) };
    }
}

/// The at most sixteen of `x`, then zeros.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn load_part(x: &[f32]) -> Lanes {
    let mut whole = [0.0; LANES];
    whole[..x.len()].copy_from_slice(x);
    load(&whole)
}

/// Stores as many as `x` holds, at most sixteen.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn store_part(x: &mut [f32], v: Lanes) {
    let mut whole = [0.0; LANES];
    store(&mut whole, v);
    x.copy_from_slice(&whole[..x.len()]);
}

/// The sum of all lanes.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn sum(x: Lanes) -> f32 {
    vaddvq_f32(vaddq_f32(vaddq_f32(x.0, x.1), vaddq_f32(x.2, x.3)))
}

/// The largest of lanes that are all numbers.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn largest(x: Lanes) -> f32 {
    vmaxvq_f32(vmaxq_f32(vmaxq_f32(x.0, x.1), vmaxq_f32(x.2, x.3)))
}

/// The first lane in which they are equal, 16 if none.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn first_equal(a: Lanes, b: Lanes) -> u32 {
    let (low, high) =
        (narrow(vceqq_f32(a.0, b.0), vceqq_f32(a.1, b.1)), narrow(vceqq_f32(a.2, b.2), vceqq_f32(a.3, b.3)));
    // Four bits a lane: there is no instruction that gathers one.
    let bits = vshrn_n_u16::<4>(vreinterpretq_u16_u8(vcombine_u8(vmovn_u16(low), vmovn_u16(high))));
    vget_lane_u64::<0>(vreinterpret_u64_u8(bits)).trailing_zeros() / 4
}

#[inline]
#[target_feature(enable = "neon")]
fn narrow(low: uint32x4_t, high: uint32x4_t) -> uint16x8_t {
    vcombine_u16(vmovn_u32(low), vmovn_u32(high))
}

/// Stores 0 ≤ x < 2^31 rounded towards 0, and 0 for NaN.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn truncate(to: &mut [u32; LANES], x: Lanes) {
    for (i, quarter) in [x.0, x.1, x.2, x.3].into_iter().enumerate() {
        let whole = vcvtq_u32_f32(quarter);
        // SAFETY: four of the sixteen elements of `to`: i < 4.
        unsafe { vst1q_u32(to.as_mut_ptr().wrapping_add(4 * i), whole) };
    }
}
