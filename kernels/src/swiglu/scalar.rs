//! The gated activation in plain f32, the same on every machine.

use super::gate::{GELU_CUBIC, GELU_LINEAR};
use super::{Args, CLAMPED_ALPHA, Gate, SwiGlu};
use crate::cpu::variant::Variant;
use crate::math::exp_f32;

pub(super) static SCALAR: Variant<SwiGlu> = Variant::<SwiGlu>::scalar(pieces);

fn pieces(args: &mut Args<'_>) {
    let each = |args: &mut Args<'_>, gated: &dyn Fn(f32, f32) -> f32| {
        args.each_piece(|gate, up, y| {
            for ((gate, up), y) in gate.iter().zip(up).zip(y) {
                *y = gated(*gate, *up);
            }
        });
    };
    match args.gate {
        Gate::Silu => each(args, &|gate, up| gated(gate, gate, up)),
        Gate::GeluTanh => each(args, &|gate, up| {
            let t = gate * (gate * gate * GELU_CUBIC + GELU_LINEAR);
            gated(gate, t, up)
        }),
        Gate::Clamped { limit } => each(args, &|gate, up| {
            // Written so that NaN stays NaN, in the vectors' order of operands.
            let at_most = |x: f32| if limit < x { limit } else { x };
            let (gate, up) = (at_most(gate), at_most(up));
            let up = if -limit > up { -limit } else { up };
            gated(gate, CLAMPED_ALPHA * gate, up + 1.0)
        }),
    }
}

/// gate / (1 + e^-t) · up.
fn gated(gate: f32, t: f32, up: f32) -> f32 {
    gate / (1.0 + exp_f32(-t)) * up
}
