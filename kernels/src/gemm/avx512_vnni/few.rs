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
use crate::gemm::packed::{LANES, LINE, Layout, Tile};
use crate::gemm::tiled::{Multiply, SETS, TILES};
use std::arch::x86_64::*;
use std::ops::Range;

/// Bytes of codes that are on their way while others are multiplied, over all tiles of a step. 4 to 16 KiB measure alike with
/// several tiles; the hint that brings lines to L2 alone does not read faster.
const IN_FLIGHT: usize = 8192;

/// Up to this many rows this path is the faster one. Measured at n = 8192, k = 14336 in one run against panels: 1.10 to 1.31 of their
/// rate at 9 rows, 1.11 to 1.26 at 12; at 16, where the totals no longer fit beside the sums, 0.93 for FP4 and 1.10 for q8_0.
pub(super) const MOST: usize = 16;
/// Bytes of words that stay in L1 beside the lines on their way.
const WORDS: usize = 16 << 10;
/// Tiles that take the same words in turn: there are sums for so many.
const TILES_A_WALK: usize = SETS * TILES;
/// Up to this many rows have a pointer each in a register; more are interleaved by four.
pub(super) const APART: usize = GROUP;

/// Where byte `at` of a stream lies that goes from `now` on to `next`.
#[inline(always)]
fn ahead(now: &[u8], next: &[u8], at: usize) -> *const u8 {
    if at < now.len() { now.as_ptr().wrapping_add(at) } else { next.as_ptr().wrapping_add(at - now.len()) }
}

/// What a step works on: all rows with some tiles, and some blocks of each.
struct Step<'a, const T: usize> {
    /// The blocks' codes and scales of each tile.
    tiles: [Tile<'a>; T],
    /// What follows: it is asked for at the end.
    next: [Tile<'a>; T],
    /// All words of all rows.
    acts: &'a [i32],
    blocks: Range<usize>,
}

/// T tiles with R rows, added to `total`: L lines of codes and S bytes of scales a block, W words a block of each row.
#[inline]
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
    step: &Step<'_, T>,
    mut total: [[__m512; R]; T],
) -> [[__m512; R]; T] {
    let Step { tiles, next, acts, blocks } = step;
    let acts = acts.as_chunks::<W>().0;
    let of_k = acts.len() / if R > APART { R.next_multiple_of(GROUP) } else { R };
    // Rows by themselves, or quads of them; there are none of the other kind.
    let rows: [&[[i32; W]]; APART] = std::array::from_fn(|r| {
        if R <= APART && r < R { &acts[r * of_k..(r + 1) * of_k][blocks.clone()] } else { &[] }
    });
    let quads: [&[[[i32; GROUP]; W]]; MOST / GROUP] = std::array::from_fn(|q| {
        if R <= APART || q * GROUP >= R {
            return &[][..];
        }
        let quad = acts[q * GROUP * of_k..][..GROUP * of_k].as_flattened();
        &quad.as_chunks::<GROUP>().0.as_chunks::<W>().0[blocks.clone()]
    });
    let word = |r: usize, b: usize, w: usize| {
        if R <= APART { rows[r][b][w] } else { quads[r / GROUP][b][w][r % GROUP] }
    };
    let blocks = blocks.len();
    let codes: [&[[[u8; LINE]; L]]; T] =
        std::array::from_fn(|t| &tiles[t].codes.as_chunks::<LINE>().0.as_chunks::<L>().0[..blocks]);
    let scales: [&[[u8; S]]; T] = std::array::from_fn(|t| &tiles[t].scales.as_chunks::<S>().0[..blocks]);
    let (low, table) = (_mm512_set1_epi8(15), load(&UNSIGNED_E2M1));
    let distance = IN_FLIGHT / T;
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

/// Some blocks of a tile laid out like this.
fn part<'a>(tile: Tile<'a>, of: Layout, blocks: &Range<usize>) -> Tile<'a> {
    let bytes = |each: usize| blocks.start * each..blocks.end * each;
    Tile { codes: &tile.codes[bytes(of.codes)], scales: &tile.scales[bytes(of.scales)] }
}

