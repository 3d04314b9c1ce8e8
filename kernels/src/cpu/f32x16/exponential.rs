//! The deterministic exponential in each lane.

use std::f32::consts::LOG2_E;

/// The constants of `math::exp_f32`, whose bits [`exponential`] repeats; a test holds the two together.
pub(super) const LOG2: f32 = LOG2_E;
/// ln 2 in two parts.
pub(super) const LN2: [f32; 2] = [f32::from_bits(0x3f31_7200), f32::from_bits(0x35bf_be8e)];
/// Adding it rounds to an integer, ties to even.
pub(super) const ROUND: f32 = 12_582_912.0;
/// Above the first the result is infinite, below the second 0.
pub(super) const ENDS: (f32, f32) = (88.73, -103.98);
/// 1/7! … 1/2!, in the order of Horner's rule.
pub(super) const TERMS: [f32; 6] = [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 1.0 / 2.0];

/// Makes `exp` for one instruction set from its operations.
macro_rules! exponential {
    ($features:literal) => {
        /// [`crate::math::exp_f32`] in each lane, bit for bit: the same operations in the same order, none fused.
        #[inline]
        #[target_feature(enable = $features)]
        pub(crate) fn exp(x: Lanes) -> Lanes {
            use crate::cpu::f32x16::exponential::{ENDS, LN2, LOG2, ROUND, TERMS};
            let n = minus(plus(times(x, splat(LOG2)), splat(ROUND)), splat(ROUND));
            let r = minus(minus(x, times(n, splat(LN2[0]))), times(n, splat(LN2[1])));
            let mut tail = splat(TERMS[0]);
            for term in &TERMS[1..] {
                tail = plus(splat(*term), times(r, tail));
            }
            let mantissa = plus(splat(1.0), plus(r, times(times(r, r), tail)));
            let value = scaled(mantissa, n);
            let value = if_greater(x, splat(ENDS.0), splat(f32::INFINITY), value);
            let value = if_greater(splat(ENDS.1), x, splat(0.0), value);
            if_equal(x, x, value, x)
        }
    };
}
pub(super) use exponential;
