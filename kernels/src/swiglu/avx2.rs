//! The gated activation with AVX2: eight elements at a time.
#![expect(unsafe_code, reason = "a kernel is declared for the instructions it is compiled with")]

use super::{Args, SwiGlu};
use crate::cpu::f32x8::{exp, load, load_part, store, store_part};
use crate::cpu::isa;
use crate::cpu::variant::Variant;
use std::arch::x86_64::*;

// SAFETY: `pieces` asks of its caller only the features of its attribute, which AVX2 contains.
pub(super) static AVX2: Variant<SwiGlu> = unsafe { Variant::<SwiGlu>::new("avx2", isa::AVX2, pieces) };

#[target_feature(enable = "avx2,fma,f16c")]
fn pieces(args: &mut Args<'_>) {
    args.each_piece(|gate, up, y| {
        let (y, y_rest) = y.as_chunks_mut();
        let ((gate, gate_rest), (up, up_rest)) = (gate.as_chunks(), up.as_chunks());
        for ((gate, up), y) in gate.iter().zip(up).zip(y) {
            store(y, gated(load(gate), load(up)));
        }
        if !y_rest.is_empty() {
            store_part(y_rest, gated(load_part(gate_rest), load_part(up_rest)));
        }
    });
}

#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn gated(gate: __m256, up: __m256) -> __m256 {
    let negated = _mm256_xor_ps(gate, _mm256_set1_ps(-0.0));
    _mm256_mul_ps(_mm256_div_ps(gate, _mm256_add_ps(_mm256_set1_ps(1.0), exp(negated))), up)
}
