//! RMS normalisation in f64.

use super::RmsNorm;
use crate::{Example, Expected, Index};

pub(super) fn reference(op: &RmsNorm, example: &Example, indices: &[Index]) -> Vec<Expected> {
    let (width, eps) = (op.width, f64::from(op.eps));
    // Outputs are y and, with a residual, x: x before the call stands in outputs[1].
    let x = |i: usize| example.inputs[0].value(i) + if op.residual { example.outputs[1].value(i) } else { 0.0 };
    // Each row's root is formed once, when the first of its elements is asked for.
    let mut roots: Vec<Option<f64>> = vec![None; op.rows];
    let mut root = |row: usize| {
        *roots[row].get_or_insert_with(|| {
            let squares: f64 = (row * width..(row + 1) * width).map(|i| x(i) * x(i)).sum();
            (squares / width as f64 + eps).sqrt()
        })
    };
    indices
        .iter()
        .map(|&Index { output, at }| {
            let row = at / width;
            let value = if row >= example.live.rows() {
                example.outputs[output].value(at)
            } else if output == 1 {
                x(at)
            } else {
                x(at) / root(row) * example.weights[0].value(at % width)
            };
            Expected { value, scale: value.abs() }
        })
        .collect()
}
