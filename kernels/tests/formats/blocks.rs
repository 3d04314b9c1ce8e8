//! Blocks: the bounds that the format's pages state, against f64, and layouts byte by byte.

use proptest::prelude::*;
use spark_kernels::format::{Format, e4m3, e8m0, f16, fp8, magnitude};

const LEN: usize = 96;

/// Finite f32 of every exponent, and tensors whose elements lie near each other, where rounding matters most.
fn values() -> impl Strategy<Value = Vec<f32>> {
    use proptest::num::f32::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    let any = POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO;
    let near = (-140_i32..120, proptest::collection::vec(-8.0_f32..8.0, LEN))
        .prop_map(|(exponent, x)| x.into_iter().map(|x| (f64::from(x) * 2_f64.powi(exponent)) as f32).collect());
    prop_oneof![1 => proptest::collection::vec(any, LEN), 3 => near]
}

fn quantize(format: Format, x: &[f32]) -> (Vec<u8>, f32) {
    let (mut bytes, scale) = (vec![0xaa; format.bytes(x.len())], format.tensor_scale(x));
    format.quantize(x, scale, &mut bytes);
    (bytes, scale)
}

/// Calls `check` with (index, x, decoded) for every element, all finite.
fn each(format: Format, x: &[f32], mut check: impl FnMut(usize, f64, f64)) {
    let (bytes, scale) = quantize(format, x);
    for (i, x) in x.iter().enumerate() {
        check(i, f64::from(*x), format.decode(&bytes, scale, i));
    }
}

fn amax(x: &[f32]) -> f64 {
    x.iter().fold(0.0, |most, x| f64::from(x.abs()).max(most))
}

