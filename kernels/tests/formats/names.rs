//! Names and sizes, and what a wrong one answers.

use spark_kernels::format::Format;

#[test]
fn names_go_there_and_back() {
    for format in Format::ALL {
        assert_eq!(format.to_string().parse(), Ok(format));
    }
    let error = "q5_x".parse::<Format>().unwrap_err().to_string();
    assert_eq!(
        error,
        "unknown format `q5_x`: choose one of mxfp4, nvfp4, q8_0, q4_0, fp8, bf16, f16, f32, q4_1, q5_0, q5_1, q4_k, q5_k, q6_k"
    );
    assert!("MXFP4".parse::<Format>().is_err());
}

#[test]
fn sizes() {
    let bits: Vec<f64> = Format::ALL.into_iter().map(Format::bits_per_weight).collect();
    assert_eq!(bits, [4.25, 4.5, 8.5, 4.5, 8.0, 16.0, 16.0, 32.0, 5.0, 5.5, 6.0, 4.5, 5.5, 6.5625]);
    let bytes: Vec<usize> = Format::ALL.into_iter().map(|format| format.bytes(256)).collect();
    assert_eq!(bytes, [136, 144, 272, 144, 256, 512, 512, 1024, 160, 176, 192, 144, 176, 210]);
    let scales: Vec<usize> = Format::ALL.into_iter().map(|format| format.scales(5)).collect();
    assert_eq!(scales, [0, 1, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!((Format::Nvfp4.scale_of(&[2.0], 3), Format::Fp8.scale_of(&[2.0, 3.0], 1)), (2.0, 3.0));
    assert_eq!(Format::Mxfp4.bytes(0), 0);
    assert!(Format::Nvfp4.divides(48) && !Format::Mxfp4.divides(48) && Format::Bf16.divides(7));
}

#[test]
#[should_panic(expected = "multiple of the format's block")]
fn a_broken_block_has_no_size() {
    Format::Q8_0.bytes(33);
}

#[test]
#[should_panic(expected = "the bytes of 32 elements")]
fn a_short_output_is_refused() {
    Format::Mxfp4.quantize(&[0.0; 32], 1.0, &mut [0; 16]);
}
