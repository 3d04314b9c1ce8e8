//! The gated activation in f64.

use super::SwiGlu;
use crate::{Example, Expected, Index};

pub(super) fn reference(op: &SwiGlu, example: &Example, indices: &[Index]) -> Vec<Expected> {
    let element = |&Index { at, .. }: &Index| {
        let (row, column) = (at / op.width, at % op.width);
        if row >= example.live.rows() {
            let value = example.outputs[0].value(at);
            return Expected { value, scale: value.abs() };
        }
        let gate = example.inputs[0].value(row * 2 * op.width + column);
        let up = example.inputs[0].value(row * 2 * op.width + op.width + column);
        let value = gate / (1.0 + (-gate).exp()) * up;
        Expected { value, scale: value.abs() }
    };
    indices.iter().map(element).collect()
}
