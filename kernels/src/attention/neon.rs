//! Attention on 128-bit vectors: one vector of sixteen keys, which is four registers, by six query vectors in registers.
#![expect(unsafe_code, reason = "vector loads take pointers, a hint has no intrinsic")]

use super::flash::{Attends, Isa, Part, Queries};
use super::layout::LANES;
use super::panel::panels;
use super::schedule::BLOCK;
use super::stored::Stored;
use super::strip::{POWERS, strips};
use crate::cpu::f32x16::neon::{Lanes, divide, larger, largest, load, minus, multiply_add, plus, splat, store, times};
use crate::cpu::isa::{Feature, NEON};
use crate::cpu::kernel::Kernel;
use std::arch::aarch64::*;
use std::arch::asm;
use std::ops::Range;

/// 128-bit vectors of f32.
#[derive(Debug)]
pub(super) struct Neon;

impl Isa for Neon {
    const NAME: &'static str = "neon";
    const FEATURES: &'static [Feature] = NEON;
}

impl<T: Stored> Attends<T> for Neon {
    fn kernel<'a>() -> Kernel<Part<'a, T>> {
        // SAFETY: `attend` is safe but for its instructions, which are among these features.
        unsafe { Kernel::new(NEON, attend::<T>) }
    }
}

// 24 registers of sums, 4 of keys or values, and the number they are multiplied with: 29 of 32.
strips!("neon", wide: [1], rows: [1 2 3 4 5 6]);
panels!("neon");

#[inline]
#[target_feature(enable = "neon")]
fn zero() -> Lanes {
    splat(0.0)
}

#[inline]
#[target_feature(enable = "neon")]
fn get(from: &[f32], at: usize) -> Lanes {
    load(from[at..].first_chunk().expect("whole vectors of scores, sums and weights"))
}

#[inline]
#[target_feature(enable = "neon")]
fn put(x: Lanes, to: &mut [f32], at: usize) {
    store(to[at..].first_chunk_mut().expect("whole vectors of scores, sums and weights"), x);
}

/// `make` of the four registers' places.
macro_rules! quarters {
    ($make:expr) => {{
        let make = $make;
        Lanes(make(0), make(1), make(2), make(3))
    }};
}

/// Element `part` of the neighbouring elements at `line` of 16 keys; int8 in steps of its scales.
///
/// # Safety
/// 64 bytes at `line` may be read; for f32 64 more for each `part`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn key_lanes<T: Stored>(line: *const T, part: usize, scales: Lanes) -> Lanes {
    let line = line.wrapping_add(if size_of::<T>() == 4 { part * LANES } else { 0 });
    let words = |i: usize| {
        // SAFETY: 16 of the 64 bytes: i < 4.
        unsafe { vld1q_u32(line.cast::<u32>().wrapping_add(4 * i)) }
    };
    match size_of::<T>() {
        4 => quarters!(|i| vreinterpretq_f32_u32(words(i))),
        2 if part == 0 => quarters!(|i| vreinterpretq_f32_u32(vshlq_n_u32::<16>(words(i)))),
        2 => quarters!(|i| vreinterpretq_f32_u32(vandq_u32(words(i), vdupq_n_u32(!0xffff)))),
        _ => {
            // A shift to the left by less than nothing is one to the right.
            let down = vdupq_n_s32(-8 * part as i32);
            let code = |i| {
                let code = vandq_u32(vshlq_u32(words(i), down), vdupq_n_u32(255));
                vcvtq_f32_s32(vsubq_s32(vreinterpretq_s32_u32(code), vdupq_n_s32(128)))
            };
            times(quarters!(code), scales)
        }
    }
}

/// 16 neighbouring elements of a value: of token `token` of those that stand together; int8 in steps of its scale.
///
/// # Safety
/// 16 elements of each of these tokens at `line` may be read.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn value_lanes<T: Stored>(line: *const T, token: usize, scale: Lanes) -> Lanes {
    if size_of::<T>() == 2 {
        return quarters!(|i: usize| {
            // SAFETY: four of 16 elements of 2 bytes: i < 4.
            let packed = unsafe { vld1_u16(line.cast::<u16>().wrapping_add(4 * i)) };
            vreinterpretq_f32_u32(vshll_n_u16::<16>(packed))
        });
    }
    let words = |i: usize| {
        // SAFETY: four of 16 floats, or of 16 elements of 4 tokens, a byte each: i < 4.
        unsafe { vld1q_u32(line.cast::<u32>().wrapping_add(4 * i)) }
    };
    if size_of::<T>() == 4 {
        return quarters!(|i| vreinterpretq_f32_u32(words(i)));
    }
    let up = vdupq_n_s32(24 - 8 * token as i32);
    let code = |i| vcvtq_f32_s32(vshrq_n_s32::<24>(vreinterpretq_s32_u32(vshlq_u32(words(i), up))));
    times(quarters!(code), scale)
}

/// Into the second-level cache: the next blocks of keys and values are too many for the first.
#[inline]
#[target_feature(enable = "neon")]
fn prefetch<T>(line: *const T) {
    // SAFETY: a hint: it reads nothing that a program sees, and may name any address.
    unsafe { asm!("prfm pldl2keep, [{0}]", in(reg) line, options(nostack, preserves_flags, readonly)) }
}

/// Without its sign.
#[inline]
#[target_feature(enable = "neon")]
fn magnitude(x: Lanes) -> Lanes {
    Lanes(vabsq_f32(x.0), vabsq_f32(x.1), vabsq_f32(x.2), vabsq_f32(x.3))
}

/// A positive `x` with the signs of `of`.
#[inline]
#[target_feature(enable = "neon")]
fn signed_as(x: Lanes, of: Lanes) -> Lanes {
    let signed = |x, of| vbslq_f32(vdupq_n_u32(1 << 31), of, x);
    Lanes(signed(x.0, of.0), signed(x.1, of.1), signed(x.2, of.2), signed(x.3, of.3))
}

/// The lanes in `keep`, −∞ in the others.
#[inline]
#[target_feature(enable = "neon")]
fn only(x: Lanes, keep: Range<usize>) -> Lanes {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let mut kept = [0.0; LANES];
    store(&mut kept, x);
    let keep = keep.start.min(LANES)..keep.end.min(LANES);
    if keep.start < keep.end {
        lanes[keep.clone()].copy_from_slice(&kept[keep]);
    }
    load(&lanes)
}

/// 2^x for x ≤ 0 within 2 ulp: 0 for −∞ and whatever is too small, NaN for NaN.
#[inline]
#[target_feature(enable = "neon")]
fn power_of_two(x: Lanes) -> Lanes {
    // At −127 the exponent's bits are all 0, and so is the product. Of NaN and a number, it is the second operand.
    let x = larger(splat(-127.0), x);
    let whole = Lanes(vrndnq_f32(x.0), vrndnq_f32(x.1), vrndnq_f32(x.2), vrndnq_f32(x.3));
    let part = minus(x, whole);
    let mut power = splat(POWERS[6]);
    for k in (0..6).rev() {
        power = multiply_add(power, part, splat(POWERS[k]));
    }
    let exponent = |n| vreinterpretq_f32_s32(vshlq_n_s32::<23>(vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127))));
    times(power, Lanes(exponent(whole.0), exponent(whole.1), exponent(whole.2), exponent(whole.3)))
}
