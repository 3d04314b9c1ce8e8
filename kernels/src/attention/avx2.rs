//! Attention on 256-bit vectors: sixteen lanes are two registers, by six query vectors.
#![expect(unsafe_code, reason = "vector loads and stores take pointers")]

use super::flash::{Attends, Isa, Part, Queries};
use super::layout::LANES;
use super::panel::panels;
use super::schedule::BLOCK;
use super::stored::Stored;
use super::strip::{POWERS, strips};
use crate::cpu::isa::{AVX2, Feature};
use crate::cpu::kernel::Kernel;
use std::arch::x86_64::*;
use std::ops::Range;

/// 256-bit vectors of f32.
#[derive(Debug)]
pub(super) struct Avx2;

impl Isa for Avx2 {
    const NAME: &'static str = "avx2";
    const FEATURES: &'static [Feature] = AVX2;
}

impl<T: Stored> Attends<T> for Avx2 {
    fn kernel<'a>() -> Kernel<Part<'a, T>> {
        // SAFETY: `attend` is safe but for its instructions, which are among these features.
        unsafe { Kernel::new(AVX2, attend::<T>) }
    }
}

strips!("avx2,fma", wide: [1], rows: [1 2 3 4 5 6]);
panels!("avx2,fma");

#[derive(Clone, Copy)]
pub(super) struct Lanes(__m256, __m256);

#[inline]
#[target_feature(enable = "avx2,fma")]
fn zero() -> Lanes {
    splat(0.0)
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn splat(x: f32) -> Lanes {
    Lanes(_mm256_set1_ps(x), _mm256_set1_ps(x))
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn get(from: &[f32], at: usize) -> Lanes {
    let from: &[f32] = &from[at..at + LANES];
    // SAFETY: the slice holds 16 floats, these are the first 8.
    let low = unsafe { _mm256_loadu_ps(from.as_ptr()) };
    // SAFETY: and these the last 8.
    let high = unsafe { _mm256_loadu_ps(from.as_ptr().wrapping_add(8)) };
    Lanes(low, high)
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn put(x: Lanes, to: &mut [f32], at: usize) {
    let to: &mut [f32] = &mut to[at..at + LANES];
    // SAFETY: the slice holds 16 floats, these are the first 8.
    unsafe { _mm256_storeu_ps(to.as_mut_ptr(), x.0) }
    // SAFETY: and these the last 8.
    unsafe { _mm256_storeu_ps(to.as_mut_ptr().wrapping_add(8), x.1) }
}

/// Element `part` of the neighbouring elements at `line` of 16 keys; int8 in steps of its scales.
///
/// # Safety
/// 64 bytes at `line` may be read; for f32 64 more for each `part`.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn key_lanes<T: Stored>(line: *const T, part: usize, scales: Lanes) -> Lanes {
    let step = 32 / size_of::<T>();
    let line = line.wrapping_add(if size_of::<T>() == 4 { part * LANES } else { 0 });
    // SAFETY: the first 32 of 64 bytes.
    let low = unsafe { _mm256_loadu_si256(line.cast()) };
    // SAFETY: the 32 bytes after them.
    let high = unsafe { _mm256_loadu_si256(line.wrapping_add(step).cast()) };
    if size_of::<T>() == 4 {
        return Lanes(_mm256_castsi256_ps(low), _mm256_castsi256_ps(high));
    }
    if size_of::<T>() == 2 {
        let widen = |pairs| {
            let kept = if part == 0 {
                _mm256_slli_epi32::<16>(pairs)
            } else {
                _mm256_and_si256(pairs, _mm256_set1_epi32(!0xffff))
            };
            _mm256_castsi256_ps(kept)
        };
        return Lanes(widen(low), widen(high));
    }
    let code = |fours| {
        let code =
            _mm256_and_si256(_mm256_srlv_epi32(fours, _mm256_set1_epi32(8 * part as i32)), _mm256_set1_epi32(255));
        _mm256_cvtepi32_ps(_mm256_sub_epi32(code, _mm256_set1_epi32(128)))
    };
    times(Lanes(code(low), code(high)), scales)
}

/// 16 neighbouring elements of a value: of token `token` of those that stand together; int8 in steps of its scale.
///
/// # Safety
/// 16 elements of each of these tokens at `line` may be read.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn value_lanes<T: Stored>(line: *const T, token: usize, scale: Lanes) -> Lanes {
    if size_of::<T>() == 2 {
        // SAFETY: the first 8 of 16 elements of 2 bytes.
        let low = unsafe { _mm_loadu_si128(line.cast()) };
        // SAFETY: and the last 8.
        let high = unsafe { _mm_loadu_si128(line.wrapping_add(8).cast()) };
        let (low, high) = (_mm256_cvtepu16_epi32(low), _mm256_cvtepu16_epi32(high));
        return Lanes(
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(low)),
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(high)),
        );
    }
    // SAFETY: the first 8 of 16 floats, or of 16 elements of 4 tokens, a byte each.
    let low = unsafe { _mm256_loadu_si256(line.cast()) };
    // SAFETY: and the last 8.
    let high = unsafe { _mm256_loadu_si256(line.cast::<__m256i>().wrapping_add(1)) };
    if size_of::<T>() == 4 {
        return Lanes(_mm256_castsi256_ps(low), _mm256_castsi256_ps(high));
    }
    let code = |fours| {
        let high = _mm256_sllv_epi32(fours, _mm256_set1_epi32(24 - 8 * token as i32));
        _mm256_cvtepi32_ps(_mm256_srai_epi32::<24>(high))
    };
    times(Lanes(code(low), code(high)), scale)
}

