//! Gemm on AVX2: integer paths over `vpmaddubsw`, float paths over f32 multiply-add.
#![expect(unsafe_code, reason = "kernels compiled for AVX2")]

use super::few256::{BYTE, E2M1, NIBBLE, few_kernels};
use super::integer::{self, GROUP, PANEL_K};
use super::integer256::{PASS, SET, integer_kernels};
use super::lanes256::*;
use super::packed::{LANES, LINE};
use super::tiled::{Kernels, Multiply, Quantise};
use super::way::{Packs, Way};
use super::{Gemm, avx2_float, float};
use crate::cpu::isa::{AVX2, Feature};
use crate::cpu::kernel::Kernel;
use crate::format::Format;
use crate::{Fault, Prepared};
use std::arch::x86_64::*;

/// AVX2 with FMA and F16C.
#[derive(Debug)]
pub(super) struct Avx2;

impl Way for Avx2 {
    const NAME: &'static str = "avx2";
    const FEATURES: &'static [Feature] = AVX2;
    fn pack(op: &Gemm, packs: impl Packs) -> Result<Box<dyn Prepared>, Fault> {
        if op.integer() {
            packs.with::<Self>(integer::plan(op))
        } else {
            packs.with::<avx2_float::Avx2Float>(float::plan(op, 1))
        }
    }
}

impl Kernels for Avx2 {
    fn quantise<'a>() -> Kernel<Quantise<'a>> {
        // SAFETY: `quantise` asks for nothing but these features.
        unsafe { Kernel::new(AVX2, quantise) }
    }
    fn few<'a>() -> Kernel<Multiply<'a>> {
        // SAFETY: `few` asks for nothing but these features.
        unsafe { Kernel::new(AVX2, few) }
    }
    fn panels<'a>() -> Kernel<Multiply<'a>> {
        // SAFETY: `panels` asks for nothing but these features.
        unsafe { Kernel::new(AVX2, panels) }
    }
}

/// Rows whose sums, sums of pairs, codes and words fit 16 registers together.
const AT_ONCE: usize = 2;

/// Steps whose pair sums fit 16 bits together: 4 · 2 · 24 · 127 = 24,384 of FP4, less of Q4_0. Widening a sum costs a multiplication as
/// the products do, so that four steps take five of them and not eight.
const TOGETHER: usize = 4;

/// The products of one block with R rows, four a lane and step: step s of the codes with word s of row r, on top of what a row starts
/// at. `vpmaddubsw` saturates pair sums at 32767, which 2 · 255 · 127 do not fit: wide codes go by size and sign, 2 · 128 · 127 at most,
/// and so have no offset and no start.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn products<const R: usize, const STEPS: usize, const WIDE: bool>(
    codes: impl Fn(usize) -> [__m256i; 2],
    word: impl Fn(usize, usize) -> i32,
    start: impl Fn(usize) -> i32,
) -> [[__m256i; 2]; R] {
    let (ones, top) = (_mm256_set1_epi16(1), _mm256_set1_epi8(-128));
    let mut exact = [[_mm256_setzero_si256(); 2]; R];
    if WIDE {
        for s in 0..STEPS {
            let signed = codes(s).map(|half| _mm256_xor_si256(half, top));
            let sizes = signed.map(|half| _mm256_abs_epi8(half));
            for (r, exact) in exact.iter_mut().enumerate() {
                let a = _mm256_set1_epi32(word(s, r));
                for half in 0..2 {
                    let pairs = _mm256_maddubs_epi16(sizes[half], _mm256_sign_epi8(a, signed[half]));
                    exact[half] = _mm256_add_epi32(exact[half], _mm256_madd_epi16(pairs, ones));
                }
            }
            in_order(&mut exact);
        }
        return exact;
    }
    for (r, exact) in exact.iter_mut().enumerate() {
        *exact = [_mm256_set1_epi32(start(r)); 2];
    }
    for from in (0..STEPS).step_by(TOGETHER) {
        let mut sums = [[_mm256_setzero_si256(); 2]; R];
        for s in from..from + TOGETHER {
            let codes = codes(s);
            for (r, sums) in sums.iter_mut().enumerate() {
                let a = _mm256_set1_epi32(word(s, r));
                for half in 0..2 {
                    sums[half] = _mm256_add_epi16(sums[half], _mm256_maddubs_epi16(codes[half], a));
                }
            }
            in_order(&mut sums);
        }
        for (exact, sums) in exact.iter_mut().zip(sums) {
            for half in 0..2 {
                exact[half] = _mm256_add_epi32(exact[half], _mm256_madd_epi16(sums[half], ones));
            }
        }
    }
    exact
}

integer_kernels!("avx2,fma,f16c");
few_kernels!("avx2,fma,f16c");
