//! RMS normalisation with four accumulators of sixteen lanes, for every instruction set.
#![expect(unsafe_code, reason = "a kernel is declared for the instructions it is compiled with")]

use super::{Args, RmsNorm, inverse_root};
use crate::cpu::f32x16::{LANES, on_vectors};
use crate::cpu::variant::Variant;

/// Elements that the four accumulators take at once.
const BLOCK: usize = 4 * LANES;

macro_rules! body {
    ($isa:ident, $features:literal) => {
        // SAFETY: `rows` asks of its caller only the features of its attribute, which FEATURES contains.
        pub(crate) static KERNEL: Variant<RmsNorm> = unsafe { Variant::<RmsNorm>::new(NAME, FEATURES, rows) };

        #[target_feature(enable = $features)]
        fn rows(args: &mut Args<'_>) {
            let Args { gain, delta_gain, multiplier, eps, .. } = *args;
            let width = gain.len();
            for (i, y) in args.y.chunks_exact_mut(width).enumerate() {
                let input = &args.input[i * width..][..width];
                if args.state.is_empty() {
                    scale(input, inverse_root(sum_of_squares(input), width, eps), gain, y);
                } else {
                    let x = &mut args.state[i * width..][..width];
                    let sum = if delta_gain.is_empty() {
                        add_and_square(x, input, multiplier)
                    } else {
                        let inverse = inverse_root(sum_of_squares(input), width, eps);
                        add_scaled(x, input, inverse * multiplier, delta_gain);
                        sum_of_squares(x)
                    };
                    scale(x, inverse_root(sum, width, eps), gain, y);
                }
            }
        }

        /// Σ x².
        #[target_feature(enable = $features)]
        pub(crate) fn sum_of_squares(x: &[f32]) -> f32 {
            let mut sums = [splat(0.0); 4];
            let (blocks, rest) = x.as_chunks::<BLOCK>();
            for block in blocks {
                for (sum, x) in sums.iter_mut().zip(block.as_chunks().0) {
                    let x = load(x);
                    *sum = multiply_add(x, x, *sum);
                }
            }
            for (sum, x) in sums.iter_mut().zip(rest.chunks(LANES)) {
                let x = load_part(x);
                *sum = multiply_add(x, x, *sum);
            }
            sum(plus(plus(sums[0], sums[1]), plus(sums[2], sums[3])))
        }

        /// `x += multiplier · delta`, then Σ x². With a multiplier of 1 the fused sum has the bits of the plain one.
        #[target_feature(enable = $features)]
        fn add_and_square(x: &mut [f32], delta: &[f32], multiplier: f32) -> f32 {
            let multiplier = splat(multiplier);
            let mut sums = [splat(0.0); 4];
            let (x_blocks, x_rest) = x.as_chunks_mut::<BLOCK>();
            let (delta_blocks, delta_rest) = delta.as_chunks::<BLOCK>();
            for (x, delta) in x_blocks.iter_mut().zip(delta_blocks) {
                for ((sum, x), delta) in sums.iter_mut().zip(x.as_chunks_mut().0).zip(delta.as_chunks().0) {
                    let new = multiply_add(load(delta), multiplier, load(x));
                    store(x, new);
                    *sum = multiply_add(new, new, *sum);
                }
            }
            for ((sum, x), delta) in sums.iter_mut().zip(x_rest.chunks_mut(LANES)).zip(delta_rest.chunks(LANES)) {
                let new = multiply_add(load_part(delta), multiplier, load_part(x));
                store_part(x, new);
                *sum = multiply_add(new, new, *sum);
            }
            sum(plus(plus(sums[0], sums[1]), plus(sums[2], sums[3])))
        }

        /// `x += delta · factor · gain`.
        #[target_feature(enable = $features)]
        fn add_scaled(x: &mut [f32], delta: &[f32], factor: f32, gain: &[f32]) {
            let factor = splat(factor);
            let (x, x_rest) = x.as_chunks_mut();
            let ((delta, delta_rest), (gain, gain_rest)) = (delta.as_chunks(), gain.as_chunks());
            for ((x, delta), gain) in x.iter_mut().zip(delta).zip(gain) {
                store(x, multiply_add(times(load(delta), factor), load(gain), load(x)));
            }
            if !x_rest.is_empty() {
                let scaled = times(load_part(delta_rest), factor);
                let sum = multiply_add(scaled, load_part(gain_rest), load_part(x_rest));
                store_part(x_rest, sum);
            }
        }

        /// `y = x · factor · gain`.
        #[target_feature(enable = $features)]
        fn scale(x: &[f32], factor: f32, gain: &[f32], y: &mut [f32]) {
            let factor = splat(factor);
            let (y, y_rest) = y.as_chunks_mut();
            let ((x, x_rest), (gain, gain_rest)) = (x.as_chunks(), gain.as_chunks());
            for ((y, x), gain) in y.iter_mut().zip(x).zip(gain) {
                store(y, times(times(load(x), factor), load(gain)));
            }
            if !y_rest.is_empty() {
                store_part(y_rest, times(times(load_part(x_rest), factor), load_part(gain_rest)));
            }
        }
    };
}
on_vectors!(body);