/// Into the second-level cache: the next blocks of keys and values are too many for the first.
#[inline]
fn prefetch<T>(line: *const T) {
    // SAFETY: a hint: it may name any address.
    unsafe { _mm_prefetch::<_MM_HINT_T1>(line.cast()) }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn multiply_add(a: Lanes, b: Lanes, c: Lanes) -> Lanes {
    Lanes(_mm256_fmadd_ps(a.0, b.0, c.0), _mm256_fmadd_ps(a.1, b.1, c.1))
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn times(a: Lanes, b: Lanes) -> Lanes {
    Lanes(_mm256_mul_ps(a.0, b.0), _mm256_mul_ps(a.1, b.1))
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn plus(a: Lanes, b: Lanes) -> Lanes {
    Lanes(_mm256_add_ps(a.0, b.0), _mm256_add_ps(a.1, b.1))
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn minus(a: Lanes, b: Lanes) -> Lanes {
    Lanes(_mm256_sub_ps(a.0, b.0), _mm256_sub_ps(a.1, b.1))
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn larger(a: Lanes, b: Lanes) -> Lanes {
    Lanes(_mm256_max_ps(a.0, b.0), _mm256_max_ps(a.1, b.1))
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn largest(x: Lanes) -> f32 {
    let x = _mm256_max_ps(x.0, x.1);
    let x = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
    let x = _mm_max_ps(x, _mm_movehl_ps(x, x));
    _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)))
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn divide(a: Lanes, b: Lanes) -> Lanes {
    Lanes(_mm256_div_ps(a.0, b.0), _mm256_div_ps(a.1, b.1))
}

/// Without its sign.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn magnitude(x: Lanes) -> Lanes {
    let sign = _mm256_set1_ps(-0.0);
    Lanes(_mm256_andnot_ps(sign, x.0), _mm256_andnot_ps(sign, x.1))
}

/// A positive `x` with the signs of `of`.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn signed_as(x: Lanes, of: Lanes) -> Lanes {
    let sign = _mm256_set1_ps(-0.0);
    Lanes(_mm256_or_ps(x.0, _mm256_and_ps(of.0, sign)), _mm256_or_ps(x.1, _mm256_and_ps(of.1, sign)))
}

/// The lanes in `keep`, −∞ in the others.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn only(x: Lanes, keep: Range<usize>) -> Lanes {
    let (start, end) = (_mm256_set1_epi32(keep.start.min(LANES) as i32), _mm256_set1_epi32(keep.end.min(LANES) as i32));
    let (low, high) = (_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_setr_epi32(8, 9, 10, 11, 12, 13, 14, 15));
    let nothing = _mm256_set1_ps(f32::NEG_INFINITY);
    let keep = |lanes| {
        let kept = _mm256_andnot_si256(_mm256_cmpgt_epi32(start, lanes), _mm256_cmpgt_epi32(end, lanes));
        _mm256_castsi256_ps(kept)
    };
    Lanes(_mm256_blendv_ps(nothing, x.0, keep(low)), _mm256_blendv_ps(nothing, x.1, keep(high)))
}

/// 2^x for x ≤ 0 within 2 ulp: 0 for −∞ and whatever is too small, NaN for NaN.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn power_of_two(x: Lanes) -> Lanes {
    Lanes(power_of_two_8(x.0), power_of_two_8(x.1))
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn power_of_two_8(x: __m256) -> __m256 {
    // At −127 the exponent's bits are all 0, and so is the product. The maximum returns its second operand, x, where x is NaN.
    let x = _mm256_max_ps(_mm256_set1_ps(-127.0), x);
    let whole = _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x);
    let part = _mm256_sub_ps(x, whole);
    let mut power = _mm256_set1_ps(POWERS[6]);
    for k in (0..6).rev() {
        power = _mm256_fmadd_ps(power, part, _mm256_set1_ps(POWERS[k]));
    }
    let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(whole), _mm256_set1_epi32(127));
    _mm256_mul_ps(power, _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent)))
}
