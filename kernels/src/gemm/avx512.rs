//! Float gemm on AVX-512: every weight format is decoded to f32 and multiplied in f32.
#![expect(unsafe_code, reason = "kernels compiled for AVX-512")]

use super::avx512_fp8::Avx512Fp8;
use super::float::{self, GROUP, PANEL_WORDS, float_kernels};
use super::lanes512::*;
use super::packed::{LANES, LINE, Tile};
use super::tiled::{FEW, Kernels, Multiply, PASS, Quantise, SETS, TILES};
use super::way::{Packs, Way};
use super::{Activations, Gemm, affine, words512};
use crate::cpu::isa::{AVX512, Feature};
use crate::cpu::kernel::Kernel;
use crate::format::Format;
use crate::{Fault, Prepared, Unsupported};
use std::arch::x86_64::*;

/// AVX-512 with f32 arithmetic.
#[derive(Debug)]
pub(super) struct Avx512;

impl Way for Avx512 {
    const NAME: &'static str = "avx512";
    const FEATURES: &'static [Feature] = AVX512;
    fn takes(op: &Gemm) -> Result<(), Unsupported> {
        if op.integer() {
            return Err(Unsupported(format!(
                "multiplies in f32, and {} activations are summed as integers: avx512-vnni or avx2 does it",
                op.activations
            )));
        }
        Ok(())
    }
    fn pack(op: &Gemm, packs: impl Packs) -> Result<Box<dyn Prepared>, Fault> {
        let plan = float::plan(op, WIDTH);
        match op.weights {
            Format::Fp8 => packs.with::<Avx512Fp8>(plan),
            _ => packs.with::<Self>(plan),
        }
    }
}

impl Kernels for Avx512 {
    fn quantise<'a>() -> Kernel<Quantise<'a>> {
        // SAFETY: `round` asks for nothing but these features.
        unsafe { Kernel::new(AVX512, round) }
    }
    fn few<'a>() -> Kernel<Multiply<'a>> {
        // SAFETY: `few` asks for nothing but these features.
        unsafe { Kernel::new(AVX512, few) }
    }
    fn panels<'a>() -> Kernel<Multiply<'a>> {
        // SAFETY: `panels` asks for nothing but these features.
        unsafe { Kernel::new(AVX512, panels) }
    }
}

/// Elements of k a word.
const WIDTH: usize = 1;

/// Whether packed lines are multiplied as they are.
fn stored(format: Format) -> bool {
    format == Format::F32
}

static E2M1: [f32; LANES] = crate::format::E2M1_VALUES;

static Q4_0_VALUES: [f32; LANES] =
    [-8.0, -7.0, -6.0, -5.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(super) fn dot(sum: __m512, line: __m512i, word: i32) -> __m512 {
    let word = _mm512_castsi512_ps(_mm512_set1_epi32(word));
    _mm512_fmadd_ps(_mm512_castsi512_ps(line), word, sum)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(super) fn put(line: &mut [u8; LINE], v: __m512) {
    // SAFETY: a line is 64 bytes.
    unsafe { _mm512_storeu_ps(line.as_mut_ptr().cast(), v) };
}

/// Eight of k, in order, of one line of four-bit codes: value · scale.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(super) fn eight(line: &[u8; LINE], values: __m512, scale: __m512) -> [__m512; 8] {
    let codes = load(line);
    let mut out = [scale; 8];
    // The permutation looks at the low four bits of each lane.
    macro_rules! nibble {
        ($($at:literal: $shift:literal),*) => {$(
            out[$at] = _mm512_mul_ps(_mm512_permutexvar_ps(_mm512_srli_epi32::<$shift>(codes), values), scale);
        )*};
    }
    nibble!(0: 0, 1: 8, 2: 16, 3: 24, 4: 4, 5: 12, 6: 20, 7: 28);
    out
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(super) fn unpack_nibbles<const F: u8>(
    tile: Tile<'_>,
    from: usize,
    slot: usize,
    slots: usize,
    out: &mut [[u8; LINE]],
) {
    let (block, scale_bytes) = match F {
        NVFP4 => (16, LANES),
        MXFP4 => (32, LANES),
        _ => (32, 2 * LANES),
    };
    let values = load_f32(if F == Q4_0 { &Q4_0_VALUES } else { &E2M1 });
    let lines = tile.codes.as_chunks::<LINE>().0[from / 8..].chunks_exact(block / 8);
    let scales = tile.scales[from / block * scale_bytes..].chunks_exact(scale_bytes);
    for ((lines, scales), out) in lines.zip(scales).zip(out.chunks_exact_mut(block * slots)) {
        let scale = scales_of::<F>(scales);
        for (line, out) in lines.iter().zip(out.chunks_exact_mut(8 * slots)) {
            _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().wrapping_add(AHEAD).cast());
            let eight = eight(line, values, scale);
            for i in 0..8 {
                put(&mut out[i * slots + slot], eight[i]);
            }
        }
    }
}

/// Four of k, in order, of one line of E4M3 codes, 2⁻⁸ of each value: as f16 its exponent bias is 8 less than it should be.
///
/// Codes of NaN come out as numbers: the scale of their output is NaN.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(super) fn four_of_fp8(line: &[u8; LINE]) -> [__m512; 4] {
    let codes = load(line);
    // Sign to bit 15, exponent and mantissa to 13..7.
    let fields = _mm512_set1_epi16(0xbf80_u16.cast_signed());
    let even = _mm512_and_si512(_mm512_srai_epi16::<1>(_mm512_slli_epi16::<8>(codes)), fields);
    let odd = _mm512_and_si512(_mm512_srai_epi16::<1>(codes), fields);
    let low = |halves| _mm512_cvtph_ps(_mm512_castsi512_si256(halves));
    let high = |halves| _mm512_cvtph_ps(_mm512_extracti64x4_epi64::<1>(halves));
    [low(even), low(odd), high(even), high(odd)]
}

