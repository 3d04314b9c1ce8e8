//! NaN, infinity, zero and numbers near the ends of f32, for every format.

use spark_kernels::format::{Format, e4m3, f16, fp8, magnitude, nvfp4};

const BLOCKED: [Format; 4] = [Format::Mxfp4, Format::Nvfp4, Format::Q8_0, Format::Q4_0];

fn round_trip(format: Format, x: &[f32]) -> (Vec<u8>, Vec<f32>) {
    let (mut bytes, scale, mut out) = (vec![0xaa; format.bytes(x.len())], format.tensor_scale(x), vec![7.0; x.len()]);
    format.quantize(x, scale, &mut bytes);
    format.dequantize(&bytes, scale, &mut out);
    (bytes, out)
}

#[test]
fn one_bad_element_spoils_its_block_and_no_other() {
    for format in BLOCKED {
        for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut x = [1.0; 96];
            x[32 + 5] = bad;
            let (_, out) = round_trip(format, &x);
            let spoilt = 32..32 + format.block();
            for (i, out) in out.iter().enumerate() {
                assert_eq!(out.is_nan(), spoilt.contains(&i), "{format} {bad} at {i}");
                assert!(out.is_nan() || (out - 1.0).abs() < 0.01, "{format}: {out} beside {bad}");
            }
        }
    }
}

#[test]
fn one_bad_element_spoils_its_row_of_fp8() {
    for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut x = [1.0; 40];
        x[33] = bad;
        let (bytes, out) = round_trip(Format::Fp8, &x);
        assert!(bytes.iter().all(|code| *code == 0) && out.iter().all(|out| out.is_nan()), "{bad}");
        let mut values = [7.0; 40];
        assert!(fp8::round_row(&x, &mut values).is_nan() && values == [0.0; 40], "{bad}");
    }
}

#[test]
fn bad_blocks_have_canonical_bytes() {
    let x = [f32::NAN; 32];
    let zero_codes = |format: Format, code: u8| round_trip(format, &x).0.iter().filter(|byte| **byte == code).count();
    assert_eq!(round_trip(Format::Mxfp4, &x).0[0], 0xff);
    assert_eq!(zero_codes(Format::Mxfp4, 0), 16);
    assert_eq!(round_trip(Format::Nvfp4, &x).0[9], e4m3::E4M3_NAN);
    assert_eq!(zero_codes(Format::Nvfp4, 0), 16);
    assert_eq!(round_trip(Format::Q8_0, &x).0[..2], f16::F16_NAN.to_le_bytes());
    assert_eq!(zero_codes(Format::Q4_0, 0x88), 16);
}

#[test]
fn plain_formats_keep_nan_and_infinity() {
    for format in [Format::Bf16, Format::F16, Format::F32] {
        let (_, out) = round_trip(format, &[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0]);
        assert!(out[0].is_nan());
        assert_eq!(out[1..3], [f32::INFINITY, f32::NEG_INFINITY]);
        assert_eq!(out[3].to_bits(), (-0.0_f32).to_bits());
    }
}

#[test]
fn zeros_are_zeros() {
    for format in Format::ALL {
        for zero in [0.0, -0.0] {
            let (bytes, out) = round_trip(format, &[zero; 256]);
            assert!(out.iter().all(|out| *out == 0.0), "{format}");
            if format == Format::Q4_0 {
                assert_eq!(bytes[..2], 0x8000_u16.to_le_bytes(), "llama.cpp writes 0 / -8");
            }
        }
    }
    assert_eq!(Format::Nvfp4.tensor_scale(&[0.0; 16]), 1.0);
    assert_eq!(Format::Nvfp4.tensor_scale(&[]), 1.0);
}

#[test]
fn the_largest_numbers_stay_finite_or_become_nan() {
    for x in [f32::MAX, f32::MAX / 2.0, f32::MIN] {
        for format in [Format::Mxfp4, Format::Nvfp4] {
            let (_, out) = round_trip(format, &[x; 32]);
            assert!(
                out.iter().all(|out| out.is_finite() && (out / x - 1.0).abs() <= 0.26),
                "{format} {x:e}: {}",
                out[0]
            );
        }
        for format in [Format::Q8_0, Format::Q4_0] {
            assert!(round_trip(format, &[x; 32]).1.iter().all(|out| out.is_nan()), "{format}: no f16 scale fits");
        }
    }
    assert_eq!(round_trip(Format::Q8_0, &[f32::MAX; 32]).0[2..], [0; 32]);
    assert_eq!(round_trip(Format::Q4_0, &[f32::MAX; 32]).0[2..], [0x88; 16]);
    let (_, out) = round_trip(Format::Q8_0, &[8.3e6; 32]);
    assert!(out.iter().all(|out| (out / 8.3e6 - 1.0).abs() < 0.005));
}

#[test]
fn the_smallest_numbers_round() {
    let least = f32::from_bits(1);
    for format in BLOCKED {
        let (_, out) = round_trip(format, &[least; 32]);
        assert!(out.iter().all(|out| *out == 0.0), "{format}");
    }
    // Under the smallest scale, 2^-127, a subnormal of 2^-128 is the element 0.5.
    let (bytes, out) = round_trip(Format::Mxfp4, &[f32::from_bits(1 << 21); 32]);
    assert_eq!((bytes[0], bytes[1]), (0, 0x11));
    assert_eq!(out[0], f32::from_bits(1 << 21));
    let (_, out) = round_trip(Format::Nvfp4, &[magnitude::NEGLIGIBLE; 16]);
    assert_eq!(out[0], magnitude::NEGLIGIBLE);
    let (_, out) = round_trip(Format::Nvfp4, &[magnitude::NEGLIGIBLE.next_down(); 16]);
    assert_eq!(out[0], 0.0);
}

#[test]
fn an_nvfp4_scale_from_elsewhere_saturates() {
    let mut bytes = [0; 9];
    nvfp4::quantize(&[1000.0; 16], 0.25, &mut bytes);
    assert_eq!(bytes, [0x7e, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77]);
    assert_eq!(Format::Nvfp4.decode(&bytes, 0.25, 3), 672.0);
}

#[test]
#[should_panic(expected = "tensor scale NaN")]
fn an_nvfp4_scale_that_is_no_number_is_refused() {
    nvfp4::quantize(&[1.0; 16], f32::NAN, &mut [0; 9]);
}
