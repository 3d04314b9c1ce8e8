//! Float gemm on AVX2: every weight format is decoded to f32 and multiplied in f32, one tile a panel.
#![expect(unsafe_code, reason = "kernels compiled for AVX2")]

use super::affine;
use super::float::{self, PANEL_WORDS};
use super::lanes256::*;
use super::packed::{LANES, LINE, Tile};
use super::tiled::{Kernels, Multiply, PASS, Quantise};
use crate::cpu::isa::AVX2;
use crate::cpu::kernel::Kernel;
use crate::format::Format;
use std::arch::x86_64::*;

/// The float kernels of `avx2`.
#[derive(Debug)]
pub(super) struct Avx2Float;

impl Kernels for Avx2Float {
    fn quantise<'a>() -> Kernel<Quantise<'a>> {
        // SAFETY: `round` asks for nothing but these features.
        unsafe { Kernel::new(AVX2, round) }
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

/// Magnitudes of E2M1; the sign is the code's fourth bit.
static MAGNITUDES: [f32; 8] = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];

#[target_feature(enable = "avx2,fma,f16c")]
fn round(call: &mut Quantise<'_>) {
    float::put_f32::<{ float::GROUP }>(call);
}

/// One nibble of each lane, already in its lowest four bits: value · scale.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn value(format: Format, codes: __m256i, magnitudes: __m256, scale: __m256) -> __m256 {
    let value = if format == Format::Q4_0 {
        let code = _mm256_and_si256(codes, _mm256_set1_epi32(15));
        _mm256_cvtepi32_ps(_mm256_sub_epi32(code, _mm256_set1_epi32(8)))
    } else {
        // The permutation looks at the low three bits of each lane.
        let sign = _mm256_slli_epi32::<28>(_mm256_and_si256(codes, _mm256_set1_epi32(8)));
        _mm256_xor_ps(_mm256_permutevar8x32_ps(magnitudes, codes), _mm256_castsi256_ps(sign))
    };
    _mm256_mul_ps(value, scale)
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn unpack_nibbles(format: Format, tile: Tile<'_>, from: usize, out: &mut [[u8; LINE]]) {
    let (lines_a_block, scale_bytes) = stored(format);
    let block = 8 * lines_a_block;
    // SAFETY: eight values are there.
    let magnitudes = unsafe { _mm256_loadu_ps(MAGNITUDES.as_ptr()) };
    let lines = tile.codes.as_chunks::<LINE>().0[from / 8..].chunks_exact(lines_a_block);
    let scales = tile.scales[from / block * scale_bytes..].chunks_exact(scale_bytes);
    for ((lines, scales), out) in lines.zip(scales).zip(out.chunks_exact_mut(block)) {
        let scale = scales_of(format, scales);
        for (line, out) in lines.iter().zip(out.as_chunks_mut::<8>().0) {
            _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().wrapping_add(AHEAD).cast());
            let codes = load(line);
            macro_rules! nibble {
                ($($at:literal: $shift:literal),*) => {$(
                    let one = |half: usize| value(format, _mm256_srli_epi32::<$shift>(codes[half]), magnitudes, scale[half]);
                    put_f32(&mut out[$at], [one(0), one(1)]);
                )*};
            }
            nibble!(0: 0, 1: 8, 2: 16, 3: 24, 4: 4, 5: 12, 6: 20, 7: 28);
        }
    }
}

