//! What `read` must find: the exact sum of the window.

use super::Read;
use crate::{Example, Expected, Index};

/// The 32-bit halves of the sum, and the next window, at `indices`.
pub(super) fn expected(op: &Read, example: &Example, indices: &[Index]) -> Vec<Expected> {
    let next = example.outputs[1].slice::<u32>()[0];
    let words = &example.inputs[0].slice::<u64>()[op.words(next)];
    let once = words.iter().fold(0, |sum: u64, &word| sum.wrapping_add(word));
    let sum = once.wrapping_mul(op.window().passes() as u64);
    let value = |index: &Index| match (index.output, index.at) {
        (0, 0) => sum as u32,
        (0, _) => (sum >> 32) as u32,
        _ => next + 1,
    };
    indices.iter().map(|index| Expected { value: f64::from(value(index)), scale: 1.0 }).collect()
}
