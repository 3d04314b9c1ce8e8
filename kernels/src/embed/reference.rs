//! Embedding in f64: one element of the table, exactly.

use super::Embed;
use crate::{Example, Expected, Index};

pub(super) fn reference(op: &Embed, example: &Example, indices: &[Index]) -> Vec<Expected> {
    let (table, tokens) = (example.weights[0].slice::<u8>(), example.inputs[0].slice::<u32>());
    let scales = if op.format.scales(op.vocab) > 0 { example.weights[1].slice::<f32>() } else { &[] };
    let element = |&Index { at, .. }: &Index| {
        let (row, column) = (at / op.width, at % op.width);
        let value = if row < example.live.rows() {
            let token = tokens[row] as usize;
            let scale = op.format.scale_of(scales, token);
            op.format.decode(table, scale, token * op.width + column) * f64::from(op.multiplier)
        } else {
            example.outputs[0].value(at)
        };
        Expected { value, scale: value.abs() }
    };
    indices.iter().map(element).collect()
}
