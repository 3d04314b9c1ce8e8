//! Sampling with AVX2: the scalar order of operations in eight lanes.
#![expect(unsafe_code, reason = "vector stores take pointers; a kernel is declared for its instructions")]

use super::nucleus::ONE;
use super::scalar::weight_of;
use super::{Args, Best, Sample};
use crate::cpu::f32x8::{exp, load, store};
use crate::cpu::isa;
use crate::cpu::variant::Variant;
use std::arch::x86_64::*;

// SAFETY: `phase` asks of its caller only the features of its attribute, which AVX2 contains.
pub(super) static AVX2: Variant<Sample> = unsafe { Variant::<Sample>::new("avx2", isa::AVX2, phase) };

#[target_feature(enable = "avx2,fma,f16c")]
fn phase(args: &mut Args<'_>) {
    args.phase(
        |logits| find(logits),
        |logits, largest, temperature, weights| weigh(logits, largest, temperature, weights),
    );
}

/// The largest value first, then the first place that has it: two quick passes over a part that stays in cache.
#[target_feature(enable = "avx2,fma,f16c")]
fn find(logits: &[f32]) -> Best {
    let mut most = [_mm256_set1_ps(f32::NEG_INFINITY); 4];
    let (blocks, rest) = logits.as_chunks::<32>();
    for block in blocks {
        for (most, x) in most.iter_mut().zip(block.as_chunks().0) {
            // Of a NaN and a number, the instruction returns its second operand.
            *most = _mm256_max_ps(load(x), *most);
        }
    }
    let mut lanes = [0.0; 8];
    store(&mut lanes, _mm256_max_ps(_mm256_max_ps(most[0], most[1]), _mm256_max_ps(most[2], most[3])));
    let most = lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |most, x| if *x > most { *x } else { most });
    let wanted = _mm256_set1_ps(most);
    for (i, x) in logits.as_chunks().0.iter().enumerate() {
        let equal = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_EQ_OQ>(load(x), wanted));
        if equal != 0 {
            return Best { value: most, index: (i * 8) as u32 + equal.trailing_zeros() };
        }
    }
    let (whole, rest) = logits.split_at(logits.len() / 8 * 8);
    let best = Best::first(rest, most);
    Best { index: best.index.saturating_add(whole.len() as u32), ..best }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn weigh(logits: &[f32], largest: f32, temperature: f32, weights: &mut [u32]) {
    let (logits, logits_rest) = logits.as_chunks();
    let (weights, weights_rest) = weights.as_chunks_mut::<8>();
    let (most, divisor) = (_mm256_set1_ps(largest), _mm256_set1_ps(temperature));
    for (x, weights) in logits.iter().zip(weights) {
        let x = load(x);
        let part = exp(_mm256_div_ps(_mm256_sub_ps(x, most), divisor));
        let part = _mm256_blendv_ps(part, _mm256_set1_ps(1.0), _mm256_cmp_ps::<_CMP_EQ_OQ>(x, most));
        let number = _mm256_castps_si256(_mm256_cmp_ps::<_CMP_ORD_Q>(part, part));
        let weight = _mm256_cvttps_epi32(_mm256_mul_ps(part, _mm256_set1_ps(ONE)));
        let weight = _mm256_and_si256(weight, number);
        // SAFETY: writes exactly the eight elements of `weights`.
        unsafe { _mm256_storeu_si256(weights.as_mut_ptr().cast(), weight) }
    }
    for (logit, weight) in logits_rest.iter().zip(weights_rest) {
        *weight = weight_of(*logit, largest, temperature);
    }
}
