//! Bent logits in f64.

use super::Softcap;
use crate::{Example, Expected, Index};

pub(super) fn reference(op: &Softcap, example: &Example, indices: &[Index]) -> Vec<Expected> {
    let cap = f64::from(op.cap);
    let element = |&Index { at, .. }: &Index| {
        let x = example.outputs[0].value(at);
        let live = at / op.width < example.live.rows();
        if live { Expected { value: cap * (x / cap).tanh(), scale: cap } } else { Expected { value: x, scale: 0.0 } }
    };
    indices.iter().map(element).collect()
}
