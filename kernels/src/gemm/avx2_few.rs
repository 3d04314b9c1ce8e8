//! Few rows on AVX2: four-bit codes are multiplied as they are decoded, and no panel is written.
//!
//! One row of a block of 32 × 16 weights costs 16 `vpmaddubsw` and 4 `vpmaddwd`, decoding it 16 shuffles; through a panel it would
//! be 16 stores and as many loads more. Up to `AT_ONCE` rows share the decoding: their sums of pairs, the codes of a line's two
//! steps, the table, the mask and a word of activations fit 16 registers.

use super::avx2::{add_pairs, widen};
use super::lanes256::*;
use super::packed::LINE;
use super::tiled::Multiply;
use crate::format::Format;
use std::arch::x86_64::*;

/// Rows that share one reading of a tile.
const AT_ONCE: usize = 4;

/// Does the rows of `call`, if its weights have four-bit codes; says whether it did.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn few_tiles(call: &Multiply<'_>) -> bool {
    match (call.op.weights, call.op.activations.grouped()) {
        (Format::Nvfp4, false) => rows::<4, false, false>(call),
        (Format::Nvfp4, true) => rows::<4, true, false>(call),
        (Format::Mxfp4, false) => rows::<8, false, false>(call),
        (Format::Mxfp4, true) => rows::<8, true, false>(call),
        (Format::Q4_0, false) => rows::<8, false, true>(call),
        (Format::Q4_0, true) => rows::<8, true, true>(call),
        _ => return false,
    }
    true
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn rows<const STEPS: usize, const SCALED: bool, const PLAIN: bool>(call: &Multiply<'_>) {
    for t in call.tiles.clone() {
        for first in (0..call.rows).step_by(AT_ONCE) {
            match call.rows - first {
                1 => tile::<1, STEPS, SCALED, PLAIN>(call, t, first),
                2 => tile::<2, STEPS, SCALED, PLAIN>(call, t, first),
                3 => tile::<3, STEPS, SCALED, PLAIN>(call, t, first),
                _ => tile::<AT_ONCE, STEPS, SCALED, PLAIN>(call, t, first),
            }
        }
    }
}

/// Tile `t` with R rows from `first` on. The words of a row stand by themselves (see `integer::words`).
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn tile<const R: usize, const STEPS: usize, const SCALED: bool, const PLAIN: bool>(
    call: &Multiply<'_>,
    t: usize,
    first: usize,
) {
    let (format, tile, words) = (call.op.weights, call.packed.tile(t), STEPS + 2);
    let a_row = call.packed.layout().blocks * words;
    let acts: [&[i32]; R] = std::array::from_fn(|r| &call.acts[(first + r) * a_row..][..a_row]);
    let mut total = [[_mm256_setzero_ps(); 2]; R];
    let lines = tile.codes.as_chunks::<LINE>().0.chunks_exact(STEPS / 2);
    for (b, (lines, scales)) in lines.zip(tile.scales.chunks_exact(stored(format).1)).enumerate() {
        let mut block: [&[i32]; R] = [&[]; R];
        let mut exact = [[_mm256_setzero_si256(); 2]; R];
        for r in 0..R {
            block[r] = &acts[r][b * words..][..words];
            exact[r] = [_mm256_set1_epi32(block[r][STEPS]); 2];
        }
        // Two lines are four steps, whose pair sums fit 16 bits (see `avx2::products`).
        for (two, lines) in lines.as_chunks::<2>().0.iter().enumerate() {
            let mut pairs = [[_mm256_setzero_si256(); 2]; R];
            for (line, stored) in lines.iter().enumerate() {
                for (half, codes) in decode::<PLAIN>(stored).into_iter().enumerate() {
                    for r in 0..R {
                        add_pairs(&mut pairs[r], codes, block[r][4 * two + 2 * line + half]);
                    }
                }
            }
            for r in 0..R {
                exact[r] = [widen(exact[r][0], pairs[r][0]), widen(exact[r][1], pairs[r][1])];
            }
        }
        let scales = scales_of(format, scales);
        for r in 0..R {
            let mut scales = scales;
            if SCALED {
                let a = _mm256_set1_ps(f32::from_bits(block[r][STEPS + 1].cast_unsigned()));
                scales = [_mm256_mul_ps(scales[0], a), _mm256_mul_ps(scales[1], a)];
            }
            for half in 0..2 {
                total[r][half] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(exact[r][half]), scales[half], total[r][half]);
            }
        }
    }
    for (r, total) in total.into_iter().enumerate() {
        finish(call, call.y, t, first + r, total);
    }
}
