//! RMS normalisation with AVX-512: four accumulators of sixteen lanes.
#![expect(unsafe_code, reason = "a kernel is declared for the instructions it is compiled with")]

use super::{Args, RmsNorm, inverse_root};
use crate::cpu::f32x16::{load, load_part, store, store_part};
use crate::cpu::isa;
use crate::cpu::variant::Variant;
use std::arch::x86_64::*;

// SAFETY: `rows` asks of its caller only the features of its attribute, which AVX512 contains.
pub(super) static AVX512: Variant<RmsNorm> = unsafe { Variant::<RmsNorm>::new("avx512", isa::AVX512, rows) };

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn rows(args: &mut Args<'_>) {
    let (gain, eps, width) = (args.gain, args.eps, args.gain.len());
    for (i, y) in args.y.chunks_exact_mut(width).enumerate() {
        let input = &args.input[i * width..][..width];
        if args.state.is_empty() {
            normalise(input, sum_of_squares(input), gain, eps, y);
        } else {
            let x = &mut args.state[i * width..][..width];
            let sum = add_and_square(x, input);
            normalise(x, sum, gain, eps, y);
        }
    }
}

/// Σ x².
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) fn sum_of_squares(x: &[f32]) -> f32 {
    let mut sums = [_mm512_setzero_ps(); 4];
    let (blocks, rest) = x.as_chunks::<64>();
    for block in blocks {
        for (sum, x) in sums.iter_mut().zip(block.as_chunks().0) {
            let x = load(x);
            *sum = _mm512_fmadd_ps(x, x, *sum);
        }
    }
    for (sum, x) in sums.iter_mut().zip(rest.chunks(16)) {
        let x = load_part(x);
        *sum = _mm512_fmadd_ps(x, x, *sum);
    }
    _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sums[0], sums[1]), _mm512_add_ps(sums[2], sums[3])))
}

/// `x += delta`, then Σ x².
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn add_and_square(x: &mut [f32], delta: &[f32]) -> f32 {
    let mut sums = [_mm512_setzero_ps(); 4];
    let (x_blocks, x_rest) = x.as_chunks_mut::<64>();
    let (delta_blocks, delta_rest) = delta.as_chunks::<64>();
    for (x, delta) in x_blocks.iter_mut().zip(delta_blocks) {
        for ((sum, x), delta) in sums.iter_mut().zip(x.as_chunks_mut().0).zip(delta.as_chunks().0) {
            let new = _mm512_add_ps(load(x), load(delta));
            store(x, new);
            *sum = _mm512_fmadd_ps(new, new, *sum);
        }
    }
    for ((sum, x), delta) in sums.iter_mut().zip(x_rest.chunks_mut(16)).zip(delta_rest.chunks(16)) {
        let new = _mm512_add_ps(load_part(x), load_part(delta));
        store_part(x, new);
        *sum = _mm512_fmadd_ps(new, new, *sum);
    }
    _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sums[0], sums[1]), _mm512_add_ps(sums[2], sums[3])))
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn normalise(x: &[f32], sum: f32, gain: &[f32], eps: f32, y: &mut [f32]) {
    let inverse = _mm512_set1_ps(inverse_root(sum, x.len(), eps));
    let (y, y_rest) = y.as_chunks_mut();
    let ((x, x_rest), (gain, gain_rest)) = (x.as_chunks(), gain.as_chunks());
    for ((y, x), gain) in y.iter_mut().zip(x).zip(gain) {
        store(y, _mm512_mul_ps(_mm512_mul_ps(load(x), inverse), load(gain)));
    }
    if !y_rest.is_empty() {
        store_part(y_rest, _mm512_mul_ps(_mm512_mul_ps(load_part(x_rest), inverse), load_part(gain_rest)));
    }
}