/// Decodes words `from ..` of a tile into every `slots`-th line from `slot` on.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(super) fn unpack(format: Format, tile: Tile<'_>, from: usize, slot: usize, slots: usize, out: &mut [[u8; LINE]]) {
    let lines = tile.codes.as_chunks::<LINE>().0;
    match format {
        Format::Mxfp4 => unpack_nibbles::<MXFP4>(tile, from, slot, slots, out),
        Format::Nvfp4 => unpack_nibbles::<NVFP4>(tile, from, slot, slots, out),
        Format::Q4_0 => unpack_nibbles::<Q4_0>(tile, from, slot, slots, out),
        Format::Q8_0 => {
            let scales = tile.scales[from / 32 * 2 * LANES..].chunks_exact(2 * LANES);
            let blocks = lines[from / 4..].chunks_exact(8).zip(scales);
            for ((lines, scales), out) in blocks.zip(out.chunks_exact_mut(32 * slots)) {
                let scale = scales_of::<Q8_0>(scales);
                for (line, out) in lines.iter().zip(out.chunks_exact_mut(4 * slots)) {
                    _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().wrapping_add(AHEAD).cast());
                    let signed = _mm512_xor_si512(load(line), _mm512_set1_epi8(-128));
                    let four = [
                        _mm512_slli_epi32::<24>(signed),
                        _mm512_slli_epi32::<16>(signed),
                        _mm512_slli_epi32::<8>(signed),
                        signed,
                    ];
                    for i in 0..4 {
                        let code = _mm512_cvtepi32_ps(_mm512_srai_epi32::<24>(four[i]));
                        put(&mut out[i * slots + slot], _mm512_mul_ps(code, scale));
                    }
                }
            }
        }
        Format::Fp8 => {
            for (line, out) in lines[from / 4..].iter().zip(out.chunks_mut(4 * slots)) {
                _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().wrapping_add(AHEAD).cast());
                // The last four of a k that is no multiple of 4 are fewer.
                for (out, value) in out.chunks_exact_mut(slots).zip(four_of_fp8(line)) {
                    put(&mut out[slot], value);
                }
            }
        }
        Format::Bf16 => {
            for (line, out) in lines[from / 2..].iter().zip(out.chunks_mut(2 * slots)) {
                _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().wrapping_add(AHEAD).cast());
                let pair = load(line);
                let (even, odd) =
                    (_mm512_slli_epi32::<16>(pair), _mm512_slli_epi32::<16>(_mm512_srli_epi32::<16>(pair)));
                put(&mut out[slot], _mm512_castsi512_ps(even));
                // The last pair of an odd k is half a pair.
                if out.len() > slots {
                    put(&mut out[slots + slot], _mm512_castsi512_ps(odd));
                }
            }
        }
        Format::F32 => {
            for (line, out) in lines[from..].iter().zip(out.chunks_exact_mut(slots)) {
                out[slot] = *line;
            }
        }
        _ => affine::unpack(format, tile, from, (slot, slots), out),
    }
}

/// Rows of x as words: f32, or bf16 or E4M3 widened again.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn round(call: &mut Quantise<'_>) {
    // E4M3 has a scale a row, which the vectors know nothing of.
    if call.grouped && call.op.activations != Activations::Fp8 {
        words512::put_groups(call);
    } else {
        float::put_f32::<GROUP>(call);
    }
}

float_kernels!("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c");
