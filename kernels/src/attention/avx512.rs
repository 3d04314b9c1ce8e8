//! Attention on 512-bit vectors: four vectors of sixteen keys by six query vectors in registers.
#![expect(unsafe_code, reason = "vector loads and stores take pointers")]

use super::flash::{Attends, Isa, Part, Queries};
use super::layout::LANES;
use super::panel::panels;
use super::schedule::BLOCK;
use super::stored::Stored;
use super::strip::strips;
use crate::cpu::isa::{AVX512, Feature};
use crate::cpu::kernel::Kernel;
use std::arch::x86_64::*;
use std::ops::Range;

/// 512-bit vectors of f32.
#[derive(Debug)]
pub(super) struct Avx512;

impl Isa for Avx512 {
    const NAME: &'static str = "avx512";
    const FEATURES: &'static [Feature] = AVX512;
}

impl<T: Stored> Attends<T> for Avx512 {
    fn kernel<'a>() -> Kernel<Part<'a, T>> {
        // SAFETY: `attend` is safe but for its instructions, which are among these features.
        unsafe { Kernel::new(AVX512, attend::<T>) }
    }
}

strips!("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma", wide: [1 2 3 4], rows: [1 2 3 4 5 6]);
panels!("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma");

pub(super) type Lanes = __m512;

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn zero() -> Lanes {
    _mm512_setzero_ps()
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn splat(x: f32) -> Lanes {
    _mm512_set1_ps(x)
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn get(from: &[f32], at: usize) -> Lanes {
    let from: &[f32] = &from[at..at + LANES];
    // SAFETY: the slice holds 16 floats.
    unsafe { _mm512_loadu_ps(from.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn put(x: Lanes, to: &mut [f32], at: usize) {
    let to: &mut [f32] = &mut to[at..at + LANES];
    // SAFETY: the slice holds 16 floats.
    unsafe { _mm512_storeu_ps(to.as_mut_ptr(), x) }
}

/// Element `part` of the neighbouring elements at `line` of 16 keys; int8 in steps of its scales.
///
/// # Safety
/// 64 bytes at `line` may be read; for f32 64 more for each `part`.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn key_lanes<T: Stored>(line: *const T, part: usize, scales: Lanes) -> Lanes {
    if size_of::<T>() == 4 {
        // SAFETY: elements 16·part .. 16·part + 16.
        return unsafe { _mm512_loadu_ps(line.cast::<f32>().wrapping_add(part * LANES)) };
    }
    // SAFETY: 64 bytes.
    let together = unsafe { _mm512_loadu_si512(line.cast()) };
    if size_of::<T>() == 2 {
        let high = if part == 0 {
            _mm512_slli_epi32::<16>(together)
        } else {
            _mm512_and_si512(together, _mm512_set1_epi32(!0xffff))
        };
        return _mm512_castsi512_ps(high);
    }
    let code =
        _mm512_and_si512(_mm512_srlv_epi32(together, _mm512_set1_epi32(8 * part as i32)), _mm512_set1_epi32(255));
    // 128 steps are a power of two times the scale: with the one rounding of the multiply-add, (code − 128)·scale is rounded once.
    _mm512_fmadd_ps(_mm512_cvtepi32_ps(code), scales, _mm512_mul_ps(scales, _mm512_set1_ps(-128.0)))
}

/// 16 neighbouring elements of a value: of token `token` of those that stand together; int8 in steps of its scale.
///
/// # Safety
/// 16 elements of each of these tokens at `line` may be read.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn value_lanes<T: Stored>(line: *const T, token: usize, scale: Lanes) -> Lanes {
    if size_of::<T>() == 4 {
        // SAFETY: 16 floats.
        return unsafe { _mm512_loadu_ps(line.cast()) };
    }
    if size_of::<T>() == 2 {
        // SAFETY: 16 elements of 2 bytes.
        let packed = unsafe { _mm256_loadu_si256(line.cast()) };
        return _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(packed)));
    }
    // SAFETY: 16 elements of 4 tokens, a byte each.
    let together = unsafe { _mm512_loadu_si512(line.cast()) };
    let high = _mm512_sllv_epi32(together, _mm512_set1_epi32(24 - 8 * token as i32));
    _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_srai_epi32::<24>(high)), scale)
}

/// Into the second-level cache: the next blocks of keys and values are too many for the first.
#[inline]
pub(super) fn prefetch<T>(line: *const T) {
    // SAFETY: a hint: it may name any address.
    unsafe { _mm_prefetch::<_MM_HINT_T1>(line.cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn multiply_add(a: Lanes, b: Lanes, c: Lanes) -> Lanes {
    _mm512_fmadd_ps(a, b, c)
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn times(a: Lanes, b: Lanes) -> Lanes {
    _mm512_mul_ps(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn plus(a: Lanes, b: Lanes) -> Lanes {
    _mm512_add_ps(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn minus(a: Lanes, b: Lanes) -> Lanes {
    _mm512_sub_ps(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn larger(a: Lanes, b: Lanes) -> Lanes {
    _mm512_max_ps(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn largest(x: Lanes) -> f32 {
    _mm512_reduce_max_ps(x)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn divide(a: Lanes, b: Lanes) -> Lanes {
    _mm512_div_ps(a, b)
}

/// Without its sign.
#[inline]
#[target_feature(enable = "avx512f")]
fn magnitude(x: Lanes) -> Lanes {
    _mm512_abs_ps(x)
}

/// A positive `x` with the signs of `of`.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
fn signed_as(x: Lanes, of: Lanes) -> Lanes {
    _mm512_or_ps(x, _mm512_and_ps(of, _mm512_set1_ps(-0.0)))
}

/// The lanes in `keep`, −∞ in the others.
#[inline]
#[target_feature(enable = "avx512f")]
fn only(x: Lanes, keep: Range<usize>) -> Lanes {
    let below = |lanes: usize| (1_u32 << lanes.min(LANES)) - 1;
    let keep = (below(keep.end) & !below(keep.start)) as __mmask16;
    _mm512_mask_blend_ps(keep, _mm512_set1_ps(f32::NEG_INFINITY), x)
}

/// 2^x for x ≤ 0 within 3 u (2.5 where measured): 0 for −∞ and whatever is too small, NaN for NaN.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
fn power_of_two(x: Lanes) -> Lanes {
    // x − ⌊x⌋, and 0 for −∞; `scalef` takes ⌊x⌋ itself.
    let part = _mm512_reduce_ps::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>(x);
    let mut power = _mm512_set1_ps(POWERS[5]);
    for k in (0..5).rev() {
        power = _mm512_fmadd_ps(power, part, _mm512_set1_ps(POWERS[k]));
    }
    _mm512_scalef_ps(power, x)
}

/// 2^f on 0 ≤ f ≤ 1: the polynomial of degree 5 whose largest relative error is least (7.5e-8, by Remez' exchange).
const POWERS: [f32; 6] = [0.99999994, 0.6931531, 0.24015361, 0.055826318, 0.00898934, 0.0018775767];
