//! Embedding sixteen elements at a time, the same bits as the formats' own decoders, for every instruction set.
#![expect(unsafe_code, reason = "a kernel is declared for the instructions it is compiled with")]

use super::{Args, Embed};
use crate::cpu::f32x16::{LANES, on_vectors};
use crate::cpu::variant::Variant;
use crate::format::{Format, e4m3, e8m0, f16};

macro_rules! body {
    ($isa:ident, $features:literal) => {
        use crate::embed::$isa::{from_bf16, from_bytes, from_e2m1, from_f16, from_nibbles};

        // SAFETY: `tokens` asks of its caller only the features of its attribute, which FEATURES contains.
        pub(crate) static KERNEL: Variant<Embed> = unsafe { Variant::<Embed>::new(NAME, FEATURES, tokens) };

        #[target_feature(enable = $features)]
        fn tokens(args: &mut Args<'_>) {
            let format = args.format;
            args.each_token(|bytes, scale, x| match format {
                Format::Mxfp4 => mxfp4(bytes, x),
                Format::Nvfp4 => nvfp4(bytes, scale, x),
                Format::Q8_0 => q8_0(bytes, x),
                Format::Q4_0 => q4_0(bytes, x),
                Format::Bf16 => bf16(bytes, x),
                Format::F16 => half(bytes, x),
                // The rest is decoded as it is everywhere: a few rows a pass.
                _ => format.dequantize(bytes, scale, x),
            });
        }

        #[target_feature(enable = $features)]
        fn mxfp4(bytes: &[u8], x: &mut [f32]) {
            for (block, x) in bytes.as_chunks::<17>().0.iter().zip(x.as_chunks_mut::<32>().0) {
                let scale = splat(e8m0::decode(block[0]));
                for (codes, x) in block[1..].as_chunks().0.iter().zip(x.as_chunks_mut().0) {
                    store(x, times(from_e2m1(codes), scale));
                }
            }
        }

        #[target_feature(enable = $features)]
        fn nvfp4(bytes: &[u8], tensor: f32, x: &mut [f32]) {
            let tensor = splat(tensor);
            for (block, x) in bytes.as_chunks::<9>().0.iter().zip(x.as_chunks_mut().0) {
                let [scale, codes @ ..] = block;
                store(x, times(times(from_e2m1(codes), splat(e4m3::decode(*scale))), tensor));
            }
        }

        #[target_feature(enable = $features)]
        fn q8_0(bytes: &[u8], x: &mut [f32]) {
            for (block, x) in bytes.as_chunks::<34>().0.iter().zip(x.as_chunks_mut::<32>().0) {
                let scale = splat(f16::decode(u16::from_le_bytes([block[0], block[1]])));
                for (codes, x) in block[2..].as_chunks().0.iter().zip(x.as_chunks_mut().0) {
                    store(x, times(from_bytes(codes), scale));
                }
            }
        }

        #[target_feature(enable = $features)]
        fn q4_0(bytes: &[u8], x: &mut [f32]) {
            for (block, x) in bytes.as_chunks::<18>().0.iter().zip(x.as_chunks_mut::<32>().0) {
                let [low_scale, high_scale, codes @ ..] = block;
                let scale = splat(f16::decode(u16::from_le_bytes([*low_scale, *high_scale])));
                let (to, values) = (x.as_chunks_mut().0, from_nibbles(codes));
                for (to, value) in to.iter_mut().zip(values) {
                    store(to, times(value, scale));
                }
            }
        }

        #[target_feature(enable = $features)]
        fn bf16(bytes: &[u8], x: &mut [f32]) {
            let (x, rest) = x.as_chunks_mut();
            let (bytes, bytes_rest) = bytes.as_chunks::<{ 2 * LANES }>();
            for (bytes, x) in bytes.iter().zip(x) {
                store(x, from_bf16(bytes));
            }
            Format::Bf16.dequantize(bytes_rest, 1.0, rest);
        }

        #[target_feature(enable = $features)]
        fn half(bytes: &[u8], x: &mut [f32]) {
            let (x, rest) = x.as_chunks_mut();
            let (bytes, bytes_rest) = bytes.as_chunks::<{ 2 * LANES }>();
            for (bytes, x) in bytes.iter().zip(x) {
                store(x, from_f16(bytes));
            }
            Format::F16.dequantize(bytes_rest, 1.0, rest);
        }
    };
}
on_vectors!(body);
