//! Sampling with AVX-512: the scalar order of operations in sixteen lanes.
#![expect(unsafe_code, reason = "vector stores take pointers; a kernel is declared for its instructions")]

use super::nucleus::ONE;
use super::scalar::weight_of;
use super::{Args, Best, Sample};
use crate::cpu::f32x16::{exp, load};
use crate::cpu::isa;
use crate::cpu::variant::Variant;
use std::arch::x86_64::*;

// SAFETY: `phase` asks of its caller only the features of its attribute, which AVX512 contains.
pub(super) static AVX512: Variant<Sample> = unsafe { Variant::<Sample>::new("avx512", isa::AVX512, phase) };

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn phase(args: &mut Args<'_>) {
    args.phase(
        |logits| find(logits),
        |logits, largest, temperature, weights| weigh(logits, largest, temperature, weights),
    );
}

/// The largest value first, then the first place that has it: two quick passes over a part that stays in cache.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn find(logits: &[f32]) -> Best {
    let mut most = [_mm512_set1_ps(f32::NEG_INFINITY); 4];
    let (blocks, rest) = logits.as_chunks::<64>();
    for block in blocks {
        for (most, x) in most.iter_mut().zip(block.as_chunks().0) {
            // Of a NaN and a number, the instruction returns its second operand.
            *most = _mm512_max_ps(load(x), *most);
        }
    }
    let most = _mm512_max_ps(_mm512_max_ps(most[0], most[1]), _mm512_max_ps(most[2], most[3]));
    let most = rest.iter().fold(_mm512_reduce_max_ps(most), |most, x| if *x > most { *x } else { most });
    let wanted = _mm512_set1_ps(most);
    for (i, x) in logits.as_chunks().0.iter().enumerate() {
        let equal = _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(load(x), wanted);
        if equal != 0 {
            return Best { value: most, index: (i * 16) as u32 + equal.trailing_zeros() };
        }
    }
    let (whole, rest) = logits.split_at(logits.len() / 16 * 16);
    let best = Best::first(rest, most);
    Best { index: best.index.saturating_add(whole.len() as u32), ..best }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn weigh(logits: &[f32], largest: f32, temperature: f32, weights: &mut [u32]) {
    let (logits, logits_rest) = logits.as_chunks();
    let (weights, weights_rest) = weights.as_chunks_mut::<16>();
    let (most, divisor) = (_mm512_set1_ps(largest), _mm512_set1_ps(temperature));
    for (x, weights) in logits.iter().zip(weights) {
        let x = load(x);
        let part = exp(_mm512_div_ps(_mm512_sub_ps(x, most), divisor));
        let part = _mm512_mask_mov_ps(part, _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(x, most), _mm512_set1_ps(1.0));
        let number = _mm512_cmp_ps_mask::<_CMP_ORD_Q>(part, part);
        let weight = _mm512_maskz_cvttps_epi32(number, _mm512_mul_ps(part, _mm512_set1_ps(ONE)));
        // SAFETY: writes exactly the sixteen elements of `weights`.
        unsafe { _mm512_storeu_si512(weights.as_mut_ptr().cast(), weight) }
    }
    for (logit, weight) in logits_rest.iter().zip(weights_rest) {
        *weight = weight_of(*logit, largest, temperature);
    }
}
