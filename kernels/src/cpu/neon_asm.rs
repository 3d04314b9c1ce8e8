//! The Arm instructions that stable Rust has no intrinsic for, one function each.
//!
//! Each is `pure`: same operands, same result, no memory, no flags. The compiler may move, merge and drop them as it does its own.
#![expect(unsafe_code, reason = "instructions written as assembly")]
#![allow(dead_code, reason = "the set is whole; which of them a kernel uses changes with the kernel")]

use std::arch::aarch64::*;
use std::arch::asm;

/// `sum op= (a, b)` by one instruction of the named extension.
macro_rules! accumulate {
    ($($(#[$doc:meta])* $name:ident($sum:ty, $a:ty, $b:ty) $features:literal $text:literal;)*) => {$(
        $(#[$doc])*
        #[inline]
        #[target_feature(enable = $features)]
        pub(crate) fn $name(mut sum: $sum, a: $a, b: $b) -> $sum {
            // SAFETY: the function's features are the instruction's; it works on registers alone.
            unsafe {
                asm!($text, sum = inout(vreg) sum, a = in(vreg) a, b = in(vreg) b,
                    options(pure, nomem, nostack, preserves_flags));
            }
            sum
        }
    )*};
}

accumulate! {
    /// Each of 4 sums grows by 4 products of signed bytes.
    sdot(int32x4_t, int8x16_t, int8x16_t) "neon,dotprod" "sdot {sum:v}.4s, {a:v}.16b, {b:v}.16b";
    /// Each of 4 sums grows by 4 products of unsigned bytes.
    udot(uint32x4_t, uint8x16_t, uint8x16_t) "neon,dotprod" "udot {sum:v}.4s, {a:v}.16b, {b:v}.16b";
    /// Each of 4 sums grows by 4 products of unsigned with signed bytes.
    usdot(int32x4_t, uint8x16_t, int8x16_t) "neon,i8mm" "usdot {sum:v}.4s, {a:v}.16b, {b:v}.16b";
    /// 2 × 2 sums grow by the products of 2 rows of 8 signed bytes with 2 others; row i of `a` with row j of `b` is sum 2i + j.
    smmla(int32x4_t, int8x16_t, int8x16_t) "neon,i8mm" "smmla {sum:v}.4s, {a:v}.16b, {b:v}.16b";
    /// [`smmla`] of unsigned with signed bytes.
    usmmla(int32x4_t, uint8x16_t, int8x16_t) "neon,i8mm" "usmmla {sum:v}.4s, {a:v}.16b, {b:v}.16b";
    /// Each of 4 sums grows by 2 products of bf16. Products are exact; their sum and its addition are rounded to odd each (an
    /// error below one unit in the last place) and subnormals are taken for 0, as long as FPCR.EBF is 0, where programs start.
    bfdot(float32x4_t, uint16x8_t, uint16x8_t) "neon,bf16" "bfdot {sum:v}.4s, {a:v}.8h, {b:v}.8h";
    /// 2 × 2 sums grow by the products of 2 rows of 4 bf16 with 2 others; row i of `a` with row j of `b` is sum 2i + j. Two
    /// [`bfdot`] in sequence, rounded as those.
    bfmmla(float32x4_t, uint16x8_t, uint16x8_t) "neon,bf16" "bfmmla {sum:v}.4s, {a:v}.8h, {b:v}.8h";
    /// Each of 4 sums grows by the product of the even bf16 of its pair: exact, then rounded once as an f32 multiply-add is.
    bfmlalb(float32x4_t, uint16x8_t, uint16x8_t) "neon,bf16" "bfmlalb {sum:v}.4s, {a:v}.8h, {b:v}.8h";
    /// [`bfmlalb`] of the odd ones.
    bfmlalt(float32x4_t, uint16x8_t, uint16x8_t) "neon,bf16" "bfmlalt {sum:v}.4s, {a:v}.8h, {b:v}.8h";
}

/// [`sdot`] of every four bytes of `a` with the four bytes of lane `LANE` of `b`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub(crate) fn sdot_lane<const LANE: usize>(mut sum: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    const { assert!(LANE < 4, "a vector has four words") };
    // SAFETY: the function's features are the instruction's; it works on registers alone.
    unsafe {
        asm!("sdot {sum:v}.4s, {a:v}.16b, {b:v}.4b[{lane}]", sum = inout(vreg) sum, a = in(vreg) a, b = in(vreg) b,
            lane = const LANE, options(pure, nomem, nostack, preserves_flags));
    }
    sum
}

/// [`bfdot`] of every pair of `a` with the pair in lane `LANE` of `b`.
#[inline]
#[target_feature(enable = "neon,bf16")]
pub(crate) fn bfdot_lane<const LANE: usize>(mut sum: float32x4_t, a: uint16x8_t, b: uint16x8_t) -> float32x4_t {
    const { assert!(LANE < 4, "a vector has four pairs") };
    // SAFETY: the function's features are the instruction's; it works on registers alone.
    unsafe {
        asm!("bfdot {sum:v}.4s, {a:v}.8h, {b:v}.2h[{lane}]", sum = inout(vreg) sum, a = in(vreg) a, b = in(vreg) b,
            lane = const LANE, options(pure, nomem, nostack, preserves_flags));
    }
    sum
}

/// Four f32 to bf16, rounded to nearest even, in the lower half.
#[inline]
#[target_feature(enable = "neon,bf16")]
pub(crate) fn bfcvtn(x: float32x4_t) -> uint16x4_t {
    let mut out: uint16x4_t;
    // SAFETY: the function's features are the instruction's; it works on registers alone.
    unsafe {
        asm!("bfcvtn {out:v}.4h, {x:v}.4s", out = lateout(vreg) out, x = in(vreg) x,
            options(pure, nomem, nostack, preserves_flags));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::isa::{NEON_BF16, NEON_DOTPROD, NEON_I8MM, require};

    fn bytes(from: i32) -> [i8; 16] {
        std::array::from_fn(|i| ((i as i32 * 37 + from) % 255 - 127) as i8)
    }

    #[target_feature(enable = "neon,dotprod,i8mm")]
    fn integers(sum: &mut [i32; 4], a: &[i8; 16], b: &[i8; 16], which: usize) {
        // SAFETY: arrays of a vector's size, here and below.
        let s = unsafe { vld1q_s32(sum.as_ptr()) };
        // SAFETY: as above.
        let a = unsafe { vld1q_s8(a.as_ptr()) };
        // SAFETY: as above.
        let b = unsafe { vld1q_s8(b.as_ptr()) };
        let unsigned = vreinterpretq_u8_s8(a);
        let out = match which {
            0 => sdot(s, a, b),
            1 => vreinterpretq_s32_u32(udot(vreinterpretq_u32_s32(s), unsigned, vreinterpretq_u8_s8(b))),
            2 => usdot(s, unsigned, b),
            3 => smmla(s, a, b),
            4 => usmmla(s, unsigned, b),
            _ => sdot_lane::<2>(s, a, b),
        };
        // SAFETY: as above.
        unsafe { vst1q_s32(sum.as_mut_ptr(), out) };
    }

    #[test]
    fn integer_products_are_those_of_plain_rust() {
        if require(NEON_I8MM).is_err() || require(NEON_DOTPROD).is_err() {
            return;
        }
        let (a, b) = (bytes(3), bytes(200));
        let (signed, unsigned) = (|x: i8| i32::from(x), |x: i8| i32::from(x.cast_unsigned()));
        let dot = |i: usize, j: usize, len: usize, u: fn(i8) -> i32, v: fn(i8) -> i32| -> i32 {
            (0..len).map(|t| u(a[i * len + t]) * v(b[j * len + t])).sum()
        };
        for which in 0..6 {
            let mut sums = [5, -6, 7, -8];
            // SAFETY: the features were just found.
            unsafe { integers(&mut sums, &a, &b, which) };
            for (i, start) in [5, -6, 7, -8].into_iter().enumerate() {
                let want = match which {
                    0 => dot(i, i, 4, signed, signed),
                    1 => dot(i, i, 4, unsigned, unsigned),
                    2 => dot(i, i, 4, unsigned, signed),
                    3 => dot(i / 2, i % 2, 8, signed, signed),
                    4 => dot(i / 2, i % 2, 8, unsigned, signed),
                    _ => dot(i, 2, 4, signed, signed),
                };
                assert_eq!(sums[i], start + want, "instruction {which}, lane {i}");
            }
        }
    }

    #[target_feature(enable = "neon,bf16")]
    fn floats(sum: &mut [f32; 4], a: &[u16; 8], b: &[u16; 8], which: usize) {
        // SAFETY: arrays of a vector's size, here and below.
        let s = unsafe { vld1q_f32(sum.as_ptr()) };
        // SAFETY: as above.
        let a = unsafe { vld1q_u16(a.as_ptr()) };
        // SAFETY: as above.
        let b = unsafe { vld1q_u16(b.as_ptr()) };
        let out = match which {
            0 => bfdot(s, a, b),
            1 => bfmmla(s, a, b),
            2 => bfmlalb(s, a, b),
            3 => bfmlalt(s, a, b),
            4 => bfdot_lane::<3>(s, a, b),
            _ => vreinterpretq_f32_u32(vshll_n_u16::<16>(bfcvtn(vaddq_f32(s, vdupq_n_f32(1.0 / 256.0))))),
        };
        // SAFETY: as above.
        unsafe { vst1q_f32(sum.as_mut_ptr(), out) };
    }

    #[test]
    fn bf16_products_are_those_of_plain_rust() {
        if require(NEON_BF16).is_err() {
            return;
        }
        // Small integers: exact in every order.
        let (a, b): ([f32; 8], [f32; 8]) =
            (std::array::from_fn(|i| i as f32 - 3.0), std::array::from_fn(|i| 9.0 - i as f32));
        let bits = |x: [f32; 8]| x.map(|x| (x.to_bits() >> 16) as u16);
        let dot = |i: usize, j: usize, len: usize| (0..len).map(|t| a[i * len + t] * b[j * len + t]).sum::<f32>();
        for which in 0..6 {
            let mut sums = [5.0, -6.0, 7.0, -8.0];
            // SAFETY: the features were just found.
            unsafe { floats(&mut sums, &bits(a), &bits(b), which) };
            for (i, start) in [5.0, -6.0, 7.0, -8.0].into_iter().enumerate() {
                let want = match which {
                    0 => dot(i, i, 2),
                    1 => dot(i / 2, i % 2, 4),
                    2 => a[2 * i] * b[2 * i],
                    3 => a[2 * i + 1] * b[2 * i + 1],
                    4 => dot(i, 3, 2),
                    _ => 0.0,
                };
                assert_eq!(sums[i], start + want, "instruction {which}, lane {i}");
            }
        }
    }
}
