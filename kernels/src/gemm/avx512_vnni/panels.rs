//! Many rows: weights are decoded into panels that stay in L1 while all rows of a pass go by.

use super::layout::{
    ALIGNED, FP4, GROUPED, INTEGER, PLAIN, ROW, SPAN, TABLE, Words, blocks, kind, lines, panel, spans,
};
use super::micro::{Ahead, Lines, Sums, apart, shared, whole};
use super::unpack::unpack_any;
use crate::gemm::integer::GROUP;
use crate::gemm::lanes512::*;
use crate::gemm::packed::{LANES, LINE};
use crate::gemm::tiled::{Multiply, PASS, SETS, TILES};
use std::arch::x86_64::*;

/// Most spans a panel has.
const MOST_SPANS: usize = 4;
/// Where all activations together are at most this many bytes they stay in L2 (1 MiB on Zen 4 and 5) for all of k, and one set
/// of tiles a pass lets their weights stream in order: 0.50 of the roof instead of 0.47 at 16 rows.
const SMALL: usize = 512 << 10;

/// Into how many parts asking for the next weights is cut at most.
const PARTS: usize = 8;

/// T tiles decoded, for some spans: L lines each.
struct Panel<'a, const L: usize, const T: usize> {
    lines: &'a [[Lines<L>; T]],
    /// For each span and tile whether its blocks share a scale.
    shared: &'a [[bool; T]],
}

/// The sums of N rows.
#[inline(always)]
fn rows_of<const T: usize, const N: usize>(sums: &mut [[[f32; LANES]; T]]) -> &mut Sums<T, N> {
    sums.first_chunk_mut().expect("a pass has sums for all its rows")
}

/// One or two quads with N rows altogether, each quad's words of the panel's spans.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn pass_by<
    const P: u8,
    const A: u8,
    const L: usize,
    const W: usize,
    const T: usize,
    const N: usize,
    const REST: usize,
>(
    panel: &Panel<'_, L, T>,
    quads: [&[[i32; W]]; 2],
    mut ahead: Ahead<T>,
    sums: &mut [[[f32; LANES]; T]],
) {
    let flag = const { Words::of(SPAN / blocks(P), A).apart };
    for (((lines, ways), first), second) in panel.lines.iter().zip(panel.shared).zip(quads[0]).zip(quads[1]) {
        ahead.ask_weights();
        let together = P != PLAIN && *ways == [true; T] && (A != FP4 || first[flag] | second[flag] == 0);
        if P == ALIGNED && A != GROUPED && together {
            whole::<A, L, W, T, N>(lines, [first, second], ahead, rows_of(sums));
        } else if together {
            shared::<P, A, L, W, T, N>(lines, first, ahead, rows_of(sums));
        } else if REST > 0 {
            let (above, below) = sums.split_at_mut(GROUP);
            apart::<P, A, L, W, T, GROUP>(lines, *ways, first, ahead, rows_of(above));
            apart::<P, A, L, W, T, REST>(lines, *ways, second, ahead, rows_of(below));
        } else {
            apart::<P, A, L, W, T, N>(lines, *ways, first, ahead, rows_of(sums));
        }
        ahead.words = ahead.words.map(|words| words.wrapping_add(W));
        ahead.weights = ahead.weights.map(|weights| weights.wrapping_add(ahead.span));
    }
}

/// All quads of a pass with one panel. `acts` begins at the panel's first span of the first quad; a quad has `of_k` spans.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn serve<const P: u8, const A: u8, const L: usize, const W: usize, const T: usize>(
    panel: &Panel<'_, L, T>,
    acts: &[[i32; W]],
    of_k: usize,
    rows: usize,
    mut ahead: Ahead<T>,
    sums: &mut [[f32; LANES]],
) {
    let sums = sums.as_chunks_mut::<T>().0;
    let quads = rows.div_ceil(GROUP);
    let quad = |q: usize| &acts[q * of_k..][..panel.shared.len()];
    // The next weights are asked for over several rows' time: at once they would take all the lines that can be on their way,
    // and what is needed now would wait behind them.
    let parts = PARTS.min(if P == ALIGNED && A != GROUPED { quads.div_ceil(2) } else { quads });
    let parts = 1 << parts.ilog2();
    ahead.part = ahead.span / parts;
    let (mut q, mut asked) = (0, 1);
    while q < quads {
        let sums = &mut sums[q * GROUP..];
        let (one, left) = (quad(q), rows - q * GROUP);
        let next = |q: usize| acts.as_ptr().wrapping_add(q * of_k).cast::<i32>();
        // Pairs, after a single one where they are odd: the last pair then has 5 rows at least, enough to hide latency.
        if P == ALIGNED && A != GROUPED && (quads - q).is_multiple_of(2) {
            let two = [one, quad(q + 1)];
            ahead.words = [next(q + 2), next(q + 3)];
            match left {
                5 => pass_by::<P, A, L, W, T, 5, 1>(panel, two, ahead, sums),
                6 => pass_by::<P, A, L, W, T, 6, 2>(panel, two, ahead, sums),
                7 => pass_by::<P, A, L, W, T, 7, 3>(panel, two, ahead, sums),
                _ => pass_by::<P, A, L, W, T, 8, 4>(panel, two, ahead, sums),
            }
            q += 2;
        } else {
            ahead.words = [next(q + 1); 2];
            match left {
                1 => pass_by::<P, A, L, W, T, 1, 0>(panel, [one; 2], ahead, sums),
                2 => pass_by::<P, A, L, W, T, 2, 0>(panel, [one; 2], ahead, sums),
                3 => pass_by::<P, A, L, W, T, 3, 0>(panel, [one; 2], ahead, sums),
                _ => pass_by::<P, A, L, W, T, 4, 0>(panel, [one; 2], ahead, sums),
            }
            q += 1;
        }
        if asked < parts {
            ahead.weights = ahead.weights.map(|weights| weights.wrapping_add(ahead.part));
        } else {
            ahead.part = 0;
        }
        asked += 1;
    }
}

