//! Q4_0 (GGUF): blocks of 32 along k, one f16 scale and 32 four-bit codes, 4.5 bit a weight.
//!
//! Block, 18 bytes: the scale little endian, then 16 bytes where byte j holds element j low and element j + 16 high;
//! value = (code − 8) · scale. The quantiser is llama.cpp's, in f32, each step rounded to nearest even, nothing fused:
//!
//! 1. m = the element of largest magnitude with its sign, the first of equals; d = `m / -8`; the scale is f16(d);
//! 2. code = min(truncate(`x · (1 / d) + 8.5`), 15); 8 for every element where |m| < 2⁻¹⁰⁰ (an all-zero block has
//!    scale −0, as llama.cpp's has);
//! 3. a block with an infinity, a NaN or a scale too large for f16: scale NaN, all codes 8, it decodes to NaN throughout.
//!
//! Codes reach +7 only, so the worst error is one whole step: |x − x̂| ≤ |d| (1 + 2⁻²⁰) + 8 |d − f16(d)|.

use super::f16;
use super::magnitude::{NEGLIGIBLE, amax_bits};

/// Elements a block.
pub const Q4_0_BLOCK: usize = 32;
/// Bytes a block.
pub const Q4_0_BYTES: usize = 18;

/// Quantises `x` into blocks.
///
/// # Panics
/// If `x` is not a whole number of blocks, or `out` does not fit it.
pub fn quantize(x: &[f32], out: &mut [u8]) {
    assert_eq!(x.len() % Q4_0_BLOCK, 0, "q4_0: k is a multiple of 32");
    assert_eq!(x.len() / Q4_0_BLOCK * Q4_0_BYTES, out.len(), "q4_0: 18 bytes for each 32 elements");
    for (x, out) in x.as_chunks::<Q4_0_BLOCK>().0.iter().zip(out.as_chunks_mut::<Q4_0_BYTES>().0) {
        let (scale, inv) = scale_and_inverse(x);
        out[..2].copy_from_slice(&scale.to_le_bytes());
        let code = |x: f32| {
            if inv == 0.0 { 8 } else { ((x * inv + 8.5) as u8).min(15) }
        };
        for (j, byte) in out[2..].iter_mut().enumerate() {
            *byte = code(x[j]) | code(x[j + 16]) << 4;
        }
    }
}

/// Decodes blocks, exactly: 4 + 11 significant bits fit in an f32.
pub(super) fn dequantize(bytes: &[u8], out: &mut [f32]) {
    for (bytes, out) in bytes.as_chunks::<Q4_0_BYTES>().0.iter().zip(out.as_chunks_mut::<Q4_0_BLOCK>().0) {
        let scale = f16::decode(u16::from_le_bytes([bytes[0], bytes[1]]));
        for (j, byte) in bytes[2..].iter().enumerate() {
            out[j] = (f32::from(byte & 15) - 8.0) * scale;
            out[j + 16] = (f32::from(byte >> 4) - 8.0) * scale;
        }
    }
}

/// The exact value of element `i` of one block.
pub(super) fn decode(block: &[u8], i: usize) -> f64 {
    let code = (block[2 + i % 16] >> (4 * (i / 16))) & 15;
    (f64::from(code) - 8.0) * f64::from(f16::decode(u16::from_le_bytes([block[0], block[1]])))
}

/// The pair (f16 scale, 1 / d); the latter is 0 where all codes are 8.
fn scale_and_inverse(x: &[f32; Q4_0_BLOCK]) -> (u16, f32) {
    let amax_bits = amax_bits(x);
    let most = x.iter().find(|x| x.to_bits() & 0x7fff_ffff == amax_bits).filter(|_| amax_bits != 0);
    let d = most.copied().unwrap_or(0.0) / -8.0;
    let scale = f16::encode_scale(d);
    let inv = if scale == f16::F16_NAN || f32::from_bits(amax_bits) < NEGLIGIBLE { 0.0 } else { 1.0 / d };
    (scale, inv)
}
