//! The gated activation sixteen elements at a time, for every instruction set.
#![expect(unsafe_code, reason = "a kernel is declared for the instructions it is compiled with")]

use super::gate::{GELU_CUBIC, GELU_LINEAR};
use super::{Args, CLAMPED_ALPHA, Gate, SwiGlu};
use crate::cpu::f32x16::on_vectors;
use crate::cpu::variant::Variant;

const SILU: u8 = 0;
const GELU: u8 = 1;
const CLAMPED: u8 = 2;

macro_rules! body {
    ($isa:ident, $features:literal) => {
        // SAFETY: `pieces` asks of its caller only the features of its attribute, which FEATURES contains.
        pub(crate) static KERNEL: Variant<SwiGlu> = unsafe { Variant::<SwiGlu>::new(NAME, FEATURES, pieces) };

        #[target_feature(enable = $features)]
        fn pieces(args: &mut Args<'_>) {
            match args.gate {
                Gate::Silu => each::<SILU>(args, 0.0),
                Gate::GeluTanh => each::<GELU>(args, 0.0),
                Gate::Clamped { limit } => each::<CLAMPED>(args, limit),
            }
        }

        #[target_feature(enable = $features)]
        fn each<const GATE: u8>(args: &mut Args<'_>, limit: f32) {
            args.each_piece(|gate, up, y| {
                let (y, y_rest) = y.as_chunks_mut();
                let ((gate, gate_rest), (up, up_rest)) = (gate.as_chunks(), up.as_chunks());
                for ((gate, up), y) in gate.iter().zip(up).zip(y) {
                    store(y, gated::<GATE>(load(gate), load(up), limit));
                }
                if !y_rest.is_empty() {
                    store_part(y_rest, gated::<GATE>(load_part(gate_rest), load_part(up_rest), limit));
                }
            });
        }

        #[target_feature(enable = $features)]
        #[inline]
        fn gated<const GATE: u8>(mut gate: Lanes, mut up: Lanes, limit: f32) -> Lanes {
            let t = match GATE {
                GELU => times(gate, plus(times(times(gate, gate), splat(GELU_CUBIC)), splat(GELU_LINEAR))),
                CLAMPED => {
                    // Of two equal or unordered operands the second is taken, so NaN stays NaN.
                    gate = smaller(splat(limit), gate);
                    up = plus(larger(splat(-limit), smaller(splat(limit), up)), splat(1.0));
                    times(splat(CLAMPED_ALPHA), gate)
                }
                _ => gate,
            };
            times(divide(gate, plus(splat(1.0), exp(negative(t)))), up)
        }
    };
}
on_vectors!(body);
