//! Integer gemm on AVX2 with VNNI, for cores without AVX-512: `vpdpbusd` on 256-bit vectors.
#![expect(unsafe_code, reason = "kernels compiled for AVX-VNNI")]

use super::Gemm;
use super::integer::{self, GROUP, PANEL_K};
use super::integer256::integer_kernels;
use super::lanes256::*;
use super::packed::{LANES, LINE};
use super::tiled::{Kernels, Multiply, PASS, Quantise};
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

/// Four products a lane; nothing saturates, so WIDE makes no difference.
#[inline]
#[target_feature(enable = "avxvnni,avx2,fma,f16c")]
fn dot<const WIDE: bool>(sum: __m256i, unsigned: __m256i, signed: __m256i) -> __m256i {
    _mm256_dpbusd_avx_epi32(sum, unsigned, signed)
}

integer_kernels!("avxvnni,avx2,fma,f16c");
