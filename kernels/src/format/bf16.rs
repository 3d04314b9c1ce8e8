//! bf16: the upper half of an f32, rounded to nearest even, as an element and as a row of little-endian pairs.

/// The nearest bf16 to `x`, ties to even; overflow rounds to infinity, subnormals are kept, a NaN stays a (quiet) NaN.
///
/// x86's `vcvtneps2bf16` differs in one thing: it flushes subnormal inputs to zero.
pub const fn encode(x: f32) -> u16 {
    let bits = x.to_bits();
    if x.is_nan() {
        return (bits >> 16) as u16 | 0x40;
    }
    ((bits + 0x7fff + ((bits >> 16) & 1)) >> 16) as u16
}

/// The value of `code`, exactly.
pub const fn decode(code: u16) -> f32 {
    f32::from_bits((code as u32) << 16)
}

/// Rounds `x` into `out`, two bytes an element.
pub(super) fn quantize(x: &[f32], out: &mut [u8]) {
    for (x, out) in x.iter().zip(out.as_chunks_mut::<2>().0) {
        *out = encode(*x).to_le_bytes();
    }
}

/// Widens `bytes` into `out`.
pub(super) fn dequantize(bytes: &[u8], out: &mut [f32]) {
    for (bytes, out) in bytes.as_chunks::<2>().0.iter().zip(out) {
        *out = decode(u16::from_le_bytes(*bytes));
    }
}
