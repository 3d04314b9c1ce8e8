//! The gated activation with AVX2: eight elements at a time.
#![expect(unsafe_code, reason = "a kernel is declared for the instructions it is compiled with")]

use super::gate::{GELU_CUBIC, GELU_LINEAR};
use super::{Args, CLAMPED_ALPHA, Gate, SwiGlu};
use crate::cpu::f32x8::{exp, load, load_part, store, store_part};
use crate::cpu::isa;
use crate::cpu::variant::Variant;
use std::arch::x86_64::*;

// SAFETY: `pieces` asks of its caller only the features of its attribute, which AVX2 contains.
pub(super) static AVX2: Variant<SwiGlu> = unsafe { Variant::<SwiGlu>::new("avx2", isa::AVX2, pieces) };

#[target_feature(enable = "avx2,fma,f16c")]
fn pieces(args: &mut Args<'_>) {
    match args.gate {
        Gate::Silu => each::<SILU>(args, 0.0),
        Gate::GeluTanh => each::<GELU>(args, 0.0),
        Gate::Clamped { limit } => each::<CLAMPED>(args, limit),
    }
}

const SILU: u8 = 0;
const GELU: u8 = 1;
const CLAMPED: u8 = 2;

#[target_feature(enable = "avx2,fma,f16c")]
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

#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn gated<const GATE: u8>(mut gate: __m256, mut up: __m256, limit: f32) -> __m256 {
    let (all, add, mul) = (|x: f32| _mm256_set1_ps(x), _mm256_add_ps, _mm256_mul_ps);
    let t = match GATE {
        GELU => mul(gate, add(mul(mul(gate, gate), all(GELU_CUBIC)), all(GELU_LINEAR))),
        CLAMPED => {
            // Of two equal or unordered operands the second is taken, so NaN stays NaN.
            gate = _mm256_min_ps(all(limit), gate);
            up = add(_mm256_max_ps(all(-limit), _mm256_min_ps(all(limit), up)), all(1.0));
            mul(all(CLAMPED_ALPHA), gate)
        }
        _ => gate,
    };
    let negated = _mm256_xor_ps(t, all(-0.0));
    mul(_mm256_div_ps(gate, add(all(1.0), exp(negated))), up)
}
