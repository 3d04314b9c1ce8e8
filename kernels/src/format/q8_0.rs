//! Q8_0 (GGUF): blocks of 32 along k, one f16 scale and 32 int8, 8.5 bit a weight.
//!
//! Block, 34 bytes: the scale little endian, then the elements in order; value = code · scale. The quantiser takes the
//! codes of [`int8`] (ties to even, which is what llama.cpp's vector code does; its scalar code rounds ties
//! away from zero) and rounds the scale `amax / 127` to f16 afterwards. A block with an infinity, a NaN or a scale that
//! is too large for f16 gets scale NaN and codes 0, so that it decodes to NaN throughout.
//!
//! Then |x − x̂| ≤ d/2 + 127 |d − f16(d)| + 2⁻¹⁵ d with d = amax / 127: below 0.57 d where f16(d) is normal.

use super::f16;
use super::int8;

/// Elements a block.
pub const Q8_0_BLOCK: usize = 32;
/// Bytes a block.
pub const Q8_0_BYTES: usize = 34;

/// Quantises `x` into blocks.
///
/// # Panics
/// If `x` is not a whole number of blocks, or `out` does not fit it.
pub fn quantize(x: &[f32], out: &mut [u8]) {
    assert_eq!(x.len() % Q8_0_BLOCK, 0, "q8_0: k is a multiple of 32");
    assert_eq!(x.len() / Q8_0_BLOCK * Q8_0_BYTES, out.len(), "q8_0: 34 bytes for each 32 elements");
    for (x, out) in x.as_chunks::<Q8_0_BLOCK>().0.iter().zip(out.as_chunks_mut::<Q8_0_BYTES>().0) {
        let mut codes = [0; Q8_0_BLOCK];
        let scale = f16::encode_scale(int8::quantize_row(x, &mut codes));
        if scale == f16::F16_NAN {
            codes.fill(0);
        }
        out[..2].copy_from_slice(&scale.to_le_bytes());
        for (code, byte) in codes.iter().zip(&mut out[2..]) {
            *byte = code.cast_unsigned();
        }
    }
}

/// Decodes blocks, exactly: 7 + 11 significant bits fit in an f32.
pub(super) fn dequantize(bytes: &[u8], out: &mut [f32]) {
    for (bytes, out) in bytes.as_chunks::<Q8_0_BYTES>().0.iter().zip(out.as_chunks_mut::<Q8_0_BLOCK>().0) {
        let scale = f16::decode(u16::from_le_bytes([bytes[0], bytes[1]]));
        for (byte, out) in bytes[2..].iter().zip(out) {
            *out = f32::from(byte.cast_signed()) * scale;
        }
    }
}

/// The exact value of element `i` of one block.
pub(super) fn decode(block: &[u8], i: usize) -> f64 {
    f64::from(block[2 + i].cast_signed()) * f64::from(f16::decode(u16::from_le_bytes([block[0], block[1]])))
}
