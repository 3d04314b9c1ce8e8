//! Values of codes, by arithmetic: no code is shared with what is tested.

/// A number of `exponent` and `mantissa` bits and a sign before them, were every exponent a finite one.
fn minifloat(code: u32, exponent: u32, mantissa: u32, bias: i32) -> f64 {
    let (e, m) = (code >> mantissa & ((1 << exponent) - 1), f64::from(code & ((1 << mantissa) - 1)));
    let whole = f64::from(1_u32 << mantissa);
    let power = 2f64.powi(e.max(1).cast_signed() - bias - mantissa.cast_signed());
    let magnitude = power * if e == 0 { m } else { whole + m };
    if code >> (exponent + mantissa) & 1 == 1 { -magnitude } else { magnitude }
}

/// E4M3, with its one NaN.
pub fn e4m3(code: u8) -> f64 {
    if code & 0x7f == 0x7f { f64::NAN } else { minifloat(code.into(), 4, 3, 7) }
}

/// E2M1, the low four bits.
pub fn e2m1(code: u8) -> f64 {
    minifloat((code & 15).into(), 2, 1, 1)
}

/// bf16.
pub fn bf16(code: u16) -> f64 {
    f32::from_bits(u32::from(code) << 16).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_at_the_ends_have_their_values() {
        assert_eq!(
            [0, 1, 7, 8, 0x7e, 0xb8].map(e4m3),
            [0.0, 2f64.powi(-9), 7.0 * 2f64.powi(-9), 2f64.powi(-6), 448.0, -1.0]
        );
        assert!(e4m3(0xff).is_nan());
        assert_eq!([0, 1, 2, 3, 4, 5, 6, 7, 15].map(e2m1), [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -6.0]);
        assert_eq!(bf16(0xc049), -3.140_625);
    }
}
