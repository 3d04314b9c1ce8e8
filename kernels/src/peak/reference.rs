//! What `peak`'s accumulators must hold: start + iterations · Σ a·b, exact in 64-bit integers.

use super::{ACCUMULATORS, LANES, Peak};
use crate::{Arithmetic, Example, Expected, Index};

/// The accumulators at `indices`.
pub(super) fn expected(op: &Peak, example: &Example, indices: &[Index]) -> Vec<Expected> {
    let [a, b, start] = [0, 1, 2].map(|i| &example.inputs[i]);
    let value = |index: &Index| {
        let at = index.at % ACCUMULATORS;
        let first = at % LANES * op.products();
        let each: f64 = (first..first + op.products()).map(|i| a.value(i) * b.value(i)).sum();
        let sum = start.value(at) as i64 + op.iterations as i64 * each as i64;
        let value = if op.of == Arithmetic::Int8 { f64::from(sum as i32) } else { sum as f64 };
        Expected { value, scale: value.abs().max(1.0) }
    };
    indices.iter().map(value).collect()
}
