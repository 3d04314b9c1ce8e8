//! Gemm on AVX2: integer paths over `vpmaddubsw`, float paths over f32 multiply-add.
#![expect(unsafe_code, reason = "kernels compiled for AVX2")]

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

/// Four products a lane. `vpmaddubsw` saturates pair sums at 32767: 2 · 24 · 127 of FP4 stay below, 2 · 255 · 127 do not, so
/// wide codes go in two parts, 2 · 127 · 127 and 2 · 128 · 127 at most.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn dot<const WIDE: bool>(sum: __m256i, unsigned: __m256i, signed: __m256i) -> __m256i {
    let ones = _mm256_set1_epi16(1);
    if WIDE {
        let top = _mm256_set1_epi8(-128);
        let high = _mm256_maddubs_epi16(_mm256_and_si256(unsigned, top), signed);
        let low = _mm256_maddubs_epi16(_mm256_andnot_si256(top, unsigned), signed);
        let sum = _mm256_add_epi32(sum, _mm256_madd_epi16(high, ones));
        return _mm256_add_epi32(sum, _mm256_madd_epi16(low, ones));
    }
    _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(unsigned, signed), ones))
}

integer_kernels!("avx2,fma,f16c");
