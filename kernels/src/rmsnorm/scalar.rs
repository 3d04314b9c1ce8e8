//! RMS normalisation in plain f32: sixteen partial sums, added as a tree, the same on every machine.

use super::{Args, RmsNorm, inverse_root};
use crate::cpu::variant::Variant;

pub(super) static SCALAR: Variant<RmsNorm> = Variant::<RmsNorm>::scalar(rows);

fn rows(args: &mut Args<'_>) {
    let Args { gain, delta_gain, multiplier, eps, .. } = *args;
    let width = gain.len();
    for (i, y) in args.y.chunks_exact_mut(width).enumerate() {
        let input = &args.input[i * width..][..width];
        if args.state.is_empty() {
            normalise(input, gain, eps, y);
        } else {
            let x = &mut args.state[i * width..][..width];
            if delta_gain.is_empty() {
                for (x, delta) in x.iter_mut().zip(input) {
                    *x += delta * multiplier;
                }
            } else {
                let inverse = inverse_root(sum_of_squares(input), width, eps) * multiplier;
                for ((x, delta), gain) in x.iter_mut().zip(input).zip(delta_gain) {
                    *x += delta * inverse * gain;
                }
            }
            normalise(x, gain, eps, y);
        }
    }
}

fn normalise(x: &[f32], gain: &[f32], eps: f32, y: &mut [f32]) {
    let inverse = inverse_root(sum_of_squares(x), x.len(), eps);
    for ((y, x), gain) in y.iter_mut().zip(x).zip(gain) {
        *y = x * inverse * gain;
    }
}

/// Element i goes to partial sum i mod 16; the sixteen are halved four times.
pub(crate) fn sum_of_squares(x: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    let (whole, rest) = x.as_chunks::<16>();
    for chunk in whole {
        for (sum, x) in sums.iter_mut().zip(chunk) {
            *sum += x * x;
        }
    }
    for (sum, x) in sums.iter_mut().zip(rest) {
        *sum += x * x;
    }
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            sums[i] += sums[i + half];
        }
    }
    sums[0]
}
