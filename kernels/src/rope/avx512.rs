//! Rotary embedding with AVX-512: sixteen pairs at a time.
#![expect(unsafe_code, reason = "a kernel is declared for the instructions it is compiled with")]

use super::{Args, Rope, Turn};
use crate::cpu::f32x16::{load, load_part, store, store_part};
use crate::cpu::isa;
use crate::cpu::variant::Variant;
use crate::rmsnorm::avx512::sum_of_squares;
use crate::rmsnorm::inverse_root;
use std::arch::x86_64::*;

// SAFETY: `rows` asks of its caller only the features of its attribute, which AVX512 contains.
pub(super) static AVX512: Variant<Rope> = unsafe { Variant::<Rope>::new("avx512", isa::AVX512, rows) };

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn rows(args: &mut Args<'_>) {
    let eps = args.op.eps;
    args.each_head(|head, Turn { cos, sin, gain }| {
        if let Some(gain) = gain {
            let inverse = inverse_root(sum_of_squares(head), head.len(), eps);
            scale(head, inverse, gain);
        }
        turn(head, cos, sin);
    });
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn scale(x: &mut [f32], inverse: f32, gain: &[f32]) {
    let inverse = _mm512_set1_ps(inverse);
    let ((x, x_rest), (gain, gain_rest)) = (x.as_chunks_mut(), gain.as_chunks());
    for (x, gain) in x.iter_mut().zip(gain) {
        store(x, _mm512_mul_ps(_mm512_mul_ps(load(x), inverse), load(gain)));
    }
    if !x_rest.is_empty() {
        let rest = _mm512_mul_ps(_mm512_mul_ps(load_part(x_rest), inverse), load_part(gain_rest));
        store_part(x_rest, rest);
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn turn(head: &mut [f32], cos: &[f32], sin: &[f32]) {
    let (a, b) = head[..2 * cos.len()].split_at_mut(cos.len());
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks_mut(), b.as_chunks_mut());
    let ((cos, cos_rest), (sin, sin_rest)) = (cos.as_chunks(), sin.as_chunks());
    for (((a, b), cos), sin) in a.iter_mut().zip(b).zip(cos).zip(sin) {
        let [new_a, new_b] = pair(load(a), load(b), load(cos), load(sin));
        store(a, new_a);
        store(b, new_b);
    }
    if !a_rest.is_empty() {
        let [new_a, new_b] = pair(load_part(a_rest), load_part(b_rest), load_part(cos_rest), load_part(sin_rest));
        store_part(a_rest, new_a);
        store_part(b_rest, new_b);
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
#[inline]
fn pair(a: __m512, b: __m512, cos: __m512, sin: __m512) -> [__m512; 2] {
    [_mm512_fmsub_ps(a, cos, _mm512_mul_ps(b, sin)), _mm512_fmadd_ps(b, cos, _mm512_mul_ps(a, sin))]
}