/// What a tile that nothing follows is followed by: its own end, which is in the cache already.
fn last(tile: Tile<'_>) -> Tile<'_> {
    let end = |of: &'_ [u8]| of.len().saturating_sub(IN_FLIGHT);
    Tile { codes: &tile.codes[end(tile.codes)..], scales: &tile.scales[end(tile.scales)..] }
}

/// All rows with the tiles of the call, T at a time: some blocks of some tiles, then the next blocks of the same.
///
/// As many blocks as keep the words of all rows within [`WORDS`]: where words come from L2 they queue behind the lines from memory
/// for the few places where L1 waits for lines.
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
    call: &mut Multiply<'_>,
) {
    let Multiply { op, packed, tiles, acts, sums, .. } = call;
    let (layout, of_k) = (packed.layout(), packed.layout().blocks);
    // One row's words are few beside the lines of weights that pass.
    let some = if R == 1 { of_k } else { (WORDS / size_of::<[[i32; W]; R]>()).max(1) };
    let sums = sums.as_chunks_mut::<LANES>().0.as_chunks_mut::<R>().0;
    for first in tiles.clone().step_by(TILES_A_WALK) {
        let end = (first + TILES_A_WALK).min(tiles.end);
        let width = |at: usize| if end - at >= T { T } else { 1 };
        for from in (0..of_k).step_by(some) {
            let blocks = from..(from + some).min(of_k);
            let mut at = first;
            while at < end {
                let after = if at + width(at) < end {
                    Some((at + width(at), blocks.clone()))
                } else if blocks.end < of_k {
                    Some((first, blocks.end..(blocks.end + some).min(of_k)))
                } else {
                    (end < tiles.end).then(|| (end, 0..some.min(of_k)))
                };
                let tile = |t: usize, blocks: &Range<usize>| part(packed.tile(t), layout, blocks);
                let next = |t: usize| match &after {
                    Some((after, blocks)) => tile((after + t).min(tiles.end - 1), blocks),
                    None => last(tile(at + t, &blocks)),
                };
                let sums = &mut sums[at - first..];
                if width(at) == T {
                    let (tiles, next) = (std::array::from_fn(|t| tile(at + t, &blocks)), std::array::from_fn(next));
                    let now = Step { tiles, next, acts, blocks: blocks.clone() };
                    walk::<F, L, S, W, R, T, SCALED>(&now, sums);
                } else {
                    let now = Step { tiles: [tile(at, &blocks)], next: [next(0)], acts, blocks: blocks.clone() };
                    walk::<F, L, S, W, R, 1, SCALED>(&now, sums);
                }
                at += width(at);
            }
        }
        for (t, sums) in (first..end).zip(&*sums) {
            let mut column = [_mm512_setzero_ps(); R];
            for r in 0..R {
                column[r] = load_f32(&sums[r]);
            }
            finish(op.n, R, call.bias, call.row_scales, call.y, t, 0, &column);
        }
    }
}

/// A step whose totals stand in memory; those of the first blocks begin at 0.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn walk<
    const F: u8,
    const L: usize,
    const S: usize,
    const W: usize,
    const R: usize,
    const T: usize,
    const SCALED: bool,
>(
    now: &Step<'_, T>,
    sums: &mut [[[f32; LANES]; R]],
) {
    let mut total = [[_mm512_setzero_ps(); R]; T];
    if now.blocks.start > 0 {
        for t in 0..T {
            for r in 0..R {
                total[t][r] = load_f32(&sums[t][r]);
            }
        }
    }
    let total = step::<F, L, S, W, R, T, SCALED>(now, total);
    for t in 0..T {
        for r in 0..R {
            store_f32(&mut sums[t][r], total[t][r]);
        }
    }
}

/// The tiles of a step are those that measured fastest. R · T sums have to stay in registers; as many totals may be spilled,
/// which costs loads and stores on ports that are idle.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn few_of<const F: u8, const L: usize, const S: usize, const W: usize, const SCALED: bool>(call: &mut Multiply<'_>) {
    match call.rows {
        0 => {}
        // Lines of q8_0 are twice as many a block: fewer tiles have as much on its way.
        1 if F == Q8_0 => rows::<F, L, S, W, 1, 3, SCALED>(call),
        2 if F == Q8_0 => rows::<F, L, S, W, 2, 3, SCALED>(call),
        1 => rows::<F, L, S, W, 1, 4, SCALED>(call),
        2 => rows::<F, L, S, W, 2, 4, SCALED>(call),
        3 => rows::<F, L, S, W, 3, 3, SCALED>(call),
        4 => rows::<F, L, S, W, 4, 3, SCALED>(call),
        5 => rows::<F, L, S, W, 5, 3, SCALED>(call),
        6 => rows::<F, L, S, W, 6, 3, SCALED>(call),
        7 if F == NVFP4 => rows::<F, L, S, W, 7, 2, SCALED>(call),
        7 => rows::<F, L, S, W, 7, 3, SCALED>(call),
        8 => rows::<F, L, S, W, 8, 2, SCALED>(call),
        9 => rows::<F, L, S, W, 9, 1, SCALED>(call),
        10 => rows::<F, L, S, W, 10, 1, SCALED>(call),
        11 => rows::<F, L, S, W, 11, 1, SCALED>(call),
        12 => rows::<F, L, S, W, 12, 1, SCALED>(call),
        13 => rows::<F, L, S, W, 13, 1, SCALED>(call),
        14 => rows::<F, L, S, W, 14, 1, SCALED>(call),
        15 => rows::<F, L, S, W, 15, 1, SCALED>(call),
        MOST => rows::<F, L, S, W, MOST, 1, SCALED>(call),
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
