//! The gated activation in plain f32, the same on every machine.

use super::{Args, SwiGlu};
use crate::cpu::variant::Variant;
use crate::math::exp_f32;

pub(super) static SCALAR: Variant<SwiGlu> = Variant::<SwiGlu>::scalar(pieces);

fn pieces(args: &mut Args<'_>) {
    args.each_piece(|gate, up, y| {
        for ((gate, up), y) in gate.iter().zip(up).zip(y) {
            *y = gate / (1.0 + exp_f32(-gate)) * up;
        }
    });
}
