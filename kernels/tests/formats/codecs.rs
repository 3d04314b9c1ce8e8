//! Elements: decode against the formula, encode against every midpoint and its neighbours, and against brute force.

use spark_kernels::format::{E2M1_TWICE, E2M1_VALUES, E4M3_VALUES, E8M0_VALUES, bf16, e2m1, e4m3, e8m0, f16};

/// A sign-magnitude float by its definition: `exponent_bits`, `mantissa_bits`, bias, no special codes.
fn definition(code: u32, exponent_bits: u32, mantissa_bits: u32, bias: i32) -> f64 {
    let mantissa = f64::from(code & ((1 << mantissa_bits) - 1)) / f64::from(1_u32 << mantissa_bits);
    let exponent = ((code >> mantissa_bits) & ((1 << exponent_bits) - 1)) as i32;
    let sign = if code >> (exponent_bits + mantissa_bits) == 0 { 1.0 } else { -1.0 };
    let (lead, exponent) = if exponent == 0 { (0.0, 1) } else { (1.0, exponent) };
    sign * (lead + mantissa) * 2_f64.powi(exponent - bias)
}

/// Walks magnitudes 0 ..= `most` and checks round trip, ties and both neighbours of each midpoint, with both signs.
fn check_rounding(most: u32, sign: u32, decode: impl Fn(u32) -> f32, encode: impl Fn(f32) -> u32) {
    for code in 0..=most {
        let value = decode(code);
        assert_eq!(encode(value), code, "round trip of {code:#x}");
        assert_eq!(encode(-value), code | sign, "round trip of {code:#x} negated");
        assert_eq!(decode(code | sign).to_bits(), (-value).to_bits(), "sign of {code:#x}");
        if code == most {
            break;
        }
        let middle = ((f64::from(value) + f64::from(decode(code + 1))) / 2.0) as f32;
        let even = code + code % 2;
        for (x, want) in [(middle, even), (middle.next_down(), code), (middle.next_up(), code + 1)] {
            assert_eq!(encode(x), want, "{x:e} above {code:#x}");
            assert_eq!(encode(-x), want | sign, "-{x:e} below -{code:#x}");
        }
    }
}

/// f32 of every exponent, sign and leading mantissa bits, on and beside the short values.
fn probes() -> impl Iterator<Item = f32> {
    (0..=u32::from(u16::MAX)).flat_map(|high| [0, 1, 0x8000, 0xffff].map(|low| f32::from_bits(high << 16 | low)))
}

#[test]
fn e2m1_decodes_by_definition() {
    for code in 0..16_u8 {
        let want = definition(u32::from(code), 2, 1, 1);
        assert_eq!(f64::from(e2m1::decode(code)).to_bits(), want.to_bits());
        assert_eq!(e2m1::decode(code | 0xf0).to_bits(), E2M1_VALUES[usize::from(code)].to_bits());
        assert_eq!(f64::from(E2M1_TWICE[usize::from(code)]), 2.0 * want);
    }
}

#[test]
fn e2m1_encodes_to_the_nearest() {
    check_rounding(7, 8, |code| e2m1::decode(code as u8), |x| u32::from(e2m1::encode(x)));
    for x in probes() {
        let want = if x.is_nan() { 7 } else { super::nearest_e2m1(f64::from(x)) };
        assert_eq!(e2m1::encode(x), want, "{x:e}");
    }
    assert_eq!(e2m1::encode(f32::INFINITY), 7);
    assert_eq!(e2m1::encode(f32::NEG_INFINITY), 15);
}

#[test]
fn e4m3_decodes_by_definition() {
    for code in 0..=255_u8 {
        let value = e4m3::decode(code);
        assert_eq!(value.to_bits(), E4M3_VALUES[usize::from(code)].to_bits());
        if code & 0x7f == 0x7f {
            assert!(value.is_nan());
        } else {
            assert_eq!(f64::from(value).to_bits(), definition(u32::from(code), 4, 3, 7).to_bits(), "{code:#x}");
        }
    }
    assert_eq!(e4m3::decode(0x7e), e4m3::E4M3_MAX);
}

