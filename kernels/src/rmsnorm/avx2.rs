//! RMS normalisation with AVX2: four accumulators of eight lanes.
#![expect(unsafe_code, reason = "a kernel is declared for the instructions it is compiled with")]

use super::{Args, RmsNorm, inverse_root};
use crate::cpu::f32x8::{load, load_part, store, store_part, sum as lanes};
use crate::cpu::isa;
use crate::cpu::variant::Variant;
use std::arch::x86_64::*;

// SAFETY: `rows` asks of its caller only the features of its attribute, which AVX2 contains.
pub(super) static AVX2: Variant<RmsNorm> = unsafe { Variant::<RmsNorm>::new("avx2", isa::AVX2, rows) };

#[target_feature(enable = "avx2,fma,f16c")]
fn rows(args: &mut Args<'_>) {
    let Args { gain, delta_gain, multiplier, eps, .. } = *args;
    let width = gain.len();
    for (i, y) in args.y.chunks_exact_mut(width).enumerate() {
        let input = &args.input[i * width..][..width];
        if args.state.is_empty() {
            normalise(input, sum_of_squares(input), gain, eps, y);
        } else {
            let x = &mut args.state[i * width..][..width];
            let sum = if delta_gain.is_empty() {
                add_and_square(x, input, multiplier)
            } else {
                let inverse = inverse_root(sum_of_squares(input), width, eps);
                add_scaled(x, input, inverse * multiplier, delta_gain);
                sum_of_squares(x)
            };
            normalise(x, sum, gain, eps, y);
        }
    }
}

/// Σ x².
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn sum_of_squares(x: &[f32]) -> f32 {
    let mut sums = [_mm256_setzero_ps(); 4];
    let (blocks, rest) = x.as_chunks::<32>();
    for block in blocks {
        for (sum, x) in sums.iter_mut().zip(block.as_chunks().0) {
            let x = load(x);
            *sum = _mm256_fmadd_ps(x, x, *sum);
        }
    }
    for (sum, x) in sums.iter_mut().zip(rest.chunks(8)) {
        let x = load_part(x);
        *sum = _mm256_fmadd_ps(x, x, *sum);
    }
    lanes(_mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3])))
}

/// `x += multiplier · delta`, then Σ x². With a multiplier of 1 the fused sum has the bits of the plain one.
#[target_feature(enable = "avx2,fma,f16c")]
fn add_and_square(x: &mut [f32], delta: &[f32], multiplier: f32) -> f32 {
    let multiplier = _mm256_set1_ps(multiplier);
    let mut sums = [_mm256_setzero_ps(); 4];
    let (x_blocks, x_rest) = x.as_chunks_mut::<32>();
    let (delta_blocks, delta_rest) = delta.as_chunks::<32>();
    for (x, delta) in x_blocks.iter_mut().zip(delta_blocks) {
        for ((sum, x), delta) in sums.iter_mut().zip(x.as_chunks_mut().0).zip(delta.as_chunks().0) {
            let new = _mm256_fmadd_ps(load(delta), multiplier, load(x));
            store(x, new);
            *sum = _mm256_fmadd_ps(new, new, *sum);
        }
    }
    for ((sum, x), delta) in sums.iter_mut().zip(x_rest.chunks_mut(8)).zip(delta_rest.chunks(8)) {
        let new = _mm256_fmadd_ps(load_part(delta), multiplier, load_part(x));
        store_part(x, new);
        *sum = _mm256_fmadd_ps(new, new, *sum);
    }
    lanes(_mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3])))
}

/// `x += delta · factor · gain`.
#[target_feature(enable = "avx2,fma,f16c")]
fn add_scaled(x: &mut [f32], delta: &[f32], factor: f32, gain: &[f32]) {
    let factor = _mm256_set1_ps(factor);
    let (x, x_rest) = x.as_chunks_mut();
    let ((delta, delta_rest), (gain, gain_rest)) = (delta.as_chunks(), gain.as_chunks());
    for ((x, delta), gain) in x.iter_mut().zip(delta).zip(gain) {
        store(x, _mm256_fmadd_ps(_mm256_mul_ps(load(delta), factor), load(gain), load(x)));
    }
    if !x_rest.is_empty() {
        let scaled = _mm256_mul_ps(load_part(delta_rest), factor);
        let sum = _mm256_fmadd_ps(scaled, load_part(gain_rest), load_part(x_rest));
        store_part(x_rest, sum);
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn normalise(x: &[f32], sum: f32, gain: &[f32], eps: f32, y: &mut [f32]) {
    let inverse = _mm256_set1_ps(inverse_root(sum, x.len(), eps));
    let (y, y_rest) = y.as_chunks_mut();
    let ((x, x_rest), (gain, gain_rest)) = (x.as_chunks(), gain.as_chunks());
    for ((y, x), gain) in y.iter_mut().zip(x).zip(gain) {
        store(y, _mm256_mul_ps(_mm256_mul_ps(load(x), inverse), load(gain)));
    }
    if !y_rest.is_empty() {
        store_part(y_rest, _mm256_mul_ps(_mm256_mul_ps(load_part(x_rest), inverse), load_part(gain_rest)));
    }
}
