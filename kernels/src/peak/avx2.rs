//! `peak` with 256-bit vectors: `vfmadd`, AVX-VNNI's `vpdpbusd`, and what stands for it and for bf16 where they are missing.
#![expect(unsafe_code, reason = "accumulators are loaded and stored through pointers")]

use super::{Operands, Part, Peak, only_int8};
use crate::cpu::isa::{AVX2, Feature};
use crate::cpu::variant::Variant;
use std::arch::{asm, x86_64::*};

/// int8 dot products without AVX-512 (Alder Lake, Zen 5 and later).
const AVX2_VNNI: &[Feature] = &[Feature::AvxVnni, Feature::Avx2];

// SAFETY: `plain` is compiled for a subset of `AVX2`; it works on arrays and whole chunks.
pub(super) static PLAIN: Variant<Peak> = unsafe { Variant::<Peak>::new("avx2", AVX2, plain) };
// SAFETY: as above, for `AVX2_VNNI`.
pub(super) static VNNI: Variant<Peak> = unsafe { Variant::<Peak>::new("avx2-vnni", AVX2_VNNI, vnni) }.only(only_int8);

/// Lanes of a vector.
const LANES: usize = 8;
/// Chains at once: more than latency × ports (4 × 2, on Zen 4 × 2), and with four operands within 16 registers. They stand for
/// the same half of neighbouring 512-bit chains, as the operands do.
const CHAINS: usize = 12;
/// Steps whose pair sums are added in 16 bits before they are widened, which costs another multiplication. The gemm does so with codes
/// of four bits (2 · 24 · 127 a pair, see `gemm/avx2.rs`); codes of eight bits would not fit, so that theirs stay further below this roof.
const TOGETHER: usize = 4;

/// For each half of the lanes: loads `CHAINS` accumulators, applies each `$step` in turn to all, `$iterations` times, stores them.
macro_rules! burn {
    ($sums:expr, $iterations:expr, $half:ident, $load:ident, $store:ident, $(|$sum:ident| $step:expr),+) => {
        for round in $sums.as_chunks_mut::<{ CHAINS * 2 * LANES }>().0 {
            let halves = round.as_chunks_mut::<LANES>().0;
            let mut sums: [_; CHAINS] = std::array::from_fn(|i| $load(&halves[2 * i + $half]));
            for _ in 0..$iterations {
                $(for $sum in &mut sums {
                    $step;
                })+
            }
            for (half, sum) in halves.iter_mut().skip($half).step_by(2).zip(sums) {
                $store(half, sum);
            }
        }
    };
}

#[target_feature(enable = "avx2,fma")]
fn plain(part: &mut Part<'_>) {
    let iterations = part.iterations;
    for half in 0..2 {
        match &mut part.operands {
            Operands::F32 { a, b, sums } => {
                let [a, b] = [load_half(a, half), load_half(b, half)].map(|x| _mm256_castsi256_ps(x));
                burn!(sums, iterations, half, load_f32, store_f32, |sum| {
                    *sum = _mm256_fmadd_ps(a, b, *sum);
                });
            }
            // A bf16 is the upper half of an f32: the even elements shifted up, the odd ones with the lower half cleared.
            Operands::Bf16 { a, b, sums } => {
                let [a, b] = [load_half(a, half), load_half(b, half)];
                let odd = _mm256_set1_epi32(0xffff_0000_u32 as i32);
                let [a0, b0] = [a, b].map(|x| _mm256_castsi256_ps(_mm256_slli_epi32::<16>(x)));
                let [a1, b1] = [a, b].map(|x| _mm256_castsi256_ps(_mm256_and_si256(x, odd)));
                burn!(sums, iterations, half, load_f32, store_f32, |sum| *sum = _mm256_fmadd_ps(a0, b0, *sum), |sum| {
                    *sum = _mm256_fmadd_ps(a1, b1, *sum);
                });
            }
            Operands::Int8 { a, b, sums } => {
                let [mut a, b] = [load_half(a, half), load_half(b, half)];
                let ones = _mm256_set1_epi16(1);
                let mut pairs = || {
                    // SAFETY: no instruction. It hides that `a` never changes: the product would be formed once and for all.
                    unsafe { asm!("/* {0} */", inout(ymm_reg) a, options(pure, nomem, nostack, preserves_flags)) };
                    _mm256_maddubs_epi16(a, b)
                };
                burn!(sums, iterations / TOGETHER, half, load_i32, store_i32, |sum| {
                    let mut some = pairs();
                    for _ in 1..TOGETHER {
                        some = _mm256_add_epi16(some, pairs());
                    }
                    *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(some, ones));
                });
                burn!(sums, iterations % TOGETHER, half, load_i32, store_i32, |sum| {
                    *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs(), ones));
                });
            }
        }
    }
}

#[target_feature(enable = "avx2,avxvnni")]
fn vnni(part: &mut Part<'_>) {
    let iterations = part.iterations;
    let Operands::Int8 { a, b, sums } = &mut part.operands else { unreachable!("`only_int8` lets int8 through") };
    for half in 0..2 {
        let [a, b] = [load_half(a, half), load_half(b, half)];
        burn!(sums, iterations, half, load_i32, store_i32, |sum| {
            *sum = _mm256_dpbusd_avx_epi32(*sum, a, b);
        });
    }
}

/// Half 0 or 1 of a 64-byte operand.
#[target_feature(enable = "avx2")]
#[inline]
fn load_half<T, const N: usize>(operand: &[T; N], half: usize) -> __m256i {
    const { assert!(size_of::<T>() * N == 64) };
    assert!(half < 2, "a vector has two halves");
    // SAFETY: 32 bytes from byte 0 or 32 of 64.
    unsafe { _mm256_loadu_si256(operand.as_ptr().cast::<__m256i>().wrapping_add(half)) }
}

macro_rules! accumulators {
    ($($number:ty, $vector:ty, $load:ident, $loadu:ident, $store:ident, $storeu:ident;)*) => {$(
        #[target_feature(enable = "avx2")]
        #[inline]
        fn $load(half: &[$number; LANES]) -> $vector {
            // SAFETY: 8 lanes are one vector.
            unsafe { $loadu(half.as_ptr().cast()) }
        }
        #[target_feature(enable = "avx2")]
        #[inline]
        fn $store(half: &mut [$number; LANES], sums: $vector) {
            // SAFETY: as above.
            unsafe { $storeu(half.as_mut_ptr().cast(), sums) }
        }
    )*};
}
accumulators! {
    f32, __m256, load_f32, _mm256_loadu_ps, store_f32, _mm256_storeu_ps;
    i32, __m256i, load_i32, _mm256_loadu_si256, store_i32, _mm256_storeu_si256;
}
