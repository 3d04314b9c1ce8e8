//! Few rows: each line of weights is decoded once in registers and multiplied with all of them.
//!
//! The bound is memory. One tile at a time reads at 0.83 of what `read` does: one stream keeps too few lines on their way, and the
//! eight dependent dot products of a block (8 × 5 cycles) fill the scheduler. Several tiles block by block in turn are as many
//! streams and as many chains. Measured on Emerald Rapids, 2 threads, n = 8192, k = 28672, cold, as a share of `read` right
//! before and after: mxfp4 0.95, nvfp4 0.96, q8_0 0.97 at one row; 0.91, 0.91, 0.97 at four; 0.78, 0.61, 0.84 at eight, where the
//! two ports that do all 512-bit arithmetic bind: nvfp4 × 8 rows needs about 72 operations a block of 32 dot products.

use super::UNSIGNED_E2M1;
use crate::format::Format;
use crate::gemm::integer::GROUP;
use crate::gemm::lanes512::*;
use crate::gemm::packed::{LANES, LINE, Tile};
use crate::gemm::tiled::{FEW, Multiply};
use std::arch::x86_64::*;
use std::ops::Range;

/// Bytes of codes that are on their way while others are multiplied, over all tiles of a step. 4 to 16 KiB measure alike with
/// several tiles; the hint that brings lines to L2 alone does not read faster.
const IN_FLIGHT: usize = 8192;

/// Up to this many rows this path is the faster one. Measured at n = 8192, k = 14336 in one run against panels: 1.10 to 1.31 of their
/// rate at 9 rows, 1.11 to 1.26 at 12; 1.02 for mxfp4 and 1.09 for nvfp4 at 16, since rows are interleaved. The bound at 16 rows is
/// 0.71 of int8 here and 0.75 by panels (0.69 for nvfp4; bench `bounds`); reached 0.51 and 0.46. Walking along k with all words in
/// L1, twelve tiles in turn, lost 3 to 10 %.
pub(super) const MOST: usize = 16;
/// Up to this many rows stand by themselves; more are interleaved by four, for want of registers to point to each.
pub(super) const APART: usize = FEW;

/// Where byte `at` of a stream lies that goes from `now` on to `next`.
#[inline(always)]
fn ahead(now: &[u8], next: &[u8], at: usize) -> *const u8 {
    if at < now.len() { now.as_ptr().wrapping_add(at) } else { next.as_ptr().wrapping_add(at - now.len()) }
}

/// T tiles with R rows: L lines of codes and S bytes of scales a block, W words a block of each row.
#[inline]
#[expect(clippy::needless_range_loop, reason = "what an index is in the arrays it also is in the words of activations")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn step<
    const F: u8,
    const L: usize,
    const S: usize,
    const W: usize,
    const R: usize,
    const T: usize,
    const SCALED: bool,
