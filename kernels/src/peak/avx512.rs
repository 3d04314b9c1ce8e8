//! `peak` with 512-bit vectors: `vfmadd`, `vdpbf16ps`, `vpdpbusd`, and what stands for the last two where they are missing.
#![expect(unsafe_code, reason = "accumulators are loaded and stored through pointers")]

use super::{CHAINS, LANES, Operands, Part, Peak, only_bf16, only_int8};
use crate::cpu::isa::{AVX512, AVX512_BF16, AVX512_VNNI};
use crate::cpu::variant::Variant;
use half::bf16;
use std::arch::{asm, x86_64::*};

// SAFETY: `plain` is compiled for a subset of `AVX512`; it works on arrays and whole chunks.
pub(super) static PLAIN: Variant<Peak> = unsafe { Variant::<Peak>::new("avx512", AVX512, plain) };
// SAFETY: as above, for `AVX512_VNNI`.
pub(super) static VNNI: Variant<Peak> =
    unsafe { Variant::<Peak>::new("avx512-vnni", AVX512_VNNI, vnni) }.only(only_int8);
// SAFETY: as above, for `AVX512_BF16`.
pub(super) static BF16: Variant<Peak> =
    unsafe { Variant::<Peak>::new("avx512-bf16", AVX512_BF16, dot) }.only(only_bf16);

/// Loads `CHAINS` accumulators, applies each `$step` in turn to all of them, `$iterations` times, stores them.
macro_rules! burn {
    ($sums:expr, $iterations:expr, $load:ident, $store:ident, $(|$sum:ident| $step:expr),+) => {
        for round in $sums.as_chunks_mut::<{ CHAINS * LANES }>().0 {
            let chains = round.as_chunks_mut::<LANES>().0;
            let mut sums: [_; CHAINS] = std::array::from_fn(|i| $load(&chains[i]));
            for _ in 0..$iterations {
                $(for $sum in &mut sums {
                    $step;
                })+
            }
            for (chain, sum) in chains.iter_mut().zip(sums) {
                $store(chain, sum);
            }
        }
    };
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn plain(part: &mut Part<'_>) {
    let iterations = part.iterations;
    match &mut part.operands {
        Operands::F32 { a, b, sums } => {
            let [a, b] = [load_f32(a), load_f32(b)];
            burn!(sums, iterations, load_f32, store_f32, |sum| *sum = _mm512_fmadd_ps(a, b, *sum));
        }
        // A bf16 is the upper half of an f32: the even elements shifted up, the odd ones with the lower half cleared.
        Operands::Bf16 { a, b, sums } => {
            let [a, b] = [load_bf16(a), load_bf16(b)];
            let odd = _mm512_set1_epi32(0xffff_0000_u32 as i32);
            let [a0, b0] = [a, b].map(|x| _mm512_castsi512_ps(_mm512_slli_epi32::<16>(x)));
            let [a1, b1] = [a, b].map(|x| _mm512_castsi512_ps(_mm512_and_si512(x, odd)));
            burn!(sums, iterations, load_f32, store_f32, |sum| *sum = _mm512_fmadd_ps(a0, b0, *sum), |sum| {
                *sum = _mm512_fmadd_ps(a1, b1, *sum);
            });
        }
        Operands::Int8 { a, b, sums } => {
            let [mut a, b] = [load_bytes(a), load_bytes(b)];
            let ones = _mm512_set1_epi16(1);
            burn!(sums, iterations, load_i32, store_i32, |sum| {
                // SAFETY: no instruction. It hides that `a` never changes: the product would be formed once and for all.
                unsafe { asm!("/* {0} */", inout(zmm_reg) a, options(pure, nomem, nostack, preserves_flags)) };
                *sum = _mm512_add_epi32(*sum, _mm512_madd_epi16(_mm512_maddubs_epi16(a, b), ones));
            });
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn vnni(part: &mut Part<'_>) {
    let iterations = part.iterations;
    let Operands::Int8 { a, b, sums } = &mut part.operands else { unreachable!("`only_int8` lets int8 through") };
    let [a, b] = [load_bytes(a), load_bytes(b)];
    burn!(sums, iterations, load_i32, store_i32, |sum| *sum = _mm512_dpbusd_epi32(*sum, a, b));
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn dot(part: &mut Part<'_>) {
    let iterations = part.iterations;
    let Operands::Bf16 { a, b, sums } = &mut part.operands else { unreachable!("`only_bf16` lets bf16 through") };
    let [a, b] = [load_dot(a), load_dot(b)];
    burn!(sums, iterations, load_f32, store_f32, |sum| *sum = _mm512_dpbf16_ps(*sum, a, b));
}

#[target_feature(enable = "avx512f")]
#[inline]
fn load_bytes<T>(bytes: &[T; 64]) -> __m512i {
    const { assert!(size_of::<T>() == 1) };
    // SAFETY: 64 elements of one byte each.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn load_bf16(values: &[bf16; 32]) -> __m512i {
    // SAFETY: 32 elements of two bytes each.
    unsafe { _mm512_loadu_si512(values.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn load_dot(values: &[bf16; 32]) -> __m512bh {
    // SAFETY: 32 elements of two bytes each, read unaligned; the vector type allows every pattern of bits.
    unsafe { values.as_ptr().cast::<__m512bh>().read_unaligned() }
}

macro_rules! accumulators {
    ($($number:ty, $vector:ty, $load:ident, $loadu:ident, $store:ident, $storeu:ident;)*) => {$(
        #[target_feature(enable = "avx512f")]
        #[inline]
        fn $load(chain: &[$number; LANES]) -> $vector {
            // SAFETY: 16 lanes are one vector.
            unsafe { $loadu(chain.as_ptr().cast()) }
        }
        #[target_feature(enable = "avx512f")]
        #[inline]
        fn $store(chain: &mut [$number; LANES], sums: $vector) {
            // SAFETY: as above.
            unsafe { $storeu(chain.as_mut_ptr().cast(), sums) }
        }
    )*};
}
accumulators! {
    f32, __m512, load_f32, _mm512_loadu_ps, store_f32, _mm512_storeu_ps;
    i32, __m512i, load_i32, _mm512_loadu_si512, store_i32, _mm512_storeu_si512;
}
