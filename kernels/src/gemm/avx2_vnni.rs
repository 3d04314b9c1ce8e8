//! Integer gemm on AVX2 with VNNI, for cores without AVX-512: `vpdpbusd` on 256-bit vectors.
#![expect(unsafe_code, reason = "kernels compiled for AVX-VNNI")]

use super::Gemm;
use super::few256::{BYTE, E2M1, NIBBLE, few_kernels};
use super::integer::{self, GROUP, PANEL_K};
use super::integer256::{PASS, SET, integer_kernels};
use super::lanes256::*;
use super::packed::{LANES, LINE};
use super::tiled::{Kernels, Multiply, Quantise};
use super::way::{Packs, Way, integers_only};
use crate::cpu::isa::Feature;
use crate::cpu::kernel::Kernel;
use crate::format::Format;
use crate::{Fault, Prepared, Unsupported};
use std::arch::x86_64::*;

const AVX2_VNNI: &[Feature] = &[Feature::AvxVnni, Feature::Avx2, Feature::Fma, Feature::F16c];

/// AVX2 with int8 dot products.
#[derive(Debug)]
pub(super) struct Avx2Vnni;

impl Way for Avx2Vnni {
    const NAME: &'static str = "avx2-vnni";
    const FEATURES: &'static [Feature] = AVX2_VNNI;
    fn takes(op: &Gemm) -> Result<(), Unsupported> {
        integers_only(op, "int8 dot products")
    }
    fn pack(op: &Gemm, packs: impl Packs) -> Result<Box<dyn Prepared>, Fault> {
        packs.with::<Self>(integer::plan(op))
    }
}

impl Kernels for Avx2Vnni {
    fn quantise<'a>() -> Kernel<Quantise<'a>> {
        // SAFETY: `quantise` asks for nothing but these features.
        unsafe { Kernel::new(AVX2_VNNI, quantise) }
    }
    fn few<'a>() -> Kernel<Multiply<'a>> {
        // SAFETY: `few` asks for nothing but these features.
        unsafe { Kernel::new(AVX2_VNNI, few) }
    }
    fn panels<'a>() -> Kernel<Multiply<'a>> {
        // SAFETY: `panels` asks for nothing but these features.
        unsafe { Kernel::new(AVX2_VNNI, panels) }
    }
}

/// Rows whose sums, codes and words fit 16 registers together.
const AT_ONCE: usize = GROUP;

/// The products of one block with R rows, four a lane and instruction: step s of the codes with word s of row r, on top of what a row
/// starts at. Nothing saturates, so WIDE makes no difference.
#[inline]
#[target_feature(enable = "avxvnni,avx2,fma,f16c")]
fn products<const R: usize, const STEPS: usize, const WIDE: bool>(
    codes: impl Fn(usize) -> [__m256i; 2],
    word: impl Fn(usize, usize) -> i32,
    start: impl Fn(usize) -> i32,
) -> [[__m256i; 2]; R] {
    let mut exact = [[_mm256_setzero_si256(); 2]; R];
    for (r, exact) in exact.iter_mut().enumerate() {
        *exact = [_mm256_set1_epi32(start(r)); 2];
    }
    for s in 0..STEPS {
        let codes = codes(s);
        for (r, exact) in exact.iter_mut().enumerate() {
            let a = _mm256_set1_epi32(word(s, r));
            for half in 0..2 {
                exact[half] = _mm256_dpbusd_avx_epi32(exact[half], codes[half], a);
            }
        }
    }
    exact
}

integer_kernels!("avxvnni,avx2,fma,f16c");
few_kernels!("avxvnni,avx2,fma,f16c");
