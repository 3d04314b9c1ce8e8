//! MXFP4 (OCP MX 1.0): blocks of 32 along k, one E8M0 scale and 32 E2M1 elements, 4.25 bit a weight.
//!
//! Canonical block, 17 bytes: the scale, then 16 bytes where byte j holds element 2j low and 2j + 1 high (OCP's order;
//! GGUF's is converted when a file is loaded). The quantiser, for weights and activations alike, on every machine:
//!
//! 1. a block with an infinity or a NaN: scale NaN (0xff), all codes 0, so that it decodes to NaN throughout;
//! 2. else scale code = max(floor(log₂ amax) − 2 + 127, 0), from the exponent field of `amax` (0 for an all-zero block);
//! 3. code = E2M1(`x · 2^(127 − scale code)`), an exact product or one too small to matter; above 6 it saturates.
//!
//! Then |x − x̂| ≤ max(|x|, 2^e) / 4 with 2^e the scale, so also < amax / 4 for amax ≥ 2⁻¹²⁵.

use super::e2m1;
use super::e8m0;
use super::magnitude::{INFINITE_BITS, amax_bits};

/// Elements a block.
pub const MXFP4_BLOCK: usize = 32;
/// Bytes a block.
pub const MXFP4_BYTES: usize = 17;

/// The scale byte of a block whose largest magnitude has these bits.
pub fn scale_code(amax_bits: u32) -> u8 {
    if amax_bits >= INFINITE_BITS { e8m0::E8M0_NAN } else { (amax_bits >> 23).saturating_sub(2) as u8 }
}

/// Quantises `x` into canonical blocks.
///
/// # Panics
/// If `x` is not a whole number of blocks, or `out` does not fit it.
pub fn quantize(x: &[f32], out: &mut [u8]) {
    assert_eq!(x.len() % MXFP4_BLOCK, 0, "mxfp4: k is a multiple of 32");
    assert_eq!(x.len() / MXFP4_BLOCK * MXFP4_BYTES, out.len(), "mxfp4: 17 bytes for each 32 elements");
    for (x, out) in x.as_chunks::<MXFP4_BLOCK>().0.iter().zip(out.as_chunks_mut::<MXFP4_BYTES>().0) {
        let mut codes = [0; MXFP4_BLOCK];
        out[0] = quantize_block(x, &mut codes, e2m1::encode_number);
        for (pair, byte) in codes.as_chunks::<2>().0.iter().zip(&mut out[1..]) {
            *byte = pair[0] | pair[1] << 4;
        }
    }
}

/// Quantises one row of activations for integer kernels: twice each E2M1 value as int8, and one E8M0 byte for each 32.
///
/// The same numbers as [`quantize`] gives.
///
/// # Panics
/// If `x` is not a whole number of blocks, or `twice` and `scales` do not fit it.
pub fn quantize_row(x: &[f32], twice: &mut [i8], scales: &mut [u8]) {
    assert_eq!(x.len() % MXFP4_BLOCK, 0, "mxfp4: k is a multiple of 32");
    assert_eq!(x.len(), twice.len(), "mxfp4: one code an element");
    assert_eq!(x.len() / MXFP4_BLOCK, scales.len(), "mxfp4: one scale for each 32 elements");
    let blocks = x.as_chunks::<MXFP4_BLOCK>().0.iter().zip(twice.as_chunks_mut::<MXFP4_BLOCK>().0);
    for ((x, twice), scale) in blocks.zip(scales) {
        *scale = quantize_block(x, twice, e2m1::twice_number);
    }
}

/// Decodes canonical blocks; exact wherever the value is an f32 (scale codes up to 252).
pub(super) fn dequantize(bytes: &[u8], out: &mut [f32]) {
    for (bytes, out) in bytes.as_chunks::<MXFP4_BYTES>().0.iter().zip(out.as_chunks_mut::<MXFP4_BLOCK>().0) {
        let scale = e8m0::decode(bytes[0]);
        for (byte, pair) in bytes[1..].iter().zip(out.as_chunks_mut::<2>().0) {
            *pair = [e2m1::decode(*byte) * scale, e2m1::decode(byte >> 4) * scale];
        }
    }
}

/// The exact value of element `i` of one block.
pub(super) fn decode(block: &[u8], i: usize) -> f64 {
    f64::from(e2m1::decode(block[1 + i / 2] >> (4 * (i % 2)))) * f64::from(e8m0::decode(block[0]))
}

fn quantize_block<T: Default + Copy>(
    x: &[f32; MXFP4_BLOCK],
    out: &mut [T; MXFP4_BLOCK],
    element: impl Fn(f32) -> T,
) -> u8 {
    let scale = scale_code(amax_bits(x));
    if scale == e8m0::E8M0_NAN {
        out.fill(T::default());
    } else {
        let inv = e8m0::reciprocal(scale);
        for (x, out) in x.iter().zip(out) {
            *out = element(x * inv);
        }
    }
    scale
}
