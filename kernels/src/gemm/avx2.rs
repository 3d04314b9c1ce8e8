//! Gemm on AVX2: integer paths over `vpmaddubsw`, float paths over f32 multiply-add.
#![expect(unsafe_code, reason = "kernels compiled for AVX2")]

use super::avx2_few::few_tiles;
use super::integer::{self, GROUP, PANEL_K};
use super::integer256::integer_kernels;
use super::lanes256::*;
use super::packed::{LANES, LINE};
use super::tiled::{Kernels, Multiply, PASS, Quantise};
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

/// Steps whose pair sums fit 16 bits together: 4 · 2 · 24 · 127 = 24,384 of FP4, less of Q4_0. Widening costs a multiplication as the
/// products do, so that four steps take five of them instead of eight.
const STEPS_A_SUM: usize = 4;

/// Adds the products of one block with R rows to `exact`, four a lane and step. `vpmaddubsw` saturates pair sums at 32767, which
/// 2 · 255 · 127 do not fit: wide codes go in two parts, 2 · 127 · 127 and 2 · 128 · 127 at most, and are widened at once.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn products<const R: usize, const STEPS: usize, const WIDE: bool>(
    lines: &[[u8; LINE]],
    words: &[i32],
    exact: &mut [[__m256i; 2]; R],
) {
    if WIDE {
        let top = _mm256_set1_epi8(-128);
        for s in 0..STEPS {
            let codes = load(&lines[s]);
            for r in 0..R {
                let a = _mm256_set1_epi32(words[s * R + r]);
                for half in 0..2 {
                    let high = _mm256_maddubs_epi16(_mm256_and_si256(codes[half], top), a);
                    let low = _mm256_maddubs_epi16(_mm256_andnot_si256(top, codes[half]), a);
                    exact[r][half] = widen(widen(exact[r][half], high), low);
                }
            }
        }
        return;
    }
    for from in (0..STEPS).step_by(STEPS_A_SUM) {
        let mut pairs = [[_mm256_setzero_si256(); 2]; R];
        for s in from..from + STEPS_A_SUM {
            let codes = load(&lines[s]);
            for r in 0..R {
                add_pairs(&mut pairs[r], codes, words[s * R + r]);
            }
        }
        for r in 0..R {
            exact[r] = [widen(exact[r][0], pairs[r][0]), widen(exact[r][1], pairs[r][1])];
        }
    }
}

/// Adds the pair sums of one step.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn add_pairs(pairs: &mut [__m256i; 2], codes: [__m256i; 2], word: i32) {
    let a = _mm256_set1_epi32(word);
    for half in 0..2 {
        pairs[half] = _mm256_add_epi16(pairs[half], _mm256_maddubs_epi16(codes[half], a));
    }
}

/// Adds neighbouring 16-bit sums to 32-bit ones.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn widen(sum: __m256i, pairs: __m256i) -> __m256i {
    _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
}

integer_kernels!("avx2,fma,f16c");
