//! Activation quantisers against the sequences of f32 operations that their pages state, bit for bit.

use proptest::prelude::*;
use spark_kernels::format::{Format, int8, mxfp4, nvfp4};

const LEN: usize = 96;

fn values() -> impl Strategy<Value = Vec<f32>> {
    let any = proptest::collection::vec(any::<f32>(), LEN);
    let near = (-130_i32..120, proptest::collection::vec(-8.0_f32..8.0, LEN))
        .prop_map(|(exponent, x)| x.into_iter().map(|x| (f64::from(x) * 2_f64.powi(exponent)) as f32).collect());
    prop_oneof![1 => any, 3 => near]
}

/// The definition, written with the standard library's rounding.
fn int8_by_definition(x: &[f32]) -> (Vec<i8>, f32) {
    let zeros = vec![0; x.len()];
    let amax = x.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    if x.iter().any(|x| !x.is_finite()) {
        return (zeros, f32::NAN);
    }
    if amax < 2_f32.powi(-100) {
        return (zeros, 0.0);
    }
    let inv = 127.0 / amax;
    (x.iter().map(|x| (x * inv).round_ties_even().clamp(-127.0, 127.0) as i8).collect(), amax / 127.0)
}

fn same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
}

proptest! {
    #[test]
    fn int8_is_its_definition(x in values()) {
        let mut codes = vec![99; LEN];
        let scale = int8::quantize_row(&x, &mut codes);
        let (want, want_scale) = int8_by_definition(&x);
        prop_assert_eq!(&codes, &want);
        prop_assert!(same(scale, want_scale));
        for (x, code) in x.iter().zip(codes).filter(|_| scale > 0.0) {
            let error = (f64::from(*x) - f64::from(scale) * f64::from(code)).abs();
            prop_assert!(error <= f64::from(scale) * (0.5 + 2_f64.powi(-15)), "{:e} to {}", x, code);
        }
    }

    #[test]
    fn int8g32_is_int8_by_groups(x in values()) {
        let (mut codes, mut scales) = (vec![99; LEN], vec![0.0; LEN / 32]);
        int8::quantize_groups(&x, &mut codes, &mut scales);
        for (g, x) in x.chunks(32).enumerate() {
            let (want, scale) = int8_by_definition(x);
            prop_assert_eq!(&codes[32 * g..][..32], &want[..]);
            prop_assert!(same(scales[g], scale));
        }
    }

    #[test]
    fn fp4_rows_are_the_canonical_blocks(x in values()) {
        let (mut twice, mut scales, mut bytes) = (vec![99; LEN], vec![0; LEN / 32], vec![0; LEN / 32 * 17]);
        mxfp4::quantize_row(&x, &mut twice, &mut scales);
        mxfp4::quantize(&x, &mut bytes);
        for i in 0..LEN {
            let block = [&[127], &bytes[i / 32 * 17 + 1..][..16]].concat();
            prop_assert_eq!(f64::from(twice[i]), 2.0 * Format::Mxfp4.decode(&block, 1.0, i % 32));
            prop_assert_eq!(scales[i / 32], bytes[i / 32 * 17]);
        }
        let (mut twice, mut scales, mut bytes) = (vec![99; LEN], vec![0; LEN / 16], vec![0; LEN / 16 * 9]);
        let row_scale = nvfp4::quantize_row(&x, &mut twice, &mut scales);
        prop_assert_eq!(row_scale, nvfp4::tensor_scale(&x));
        nvfp4::quantize(&x, row_scale, &mut bytes);
        for i in 0..LEN {
            let block = [&[0x38], &bytes[i / 16 * 9 + 1..][..8]].concat();
            prop_assert_eq!(f64::from(twice[i]), 2.0 * Format::Nvfp4.decode(&block, 1.0, i % 16));
            prop_assert_eq!(scales[i / 16], bytes[i / 16 * 9]);
        }
    }
}

#[test]
fn int8_ties_go_to_even_and_the_ends_are_reached() {
    let mut codes = [0; 8];
    let scale = int8::quantize_row(&[127.0, -127.0, 0.5, 1.5, 2.5, -0.5, -1.5, 126.5], &mut codes);
    assert_eq!((scale, codes), (1.0, [127, -127, 0, 2, 2, 0, -2, 126]));
}

/// |x · inv| reaches 127 (1 + 2^-23) at most: no amax of one octave, sampled densely, leaves the range.
#[test]
fn int8_needs_no_clamp() {
    for bits in (1.0_f32.to_bits()..2.0_f32.to_bits()).step_by(7) {
        let mut codes = [0; 2];
        int8::quantize_row(&[f32::from_bits(bits), -f32::from_bits(bits)], &mut codes);
        assert_eq!(codes, [127, -127], "{bits:#x}");
    }
}

#[test]
fn int8_near_the_ends_of_f32() {
    let mut codes = [9; 2];
    assert_eq!(int8::quantize_row(&[0.0, -0.0], &mut codes), 0.0);
    assert_eq!(int8::quantize_row(&[2_f32.powi(-101), 0.0], &mut codes), 0.0);
    assert_eq!(codes, [0, 0]);
    assert_eq!(int8::quantize_row(&[2_f32.powi(-100), 0.0], &mut codes), 2_f32.powi(-100) / 127.0);
    assert_eq!(codes, [127, 0]);
    assert_eq!(int8::quantize_row(&[f32::MAX, -1.0], &mut codes), f32::MAX / 127.0);
    assert_eq!(codes, [127, 0]);
    assert_eq!(int8::quantize_row(&[], &mut []), 0.0);
}
