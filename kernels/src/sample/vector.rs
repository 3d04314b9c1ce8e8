//! Sampling in the scalar order of operations, sixteen logits at a time, for every instruction set.
#![expect(unsafe_code, reason = "a kernel is declared for the instructions it is compiled with")]

use super::nucleus::ONE;
use super::scalar::weight_of;
use super::{Args, Best, Sample};
use crate::cpu::f32x16::{LANES, on_vectors};
use crate::cpu::variant::Variant;

/// Logits that four maxima take at once.
const BLOCK: usize = 4 * LANES;

macro_rules! body {
    ($isa:ident, $features:literal) => {
        // SAFETY: `phase` asks of its caller only the features of its attribute, which FEATURES contains.
        pub(crate) static KERNEL: Variant<Sample> = unsafe { Variant::<Sample>::new(NAME, FEATURES, phase) };

        #[target_feature(enable = $features)]
        fn phase(args: &mut Args<'_>) {
            args.phase(
                |logits| find(logits),
                |logits, largest, temperature, weights| weigh(logits, largest, temperature, weights),
            );
        }

        /// The largest value first, then the first place that has it: two quick passes over a part that stays in cache.
        #[target_feature(enable = $features)]
        fn find(logits: &[f32]) -> Best {
            let mut most = [splat(f32::NEG_INFINITY); 4];
            let (blocks, rest) = logits.as_chunks::<BLOCK>();
            for block in blocks {
                for (most, x) in most.iter_mut().zip(block.as_chunks().0) {
                    // Of a NaN and a number, it is the second operand.
                    *most = larger(load(x), *most);
                }
            }
            let most = largest(larger(larger(most[0], most[1]), larger(most[2], most[3])));
            let most = rest.iter().fold(most, |most, x| if *x > most { *x } else { most });
            let wanted = splat(most);
            let (vectors, rest) = logits.as_chunks();
            for (i, x) in vectors.iter().enumerate() {
                let lane = first_equal(load(x), wanted);
                if lane < LANES as u32 {
                    return Best { value: most, index: (i * LANES) as u32 + lane };
                }
            }
            let best = Best::first(rest, most);
            Best { index: best.index.saturating_add((vectors.len() * LANES) as u32), ..best }
        }

        #[target_feature(enable = $features)]
        fn weigh(logits: &[f32], largest: f32, temperature: f32, weights: &mut [u32]) {
            let (logits, logits_rest) = logits.as_chunks();
            let (weights, weights_rest) = weights.as_chunks_mut();
            let (most, divisor) = (splat(largest), splat(temperature));
            for (x, weights) in logits.iter().zip(weights) {
                let x = load(x);
                let part = exp(divide(minus(x, most), divisor));
                truncate(weights, times(if_equal(x, most, splat(1.0), part), splat(ONE)));
            }
            for (logit, weight) in logits_rest.iter().zip(weights_rest) {
                *weight = weight_of(*logit, largest, temperature);
            }
        }
    };
}
on_vectors!(body);
