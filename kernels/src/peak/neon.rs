//! `peak` with 128-bit vectors: `fmla`, `sdot`, `smmla`, `bfmmla`, and what stands for the last three where they are missing.
//!
//! A matrix product does twice the multiply-adds of one addition of the op, but its 2 × 2 sums are of two rows with two rows and
//! not of four lanes with their own. So half as many of them run as the op has additions, and what they have added is exchanged
//! for what the op adds after the loop, both being integers known in closed form: a loop cut short is found out as elsewhere.
#![expect(unsafe_code, reason = "accumulators are loaded and stored through pointers")]

use super::{Operands, Part, Peak, only_bf16, only_int8};
use crate::cpu::isa::{NEON, NEON_BF16, NEON_DOTPROD, NEON_I8MM};
use crate::cpu::neon_asm::{bfmmla, sdot, smmla};
use crate::cpu::variant::Variant;
use std::arch::{aarch64::*, asm};

// SAFETY: `plain` is compiled for `NEON`; it works on arrays and whole chunks.
pub(super) static PLAIN: Variant<Peak> = unsafe { Variant::<Peak>::new("neon", NEON, plain) };
// SAFETY: as above, for `NEON_DOTPROD`.
pub(super) static DOTPROD: Variant<Peak> =
    unsafe { Variant::<Peak>::new("neon-dotprod", NEON_DOTPROD, dotprod) }.only(only_int8);
// SAFETY: as above, for `NEON_I8MM`.
pub(super) static I8MM: Variant<Peak> = unsafe { Variant::<Peak>::new("neon-i8mm", NEON_I8MM, i8mm) }.only(only_int8);
// SAFETY: as above, for `NEON_BF16`.
pub(super) static BF16: Variant<Peak> = unsafe { Variant::<Peak>::new("neon-bf16", NEON_BF16, matrix) }.only(only_bf16);

/// Lanes of a vector.
const LANES: usize = 4;
/// Vectors of an operand.
const QUARTERS: usize = 4;
/// Chains at once: latency × pipes is 4 × 4 on Neoverse V2 and 6 × 4 for its `bfmmla`; Cortex-X925 has 6 pipes, and waits for an
/// accumulator less than the latency. They are the same quarter of neighbouring 512-bit chains, as the operands are, and leave 8 of
/// 32 registers.
const CHAINS: usize = super::CHAINS;

/// For quarter `$quarter` of the lanes: loads `CHAINS` accumulators, applies each `$step` in turn to all, `$iterations` times, stores them.
macro_rules! burn {
    ($sums:expr, $iterations:expr, $quarter:ident, $load:ident, $store:ident, $(|$sum:ident| $step:expr),+) => {
        for round in $sums.as_chunks_mut::<{ CHAINS * QUARTERS * LANES }>().0 {
            let quarters = round.as_chunks_mut::<LANES>().0;
            let mut sums: [_; CHAINS] = std::array::from_fn(|i| $load(&quarters[QUARTERS * i + $quarter]));
            for _ in 0..$iterations {
                $(for $sum in &mut sums {
                    $step;
                })+
            }
            for (quarter, sum) in quarters.iter_mut().skip($quarter).step_by(QUARTERS).zip(sums) {
                $store(quarter, sum);
            }
        }
    };
}

#[target_feature(enable = "neon")]
fn plain(part: &mut Part<'_>) {
    let iterations = part.iterations;
    for quarter in 0..QUARTERS {
        match &mut part.operands {
            Operands::F32 { a, b, sums } => {
                let [a, b] = [a, b].map(|x| vreinterpretq_f32_u8(load_quarter(x, quarter)));
                burn!(sums, iterations, quarter, load_f32, store_f32, |sum| *sum = vfmaq_f32(*sum, a, b));
            }
            // A bf16 is the upper half of an f32: the even elements shifted up, the odd ones with the lower half cleared.
            Operands::Bf16 { a, b, sums } => {
                let [a, b] = [a, b].map(|x| vreinterpretq_u32_u8(load_quarter(x, quarter)));
                let [a0, b0] = [a, b].map(|x| vreinterpretq_f32_u32(vshlq_n_u32::<16>(x)));
                let [a1, b1] = [a, b].map(|x| vreinterpretq_f32_u32(vandq_u32(x, vdupq_n_u32(0xffff_0000))));
                burn!(sums, iterations, quarter, load_f32, store_f32, |sum| *sum = vfmaq_f32(*sum, a0, b0), |sum| {
                    *sum = vfmaq_f32(*sum, a1, b1);
                });
            }
            Operands::Int8 { a, b, sums } => {
                let [a, b] = [signed_quarter(a, quarter), signed_quarter(b, quarter)];
                burn!(sums, iterations, quarter, load_i32, store_i32, |sum| *sum = long_dot(*sum, a, b));
            }
        }
    }
}

