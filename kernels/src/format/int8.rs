//! Symmetric int8 activations: one f32 scale a row (`int8`) or one for each 32 along k (`int8g32`).
//!
//! This is part of a gemm's definition, so every implementation must give the same bits. For a group with largest
//! magnitude `amax`, in f32, each step rounded to nearest even and nothing fused:
//!
//! 1. `amax` infinite or NaN (any element is): scale = NaN, all codes 0, so that whatever is computed from it is NaN;
//! 2. `amax < 2⁻¹⁰⁰`, zero included: scale = 0, all codes 0;
//! 3. else scale = `amax / 127`, inv = `127 / amax`, code = round-to-nearest-even(`x · inv`).
//!
//! A code never leaves ±127, because |x · inv| ≤ 127 (1 + 2⁻²³) < 127.5; a clamp changes nothing.
//! Then |x − scale · code| ≤ scale (½ + 2⁻¹⁵).

use super::magnitude::{INFINITE_BITS, NEGLIGIBLE, amax_bits};

/// Elements that share a scale in `int8g32`.
pub const INT8_GROUP: usize = 32;

/// The pair (scale, inv) of a group whose largest magnitude has these bits; inv is 0 where all codes are 0.
///
/// For kernels that find the maximum their own way; see [`amax_bits`].
pub fn scale_and_inverse(amax_bits: u32) -> (f32, f32) {
    let amax = f32::from_bits(amax_bits);
    if amax_bits >= INFINITE_BITS {
        (f32::NAN, 0.0)
    } else if amax < NEGLIGIBLE {
        (0.0, 0.0)
    } else {
        (amax / 127.0, 127.0 / amax)
    }
}

/// Quantises one group `x` into `codes` of the same length and returns its scale: `int8` where `x` is a whole row.
///
/// # Panics
/// If the lengths differ.
pub fn quantize_row(x: &[f32], codes: &mut [i8]) -> f32 {
    assert_eq!(x.len(), codes.len(), "int8: one code an element");
    let (scale, inv) = scale_and_inverse(amax_bits(x));
    if inv == 0.0 {
        codes.fill(0);
    } else {
        for (x, code) in x.iter().zip(codes) {
            *code = round(x * inv);
        }
    }
    scale
}

/// Quantises `x`, a whole number of groups, into `codes` and one scale a group: `int8g32`.
///
/// # Panics
/// If `x` is not a multiple of 32 long, or `codes` and `scales` do not fit it.
pub fn quantize_groups(x: &[f32], codes: &mut [i8], scales: &mut [f32]) {
    assert_eq!(x.len() % INT8_GROUP, 0, "int8g32: k is a multiple of 32");
    assert_eq!(x.len(), codes.len(), "int8g32: one code an element");
    assert_eq!(x.len() / INT8_GROUP, scales.len(), "int8g32: one scale for each 32 elements");
    let groups = x.as_chunks::<INT8_GROUP>().0.iter().zip(codes.as_chunks_mut::<INT8_GROUP>().0);
    for ((x, codes), scale) in groups.zip(scales) {
        *scale = quantize_row(x, codes);
    }
}

/// Nearest integer, ties to even, for |y| < 2²².
///
/// 1.5 · 2²³ has a unit in the last place of 1, so the addition does the rounding; the library's rounding is a function
/// call on baseline x86-64.
fn round(y: f32) -> i8 {
    const ALIGN: f32 = 12_582_912.0;
    (y + ALIGN).to_bits().wrapping_sub(ALIGN.to_bits()) as i8
}
