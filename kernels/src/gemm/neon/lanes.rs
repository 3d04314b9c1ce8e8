//! Loads, stores, decoding and block scales that the Arm paths share: a line of 16 outputs is four vectors.
#![expect(unsafe_code, reason = "vector loads and stores take pointers")]

use crate::format::{E2M1_TWICE, E2M1_VALUES, Format};
use crate::gemm::packed::{LANES, LINE};
use std::arch::aarch64::*;
use std::arch::asm;

/// Vectors a line.
pub(super) const VECTORS: usize = 4;

/// Vector `v` of a line.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn load(line: &[u8; LINE], v: usize) -> uint8x16_t {
    load_bytes(&line.as_chunks::<16>().0[v])
}

/// Vector `v` of a line of codes.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn load_codes(line: &[u8; LINE], v: usize) -> int8x16_t {
    vreinterpretq_s8_u8(load(line, v))
}

/// Vector `v` of a line of f32.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn load_f32(line: &[u8; LINE], v: usize) -> float32x4_t {
    vreinterpretq_f32_u8(load(line, v))
}

/// Stores vector `v` of a line.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn put(line: &mut [u8; LINE], v: usize, x: uint8x16_t) {
    // SAFETY: sixteen bytes.
    unsafe { vst1q_u8(line.as_chunks_mut::<16>().0[v].as_mut_ptr(), x) }
}

/// Sixteen bytes.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn load_bytes(bytes: &[u8; 16]) -> uint8x16_t {
    // SAFETY: sixteen bytes.
    unsafe { vld1q_u8(bytes.as_ptr()) }
}

/// Four words of activations.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn words(words: &[i32; 4]) -> int32x4_t {
    // SAFETY: four words.
    unsafe { vld1q_s32(words.as_ptr()) }
}

/// Two words of one row and two of another.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn two_rows(a: &[i32; 2], b: &[i32; 2]) -> int32x4_t {
    // SAFETY: two words.
    let a = unsafe { vld1_s32(a.as_ptr()) };
    // SAFETY: two words.
    vcombine_s32(a, unsafe { vld1_s32(b.as_ptr()) })
}

/// Four values.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn values(values: &[f32; 4]) -> float32x4_t {
    // SAFETY: four values.
    unsafe { vld1q_f32(values.as_ptr()) }
}

/// Stores four values.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn put_values(values: &mut [f32; 4], x: float32x4_t) {
    // SAFETY: four values.
    unsafe { vst1q_f32(values.as_mut_ptr(), x) }
}

/// Stores sixteen codes.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn put_codes(codes: &mut [i8; 16], x: int8x16_t) {
    // SAFETY: sixteen codes.
    unsafe { vst1q_s8(codes.as_mut_ptr(), x) }
}

/// A sum that starts here is read as an f32 by [`small`]: 1.5 · 2²³ + n is n above the middle of its binade for |n| < 2²².
///
/// So one f32 subtraction replaces the conversion, for which Arm's cores take two operations in every other vector pipe. Sums of a block stay below 32 · 128 · 127 < 2²⁰.
pub(super) const START: i32 = 0x4b40_0000;

/// Two starts, loaded: a copy of a register would take one of the vector pipes, which bind these kernels, and loads do not.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn starts() -> [int32x4_t; 2] {
    static TWO: [i32; 8] = [START; 8];
    let (mut a, mut b): (int32x4_t, int32x4_t);
    // SAFETY: reads the 32 bytes of the static. In assembly, because a compiler would load them once and copy registers.
    unsafe {
        asm!("ldp {a:q}, {b:q}, [{at}]", at = in(reg) TWO.as_ptr(), a = out(vreg) a, b = out(vreg) b,
            options(readonly, nostack, preserves_flags));
    }
    [a, b]
}

/// The sum that was started at [`START`].
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn small(sum: int32x4_t) -> float32x4_t {
    vsubq_f32(vreinterpretq_f32_s32(sum), vdupq_n_f32(f32::from_bits(START as u32)))
}

/// Lines of stored codes a block, and bytes of its 16 scales.
pub(super) const fn stored(format: Format) -> (usize, usize) {
    match format {
        Format::Mxfp4 => (4, LANES),
        Format::Nvfp4 => (2, LANES),
        Format::Q8_0 => (8, 2 * LANES),
        _ => (4, 2 * LANES),
    }
}