/// What `sdot` does, from what every CPU has. The op's a is below 128, so that it is the same as a signed byte and the sum of
/// two products fits 16 bits. One piece of assembly, because a compiler would form the products once and for all.
#[target_feature(enable = "neon")]
#[inline]
fn long_dot(mut sum: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: works on registers alone, with instructions of `neon`.
    unsafe {
        asm!("smull {low:v}.8h, {a:v}.8b, {b:v}.8b", "smull2 {high:v}.8h, {a:v}.16b, {b:v}.16b",
            "addp {low:v}.8h, {low:v}.8h, {high:v}.8h", "sadalp {sum:v}.4s, {low:v}.8h",
            a = in(vreg) a, b = in(vreg) b, low = out(vreg) _, high = out(vreg) _, sum = inout(vreg) sum,
            options(pure, nomem, nostack, preserves_flags));
    }
    sum
}

#[target_feature(enable = "neon,dotprod")]
fn dotprod(part: &mut Part<'_>) {
    let iterations = part.iterations;
    let Operands::Int8 { a, b, sums } = &mut part.operands else { unreachable!("`only_int8` lets int8 through") };
    for quarter in 0..QUARTERS {
        let [a, b] = [signed_quarter(a, quarter), signed_quarter(b, quarter)];
        burn!(sums, iterations, quarter, load_i32, store_i32, |sum| *sum = sdot(*sum, a, b));
    }
}

#[target_feature(enable = "neon,dotprod,i8mm")]
fn i8mm(part: &mut Part<'_>) {
    let products = part.iterations.div_ceil(2);
    let Operands::Int8 { a, b, sums } = &mut part.operands else { unreachable!("`only_int8` lets int8 through") };
    for quarter in 0..QUARTERS {
        let [x, y] = [signed_quarter(a, quarter), signed_quarter(b, quarter)];
        burn!(sums, products, quarter, load_i32, store_i32, |sum| *sum = smmla(*sum, x, y));
    }
    let owed = owed::<4>(&a.map(i64::from), &b.map(i64::from), part.iterations, products);
    for (sum, owed) in sums.iter_mut().zip(owed.iter().cycle()) {
        // The op's sums wrap.
        *sum = sum.wrapping_add(*owed as i32);
    }
}

#[target_feature(enable = "neon,bf16")]
fn matrix(part: &mut Part<'_>) {
    let products = part.iterations.div_ceil(2);
    let Operands::Bf16 { a, b, sums } = &mut part.operands else { unreachable!("`only_bf16` lets bf16 through") };
    for quarter in 0..QUARTERS {
        let [x, y] = [*a, *b].map(|x| vreinterpretq_u16_u8(load_quarter(x, quarter)));
        burn!(sums, products, quarter, load_f32, store_f32, |sum| *sum = bfmmla(*sum, x, y));
    }
    let integers = |x: &[half::bf16; 32]| x.map(|x| f32::from(x) as i64);
    let owed = owed::<2>(&integers(a), &integers(b), part.iterations, products);
    for (sum, owed) in sums.iter_mut().zip(owed.iter().cycle()) {
        // Integers below 2^24, before and after.
        *sum = (*sum as i64 + owed) as f32;
    }
}

/// What the lanes of a 512-bit chain lack: `iterations` dot products of P elements with their own, less `products` matrix
/// products of each quarter.
fn owed<const P: usize>(a: &[i64], b: &[i64], iterations: usize, products: usize) -> [i64; super::LANES] {
    let dot = |i: usize, j: usize, len: usize| -> i64 { (0..len).map(|t| a[i * len + t] * b[j * len + t]).sum() };
    std::array::from_fn(|lane| {
        // Rows of 2P elements: two a quarter.
        let (row, column) = (2 * (lane / LANES) + lane % LANES / 2, 2 * (lane / LANES) + lane % 2);
        iterations as i64 * dot(lane, lane, P) - products as i64 * dot(row, column, 2 * P)
    })
}

/// Vector `quarter` of a 64-byte operand.
#[target_feature(enable = "neon")]
#[inline]
fn load_quarter<T, const N: usize>(operand: &[T; N], quarter: usize) -> uint8x16_t {
    const { assert!(size_of::<T>() * N == 64) };
    assert!(quarter < QUARTERS, "an operand has four vectors");
    // SAFETY: 16 bytes from byte 0, 16, 32 or 48 of 64.
    unsafe { vld1q_u8(operand.as_ptr().cast::<u8>().wrapping_add(16 * quarter)) }
}

#[target_feature(enable = "neon")]
#[inline]
fn signed_quarter<T>(operand: &[T; 64], quarter: usize) -> int8x16_t {
    vreinterpretq_s8_u8(load_quarter(operand, quarter))
}

macro_rules! accumulators {
    ($($number:ty, $vector:ty, $load:ident, $vld:ident, $store:ident, $vst:ident;)*) => {$(
        #[target_feature(enable = "neon")]
        #[inline]
        fn $load(quarter: &[$number; LANES]) -> $vector {
            // SAFETY: 4 lanes are one vector.
            unsafe { $vld(quarter.as_ptr()) }
        }
        #[target_feature(enable = "neon")]
        #[inline]
        fn $store(quarter: &mut [$number; LANES], sums: $vector) {
            // SAFETY: as above.
            unsafe { $vst(quarter.as_mut_ptr(), sums) }
        }
    )*};
}
accumulators! {
    f32, float32x4_t, load_f32, vld1q_f32, store_f32, vst1q_f32;
    i32, int32x4_t, load_i32, vld1q_s32, store_i32, vst1q_s32;
}
