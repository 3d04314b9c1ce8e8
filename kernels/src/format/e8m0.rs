//! E8M0, the block scale of MXFP4: a bare power of two, 2^(code − 127), without sign or zero (OCP MX 1.0).

/// The only NaN.
pub const E8M0_NAN: u8 = 0xff;

/// The value of each code; code 0 is 2⁻¹²⁷, a subnormal f32, and code 255 is NaN.
pub const E8M0_VALUES: [f32; 256] = {
    let mut table = [0.0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = value(code as u8);
        code += 1;
    }
    table
};

/// The largest power of two that is not above `x`: floor(log₂ x) as a code.
///
/// Zero (of either sign) and everything below 2⁻¹²⁷ give code 0, the smallest; NaN, infinity and negative numbers give
/// [`E8M0_NAN`].
pub const fn encode(x: f32) -> u8 {
    if x.is_nan() || x < 0.0 {
        return E8M0_NAN;
    }
    // The exponent field of a non-negative f32 is the code: subnormals have field 0, infinity has 255.
    ((x.to_bits() >> 23) & 0xff) as u8
}

/// The value of `code`, exactly.
pub const fn decode(code: u8) -> f32 {
    E8M0_VALUES[code as usize]
}

/// The reciprocal of `code`'s value for codes 0–253, exactly; a power of two that is a normal f32 (2¹²⁷ to 2⁻¹²⁶).
pub(crate) const fn reciprocal(code: u8) -> f32 {
    debug_assert!(code <= 253);
    f32::from_bits((254 - code as u32) << 23)
}

const fn value(code: u8) -> f32 {
    match code {
        0 => f32::from_bits(1 << 22),
        E8M0_NAN => f32::NAN,
        _ => f32::from_bits((code as u32) << 23),
    }
}
