//! Rotary embedding in plain f32, the same on every machine.

use super::{Args, Rope, Turn};
use crate::cpu::variant::Variant;
use crate::rmsnorm::inverse_root;
use crate::rmsnorm::scalar::sum_of_squares;

pub(super) static SCALAR: Variant<Rope> = Variant::<Rope>::scalar(rows);

fn rows(args: &mut Args<'_>) {
    let eps = args.op.eps;
    args.each_head(|head, Turn { cos, sin, gain }| {
        if let Some(gain) = gain {
            let inverse = inverse_root(sum_of_squares(head), head.len(), eps);
            for (x, gain) in head.iter_mut().zip(gain) {
                *x = *x * inverse * gain;
            }
        }
        let (a, b) = head[..2 * cos.len()].split_at_mut(cos.len());
        for (((a, b), cos), sin) in a.iter_mut().zip(b).zip(cos).zip(sin) {
            (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
        }
    });
}
