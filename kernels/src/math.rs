//! `exp`, `ln`, sine and cosine from + − × ÷ and bit operations only, so that every platform gives the same bits.
//!
//! libm differs between systems and compilers may fuse nothing they were not told to, so plain Rust arithmetic is exactly
//! IEEE 754 everywhere. Polynomials are Taylor series after a reduction of the range; the bounds stand above each function.

/// ln 2 in two parts for f32: 15 bits, so that a multiple up to 2^9 is exact, and the rest.
const LN2_F32: [f32; 2] = [f32::from_bits(0x3f31_7200), f32::from_bits(0x35bf_be8e)];
/// ln 2 in two parts for f64: 40 bits, so that a multiple up to 2^12 is exact, and the rest.
const LN2: [f64; 2] = [f64::from_bits(0x3fe6_2e42_fefa_2000), f64::from_bits(0x3d69_ef35_793c_7673)];
/// π/2 in three parts: 33 bits, 33 bits and the rest, so that multiples up to 2^20 of the first two are exact.
const HALF_PI: [f64; 3] = [
    f64::from_bits(0x3ff9_21fb_5440_0000),
    f64::from_bits(0x3dd0_b461_1a60_0000),
    f64::from_bits(0x3ba3_198a_2e03_7073),
];
/// 1.5 · 2^23 and 1.5 · 2^52: adding one of them rounds to an integer, ties to even.
const ROUND_F32: f32 = 12_582_912.0;
const ROUND: f64 = 6_755_399_441_055_744.0;

/// e^x within 2 ulp. Below −103.98 it is 0, above 88.73 infinite, of NaN NaN; denormal results are rounded once.
pub fn exp_f32(x: f32) -> f32 {
    if x.is_nan() {
        return x;
    }
    if x > 88.73 {
        return f32::INFINITY;
    }
    if x < -103.98 {
        return 0.0;
    }
    let n = (x * std::f32::consts::LOG2_E + ROUND_F32) - ROUND_F32;
    // |r| ≤ 0.347, where the first term left out, r^8/8!, is below 6e-9: a tenth of an ulp.
    let r = (x - n * LN2_F32[0]) - n * LN2_F32[1];
    let tail =
        1.0 / 2.0 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0 + r * (1.0 / 5040.0)))));
    let mantissa = 1.0 + (r + r * r * tail);
    // Two factors, because 2^n alone may be denormal or infinite where the product is not; the first product is exact.
    let (whole, half) = (n as i32, n as i32 / 2);
    mantissa * power_f32(half) * power_f32(whole - half)
}

/// 2^n for −126 ≤ n ≤ 127.
fn power_f32(n: i32) -> f32 {
    f32::from_bits(((n + 127) as u32) << 23)
}

/// e^x within 4 ulp. Below −745.14 it is 0, above 709.79 infinite, of NaN NaN; denormal results are rounded once.
pub fn exp(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x > 709.79 {
        return f64::INFINITY;
    }
    if x < -745.14 {
        return 0.0;
    }
    let n = (x * std::f64::consts::LOG2_E + ROUND) - ROUND;
    let r = (x - n * LN2[0]) - n * LN2[1];
    // |r| ≤ 0.347: the first term left out, r^14/14!, is below 5e-18. tail = 1/2! + r/3! + … + r^11/13!
    let mut tail = 0.0;
    for k in (2..=13).rev() {
        tail = (1.0 + tail * r) / f64::from(k);
    }
    let mantissa = 1.0 + (r + r * r * tail);
    let (whole, half) = (n as i64, n as i64 / 2);
    mantissa * power(half) * power(whole - half)
}

/// 2^n for −1022 ≤ n ≤ 1023.
fn power(n: i64) -> f64 {
    f64::from_bits(((n + 1023) as u64) << 52)
}