/// Decodes spans `from .. from + some` of the T tiles from `tile` on, and takes the pass's rows by them.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn one_panel<const P: u8, const A: u8, const L: usize, const W: usize, const T: usize>(
    call: &mut Multiply<'_>,
    tile: usize,
    (from, some): (usize, usize),
    of_k: usize,
    (pass, rows): (usize, usize),
    next: (usize, usize),
    at: usize,
) {
    let decoded = call.panel.as_chunks_mut::<LINE>().0.as_chunks_mut::<L>().0.as_chunks_mut::<T>().0;
    let mut ways = [[false; T]; MOST_SPANS];
    for t in 0..T {
        let weights = call.packed.tile(tile + t);
        for (s, out) in decoded[..some].iter_mut().enumerate() {
            ways[s][t] = unpack_any::<P>(call.op.weights, weights, from + s, &mut out[t]);
        }
    }
    let span = call.packed.layout().codes * blocks(P);
    let weights = std::array::from_fn(|t| {
        let tile = call.packed.tile((next.0 + t).min(call.packed.tiles - 1));
        for line in 0..some * blocks(P) * call.packed.layout().scales / LINE {
            let scales = tile.scales.as_ptr().wrapping_add(next.1 * blocks(P) * call.packed.layout().scales);
            _mm_prefetch::<_MM_HINT_T1>(scales.wrapping_add(line * LINE).cast());
        }
        tile.codes.as_ptr().wrapping_add(next.1 * span)
    });
    let ahead = Ahead { words: [std::ptr::null(); 2], weights, span, part: 0 };
    let panel = Panel { lines: &decoded[..some], shared: &ways[..some] };
    let acts = &call.acts.as_chunks::<W>().0[pass / GROUP * of_k + from..];
    serve::<P, A, L, W, T>(&panel, acts, of_k, rows, ahead, &mut call.sums.as_chunks_mut::<LANES>().0[at..]);
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn panels_of<const P: u8, const A: u8, const L: usize, const W: usize>(call: &mut Multiply<'_>) {
    const { assert!(L == lines(P) && W == Words::of(SPAN / blocks(P), A).len && spans(P) <= MOST_SPANS) };
    let of_k = call.op.k.div_ceil(SPAN);
    let tiles = call.tiles.clone();
    for pass in (0..call.rows).step_by(PASS) {
        let rows = (call.rows - pass).min(PASS);
        let of_tile = rows.next_multiple_of(GROUP);
        let sets = if rows.div_ceil(GROUP) * of_k * size_of::<[i32; W]>() <= SMALL { 1 } else { SETS };
        for first in tiles.clone().step_by(sets * TILES) {
            let last = (first + sets * TILES).min(tiles.end);
            // A set is TILES tiles, or one where that many are not left.
            let width = |at: usize| if last - at >= TILES { TILES } else { 1 };
            call.sums.as_chunks_mut::<LANES>().0[..(last - first) * of_tile].fill([0.0; LANES]);
            for from in (0..of_k).step_by(spans(P)) {
                let some = (from, spans(P).min(of_k - from));
                let mut at = first;
                while at < last {
                    let sums = (at - first) * of_tile;
                    // The panel after this one.
                    let next = if at + width(at) < last {
                        (at + width(at), from)
                    } else if from + spans(P) < of_k {
                        (first, from + spans(P))
                    } else {
                        (last, 0)
                    };
                    if width(at) == TILES {
                        one_panel::<P, A, L, W, TILES>(call, at, some, of_k, (pass, rows), next, sums);
                    } else {
                        one_panel::<P, A, L, W, 1>(call, at, some, of_k, (pass, rows), next, sums);
                    }
                    at += width(at);
                }
            }
            let mut at = first;
            while at < last {
                let width = width(at);
                let sums = &call.sums.as_chunks::<LANES>().0[(at - first) * of_tile..];
                for (quad, row) in (pass..pass + rows).step_by(GROUP).enumerate() {
                    let sums = &sums[quad * GROUP * width..];
                    for t in 0..width {
                        let column: [__m512; GROUP] = [
                            load_f32(&sums[t]),
                            load_f32(&sums[width + t]),
                            load_f32(&sums[2 * width + t]),
                            load_f32(&sums[3 * width + t]),
                        ];
                        finish(call.op.n, call.rows, call.bias, call.row_scales, call.y, at + t, row, &column);
                    }
                }
                at += width;
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn panels(call: &mut Multiply<'_>) {
    let kind = kind(call.op.activations);
    match (panel(call.op.weights, kind), kind) {
        (ALIGNED, ROW) => panels_of::<ALIGNED, ROW, 36, 148>(call),
        (ALIGNED, GROUPED) => panels_of::<ALIGNED, GROUPED, 36, 164>(call),
        (ALIGNED, _) => panels_of::<ALIGNED, FP4, 36, 188>(call),
        (INTEGER, ROW) => panels_of::<INTEGER, ROW, 41, 164>(call),
        (INTEGER, _) => panels_of::<INTEGER, GROUPED, 41, 196>(call),
        (TABLE, _) => panels_of::<TABLE, FP4, 97, 236>(call),
        (_, ROW) => panels_of::<PLAIN, ROW, 36, 148>(call),
        _ => panels_of::<PLAIN, GROUPED, 36, 164>(call),
    }
}
