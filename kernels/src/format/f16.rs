//! IEEE binary16, as an element, as a block scale and as a row of little-endian pairs.

/// The canonical quiet NaN.
pub const F16_NAN: u16 = 0x7e00;

/// The nearest f16 to `x`, ties to even; magnitudes from 65520 up become infinity, subnormals down to 2⁻²⁴ are kept,
/// every NaN becomes [`F16_NAN`] (payloads would differ between hardware and software conversions).
pub const fn encode(x: f32) -> u16 {
    if x.is_nan() {
        return F16_NAN;
    }
    let sign = ((x.to_bits() >> 16) & 0x8000) as u16;
    let a = x.abs();
    let magnitude = if a >= 65520.0 {
        0x7c00
    } else if a < SMALLEST_NORMAL {
        // One unit in the last place of 0.5 is 2^-24, the subnormal step: the addition itself rounds to nearest even.
        const ALIGN: f32 = 0.5;
        ((a + ALIGN).to_bits() - ALIGN.to_bits()) as u16
    } else {
        let bits = a.to_bits();
        let rounded = (bits + 0xfff + ((bits >> 13) & 1)) >> 13;
        (rounded - ((127 - 15) << 10)) as u16
    };
    sign | magnitude
}

/// The value of `code`, exactly.
pub const fn decode(code: u16) -> f32 {
    let (exponent, mantissa) = ((code >> 10) & 31, (code & 0x3ff) as u32);
    let magnitude = match exponent {
        0 => mantissa as f32 / 16_777_216.0,
        31 => f32::from_bits(0x7f80_0000 | (mantissa << 13)),
        _ => f32::from_bits(((exponent as u32 + 127 - 15) << 23) | (mantissa << 13)),
    };
    if code & 0x8000 == 0 { magnitude } else { -magnitude }
}

/// A block scale: NaN where `x` is not finite or rounds to infinity, because a scale of infinity decodes some elements to
/// infinity and others to NaN.
pub(super) const fn encode_scale(x: f32) -> u16 {
    let code = encode(x);
    if code & 0x7c00 == 0x7c00 { F16_NAN } else { code }
}

const SMALLEST_NORMAL: f32 = 1.0 / 16384.0;

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
