//! E4M3 ("fn", OCP FP8), the element of FP8 and the block scale of NVFP4: one sign, four exponent (bias 7) and three mantissa bits, no infinity.

/// The largest finite magnitude.
pub const E4M3_MAX: f32 = 448.0;

/// The canonical NaN; 0xff is the other one.
pub const E4M3_NAN: u8 = 0x7f;

/// The value of each code.
pub const E4M3_VALUES: [f32; 256] = {
    let mut table = [0.0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = value(code as u8);
        code += 1;
    }
    table
};

/// The nearest code to `x`, ties to even, saturating at ±448 (infinities too); subnormals down to 2⁻⁹ are kept.
///
/// The sign is kept, on zero too. Every NaN becomes [`E4M3_NAN`].
pub const fn encode(x: f32) -> u8 {
    if x.is_nan() {
        return E4M3_NAN;
    }
    let sign = ((x.to_bits() >> 24) & 0x80) as u8;
    let a = x.abs();
    let magnitude = if a >= E4M3_MAX {
        0x7e
    } else if a < SMALLEST_NORMAL {
        // One unit in the last place of 2^14 is 2^-9, the subnormal step: the addition itself rounds to nearest even,
        // and a carry into the first normal code is the right code.
        const ALIGN: f32 = 16384.0;
        ((a + ALIGN).to_bits() - ALIGN.to_bits()) as u8
    } else {
        let bits = a.to_bits();
        let rounded = (bits + 0x7_ffff + ((bits >> 20) & 1)) >> 20;
        (rounded - ((127 - 7) << 3)) as u8
    };
    sign | magnitude
}

/// The value of [`encode`]`(x)`, for the x of which that is a number, in steps that vectors do too.
#[inline]
pub const fn nearest(x: f32) -> f32 {
    const ALIGN: f32 = 16384.0;
    let a = x.abs();
    let bits = a.to_bits();
    let normal = f32::from_bits((bits + 0x7_ffff + ((bits >> 20) & 1)) & !0xf_ffff);
    let small = (a + ALIGN) - ALIGN;
    let magnitude = if a < SMALLEST_NORMAL { small } else { normal };
    let magnitude = if magnitude > E4M3_MAX { E4M3_MAX } else { magnitude };
    f32::from_bits(magnitude.to_bits() | x.to_bits() & 0x8000_0000)
}

/// The value of `code`, exactly; NaN for 0x7f and 0xff.
pub const fn decode(code: u8) -> f32 {
    E4M3_VALUES[code as usize]
}

const SMALLEST_NORMAL: f32 = 0.015625;

const fn value(code: u8) -> f32 {
    let (exponent, mantissa) = ((code >> 3) & 15, code & 7);
    let magnitude = if code & 0x7f == 0x7f {
        f32::NAN
    } else if exponent == 0 {
        mantissa as f32 / 512.0
    } else {
        f32::from_bits(((exponent as u32 + 127 - 7) << 23) | ((mantissa as u32) << 20))
    };
    if code & 0x80 == 0 { magnitude } else { -magnitude }
}
