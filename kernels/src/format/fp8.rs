//! FP8: one E4M3 (OCP) an element and one f32 scale a row outside the bytes, 8 bit a weight.
//!
//! A row of weights is an output channel, as in the FP8 checkpoints of compressed-tensors (`strategy: channel`), so that one scale
//! multiplies a finished sum; a row of activations is a token (theirs: `token`, `dynamic`). value = E4M3 · scale of the row. The
//! quantiser of both, in f32, each step rounded to nearest even and nothing fused:
//!
//! 1. `amax` of the row infinite or NaN (any element is): scale NaN, all codes 0, so that whatever is computed is NaN;
//! 2. `amax < 2⁻¹⁰⁰`: scale 1, and all codes come out as 0;
//! 3. else scale = `amax / 448`, code = E4M3(`x / scale`); above 448 it saturates.
//!
//! Then |x − x̂| ≤ max(|x| / 16, scale · 2⁻¹⁰) · (1 + 2⁻²⁰).

use super::e4m3;
use super::magnitude::{INFINITE_BITS, NEGLIGIBLE, amax_bits};

/// The scale of a row with these elements.
pub fn row_scale(x: &[f32]) -> f32 {
    row_scale_of(amax_bits(x))
}

/// The scale of a row whose largest magnitude has these bits.
pub fn row_scale_of(amax_bits: u32) -> f32 {
    let amax = f32::from_bits(amax_bits);
    if amax_bits >= INFINITE_BITS {
        f32::NAN
    } else if amax < NEGLIGIBLE {
        1.0
    } else {
        amax / e4m3::E4M3_MAX
    }
}

/// Quantises one row `x` into codes, below a scale from [`row_scale`] or from a checkpoint.
///
/// # Panics
/// If the lengths differ.
pub fn quantize(x: &[f32], scale: f32, out: &mut [u8]) {
    assert_eq!(x.len(), out.len(), "fp8: one byte an element");
    if scale.is_nan() {
        return out.fill(0);
    }
    x.iter().zip(out).for_each(|(x, out)| *out = e4m3::encode(x / scale));
}

/// Rounds one row of activations to the values of E4M3, and returns the scale that they are multiplied with.
///
/// # Panics
/// If the lengths differ.
pub fn round_row(x: &[f32], out: &mut [f32]) -> f32 {
    assert_eq!(x.len(), out.len(), "fp8: one value an element");
    let scale = row_scale(x);
    x.iter().zip(out).for_each(|(x, out)| *out = element(*x, scale));
    scale
}

/// One element of a row that has this scale, not yet multiplied with it: the value of its E4M3 code.
#[inline]
pub fn element(x: f32, scale: f32) -> f32 {
    // Below a scale that is NaN elements are 0, and NaN is not less than anything.
    if scale < f32::INFINITY { e4m3::nearest(x / scale) } else { 0.0 }
}

/// Decodes one row, rounded once.
pub(super) fn dequantize(bytes: &[u8], scale: f32, out: &mut [f32]) {
    bytes.iter().zip(out).for_each(|(code, out)| *out = e4m3::decode(*code) * scale);
}

/// The exact value of one element: 4 + 24 significant bits fit in an f64.
pub(super) fn decode(code: u8, scale: f32) -> f64 {
    f64::from(e4m3::decode(code)) * f64::from(scale)
}