/// The scales of one block as f32; those of nvfp4 are 2⁻⁸ of their value (see `layout::factor`).
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn scales_of(format: Format, bytes: &[u8]) -> [float32x4_t; VECTORS] {
    match format {
        Format::Mxfp4 => {
            let codes = load_bytes(bytes.first_chunk().expect("16 scales a block"));
            let halves = [vmovl_u8(vget_low_u8(codes)), vmovl_high_u8(codes)];
            std::array::from_fn(|v| {
                let half = halves[v / 2];
                let code = if v % 2 == 0 { vmovl_u16(vget_low_u16(half)) } else { vmovl_high_u16(half) };
                // The code is the exponent field; 0 stands for the subnormal 2^-127 and 255 for NaN.
                let subnormal = vdupq_n_u32(0x40_0000);
                let bits = vmaxq_u32(vshlq_n_u32::<23>(code), subnormal);
                let nan = vandq_u32(vceqq_u32(code, vdupq_n_u32(255)), subnormal);
                vreinterpretq_f32_u32(vorrq_u32(bits, nan))
            })
        }
        Format::Nvfp4 => {
            let codes = vreinterpretq_s8_u8(load_bytes(bytes.first_chunk().expect("16 scales a block")));
            let halves = [vmovl_s8(vget_low_s8(codes)), vmovl_high_s8(codes)].map(|codes| {
                // Sign to bit 15, exponent and mantissa to 13..7; E4M3's one NaN pattern has no counterpart there.
                let bits = vandq_u16(vreinterpretq_u16_s16(vshlq_n_s16::<7>(codes)), vdupq_n_u16(0xbf80));
                let top = vdupq_n_u16(0x3f80);
                let nan = vceqq_u16(vandq_u16(bits, top), top);
                vorrq_u16(bits, vandq_u16(nan, vdupq_n_u16(0x7e00)))
            });
            from_halves(halves)
        }
        _ => {
            let (low, high) = bytes.split_at(16);
            from_halves([low, high].map(|bytes| {
                vreinterpretq_u16_u8(load_bytes(bytes.first_chunk().expect("16 scales of two bytes a block")))
            }))
        }
    }
}

/// Vector `v` of [`scales_of`].
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn scales_at(format: Format, bytes: &[u8], v: usize) -> float32x4_t {
    // Four scales, and zeros where the others would be: what is made of those is dropped.
    let (mut some, each) = ([0; 2 * LANES], bytes.len() / VECTORS);
    some[..each].copy_from_slice(&bytes[each * v..][..each]);
    scales_of(format, &some)[0]
}

/// Sixteen f16 to f32.
#[inline]
#[target_feature(enable = "neon")]
fn from_halves(halves: [uint16x8_t; 2]) -> [float32x4_t; VECTORS] {
    std::array::from_fn(|v| {
        let half = halves[v / 2];
        widen_half(if v % 2 == 0 { vget_low_u16(half) } else { vget_high_u16(half) })
    })
}

/// Four f16 to f32.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn widen_half(four: uint16x4_t) -> float32x4_t {
    vcvt_f32_f16(vreinterpret_f16_u16(four))
}

/// What the sixteen codes of a four-bit format stand for, as integers: twice the values of E2M1.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn integers(format: Format) -> int8x16_t {
    static FOURS: [i8; 16] = [-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7];
    let table = if format == Format::Q4_0 { &FOURS } else { &E2M1_TWICE };
    // SAFETY: sixteen codes.
    unsafe { vld1q_s8(table.as_ptr()) }
}

/// The same as bf16, in two tables: lower bytes and upper bytes. These are the values of E2M1, not twice them.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn bf16_bytes(format: Format) -> [int8x16_t; 2] {
    const fn bytes(of: [f32; 16], shift: u32) -> [i8; 16] {
        let (mut out, mut i) = ([0; 16], 0);
        while i < 16 {
            out[i] = (of[i].to_bits() >> shift) as i8;
            i += 1;
        }
        out
    }
    const FOURS: [f32; 16] = [-8.0, -7.0, -6.0, -5.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
    static Q4_0: [[i8; 16]; 2] = [bytes(FOURS, 16), bytes(FOURS, 24)];
    static E2M1: [[i8; 16]; 2] = [bytes(E2M1_VALUES, 16), bytes(E2M1_VALUES, 24)];
    let tables = if format == Format::Q4_0 { &Q4_0 } else { &E2M1 };
    // SAFETY: sixteen bytes.
    let low = unsafe { vld1q_s8(tables[0].as_ptr()) };
    // SAFETY: sixteen bytes.
    [low, unsafe { vld1q_s8(tables[1].as_ptr()) }]
}

/// The codes in the lower and in the upper half of each byte.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn nibbles(both: uint8x16_t) -> [uint8x16_t; 2] {
    [vandq_u8(both, vdupq_n_u8(15)), vshrq_n_u8::<4>(both)]
}

/// Codes of q8_0, which are stored 128 above their value.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn signed(bytes: uint8x16_t) -> int8x16_t {
    vreinterpretq_s8_u8(veorq_u8(bytes, vdupq_n_u8(0x80)))
}

/// How far ahead of its use a line of weights is asked for, in bytes.
pub(super) const AHEAD: usize = 2048;