>(
    tiles: [Tile<'_>; T],
    next: [Tile<'_>; T],
    acts: &[i32],
) -> [[__m512; R]; T] {
    let acts = acts.as_chunks::<W>().0;
    let blocks = acts.len() / if R > APART { R.next_multiple_of(GROUP) } else { R };
    // Rows by themselves, or quads of them; there are none of the other kind.
    let rows: [&[[i32; W]]; APART] =
        std::array::from_fn(|r| if R <= APART && r < R { &acts[r * blocks..(r + 1) * blocks] } else { &[] });
    let quads: [&[[[i32; GROUP]; W]]; MOST / GROUP] = std::array::from_fn(|q| {
        if R <= APART || q * GROUP >= R {
            return &[][..];
        }
        let quad = acts[q * GROUP * blocks..][..GROUP * blocks].as_flattened();
        &quad.as_chunks::<GROUP>().0.as_chunks::<W>().0[..blocks]
    });
    let word = |r: usize, b: usize, w: usize| {
        if R <= APART { rows[r][b][w] } else { quads[r / GROUP][b][w][r % GROUP] }
    };
    let codes: [&[[[u8; LINE]; L]]; T] =
        std::array::from_fn(|t| &tiles[t].codes.as_chunks::<LINE>().0.as_chunks::<L>().0[..blocks]);
    let scales: [&[[u8; S]]; T] = std::array::from_fn(|t| &tiles[t].scales.as_chunks::<S>().0[..blocks]);
    let (low, table) = (_mm512_set1_epi8(15), load(&UNSIGNED_E2M1));
    let distance = IN_FLIGHT / T;
    let mut total = [[_mm512_setzero_ps(); R]; T];
    for b in 0..blocks {
        let mut sum = [[_mm512_setzero_si512(); R]; T];
        for t in 0..T {
            let line = ahead(tiles[t].codes, next[t].codes, b * L * LINE + distance);
            for l in 0..L {
                _mm_prefetch::<_MM_HINT_T0>(line.wrapping_add(l * LINE).cast());
            }
            // A stream of its own, too thin for the hardware to run far enough ahead of it.
            let line = ahead(tiles[t].scales, next[t].scales, b * S + distance / 4);
            _mm_prefetch::<_MM_HINT_T0>(line.cast());
            for r in 0..R {
                sum[t][r] = _mm512_set1_epi32(word(r, b, W - 2));
            }
        }
        for l in 0..L {
            if F == Q8_0 {
                for r in 0..R {
                    let a = _mm512_set1_epi32(word(r, b, l));
                    for t in 0..T {
                        sum[t][r] = _mm512_dpbusd_epi32(sum[t][r], load(&codes[t][b][l]), a);
                    }
                }
            } else {
                let mut nibbles = [[_mm512_setzero_si512(); 2]; T];
                for t in 0..T {
                    let both = load(&codes[t][b][l]);
                    nibbles[t] = [_mm512_and_si512(both, low), _mm512_and_si512(_mm512_srli_epi16::<4>(both), low)];
                    if F != Q4_0 {
                        nibbles[t] = nibbles[t].map(|n| _mm512_shuffle_epi8(table, n));
                    }
                }
                for half in 0..2 {
                    for r in 0..R {
                        let a = _mm512_set1_epi32(word(r, b, 2 * l + half));
                        for t in 0..T {
                            sum[t][r] = _mm512_dpbusd_epi32(sum[t][r], nibbles[t][half], a);
                        }
                    }
                }
            }
        }
        for t in 0..T {
            let scale = scales_of::<F>(&scales[t][b]);
            for r in 0..R {
                let mut scale = scale;
                if SCALED {
                    scale = _mm512_mul_ps(scale, _mm512_set1_ps(f32::from_bits(word(r, b, W - 1).cast_unsigned())));
                }
                total[t][r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[t][r]), scale, total[t][r]);
            }
        }
    }
    total
}

/// What a tile that nothing follows is followed by: its own end, which is in the cache already.
fn last(tile: Tile<'_>) -> Tile<'_> {
    let end = |of: &'_ [u8]| of.len().saturating_sub(IN_FLIGHT);
    Tile { codes: &tile.codes[end(tile.codes)..], scales: &tile.scales[end(tile.scales)..] }
}

/// Multiplies T tiles at a time, as many as there are, and returns those left over.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn steps<
    const F: u8,
    const L: usize,
    const S: usize,
    const W: usize,
    const R: usize,
    const T: usize,
    const SCALED: bool,
>(
    call: &Multiply<'_>,
    tiles: Range<usize>,
) -> Range<usize> {
    let mut at = tiles.start;
    while at + T <= tiles.end {
        let some = |at: usize| std::array::from_fn(|t| call.packed.tile(at + t));
        let now = some(at);
        let next = if at + 2 * T <= tiles.end { some(at + T) } else { now.map(last) };
        let sums = step::<F, L, S, W, R, T, SCALED>(now, next, call.acts);
        for (t, sums) in sums.iter().enumerate() {
            finish(call.op.n, R, call.bias, call.row_scales, call.y, at + t, 0, sums);
        }
        at += T;
    }
    at..tiles.end
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn rows<
    const F: u8,
    const L: usize,
    const S: usize,
    const W: usize,
    const R: usize,
    const T: usize,
    const SCALED: bool,
>(
    call: &Multiply<'_>,
    tiles: Range<usize>,
) {
    let rest = steps::<F, L, S, W, R, T, SCALED>(call, tiles);
    if T > 1 {
        steps::<F, L, S, W, R, 1, SCALED>(call, rest);
    }
}

/// The tiles of a step are those that measured fastest. R · T sums have to stay in registers; as many totals may be spilled,
/// which costs loads and stores on ports that are idle.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn few_of<const F: u8, const L: usize, const S: usize, const W: usize, const SCALED: bool>(call: &mut Multiply<'_>) {
    let tiles = call.tiles.clone();
    match call.rows {
        0 => {}
        // Lines of q8_0 are twice as many a block: fewer tiles have as much on its way.
        1 if F == Q8_0 => rows::<F, L, S, W, 1, 3, SCALED>(call, tiles),
        2 if F == Q8_0 => rows::<F, L, S, W, 2, 3, SCALED>(call, tiles),
        1 => rows::<F, L, S, W, 1, 4, SCALED>(call, tiles),
        2 => rows::<F, L, S, W, 2, 4, SCALED>(call, tiles),
        3 => rows::<F, L, S, W, 3, 3, SCALED>(call, tiles),
        4 => rows::<F, L, S, W, 4, 3, SCALED>(call, tiles),
        5 => rows::<F, L, S, W, 5, 3, SCALED>(call, tiles),
        6 => rows::<F, L, S, W, 6, 3, SCALED>(call, tiles),
        7 if F == NVFP4 => rows::<F, L, S, W, 7, 2, SCALED>(call, tiles),
        7 => rows::<F, L, S, W, 7, 3, SCALED>(call, tiles),
        8 => rows::<F, L, S, W, 8, 2, SCALED>(call, tiles),
        9 => rows::<F, L, S, W, 9, 1, SCALED>(call, tiles),
        10 => rows::<F, L, S, W, 10, 1, SCALED>(call, tiles),
        11 => rows::<F, L, S, W, 11, 1, SCALED>(call, tiles),
        12 => rows::<F, L, S, W, 12, 1, SCALED>(call, tiles),
        13 => rows::<F, L, S, W, 13, 1, SCALED>(call, tiles),
        14 => rows::<F, L, S, W, 14, 1, SCALED>(call, tiles),
        15 => rows::<F, L, S, W, 15, 1, SCALED>(call, tiles),
        MOST => rows::<F, L, S, W, MOST, 1, SCALED>(call, tiles),
        rows => unreachable!("{rows} rows are not few"),
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn few(call: &mut Multiply<'_>) {
    const BYTES: usize = LANES;
    const HALVES: usize = 2 * LANES;
    match (call.op.weights, call.op.activations.grouped()) {
        (Format::Mxfp4, false) => few_of::<MXFP4, 4, BYTES, 10, false>(call),
        (Format::Mxfp4, true) => few_of::<MXFP4, 4, BYTES, 10, true>(call),
        (Format::Nvfp4, false) => few_of::<NVFP4, 2, BYTES, 6, false>(call),
        (Format::Nvfp4, true) => few_of::<NVFP4, 2, BYTES, 6, true>(call),
        (Format::Q8_0, false) => few_of::<Q8_0, 8, HALVES, 10, false>(call),
        (Format::Q8_0, true) => few_of::<Q8_0, 8, HALVES, 10, true>(call),
        (Format::Q4_0, false) => few_of::<Q4_0, 4, HALVES, 10, false>(call),
        (Format::Q4_0, true) => few_of::<Q4_0, 4, HALVES, 10, true>(call),
        (weights, _) => unreachable!("{weights} has no blocks"),
    }
}
