//! Embedding in f64: one element of the table, exactly.

use super::Embed;
use crate::format::Format;
use crate::{Example, Expected, Index};

pub(super) fn reference(op: &Embed, example: &Example, indices: &[Index]) -> Vec<Expected> {
    let (table, tokens) = (example.weights[0].slice::<u8>(), example.inputs[0].slice::<u32>());
    let scale = if op.format == Format::Nvfp4 { example.weights[1].slice::<f32>()[0] } else { 1.0 };
    let element = |&Index { at, .. }: &Index| {
        let (row, column) = (at / op.width, at % op.width);
        let value = if row < example.live.rows() {
            op.format.decode(table, scale, tokens[row] as usize * op.width + column) * f64::from(op.multiplier)
        } else {
            example.outputs[0].value(at)
        };
        Expected { value, scale: value.abs() }
    };
    indices.iter().map(element).collect()
}