/// The natural logarithm within 4 ulp. Of 0 it is −∞, of ∞ ∞, of negative numbers and NaN NaN.
pub fn ln(x: f64) -> f64 {
    if x.is_nan() || x < 0.0 {
        return f64::NAN;
    }
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    if x == f64::INFINITY {
        return x;
    }
    // Denormals are scaled up to normal numbers first.
    let (x, shift) = if x < f64::MIN_POSITIVE { (x * power(54), -54) } else { (x, 0) };
    let mut exponent = (x.to_bits() >> 52) as i64 - 1023 + shift;
    let mut m = f64::from_bits((x.to_bits() & ((1 << 52) - 1)) | (1023 << 52));
    if m > std::f64::consts::SQRT_2 {
        m *= 0.5;
        exponent += 1;
    }
    // With f = m − 1 (exact) and s = f/(2+f): ln(1+f) = 2·atanh(s) = f − (f²/2 − s·(f²/2 + tail)), tail = Σ 2·s^(2k)/(2k+1).
    // The small terms are summed first and f is added last, so m near 1 keeps its digits. s² ≤ 0.0295: eleven terms leave 1e-18.
    let f = m - 1.0;
    let s = f / (2.0 + f);
    let square = s * s;
    let mut tail = 0.0;
    for k in (1..=11).rev() {
        tail = square * (2.0 / f64::from(2 * k + 1) + tail);
    }
    let half = 0.5 * f * f;
    let n = exponent as f64;
    n * LN2[0] - ((half - (s * (half + tail) + n * LN2[1])) - f)
}

