//! Rotary embedding in f64, with the platform's own power, sine and cosine.

use super::Rope;
use crate::{Example, Expected, Host, Index};

pub(super) fn reference(op: &Rope, example: &Example, indices: &[Index]) -> Vec<Expected> {
    let positions: Vec<usize> = example.live.spans.iter().flat_map(|s| s.past..s.past + s.rows).collect();
    indices.iter().map(|index| element(op, example, &positions, index.at)).collect()
}

fn element(op: &Rope, example: &Example, positions: &[usize], at: usize) -> Expected {
    let (d, half) = (op.head_dim, op.rotary / 2);
    let (row, within) = (at / op.row(), at % op.row());
    let qkv = &example.outputs[0];
    if row >= positions.len() || within >= op.turned() {
        return Expected { value: qkv.value(at), scale: qkv.value(at).abs() };
    }
    let (head, i) = (within / d, within % d);
    let start = at - i;
    let gain = op.qk_norm.then(|| &example.inputs[usize::from(head >= op.heads)]);
    let root = gain.map_or(1.0, |_| root_mean_square(qkv, start, d, f64::from(op.eps)));
    let x = |i: usize| qkv.value(start + i) / root * gain.map_or(1.0, |gain| gain.value(i));
    if i >= op.rotary {
        return Expected { value: x(i), scale: x(i).abs() };
    }
    let (mine, other) = (x(i), x((i + half) % op.rotary));
    let frequency = op.scaling.frequency(i % half, op.rotary, op.theta, f64::powf);
    let magnitude = op.scaling.magnitude();
    let (sin, cos) = (positions[row] as f64 * frequency).sin_cos();
    let (sin, cos) = (sin * magnitude, cos * magnitude);
    // The first half of what turns is (x·cos − y·sin), the second (y·cos + x·sin) with y itself.
    let value = mine * cos + if i < half { -other * sin } else { other * sin };
    let scale = (mine * cos).abs() + (other * sin).abs() + magnitude * (mine.abs() + other.abs()) / 128.0;
    Expected { value, scale }
}

fn root_mean_square(qkv: &Host, start: usize, d: usize, eps: f64) -> f64 {
    let squares: f64 = (start..start + d).map(|i| qkv.value(i) * qkv.value(i)).sum();
    (squares / d as f64 + eps).sqrt()
}