#[test]
fn e4m3_encodes_to_the_nearest() {
    check_rounding(0x7e, 0x80, |code| e4m3::decode(code as u8), |x| u32::from(e4m3::encode(x)));
    let magnitudes: Vec<f64> = (0..0x7f).map(|code| definition(code, 4, 3, 7)).collect();
    for x in probes() {
        let code = e4m3::encode(x);
        if x.is_nan() {
            assert_eq!(code, e4m3::E4M3_NAN);
            continue;
        }
        assert_eq!(e4m3::nearest(x).to_bits(), e4m3::decode(code).to_bits(), "{x:e}");
        assert_eq!(code >> 7 == 1, x.is_sign_negative());
        let a = f64::from(x.abs()).min(448.0);
        let best = magnitudes.iter().map(|m| (m - a).abs()).fold(f64::INFINITY, f64::min);
        assert_eq!((magnitudes[usize::from(code & 0x7f)] - a).abs(), best, "{x:e} to {code:#x}");
    }
    for x in [448.0, 464.0, 480.0, f32::MAX, f32::INFINITY] {
        assert_eq!((e4m3::encode(x), e4m3::encode(-x)), (0x7e, 0xfe), "{x:e} saturates");
    }
}

#[test]
fn e8m0_is_the_power_of_two_below() {
    for code in 0..255_u8 {
        let value = e8m0::decode(code);
        assert_eq!(f64::from(value), 2_f64.powi(i32::from(code) - 127));
        assert_eq!(value.to_bits(), E8M0_VALUES[usize::from(code)].to_bits());
        assert_eq!(e8m0::encode(value), code);
        assert_eq!(e8m0::encode(value.next_up()), code);
        assert_eq!(e8m0::encode(value.next_down()), code.saturating_sub(1));
    }
    assert!(e8m0::decode(255).is_nan());
    for x in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1.0] {
        assert_eq!(e8m0::encode(x), 255, "{x}");
    }
    for x in [0.0, -0.0, f32::from_bits(1)] {
        assert_eq!(e8m0::encode(x), 0, "{x:e}");
    }
}

#[test]
fn f16_decodes_by_definition() {
    for code in 0..=u16::MAX {
        let value = f16::decode(code);
        match (code >> 10) & 31 {
            31 if code & 0x3ff != 0 => assert!(value.is_nan(), "{code:#x}"),
            31 => assert_eq!(value, if code >> 15 == 0 { f32::INFINITY } else { f32::NEG_INFINITY }),
            _ => assert_eq!(f64::from(value).to_bits(), definition(u32::from(code), 5, 10, 15).to_bits(), "{code:#x}"),
        }
        assert_eq!(value.is_nan(), half::f16::from_bits(code).is_nan());
        assert!(value.is_nan() || value == half::f16::from_bits(code).to_f32());
    }
}

#[test]
fn f16_encodes_to_the_nearest() {
    check_rounding(0x7bff, 0x8000, |code| f16::decode(code as u16), |x| u32::from(f16::encode(x)));
    assert_eq!(f16::encode(65520_f32.next_down()), 0x7bff);
    assert_eq!((f16::encode(65520.0), f16::encode(-65520.0)), (0x7c00, 0xfc00));
    for x in probes() {
        let (ours, theirs) = (f16::encode(x), half::f16::from_f32(x));
        assert!(if x.is_nan() { ours == f16::F16_NAN } else { ours == theirs.to_bits() }, "{x:e}");
    }
}

#[test]
fn bf16_is_the_upper_half_rounded() {
    check_rounding(0x7f7f, 0x8000, |code| bf16::decode(code as u16), |x| u32::from(bf16::encode(x)));
    for code in 0..=u16::MAX {
        assert_eq!(bf16::decode(code).to_bits(), u32::from(code) << 16);
    }
    assert_eq!(bf16::encode(f32::MAX), 0x7f80);
    assert_eq!(bf16::encode(f32::NEG_INFINITY), 0xff80);
    for x in probes() {
        assert_eq!(bf16::encode(x), half::bf16::from_f32(x).to_bits(), "{x:e}");
        assert_eq!(bf16::decode(bf16::encode(x)).is_nan(), x.is_nan());
    }
}