/// Sine and cosine of x radians within 4 ulp for |x| ≤ 1.6e6 (a million positions), NaN for infinite x. Beyond that range the
/// reduction loses digits: one for each further factor of ten.
pub fn sin_cos(x: f64) -> (f64, f64) {
    if !x.is_finite() {
        return (f64::NAN, f64::NAN);
    }
    let n = (x * std::f64::consts::FRAC_2_PI + ROUND) - ROUND;
    let r = ((x - n * HALF_PI[0]) - n * HALF_PI[1]) - n * HALF_PI[2];
    let square = r * r;
    // |r| ≤ 0.786: the first terms left out are r^19/19! < 9e-20 and r^18/18! < 3e-18.
    let (mut sine, mut cosine) = (0.0, 0.0);
    for k in (1..=8).rev() {
        let k = f64::from(2 * k);
        sine = square * (1.0 + sine) / -(k * (k + 1.0));
        if k > 2.0 {
            cosine = square * (1.0 + cosine) / -(k * (k - 1.0));
        }
    }
    let sine = r + r * sine;
    let half = 0.5 * square;
    let cosine = 1.0 - (half + half * cosine);
    match (n as i64) & 3 {
        0 => (sine, cosine),
        1 => (cosine, -sine),
        2 => (-sine, -cosine),
        _ => (-cosine, sine),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Distance in units of the last place of `want`.
    fn ulps(got: f64, want: f64) -> f64 {
        if got == want {
            return 0.0;
        }
        let ulp = f64::from_bits(want.abs().to_bits() + 1) - want.abs();
        (got - want).abs() / ulp
    }

    fn spread(count: u64, from: f64, to: f64) -> impl Iterator<Item = f64> {
        // The golden ratio's multiples modulo 1: even, never on a grid.
        (0..count).map(move |i| {
            let part = (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11) as f64 / (1u64 << 53) as f64;
            from + (to - from) * part
        })
    }

    #[test]
    fn exp_f32_is_within_two_ulp_of_the_wider_function() {
        let mut worst = 0.0_f64;
        for x in spread(400_000, -104.5, 89.0).chain(spread(200_000, -2.0, 2.0)) {
            let x = x as f32;
            let exact = f64::from(x).exp();
            let got = exp_f32(x);
            if exact > f64::from(f32::MAX) {
                assert!(got == f32::INFINITY || f32::MAX - got < 1e33, "exp({x}) = {got}");
                continue;
            }
            let near = (exact as f32).abs();
            let ulp = f64::from(f32::from_bits(near.to_bits() + 1)) - f64::from(near);
            worst = worst.max((f64::from(got) - exact).abs() / ulp);
        }
        assert!(worst <= 2.0, "{worst} ulp");
    }

    #[test]
    fn exp_is_within_four_ulp() {
        let worst = spread(400_000, -708.0, 709.0)
            .chain(spread(200_000, -1.0, 1.0))
            .map(|x| ulps(exp(x), x.exp()))
            .fold(0.0, f64::max);
        assert!(worst <= 4.0, "{worst} ulp");
        assert!((exp(-740.0) - (-740.0_f64).exp()).abs() <= 1e-323);
    }

    #[test]
    fn ln_is_within_four_ulp() {
        let worst = spread(200_000, 0.0, 1.0)
            .chain(spread(200_000, 0.99, 1.01))
            .chain(spread(100_000, 1.0, 1e6))
            .chain(spread(100_000, -1070.0, 1020.0).map(f64::exp2))
            .filter(|&x| x > 0.0)
            .map(|x| ulps(ln(x), x.ln()))
            .fold(0.0, f64::max);
        assert!(worst <= 4.0, "{worst} ulp");
    }

    #[test]
    fn sine_and_cosine_are_within_four_ulp() {
        let mut worst = 0.0_f64;
        let multiples = (0..100_000).map(|i| f64::from(i) * std::f64::consts::FRAC_PI_2);
        let whole = (0..200_000).map(f64::from);
        for x in spread(200_000, -10.0, 10.0).chain(spread(200_000, -1.6e6, 1.6e6)).chain(multiples).chain(whole) {
            let (got, want) = (sin_cos(x), x.sin_cos());
            worst = worst.max(ulps(got.0, want.0)).max(ulps(got.1, want.1));
        }
        assert!(worst <= 4.0, "{worst} ulp");
    }

    #[test]
    fn ends_and_odd_values() {
        assert_eq!(exp_f32(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp_f32(-1e30), 0.0);
        assert_eq!(exp_f32(f32::INFINITY), f32::INFINITY);
        assert_eq!(exp_f32(1000.0), f32::INFINITY);
        assert!(exp_f32(f32::NAN).is_nan());
        assert_eq!((exp_f32(0.0), exp_f32(-0.0)), (1.0, 1.0));
        assert_eq!((exp(f64::NEG_INFINITY), exp(f64::INFINITY), exp(0.0)), (0.0, f64::INFINITY, 1.0));
        assert_eq!((exp(-1e300), exp(1e300)), (0.0, f64::INFINITY));
        assert!(exp(f64::NAN).is_nan());
        assert_eq!((ln(0.0), ln(1.0), ln(f64::INFINITY)), (f64::NEG_INFINITY, 0.0, f64::INFINITY));
        assert!(ln(-1.0).is_nan() && ln(f64::NAN).is_nan());
        assert_eq!(sin_cos(0.0), (0.0, 1.0));
        assert!(sin_cos(f64::INFINITY).0.is_nan() && sin_cos(f64::NAN).1.is_nan());
    }

    /// The bits themselves: a change of any of them on any platform changes every seeded model's logits.
    #[test]
    fn the_bits_are_pinned() {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut add = |bits: u64| hash = (hash ^ bits).wrapping_mul(0x0000_0100_0000_01b3);
        for x in spread(10_000, -80.0, 80.0) {
            add(u64::from(exp_f32(x as f32).to_bits()));
            add(exp(x).to_bits());
            add(ln(x.abs()).to_bits());
            let (sine, cosine) = sin_cos(x * 1e4);
            add(sine.to_bits());
            add(cosine.to_bits());
        }
        assert_eq!(hash, 0xe474_1a48_32c1_8434, "{hash:#x}");
    }
}