/// Decodes elements `from ..` of a tile, one line each.
#[target_feature(enable = "avx2,fma,f16c")]
fn unpack(format: Format, tile: Tile<'_>, from: usize, out: &mut [[u8; LINE]]) {
    let lines = tile.codes.as_chunks::<LINE>().0;
    match format {
        Format::Mxfp4 | Format::Nvfp4 | Format::Q4_0 => unpack_nibbles(format, tile, from, out),
        Format::Q8_0 => {
            let scales = tile.scales[from / 32 * 2 * LANES..].chunks_exact(2 * LANES);
            for ((lines, scales), out) in lines[from / 4..].chunks_exact(8).zip(scales).zip(out.chunks_exact_mut(32)) {
                let scale = scales_of(format, scales);
                for (line, out) in lines.iter().zip(out.as_chunks_mut::<4>().0) {
                    let signed = load(line).map(|half| _mm256_xor_si256(half, _mm256_set1_epi8(-128)));
                    macro_rules! byte {
                        ($($at:literal: $shift:literal),*) => {$(
                            let one = |half: usize| {
                                let code = _mm256_srai_epi32::<24>(_mm256_slli_epi32::<$shift>(signed[half]));
                                _mm256_mul_ps(_mm256_cvtepi32_ps(code), scale[half])
                            };
                            put_f32(&mut out[$at], [one(0), one(1)]);
                        )*};
                    }
                    byte!(0: 24, 1: 16, 2: 8, 3: 0);
                }
            }
        }
        Format::Fp8 => {
            for (line, out) in lines[from / 4..].iter().zip(out.chunks_mut(4)) {
                _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().wrapping_add(AHEAD).cast());
                // Sign to bit 15, exponent and mantissa to 13..7: an f16 of 2^-8 of the value. Codes of NaN come out as numbers.
                let fields = _mm256_set1_epi16(0xbf80_u16.cast_signed());
                for (codes, out) in load(line).into_iter().zip(out.chunks_mut(2)) {
                    let halves = [_mm256_slli_epi16::<8>(codes), codes]
                        .map(|codes| _mm256_and_si256(_mm256_srai_epi16::<1>(codes), fields));
                    // The last four of a k that is no multiple of 4 are fewer.
                    for (halves, out) in halves.into_iter().zip(out) {
                        let low = _mm256_cvtph_ps(_mm256_castsi256_si128(halves));
                        put_f32(out, [low, _mm256_cvtph_ps(_mm256_extracti128_si256::<1>(halves))]);
                    }
                }
            }
        }
        Format::Bf16 => {
            for (line, out) in lines[from / 2..].iter().zip(out.chunks_mut(2)) {
                _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().wrapping_add(AHEAD).cast());
                let pair = load(line);
                put(&mut out[0], pair.map(|half| _mm256_slli_epi32::<16>(half)));
                // The last pair of an odd k is half a pair.
                if let Some(out) = out.get_mut(1) {
                    put(out, pair.map(|half| _mm256_slli_epi32::<16>(_mm256_srli_epi32::<16>(half))));
                }
            }
        }
        Format::F32 => out.copy_from_slice(&lines[from..][..out.len()]),
        _ => affine::unpack(format, tile, from, (0, 1), out),
    }
}

/// Adds one panel times R rows, word s of row r being `acts[s * STRIDE + AT + r]`, to `total`, in U sums of its own each.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn micro<const R: usize, const U: usize, const STRIDE: usize, const AT: usize>(
    panel: &[[u8; LINE]],
    acts: &[i32],
    total: &mut [[f32; LANES]],
) {
    let mut sums = [[[_mm256_setzero_ps(); 2]; U]; R];
    for (lines, words) in panel.chunks(U).zip(acts.chunks(U * STRIDE)) {
        for (u, (line, words)) in lines.iter().zip(words.chunks_exact(STRIDE)).enumerate().take(U) {
            let weights = load_f32(line);
            for r in 0..R {
                let a = _mm256_castsi256_ps(_mm256_set1_epi32(words[AT + r]));
                for half in 0..2 {
                    sums[r][u][half] = _mm256_fmadd_ps(weights[half], a, sums[r][u][half]);
                }
            }
        }
    }
    for (total, sums) in total.iter_mut().zip(sums) {
        for sum in sums {
            let so_far = load_values(total);
            store_values(total, [_mm256_add_ps(so_far[0], sum[0]), _mm256_add_ps(so_far[1], sum[1])]);
        }
    }
}

/// Half of what `float` groups: 4 rows × 2 vectors of sums fit 16 registers.
const HALF: usize = float::GROUP / 2;

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn tiles_of<const G: usize>(call: &mut Multiply<'_>) {
    let (k, rows) = (call.op.k, call.rows);
    let stride = call.acts.len() / rows.div_ceil(G).max(1);
    for t in call.tiles.clone() {
        for pass in (0..rows).step_by(PASS) {
            let groups = (rows - pass).min(PASS).div_ceil(G);
            let sums = &mut call.sums.as_chunks_mut::<LANES>().0[..groups * G];
            sums.fill([0.0; LANES]);
            for from in (0..k).step_by(PANEL_WORDS) {
                let some = PANEL_WORDS.min(k - from);
                let panel = &mut call.panel.as_chunks_mut::<LINE>().0[..some];
                unpack(call.op.weights, call.packed.tile(t), from, panel);
                for (group, sums) in sums.chunks_exact_mut(G).enumerate() {
                    let acts = &call.acts[(pass / G + group) * stride + from * G..][..some * G];
                    if G == 1 {
                        micro::<1, 4, 1, 0>(panel, acts, sums);
                    } else {
                        let (first, second) = sums.split_at_mut(HALF);
                        micro::<HALF, 1, { float::GROUP }, 0>(panel, acts, first);
                        micro::<HALF, 1, { float::GROUP }, HALF>(panel, acts, second);
                    }
                }
            }
            for row in pass..(pass + PASS).min(rows) {
                let sum = load_values(&call.sums.as_chunks::<LANES>().0[row - pass]);
                finish(call, call.y, t, row, sum);
            }
        }
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn few(call: &mut Multiply<'_>) {
    tiles_of::<1>(call);
}

#[target_feature(enable = "avx2,fma,f16c")]
fn panels(call: &mut Multiply<'_>) {
    tiles_of::<{ float::GROUP }>(call);
}
