//! The synthetic generator: pinned bytes, independent rows, the promised distribution.

use spark_kernels::format::Format;
use spark_kernels::format::splitmix::{SplitMix64, derive};
use spark_kernels::format::synth::{SYNTH_STD, synth, synth_f32, synth_rows, synth_scales};

/// FNV-1a, 64 bit.
fn hash(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

fn moments(x: &[f64]) -> (f64, f64, f64) {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let power = |p| x.iter().map(|x| (x - mean).powi(p)).sum::<f64>() / n;
    (mean, power(2).sqrt(), power(4) / power(2).powi(2))
}

/// The first outputs for seed 1234567 that the generator's authors and other implementations publish.
#[test]
fn splitmix_is_splitmix() {
    let mut random = SplitMix64::new(1_234_567);
    let got: Vec<u64> = (0..3).map(|_| random.next()).collect();
    assert_eq!(got, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
}

/// A changed pin is a changed weights hash of every model: never let it pass as a side effect.
#[test]
fn bytes_are_pinned() {
    let got = Format::ALL.map(|format| (format.name(), hash(synth(format, 33, 256, 42).0)));
    let pins = [
        ("mxfp4", 17_627_947_254_694_467_715),
        ("nvfp4", 807_326_930_673_674_764),
        ("q8_0", 13_039_279_390_580_517_639),
        ("q4_0", 17_132_085_988_022_467_202),
        ("fp8", 3_730_698_597_795_622_231),
        ("bf16", 15_411_606_955_880_884_087),
        ("f16", 17_304_920_122_414_312_395),
        ("f32", 11_069_616_483_107_241_889),
        ("q4_1", 17_674_852_959_236_766_272),
        ("q5_0", 8_589_176_997_717_889_891),
        ("q5_1", 641_185_986_849_046_589),
        ("q4_k", 6_472_132_089_431_549_589),
        ("q5_k", 14_625_281_912_046_067_275),
        ("q6_k", 9_335_884_980_247_684_818),
    ];
    assert_eq!(got, pins);
    assert_eq!(hash(synth_f32(1000, 42, 1.5).into_iter().flat_map(f32::to_le_bytes)), 2_579_141_392_777_745_894);
    assert_eq!(derive(42, 7), 17_814_862_988_589_354_131);
}

#[test]
fn rows_are_independent() {
    for format in Format::ALL {
        let cols = 96.max(2 * format.block());
        let (whole, scales) = synth(format, 5, cols, 3);
        assert_eq!(scales.len(), format.scales(5), "{format}");
        let last_two = if format == Format::Fp8 { &scales[3..] } else { &scales[..] };
        assert_eq!(synth_scales(format, 3..5, 3), last_two, "{format}");
        let row_bytes = format.bytes(cols);
        for row in (0..5).rev() {
            let mut out = vec![0xaa; row_bytes];
            synth_rows(format, row..row + 1, cols, 3, &mut out);
            assert_eq!(out, whole[row * row_bytes..][..row_bytes], "{format} row {row}");
        }
        let narrow = 32.max(format.block());
        assert_eq!(
            synth(format, 1, narrow, 3).0,
            whole[..format.bytes(narrow)],
            "{format}: a narrow row begins a wide one"
        );
        assert_ne!(synth(format, 5, cols, 4).0, whole, "{format}: the seed matters");
        assert_ne!(whole[..row_bytes], whole[row_bytes..2 * row_bytes], "{format}: the row matters");
        assert!(synth(format, 0, cols, 3).0.is_empty() && synth(format, 3, 0, 3).0.is_empty());
    }
}

#[test]
fn weights_are_near_normal() {
    for format in Format::ALL {
        let (rows, cols) = (256, 512);
        let (bytes, scales) = synth(format, rows, cols, 1);
        let value = |i| format.decode(&bytes, format.scale_of(&scales, i / cols), i);
        let x: Vec<f64> = (0..rows * cols).map(value).collect();
        let (mean, std, kurtosis) = moments(&x);
        assert!(mean.abs() < 0.0003, "{format}: mean {mean}");
        assert!((std / f64::from(SYNTH_STD) - 1.0).abs() < 0.1, "{format}: deviation {std}");
        assert!((2.4..5.0).contains(&kurtosis), "{format}: kurtosis {kurtosis}");
        for (i, block) in x.chunks(format.block().max(16)).enumerate() {
            assert!(block.iter().any(|x| *x != 0.0) && block.iter().all(|x| x.is_finite()), "{format} block {i}");
        }
    }
}

#[test]
fn scales_vary_in_a_small_range() {
    let (bytes, _) = synth(Format::Mxfp4, 64, 1024, 9);
    let mut seen: Vec<u8> = bytes.chunks(17).map(|block| block[0]).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, [119, 120, 121]);
    let (bytes, _) = synth(Format::Nvfp4, 64, 1024, 9);
    assert!(bytes.chunks(9).all(|block| (0x6c..0x7c).contains(&block[0])));
}

#[test]
fn activations_have_the_deviation_asked_for() {
    let x: Vec<f64> = synth_f32(200_000, 11, 1.5).into_iter().map(f64::from).collect();
    let (mean, std, kurtosis) = moments(&x);
    assert!(mean.abs() < 0.02 && (std - 1.5).abs() < 0.01, "mean {mean}, deviation {std}");
    assert!((kurtosis - 2.7).abs() < 0.05, "four uniform parts have kurtosis 3 - 6/5/4: {kurtosis}");
    assert_eq!(synth_f32(10, 11, 1.5)[..], synth_f32(200, 11, 1.5)[..10]);
}
