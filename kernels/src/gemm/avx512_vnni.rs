//! Integer gemm on AVX-512 with VNNI: `vpdpbusd` sums four products for each of 16 outputs.
#![expect(unsafe_code, reason = "kernels compiled for AVX-512 VNNI")]

mod few;
pub(super) mod layout;
mod micro;
mod panels;
mod unpack;

use super::Gemm;
use super::lanes512::*;
use super::packed::LINE;
use super::quantise512::quantise;
use super::tiled::{Kernels, Multiply, Quantise};
use super::way::{Packs, Way, integers_only};
use crate::cpu::isa::{AVX512_VNNI, Feature};
use crate::cpu::kernel::Kernel;
use crate::{Fault, Prepared, Unsupported};
use std::arch::x86_64::*;

/// AVX-512 with int8 dot products.
#[derive(Debug)]
pub(super) struct Avx512Vnni;

impl Way for Avx512Vnni {
    const NAME: &'static str = "avx512-vnni";
    const FEATURES: &'static [Feature] = AVX512_VNNI;
    fn takes(op: &Gemm) -> Result<(), Unsupported> {
        integers_only(op, "int8 dot products")
    }
    fn pack(op: &Gemm, packs: impl Packs) -> Result<Box<dyn Prepared>, Fault> {
        packs.with::<Self>(layout::plan(op))
    }
}

impl Kernels for Avx512Vnni {
    fn quantise<'a>() -> Kernel<Quantise<'a>> {
        // SAFETY: `quantise` asks for nothing but these features.
        unsafe { Kernel::new(AVX512_VNNI, quantise) }
    }
    fn few<'a>() -> Kernel<Multiply<'a>> {
        // SAFETY: `few` asks for nothing but these features.
        unsafe { Kernel::new(AVX512_VNNI, few::few) }
    }
    fn panels<'a>() -> Kernel<Multiply<'a>> {
        // SAFETY: `panels` asks for nothing but these features.
        unsafe { Kernel::new(AVX512_VNNI, panels::panels) }
    }
}

/// Twice each E2M1 value plus 12, four times over.
static UNSIGNED_E2M1: [u8; LINE] = {
    let mut table = [0; LINE];
    let mut i = 0;
    while i < LINE {
        table[i] = (crate::format::E2M1_TWICE[i % 16] + 12) as u8;
        i += 1;
    }
    table
};

/// The unsigned codes of one block, four of k a vector.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn decode<const F: u8, const STEPS: usize>(lines: &[[u8; LINE]]) -> [__m512i; STEPS] {
    let mut out = [_mm512_setzero_si512(); STEPS];
    if F == Q8_0 {
        for s in 0..STEPS {
            out[s] = load(&lines[s]);
        }
        return out;
    }
    let (low, table) = (_mm512_set1_epi8(15), load(&UNSIGNED_E2M1));
    for c in 0..STEPS / 2 {
        let both = load(&lines[c]);
        let codes = [_mm512_and_si512(both, low), _mm512_and_si512(_mm512_srli_epi16::<4>(both), low)];
        for half in 0..2 {
            out[2 * c + half] = if F == Q4_0 { codes[half] } else { _mm512_shuffle_epi8(table, codes[half]) };
        }
    }
    out
}
