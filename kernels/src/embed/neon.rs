//! Codes of the formats to sixteen f32, with NEON.
#![expect(unsafe_code, reason = "vector loads take pointers; binary16 vectors have no stable type")]

use crate::cpu::f32x16::neon::Lanes;
use crate::format::E2M1_VALUES;
use std::arch::aarch64::*;
use std::arch::asm;

/// One of the two upper bytes of each E2M1 value as an f32; the two lower ones are 0.
const fn upper(byte: usize) -> [u8; 16] {
    let (mut bytes, mut code) = ([0; 16], 0);
    while code < 16 {
        bytes[code] = E2M1_VALUES[code].to_be_bytes()[byte];
        code += 1;
    }
    bytes
}
const FIRST: [u8; 16] = upper(0);
const SECOND: [u8; 16] = upper(1);

/// Eight bytes of two E2M1 codes each, the low one first.
#[target_feature(enable = "neon")]
#[inline]
pub(super) fn from_e2m1(codes: &[u8; 8]) -> Lanes {
    // SAFETY: reads exactly the eight bytes of `codes`.
    let pairs = unsafe { vld1_u8(codes.as_ptr()) };
    let codes = vzip_u8(vand_u8(pairs, vdup_n_u8(15)), vshr_n_u8::<4>(pairs));
    let codes = vcombine_u8(codes.0, codes.1);
    let first = vqtbl1q_u8(sixteen(&FIRST), codes);
    let second = vqtbl1q_u8(sixteen(&SECOND), codes);
    widened(vreinterpretq_u16_u8(vzip1q_u8(second, first)), vreinterpretq_u16_u8(vzip2q_u8(second, first)))
}

/// Signed bytes.
#[target_feature(enable = "neon")]
#[inline]
pub(super) fn from_bytes(codes: &[u8; 16]) -> Lanes {
    signed(vreinterpretq_s8_u8(sixteen(codes)))
}

/// The lower halves of the bytes, less 8 each, and the upper ones.
#[target_feature(enable = "neon")]
#[inline]
pub(super) fn from_nibbles(codes: &[u8; 16]) -> [Lanes; 2] {
    let codes = sixteen(codes);
    [vandq_u8(codes, vdupq_n_u8(15)), vshrq_n_u8::<4>(codes)]
        .map(|codes| signed(vsubq_s8(vreinterpretq_s8_u8(codes), vdupq_n_s8(8))))
}

/// bf16, little-endian.
#[target_feature(enable = "neon")]
#[inline]
pub(super) fn from_bf16(codes: &[u8; 32]) -> Lanes {
    let [low, high] = halves(codes);
    widened(low, high)
}

/// f16, little-endian.
#[target_feature(enable = "neon")]
#[inline]
pub(super) fn from_f16(codes: &[u8; 32]) -> Lanes {
    let [low, high] = halves(codes);
    let quarter = |x: uint16x4_t| {
        let value: float32x4_t;
        // SAFETY: an instruction of every 64-bit Arm CPU, on registers alone.
        unsafe {
            asm!("fcvtl {0:v}.4s, {1:v}.4h", out(vreg) value, in(vreg) x, options(pure, nomem, nostack, preserves_flags));
        }
        value
    };
    Lanes(
        quarter(vget_low_u16(low)),
        quarter(vget_high_u16(low)),
        quarter(vget_low_u16(high)),
        quarter(vget_high_u16(high)),
    )
}

/// The upper halves of sixteen f32, the lower ones 0.
#[target_feature(enable = "neon")]
#[inline]
fn widened(low: uint16x8_t, high: uint16x8_t) -> Lanes {
    let quarter = |x| vreinterpretq_f32_u32(vshll_n_u16::<16>(x));
    Lanes(
        quarter(vget_low_u16(low)),
        quarter(vget_high_u16(low)),
        quarter(vget_low_u16(high)),
        quarter(vget_high_u16(high)),
    )
}

#[target_feature(enable = "neon")]
#[inline]
fn signed(codes: int8x16_t) -> Lanes {
    let (low, high) = (vmovl_s8(vget_low_s8(codes)), vmovl_s8(vget_high_s8(codes)));
    let quarter = |x| vcvtq_f32_s32(vmovl_s16(x));
    Lanes(
        quarter(vget_low_s16(low)),
        quarter(vget_high_s16(low)),
        quarter(vget_low_s16(high)),
        quarter(vget_high_s16(high)),
    )
}

#[target_feature(enable = "neon")]
#[inline]
fn halves(x: &[u8; 32]) -> [uint16x8_t; 2] {
    let halves = x.as_chunks().0;
    [vreinterpretq_u16_u8(sixteen(&halves[0])), vreinterpretq_u16_u8(sixteen(&halves[1]))]
}

#[target_feature(enable = "neon")]
#[inline]
fn sixteen(x: &[u8; 16]) -> uint8x16_t {
    // SAFETY: reads exactly the sixteen bytes of `x`, wherever they lie.
    unsafe { vld1q_u8(x.as_ptr()) }
}
