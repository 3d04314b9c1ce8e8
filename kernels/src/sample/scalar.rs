//! Sampling in plain f32, the same on every machine.

use super::nucleus::ONE;
use super::{Best, Sample};
use crate::cpu::variant::Variant;
use crate::math::exp_f32;

pub(super) static SCALAR: Variant<Sample> = Variant::<Sample>::scalar(|args| args.phase(find, weigh));

fn find(logits: &[f32]) -> Best {
    let numbers = (0..).zip(logits).filter(|(_, logit)| !logit.is_nan());
    numbers.fold(Best::NONE, |best, (index, &value)| best.or(Best { value, index }))
}

fn weigh(logits: &[f32], largest: f32, temperature: f32, weights: &mut [u32]) {
    for (logit, weight) in logits.iter().zip(weights) {
        *weight = weight_of(*logit, largest, temperature);
    }
}

/// The weight of one logit; the largest has 2^30 also where it is infinite.
pub(super) fn weight_of(logit: f32, largest: f32, temperature: f32) -> u32 {
    // `as` turns NaN into 0.
    let part = if logit == largest { 1.0 } else { exp_f32((logit - largest) / temperature) };
    (part * ONE) as u32
}
