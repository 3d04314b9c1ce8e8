//! bf16 gemm on AVX-512 with bf16 dot products: `vdpbf16ps` adds two products of each of 16 outputs in f32.
//!
//! FP4 values times their block scale are exact in bf16 (at most six significant bits), and so is E4M3, so mxfp4, nvfp4 and fp8 go
//! this way too.
//! The instruction takes subnormals for zero, which moves a sum by less than 2⁻¹²⁶ · |x|.
#![expect(unsafe_code, reason = "kernels compiled for AVX-512 BF16")]

use super::float::{self, GROUP, PANEL_WORDS, float_kernels};
use super::lanes512::*;
use super::packed::{LANES, LINE, Tile};
use super::tiled::{FEW, Kernels, Multiply, PASS, Quantise, SETS, TILES};
use super::way::{Packs, Way};
use super::{Activations, Gemm};
use crate::cpu::isa::{AVX512_BF16, Feature};
use crate::cpu::kernel::Kernel;
use crate::format::{Format, bf16, fp8};
use crate::{Fault, Prepared, Unsupported};
use std::arch::x86_64::*;

/// AVX-512 with bf16 dot products.
#[derive(Debug)]
pub(super) struct Avx512Bf16;

impl Way for Avx512Bf16 {
    const NAME: &'static str = "avx512-bf16";
    const FEATURES: &'static [Feature] = AVX512_BF16;
    fn takes(op: &Gemm) -> Result<(), Unsupported> {
        match (op.weights, op.activations) {
            (Format::Bf16 | Format::Mxfp4 | Format::Nvfp4 | Format::Fp8, Activations::Bf16)
            | (Format::Fp8, Activations::Fp8) => Ok(()),
            (weights, Activations::Bf16) => Err(Unsupported(format!("{weights} weights are not exact in bf16"))),
            (_, activations) => Err(Unsupported(format!("bf16 dot products take no {activations} activations"))),
        }
    }
    fn pack(op: &Gemm, packs: impl Packs) -> Result<Box<dyn Prepared>, Fault> {
        packs.with::<Self>(float::plan(op, WIDTH))
    }
}

impl Kernels for Avx512Bf16 {
    fn quantise<'a>() -> Kernel<Quantise<'a>> {
        // SAFETY: `round` asks for nothing but these features.
        unsafe { Kernel::new(AVX512_BF16, round) }
    }
    fn few<'a>() -> Kernel<Multiply<'a>> {
        // SAFETY: `few` asks for nothing but these features.
        unsafe { Kernel::new(AVX512_BF16, few) }
    }
    fn panels<'a>() -> Kernel<Multiply<'a>> {
        // SAFETY: `panels` asks for nothing but these features.
        unsafe { Kernel::new(AVX512_BF16, panels) }
    }
}

/// Elements of k a word.
const WIDTH: usize = 2;

/// Whether packed lines are multiplied as they are.
fn stored(format: Format) -> bool {
    format == Format::Bf16
}

#[inline]
#[target_feature(enable = "avx512bf16,avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn dot(sum: __m512, line: __m512i, word: i32) -> __m512 {
    // SAFETY: a vector type to another of the same size; every pattern is a value.
    let line = unsafe { std::mem::transmute::<__m512i, __m512bh>(line) };
    let word = _mm512_set1_epi32(word);
    // SAFETY: as above.
    let word = unsafe { std::mem::transmute::<__m512i, __m512bh>(word) };
    _mm512_dpbf16_ps(sum, line, word)
}

/// Two f32 of each output, which bf16 holds, as pairs of bf16.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn paired([even, odd]: [__m512; 2]) -> __m512 {
    let (even, odd) = (_mm512_castps_si512(even), _mm512_castps_si512(odd));
    let upper = _mm512_set1_epi32(0xffff_0000_u32.cast_signed());
    _mm512_castsi512_ps(_mm512_or_si512(_mm512_srli_epi32::<16>(even), _mm512_and_si512(odd, upper)))
}

/// FP4 blocks to pairs of bf16; the cut from f32 loses nothing.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(super) fn unpack_pairs<const F: u8>(
    tile: Tile<'_>,
    from: usize,
    slot: usize,
    slots: usize,
    out: &mut [[u8; LINE]],
) {
    let block = if F == NVFP4 { 16 } else { 32 };
    let values = load_f32(&crate::format::E2M1_VALUES);
    let lines = tile.codes.as_chunks::<LINE>().0[from / 4..].chunks_exact(block / 8);
    let scales = tile.scales[2 * from / block * LANES..].chunks_exact(LANES);
    for ((lines, scales), out) in lines.zip(scales).zip(out.chunks_exact_mut(block / 2 * slots)) {
        let scale = scales_of::<F>(scales);
        for (line, out) in lines.iter().zip(out.chunks_exact_mut(4 * slots)) {
            _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().wrapping_add(AHEAD).cast());
            let eight = super::avx512::eight(line, values, scale);
            for i in 0..4 {
                super::avx512::put(&mut out[i * slots + slot], paired([eight[2 * i], eight[2 * i + 1]]));
            }
        }
    }
}

/// Decodes words `from ..` of a tile into every `slots`-th line from `slot` on.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(super) fn unpack(format: Format, tile: Tile<'_>, from: usize, slot: usize, slots: usize, out: &mut [[u8; LINE]]) {
    match format {
        Format::Mxfp4 => unpack_pairs::<MXFP4>(tile, from, slot, slots, out),
        Format::Nvfp4 => unpack_pairs::<NVFP4>(tile, from, slot, slots, out),
        Format::Fp8 => {
            let lines = &tile.codes.as_chunks::<LINE>().0[from / 2..];
            for (line, out) in lines.iter().zip(out.chunks_mut(2 * slots)) {
                _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().wrapping_add(AHEAD).cast());
                let pairs = super::avx512::four_of_fp8(line);
                // Of a k that ends in the first half of a line there is one pair.
                for (out, pair) in out.chunks_exact_mut(slots).zip(pairs.as_chunks::<2>().0) {
                    super::avx512::put(&mut out[slot], paired(*pair));
                }
            }
        }
        Format::Bf16 => {
            let lines = &tile.codes.as_chunks::<LINE>().0[from..];
            for (line, out) in lines.iter().zip(out.chunks_exact_mut(slots)) {
                out[slot] = *line;
            }
        }
        _ => unreachable!("{format} is refused by supports"),
    }
}

/// One or two elements as a word.
#[inline(always)]
fn pair(x: &[f32], code: impl Fn(f32) -> u16) -> i32 {
    let high = x.get(1).map_or(0, |x| code(*x));
    (u32::from(code(x[0])) | u32::from(high) << 16).cast_signed()
}

/// Rows of x as pairs of bf16.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn round(call: &mut Quantise<'_>) {
    if call.op.activations == Activations::Fp8 {
        let code = |x, scale| (fp8::element(x, scale).to_bits() >> 16) as u16;
        float::put_words::<GROUP>(call, WIDTH, |scale, x| pair(x, |x| code(x, scale)));
    } else {
        float::put_words::<GROUP>(call, WIDTH, |_, x| pair(x, bf16::encode));
    }
}

float_kernels!("avx512bf16,avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c");