proptest! {
    #[test]
    fn mxfp4_bound(x in values()) {
        let (bytes, _) = quantize(Format::Mxfp4, &x);
        each(Format::Mxfp4, &x, |i, x_i, decoded| {
            let block = &x[i / 32 * 32..][..32];
            let scale = f64::from(e8m0::decode(bytes[i / 32 * 17]));
            let exponent = amax(block).log2().floor() - 2.0;
            assert_eq!(scale, if amax(block) == 0.0 { 2_f64.powi(-127) } else { exponent.max(-127.0).exp2() });
            assert!((x_i - decoded).abs() <= x_i.abs().max(scale) / 4.0, "{x_i:e} to {decoded:e}, scale {scale:e}");
            assert!(amax(block) < 2_f64.powi(-125) || (x_i - decoded).abs() < amax(block) / 4.0);
            let code = super::nearest_e2m1(x_i / scale);
            assert_eq!((bytes[i / 32 * 17 + 1 + i % 32 / 2] >> (4 * (i % 2))) & 15, code);
        });
    }

    #[test]
    fn nvfp4_bound(x in values()) {
        let (bytes, ts) = quantize(Format::Nvfp4, &x);
        each(Format::Nvfp4, &x, |i, x_i, decoded| {
            let s = f64::from(spark_kernels::format::e4m3::decode(bytes[i / 16 * 9]));
            let ts = f64::from(ts);
            let bound = if amax(&x) < f64::from(magnitude::NEGLIGIBLE) {
                f64::from(magnitude::NEGLIGIBLE)
            } else {
                ts * s.max(6.0 / 1024.0) * (1.0 + 2_f64.powi(-20))
            };
            assert!((x_i - decoded).abs() <= bound, "{x_i:e} to {decoded:e}, s {s}, ts {ts:e}");
            if s > 0.0 {
                let best = super::nearest_e2m1(x_i / (s * ts)) & 7;
                let best = f64::from(spark_kernels::format::E2M1_VALUES[usize::from(best)]) * s * ts;
                let (ours, least) = ((x_i - decoded).abs(), (x_i.abs() - best).abs());
                assert!(ours <= least + s * ts * 2_f64.powi(-20), "{x_i:e} to {decoded:e}: not the nearest");
            }
        });
    }

    #[test]
    fn q8_0_bound(x in values()) {
        let (bytes, _) = quantize(Format::Q8_0, &x);
        each(Format::Q8_0, &x, |i, x_i, decoded| {
            let d = amax(&x[i / 32 * 32..][..32]) / 127.0;
            if d >= 65520.0 {
                return assert!(decoded.is_nan(), "a scale of {d:e} is no f16");
            }
            let stored = f64::from(half::f16::from_le_bytes([bytes[i / 32 * 34], bytes[i / 32 * 34 + 1]]));
            let bound = d * (0.5 + 2_f64.powi(-15)) + 127.0 * (d - stored).abs() + f64::from(magnitude::NEGLIGIBLE);
            assert!((x_i - decoded).abs() <= bound, "{x_i:e} to {decoded:e}, d {d:e}");
            assert!(d < 2_f64.powi(-14) || (x_i - decoded).abs() < 0.57 * d);
        });
    }

    #[test]
    fn q4_0_bound(x in values()) {
        let (bytes, _) = quantize(Format::Q4_0, &x);
        each(Format::Q4_0, &x, |i, x_i, decoded| {
            let d = amax(&x[i / 32 * 32..][..32]) / 8.0;
            if d >= 65520.0 {
                return assert!(decoded.is_nan(), "a scale of {d:e} is no f16");
            }
            let stored = f64::from(half::f16::from_le_bytes([bytes[i / 32 * 18], bytes[i / 32 * 18 + 1]])).abs();
            let bound = d * (1.0 + 2_f64.powi(-20)) + 8.0 * (d - stored).abs() + f64::from(magnitude::NEGLIGIBLE);
            assert!((x_i - decoded).abs() <= bound, "{x_i:e} to {decoded:e}, d {d:e}");
        });
    }

    #[test]
    fn fp8_bound(x in values()) {
        let scale = f64::from(Format::Fp8.tensor_scale(&x));
        each(Format::Fp8, &x, |_, x_i, decoded| {
            let bound = (x_i.abs() / 16.0).max(scale / 1024.0) * (1.0 + 2_f64.powi(-20)) + f64::from(magnitude::NEGLIGIBLE);
            assert!((x_i - decoded).abs() <= bound, "{x_i:e} to {decoded:e}, scale {scale:e}");
        });
        let mut values = vec![0.0; LEN];
        let row_scale = fp8::round_row(&x, &mut values);
        let (bytes, _) = quantize(Format::Fp8, &x);
        assert_eq!(f64::from(row_scale), scale);
        for (value, code) in values.iter().zip(bytes) {
            assert_eq!(value.to_bits(), e4m3::decode(code).to_bits(), "activations are rounded as weights are");
        }
    }

    #[test]
    fn plain_bounds(x in values()) {
        each(Format::F32, &x, |_, x, decoded| assert_eq!(x.to_bits(), decoded.to_bits()));
        each(Format::Bf16, &x, |_, x, decoded| {
            let bound = (x.abs() / 256.0).max(2_f64.powi(-134));
            assert!((x - decoded).abs() <= bound || x.abs() > 3.38e38, "{x:e} to {decoded:e}");
        });
        each(Format::F16, &x, |_, x, decoded| {
            let bound = (x.abs() / 2048.0).max(2_f64.powi(-25));
            assert!((x - decoded).abs() <= bound || x.abs() >= 65520.0, "{x:e} to {decoded:e}");
        });
    }

    #[test]
    fn dequantize_is_decode_rounded_once(x in values(), noise in proptest::collection::vec(any::<u8>(), LEN * 4)) {
        // Long enough for the widest block.
        let x = x.repeat(8);
        let noise = noise.repeat(8);
        for format in Format::ALL {
            let len = if format.block() > 32 { 3 * format.block() } else { LEN };
            let (bytes, scale) = quantize(format, &x[..len]);
            for bytes in [&bytes[..], &noise[..format.bytes(len)]] {
                let mut out = vec![0.0; len];
                format.dequantize(bytes, scale, &mut out);
                for (i, out) in out.iter().enumerate() {
                    let exact = format.decode(bytes, scale, i);
                    assert!(out.is_nan() && exact.is_nan() || out.to_bits() == (exact as f32).to_bits(), "{format} {i}");
                }
            }
        }
    }
}

#[test]
fn fp4_bytes_hold_neighbours() {
    let mut x = [0.0; 32];
    (x[0], x[1], x[2], x[31]) = (4.0, -0.5, 1.0, -6.0);
    let (bytes, _) = quantize(Format::Mxfp4, &x);
    // 4 is code 6, -0.5 is 9, 1 is 2, -6 is 15; the scale is 1.
    assert_eq!((bytes[0], bytes[1], bytes[2], bytes[16]), (127, 0x96, 0x02, 0xf0));
    assert_eq!(bytes[3..16], [0; 13]);
    let (bytes, scale) = quantize(Format::Nvfp4, &x[..16]);
    // The largest is 4: it becomes 6 under a scale of 448, and -0.5 / (4 / 6) = -0.75 ties to -1.
    assert_eq!((scale, bytes[0], bytes[1]), (4.0 / 2688.0, 0x7e, 0xa7));
}

