//! The gated activation in f64.

use super::{Gate, SwiGlu};
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
        let (value, steep) = op.gate.exact(gate, up);
        // Where e^-t leaves the range of f32, y is 0: less than 2^-100 of its operands.
        let vanished = if op.gate == Gate::Silu { 0.0 } else { (gate * up).abs() * 2f64.powi(-100) };
        Expected { value, scale: value.abs() * steep + vanished }
    };
    indices.iter().map(element).collect()
}
