//! NVFP4: blocks of 16 along k, one E4M3 scale and 16 E2M1 elements, and one f32 scale a tensor, 4.5 bit a weight.
//!
//! Canonical block, 9 bytes: the scale, then 8 bytes where byte j holds element 2j low and 2j + 1 high. The f32 scale
//! stays outside the bytes. For activations it is formed per *row*. The quantiser, in f32, each step rounded to nearest
//! even and nothing fused:
//!
//! 1. tensor scale `ts` = `amax / 2688` (6 · 448) over the finite elements, 1 if that amax is < 2⁻¹⁰⁰;
//! 2. a block with an infinity or a NaN: scale NaN (0x7f), all codes 0, so that it decodes to NaN throughout;
//! 3. else scale s = E4M3(`(amax_block / 6) / ts`), which may be 0: then all codes are 0;
//! 4. else inv = `1 / (s · ts)`, code = E2M1(`x · inv`); above 6 it saturates.
//!
//! Then |x − x̂| ≤ ts · max(s, 6 · 2⁻¹⁰) · (1 + 2⁻²⁰), the second term where s is small enough to round to nothing.

use super::e2m1;
use super::e4m3;
use super::magnitude::{INFINITE_BITS, NEGLIGIBLE, amax_bits, finite_amax};

/// Elements a block.
pub const NVFP4_BLOCK: usize = 16;
/// Bytes a block.
pub const NVFP4_BYTES: usize = 9;

/// The f32 scale of a tensor (or of one row of activations).
pub fn tensor_scale(x: &[f32]) -> f32 {
    tensor_scale_of(finite_amax(x))
}

/// The f32 scale of a tensor whose finite elements have this largest magnitude.
pub fn tensor_scale_of(finite_amax: f32) -> f32 {
    if finite_amax < NEGLIGIBLE { 1.0 } else { finite_amax / 2688.0 }
}

/// The pair (scale byte, inv) of a block whose largest magnitude has these bits; inv is 0 where all codes are 0.
pub fn scale_and_inverse(amax_bits: u32, tensor_scale: f32) -> (u8, f32) {
    if amax_bits >= INFINITE_BITS {
        return (e4m3::E4M3_NAN, 0.0);
    }
    let scale = e4m3::encode(f32::from_bits(amax_bits) / 6.0 / tensor_scale);
    let inv = if scale == 0 { 0.0 } else { 1.0 / (e4m3::decode(scale) * tensor_scale) };
    (scale, inv)
}

/// Quantises `x` into canonical blocks, below a tensor scale from [`tensor_scale`] or from a checkpoint.
///
/// # Panics
/// If `x` is not a whole number of blocks, `out` does not fit it, or the tensor scale is not in 2⁻¹¹² … 2¹¹⁷.
pub fn quantize(x: &[f32], tensor_scale: f32, out: &mut [u8]) {
    assert_eq!(x.len() % NVFP4_BLOCK, 0, "nvfp4: k is a multiple of 16");
    assert_eq!(x.len() / NVFP4_BLOCK * NVFP4_BYTES, out.len(), "nvfp4: 9 bytes for each 16 elements");
    assert!(SCALES.contains(&tensor_scale), "nvfp4: 2^-112 <= tensor scale {tensor_scale} <= 2^117");
    for (x, out) in x.as_chunks::<NVFP4_BLOCK>().0.iter().zip(out.as_chunks_mut::<NVFP4_BYTES>().0) {
        let mut codes = [0; NVFP4_BLOCK];
        out[0] = quantize_block(x, tensor_scale, &mut codes, e2m1::encode_number);
        for (pair, byte) in codes.as_chunks::<2>().0.iter().zip(&mut out[1..]) {
            *byte = pair[0] | pair[1] << 4;
        }
    }
}

/// Quantises one row of activations for integer kernels: twice each E2M1 value as int8, one E4M3 byte for each 16;
/// returns the row's f32 scale. The same numbers as [`quantize`] below [`tensor_scale`] of the row.
///
/// # Panics
/// If `x` is not a whole number of blocks, or `twice` and `scales` do not fit it.
pub fn quantize_row(x: &[f32], twice: &mut [i8], scales: &mut [u8]) -> f32 {
    assert_eq!(x.len() % NVFP4_BLOCK, 0, "nvfp4: k is a multiple of 16");
    assert_eq!(x.len(), twice.len(), "nvfp4: one code an element");
    assert_eq!(x.len() / NVFP4_BLOCK, scales.len(), "nvfp4: one scale for each 16 elements");
    let row_scale = tensor_scale(x);
    let blocks = x.as_chunks::<NVFP4_BLOCK>().0.iter().zip(twice.as_chunks_mut::<NVFP4_BLOCK>().0);
    for ((x, twice), scale) in blocks.zip(scales) {
        *scale = quantize_block(x, row_scale, twice, e2m1::twice_number);
    }
    row_scale
}

/// Decodes canonical blocks as `(element · s) · ts`: the first product is exact, so the whole is rounded once.
pub(super) fn dequantize(bytes: &[u8], tensor_scale: f32, out: &mut [f32]) {
    for (bytes, out) in bytes.as_chunks::<NVFP4_BYTES>().0.iter().zip(out.as_chunks_mut::<NVFP4_BLOCK>().0) {
        let scale = e4m3::decode(bytes[0]);
        for (byte, pair) in bytes[1..].iter().zip(out.as_chunks_mut::<2>().0) {
            *pair = [byte & 15, byte >> 4].map(|code| e2m1::decode(code) * scale * tensor_scale);
        }
    }
}

/// The exact value of element `i` of one block: 2 + 4 + 24 significant bits fit in an f64.
pub(super) fn decode(block: &[u8], tensor_scale: f32, i: usize) -> f64 {
    let code = block[1 + i / 2] >> (4 * (i % 2));
    f64::from(e2m1::decode(code)) * f64::from(e4m3::decode(block[0])) * f64::from(tensor_scale)
}

/// Inside these, s · ts and its reciprocal are normal f32 for every s that is not 0; [`tensor_scale`] stays inside.
const SCALES: std::ops::RangeInclusive<f32> = f32::from_bits((127 - 112) << 23)..=f32::from_bits((127 + 117) << 23);

fn quantize_block<T: Default + Copy>(
    x: &[f32; NVFP4_BLOCK],
    tensor_scale: f32,
    out: &mut [T; NVFP4_BLOCK],
    element: impl Fn(f32) -> T,
) -> u8 {
    let (scale, inv) = scale_and_inverse(amax_bits(x), tensor_scale);
    if inv == 0.0 {
        out.fill(T::default());
    } else {
        for (x, out) in x.iter().zip(out) {
            *out = element(x * inv);
        }
    }
    scale
}