#[test]
fn q4_0_is_llama_cpps() {
    let mut x = [0.0_f32; 32];
    (x[0], x[1], x[16], x[17]) = (8.0, -8.0, 3.5, -3.5);
    let (bytes, _) = quantize(Format::Q4_0, &x);
    assert_eq!(f16::decode(u16::from_le_bytes([bytes[0], bytes[1]])), -1.0);
    // Element 0 is code 0, the extreme; -8 would be code 16 and is cut to 15; -3.5 + 8.5 and 3.5 + 8.5 truncate to 5, 12.
    assert_eq!(bytes[2..5], [0x50, 0xcf, 0x88]);
}

/// The largest |x − x̂| that half a step of the code, the rounding of the scale and that of the offset leave, of each format's steps.
#[test]
fn codes_with_offsets_are_within_a_step() {
    let x = spark_kernels::format::synth::synth_f32(4096, 5, 1.0);
    for format in Format::ALL.into_iter().filter(|format| format.affine()) {
        // The range of a group is below 8, that of its block below 8.5: of the K-quants scales and offsets are 63rds of the block's.
        let bound = match format {
            Format::Q4_1 => 8.0 / 15.0 * 0.51,
            Format::Q5_1 => 8.0 / 31.0 * 0.52,
            Format::Q5_0 => 4.3 / 16.0 * 1.02,
            Format::Q4K => 8.5 / 15.0 * 0.5 + 8.5 / 63.0,
            Format::Q5K => 8.5 / 31.0 * 0.5 + 8.5 / 63.0,
            _ => 4.3 / 32.0 * 1.05,
        };
        let mut worst = 0.0;
        each(format, &x, |_, x, decoded| worst = f64::max(worst, (x - decoded).abs()));
        assert!(worst <= bound && worst > bound / 8.0, "{format}: {worst} and {bound}");
    }
}

/// Blocks made by hand after llama.cpp's layouts.
#[test]
fn affine_blocks_are_laid_out_as_in_gguf() {
    let (one, two) = (0x3c00_u16.to_le_bytes(), 0x4000_u16.to_le_bytes());
    // Q5_1: d = 1, m = 2; element 3 has the fifth bit, elements 3 and 19 share byte 3.
    let mut block = [&one[..], &two, &[1 << 3, 0, 0, 0], &[0; 16]].concat();
    block[8 + 3] = 0x21;
    let value = |e| Format::Q5_1.decode(&block, 1.0, e);
    assert_eq!((value(3), value(19), value(0)), (1.0 + 16.0 + 2.0, 2.0 + 2.0, 2.0));
    // Q5_K: d = 1, m = 2. Group 0 has s = 3 and t = 5; group 5 has s = 0x2a and t = 0x15, whose upper bits stand with group 1's.
    let mut block = [&one[..], &two, &[0; 12], &[0; 32], &[0; 128]].concat();
    (block[4], block[4 + 4]) = (3, 5);
    (block[4 + 1], block[4 + 5], block[4 + 9]) = (0x2a >> 4 << 6, 0x15 >> 4 << 6, 0x2a & 15 | 0x15 << 4);
    // Element 7 of group 0 is 9; element 7 of group 5 is 4 + 16: the third 32 bytes, high, and bit 5 of byte 7.
    (block[48 + 7], block[48 + 64 + 7], block[16 + 7]) = (9, 4 << 4, 1 << 5);
    let value = |e| Format::Q5K.decode(&block, 1.0, e);
    assert_eq!((value(7), value(5 * 32 + 7)), (9.0 * 3.0 - 2.0 * 5.0, 20.0 * 42.0 - 2.0 * 21.0));
    // Q6_K: d = 1. Element 128 + 64 + 5: the second half's first 32 bytes, high; bits 4 and 5 of its byte of upper bits; scale 12.
    let mut block = [&[0; 192][..], &[0; 16], &one].concat();
    (block[64 + 5], block[128 + 32 + 5], block[192 + 12]) = (7 << 4, 2 << 4, 0xfd);
    assert_eq!(Format::Q6K.decode(&block, 1.0, 197), (7.0 + 32.0 - 32.0) * -3.0);
    assert_eq!(Format::Q6K.decode(&block, 1.0, 196), 32.0 * 3.0);
}
