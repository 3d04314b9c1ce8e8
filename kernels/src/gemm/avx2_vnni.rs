//! Integer gemm on AVX2 with VNNI, for cores without AVX-512: `vpdpbusd` on 256-bit vectors.
#![expect(unsafe_code, reason = "kernels compiled for AVX-VNNI")]

use super::Gemm;
use super::integer::{self, GROUP, PANEL_K};
use super::integer256::integer_kernels;
use super::lanes256::*;
use super::packed::{LANES, LINE};
use super::tiled::{self, Kernels, Multiply, PASS, Quantise};
use crate::cpu::isa::{Feature, require};
use crate::cpu::kernel::Kernel;
use crate::format::Format;
use crate::{Backend, Buffer, Device, Fault, Implementation, Op, Prepared, Unsupported};
use std::arch::x86_64::*;

const AVX2_VNNI: &[Feature] = &[Feature::AvxVnni, Feature::Avx2, Feature::Fma, Feature::F16c];

/// AVX2 with int8 dot products.
#[derive(Debug)]
pub(super) struct Avx2Vnni;

impl Implementation<Gemm> for Avx2Vnni {
    fn name(&self) -> &'static str {
        "avx2-vnni"
    }
    fn backend(&self) -> Backend {
        Backend::Cpu
    }
    fn supports(&self, op: &Gemm, device: &dyn Device) -> Result<(), Unsupported> {
        op.validate().map_err(|invalid| Unsupported(invalid.0))?;
        crate::cpu::Cpu::of(device)?;
        if !op.integer() {
            return Err(Unsupported(format!("int8 dot products take no {} activations", op.activations)));
        }
        require(AVX2_VNNI)
    }
    fn prepare(&self, op: &Gemm, weights: &[Buffer], device: &dyn Device) -> Result<Box<dyn Prepared>, Fault> {
        self.supports(op, device)?;
        tiled::prepare::<Self>(op, weights, device, integer::plan(op))
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
