//! Bent logits in plain f32, the same on every machine.

use super::{Args, Softcap};
use crate::cpu::variant::Variant;
use crate::math::exp_f32;

pub(super) static SCALAR: Variant<Softcap> = Variant::<Softcap>::scalar(bend);

fn bend(args: &mut Args<'_>) {
    let (cap, steep) = (args.cap, -2.0 / args.cap);
    for x in args.x.iter_mut() {
        *x = cap * (2.0 / (1.0 + exp_f32(*x * steep)) - 1.0);
    }
}
