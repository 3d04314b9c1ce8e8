//! The gated activation in plain f32, the same on every machine.

use super::{Args, SwiGlu};
use crate::cpu::kernel::Kernel;
use crate::cpu::variant::{Variant, portable};
use crate::math::exp_f32;

#[derive(Debug)]
pub(super) struct Scalar;

impl Variant<SwiGlu> for Scalar {
    const NAME: &'static str = "scalar";
    fn kernel<'a>() -> Kernel<Args<'a>> {
        portable(pieces)
    }
}

fn pieces(args: &mut Args<'_>) {
    args.each_piece(|gate, up, y| {
        for ((gate, up), y) in gate.iter().zip(up).zip(y) {
            *y = gate / (1.0 + exp_f32(-gate)) * up;
        }
    });
}
