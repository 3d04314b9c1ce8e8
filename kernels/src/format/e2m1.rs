//! E2M1, the four-bit element of MXFP4 and NVFP4: one sign, two exponent and one mantissa bit (OCP MX 1.0).

/// The value of each code; codes 8–15 are the negatives of 0–7, code 8 is −0.
pub const E2M1_VALUES: [f32; 16] =
    [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0];

/// Twice the value of each code: an exact int8, so integer kernels multiply FP4 without rounding.
pub const E2M1_TWICE: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/// The largest finite magnitude.
pub const E2M1_MAX: f32 = 6.0;

/// The nearest code to `x`, ties to the even code, saturating at ±6.
///
/// The sign is kept, on zero too. E2M1 has no NaN: a NaN becomes +6 (code 7), as the saturating conversion of PTX does;
/// the block quantisers never get here with one, they mark the block's scale instead.
pub const fn encode(x: f32) -> u8 {
    if x.is_nan() {
        return 7;
    }
    encode_number(x)
}

/// [`encode`] for what is known not to be NaN; without a branch, so that loops over it become vector code.
///
/// The code is the count of midpoints passed, where one above an odd code is passed on equality: ties to even.
pub(super) const fn encode_number(x: f32) -> u8 {
    let (a, sign) = (x.abs(), (x.to_bits() >> 28) & 8);
    let code = (a > 0.25) as u32
        + (a >= 0.75) as u32
        + (a > 1.25) as u32
        + (a >= 1.75) as u32
        + (a > 2.5) as u32
        + (a >= 3.5) as u32
        + (a > 5.0) as u32;
    (sign | code) as u8
}

/// Twice the value of [`encode_number`]`(x)`, also without a branch or a table.
///
/// Elements step by ½ below 2, by 1 below 4 and by 2 above. Adding 2²² times the element's octave, whose unit in the last
/// place is that step, rounds to it, and to the even multiple, which is the even code.
pub(super) const fn twice_number(x: f32) -> i8 {
    const ONE: u32 = 1_f32.to_bits();
    const ALIGN: f32 = 12_582_912.0;
    let a = if x.abs() < E2M1_MAX { x.abs() } else { E2M1_MAX };
    let octave = if a.to_bits() > ONE { a.to_bits() } else { ONE } & 0x7f80_0000;
    let align = f32::from_bits(octave + (22 << 23));
    let twice = 2.0 * ((a + align) - align);
    let signed = f32::from_bits(twice.to_bits() | (x.to_bits() & 0x8000_0000));
    (signed + ALIGN).to_bits().wrapping_sub(ALIGN.to_bits()) as i8
}

/// The value of the code in the low four bits; the high four are ignored.
pub const fn decode(code: u8) -> f32 {
    E2M1_VALUES[(code & 15) as usize]
}
