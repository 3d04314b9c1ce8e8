//! RMS normalisation in f64.

use super::RmsNorm;
use crate::{Example, Expected, Index};

/// One row's own numbers, formed when the first of its elements is asked for.
#[derive(Clone, Copy)]
struct Row {
    /// √(mean of delta² + eps), or 1.
    delta_root: f64,
    /// √(mean of x² + eps) after the addition.
    root: f64,
    /// Σ|x·added| ÷ Σx²: how far an error of what is added moves the root. 0 where it is added exactly.
    moved: f64,
}

pub(super) fn reference(op: &RmsNorm, example: &Example, indices: &[Index]) -> Vec<Expected> {
    let width = op.width;
    let input = |i: usize| example.inputs[0].value(i);
    let root = |sum: f64| (sum / width as f64 + f64::from(op.eps)).sqrt();
    let inexact = op.delta_norm || op.multiplier != 1.0;
    let added = |i: usize, delta_root: f64| {
        let gain = if op.delta_norm { example.weights[1].value(i % width) } else { 1.0 };
        input(i) / delta_root * gain * f64::from(op.multiplier)
    };
    let x = |i: usize, delta_root: f64| {
        if op.residual { example.outputs[1].value(i) + added(i, delta_root) } else { input(i) }
    };
    let mut rows: Vec<Option<Row>> = vec![None; op.rows];
    let mut row_of = |row: usize| {
        *rows[row].get_or_insert_with(|| {
            let all = row * width..(row + 1) * width;
            let delta_root = if op.delta_norm { root(all.clone().map(|i| input(i) * input(i)).sum()) } else { 1.0 };
            let squares: f64 = all.clone().map(|i| x(i, delta_root).powi(2)).sum();
            let shared: f64 = all.map(|i| (x(i, delta_root) * added(i, delta_root)).abs()).sum();
            Row { delta_root, root: root(squares), moved: if inexact { shared / squares } else { 0.0 } }
        })
    };
    let element = |&Index { output, at }: &Index| {
        if at / width >= example.live.rows() {
            let value = example.outputs[output].value(at);
            return Expected { value, scale: value.abs() };
        }
        let Row { delta_root, root, moved } = row_of(at / width);
        let x = x(at, delta_root);
        let erring = if inexact { added(at, delta_root).abs() } else { 0.0 };
        if output == 1 {
            return Expected { value: x, scale: x.abs() + erring };
        }
        let gain = example.weights[0].value(at % width);
        let value = x / root * gain;
        Expected { value, scale: value.abs() * (1.0 + moved) + erring / root * gain.abs() }
    };
    indices.iter().map(element).collect()
}
