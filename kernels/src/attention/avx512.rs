//! Attention on 512-bit vectors: four vectors of sixteen keys by six query vectors in registers.
#![expect(unsafe_code, reason = "vector loads and stores take pointers")]

use super::Attention;
use super::flash::{self, Isa, Part};
use super::layout::{LANES, Stored};
use super::schedule::BLOCK;
use super::strip::{POWERS, strips};
use crate::cpu::isa::{AVX512, Feature};
use crate::cpu::kernel::Kernel;
use crate::{Backend, Buffer, Device, Fault, Implementation, Prepared, Unsupported};
use std::arch::x86_64::*;
use std::ops::Range;

/// 512-bit vectors of f32.
#[derive(Debug)]
pub(super) struct Avx512;

impl Implementation<Attention> for Avx512 {
    fn name(&self) -> &'static str {
        "avx512"
    }
    fn backend(&self) -> Backend {
        Backend::Cpu
    }
    fn supports(&self, op: &Attention, device: &dyn Device) -> Result<(), Unsupported> {
        flash::supports::<Self>(op, device)
    }
    fn prepare(&self, op: &Attention, weights: &[Buffer], device: &dyn Device) -> Result<Box<dyn Prepared>, Fault> {
        flash::prepare::<Self>(op, weights, device)
    }
}

impl Isa for Avx512 {
    const FEATURES: &'static [Feature] = AVX512;
    fn kernel<'a, T: Stored>() -> Kernel<Part<'a, T>> {
        // SAFETY: `attend` is safe but for its instructions, which are among these features.
        unsafe { Kernel::new(AVX512, attend::<T>) }
    }
}

strips!("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma", wide: [1 2 3 4], rows: [1 2 3 4 5 6]);

type Lanes = __m512;

#[inline]
#[target_feature(enable = "avx512f")]
fn zero() -> Lanes {
    _mm512_setzero_ps()
}

#[inline]
#[target_feature(enable = "avx512f")]
fn splat(x: f32) -> Lanes {
    _mm512_set1_ps(x)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn get(from: &[f32], at: usize) -> Lanes {
    let from: &[f32] = &from[at..at + LANES];
    // SAFETY: the slice holds 16 floats.
    unsafe { _mm512_loadu_ps(from.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn put(x: Lanes, to: &mut [f32], at: usize) {
    let to: &mut [f32] = &mut to[at..at + LANES];
    // SAFETY: the slice holds 16 floats.
    unsafe { _mm512_storeu_ps(to.as_mut_ptr(), x) }
}

/// Element `half` of two of 16 keys, from their 32 elements at `line`.
///
/// # Safety
/// 32 elements at `line` may be read.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn key_lanes<T: Stored>(line: *const T, half: usize) -> Lanes {
    if size_of::<T>() == 4 {
        // SAFETY: elements 16·half .. 16·half + 16 of the 32.
        return unsafe { _mm512_loadu_ps(line.cast::<f32>().wrapping_add(half * LANES)) };
    }
    // SAFETY: 32 elements of 2 bytes.
    let pairs = unsafe { _mm512_loadu_si512(line.cast()) };
    let high =
        if half == 0 { _mm512_slli_epi32::<16>(pairs) } else { _mm512_and_si512(pairs, _mm512_set1_epi32(!0xffff)) };
    _mm512_castsi512_ps(high)
}

/// 16 neighbouring values.
///
/// # Safety
/// 16 elements at `line` may be read.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn value_lanes<T: Stored>(line: *const T) -> Lanes {
    if size_of::<T>() == 4 {
        // SAFETY: 16 floats.
        return unsafe { _mm512_loadu_ps(line.cast()) };
    }
    // SAFETY: 16 elements of 2 bytes.
    let packed = unsafe { _mm256_loadu_si256(line.cast()) };
    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(packed)))
}

/// Into the second-level cache: the next blocks of keys and values are too many for the first.
#[inline]
fn prefetch<T>(line: *const T) {
    // SAFETY: a hint: it may name any address.
    unsafe { _mm_prefetch::<_MM_HINT_T1>(line.cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn multiply_add(a: Lanes, b: Lanes, c: Lanes) -> Lanes {
    _mm512_fmadd_ps(a, b, c)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn times(a: Lanes, b: Lanes) -> Lanes {
    _mm512_mul_ps(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn plus(a: Lanes, b: Lanes) -> Lanes {
    _mm512_add_ps(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn minus(a: Lanes, b: Lanes) -> Lanes {
    _mm512_sub_ps(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn larger(a: Lanes, b: Lanes) -> Lanes {
    _mm512_max_ps(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn largest(x: Lanes) -> f32 {
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

/// 2^x for x ≤ 0 within 2 ulp: 0 for −∞ and whatever is too small, NaN for NaN.
#[inline]
#[target_feature(enable = "avx512f")]
fn power_of_two(x: Lanes) -> Lanes {
    // −∞ would make ∞ − ∞; the maximum instruction returns its second operand, x, where x is NaN.
    let x = _mm512_max_ps(_mm512_set1_ps(-200.0), x);
    let whole = _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x);
    let part = _mm512_sub_ps(x, whole);
    let mut power = _mm512_set1_ps(POWERS[6]);
    for k in (0..6).rev() {
        power = _mm512_fmadd_ps(power, part, _mm512_set1_ps(POWERS[k]));
    }
    _mm512_scalef_ps(power, whole)
}
