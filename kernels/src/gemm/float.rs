//! What the float paths share: how activations stand in memory, and the loops that AVX-512 with and without bf16 dots run.
//!
//! A word of activations is one f32, or a pair of bf16; a line of decoded weights is what it multiplies, for 16 outputs. Inside a
//! chunk of words sums start at 0 and are added to the total at its end, which keeps the error of long sums small.
//!
//! The bound of f32: a loop of the inner loop's loads, multiply-adds and additions to sums, all in L1, runs at 0.994 of `peak`
//! (bench `bounds`, Emerald Rapids), so what is lost is the way of the words to L1. 2048³ reaches 0.85 since the words and the sums of the
//! next group are asked for and rows are interleaved by vectors; it was 0.79.

use super::packed::{LANES, LINE};
use super::tiled::{FEW, Plan, Quantise, TILES};
use super::{Activations, Gemm};
use crate::format::{Format, bf16, fp8};

/// Rows that the panel kernel takes at a time: GROUP × TILES sums and TILES weights fit 32 registers.
pub(super) const GROUP: usize = 8;
/// Words of k a panel: 3 tiles × 128 × 64 bytes are 24 KB, inside L1. At most CHUNK elements of k.
pub(super) const PANEL_WORDS: usize = 128;
const _: () = assert!(2 * PANEL_WORDS <= super::CHUNK);

/// Words a row of a group takes: an odd number of panels. At a power of two, one panel's words of all groups would fall on the
/// same few sets of the caches, and what is to be read again for every panel would be gone.
pub(super) const fn apart(words: usize) -> usize {
    (words.div_ceil(PANEL_WORDS) | 1) * PANEL_WORDS
}

/// Scratch of a float path whose words hold `width` elements.
pub(super) fn plan(op: &Gemm, width: usize) -> Plan {
    Plan {
        few: FEW,
        apart: FEW,
        group: GROUP,
        row_words: op.k.div_ceil(width),
        grouped_words: apart(op.k.div_ceil(width)),
        panel: TILES * PANEL_WORDS * LINE,
        // E4M3 scales and weights are read as f16, whose exponent bias is 8 more.
        factor: if matches!(op.weights, Format::Nvfp4 | Format::Fp8) { 256.0 } else { 1.0 },
        codes: 0,
        scales: 0,
    }
}

const _: () = assert!(LANES * size_of::<f32>() == LINE);

/// Rows of x as words, `GROUP` interleaved where they are grouped; `width` elements a word, which `word` makes of the scale of the
/// row and so many elements or fewer.
#[inline(always)]
pub(super) fn put_words<const GROUP: usize>(call: &mut Quantise<'_>, width: usize, word: impl Fn(f32, &[f32]) -> i32) {
    let (k, first) = (call.op.k, call.rows.start);
    let words = k.div_ceil(width);
    for (scale, row) in call.row_scales.iter_mut().zip(call.rows.clone()) {
        *scale = call.op.activations.row_scale(&call.x[row * k..][..k]);
    }
    if !call.grouped {
        for (at, (row, out)) in call.rows.clone().zip(call.out.chunks_exact_mut(words)).enumerate() {
            let scale = call.row_scales[at];
            for (out, x) in out.iter_mut().zip(call.x[row * k..][..k].chunks(width)) {
                *out = word(scale, x);
            }
        }
        call.row_scales.iter_mut().for_each(|scale| *scale *= call.factor);
        return;
    }
    for (group, out) in call.out.chunks_exact_mut(GROUP * apart(words)).enumerate() {
        let rows = first + group * GROUP..call.rows.end.min(first + (group + 1) * GROUP);
        let out = &mut out.as_chunks_mut::<GROUP>().0[..words];
        if rows.len() < GROUP {
            // Rows that are missing in the last group are multiplied too, and not stored.
            out.fill([0; GROUP]);
        }
        // By panels, so that what all rows write to stays in L1.
        for (panel, out) in out.chunks_mut(PANEL_WORDS).enumerate() {
            for (r, row) in rows.clone().enumerate() {
                let x = call.x[row * k..][..k][panel * PANEL_WORDS * width..].chunks(width);
                let scale = call.row_scales[row - first];
                for (out, x) in out.iter_mut().zip(x) {
                    out[r] = word(scale, x);
                }
            }
        }
    }
    call.row_scales.iter_mut().for_each(|scale| *scale *= call.factor);
}

/// Rows of x as f32 words: as they are, or rounded to bf16 or E4M3 and widened again.
#[inline(always)]
pub(super) fn put_f32<const GROUP: usize>(call: &mut Quantise<'_>) {
    match call.op.activations {
        Activations::Bf16 => put_words::<GROUP>(call, 1, |_, x| i32::from(bf16::encode(x[0]).cast_signed()) << 16),
        Activations::Fp8 => put_words::<GROUP>(call, 1, |scale, x| fp8::element(x[0], scale).to_bits().cast_signed()),
        _ => put_words::<GROUP>(call, 1, |_, x| x[0].to_bits().cast_signed()),
    }
}

/// The kernels `few` and `panels` for one set of features, over `dot(sum, line, word)` and `unpack(format, tile, from, slot,
/// slots, lines)` of the module that calls this, which decodes words `from ..` of a tile into every `slots`-th line from `slot` on.
macro_rules! float_kernels {
    ($features:literal) => {
        /// One chunk of one tile with R rows, in U independent sums each, so that the additions' latency does not bind.
        #[inline]
        #[target_feature(enable = $features)]
        fn few_rows<const R: usize, const U: usize>(lines: &[[u8; LINE]], rows: [&[i32]; R]) -> [__m512; R] {
            let mut sums = [[_mm512_setzero_ps(); U]; R];
            let (some, rest) = lines.as_chunks::<U>();
            for (at, lines) in some.iter().enumerate() {
                for u in 0..U {
                    let line = load(&lines[u]);
                    for r in 0..R {
                        sums[r][u] = dot(sums[r][u], line, rows[r][at * U + u]);
                    }
                }
            }
            for (u, line) in rest.iter().enumerate() {
                let line = load(line);
                for r in 0..R {
                    sums[r][u] = dot(sums[r][u], line, rows[r][some.len() * U + u]);
                }
            }
            let mut out = [_mm512_setzero_ps(); R];
            for r in 0..R {
                for u in 0..U {
                    out[r] = _mm512_add_ps(out[r], sums[r][u]);
                }
            }
            out
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn few_tiles<const R: usize, const U: usize>(call: &mut Multiply<'_>) {
            let words = call.acts.len() / R;
            let panel = call.panel.as_chunks_mut::<LINE>().0;
            for t in call.tiles.clone() {
                let tile = call.packed.tile(t);
                let mut total = [_mm512_setzero_ps(); R];
                for from in (0..words).step_by(PANEL_WORDS) {
                    let some = PANEL_WORDS.min(words - from);
                    let lines = if stored(call.op.weights) {
                        for line in &tile.codes.as_chunks::<LINE>().0[from..from + some] {
                            _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().wrapping_add(AHEAD).cast());
                        }
                        &tile.codes.as_chunks::<LINE>().0[from..from + some]
                    } else {
                        unpack(call.op.weights, tile, from, 0, 1, &mut panel[..some]);
                        &panel[..some]
                    };
                    let mut rows: [&[i32]; R] = [&[]; R];
                    for r in 0..R {
                        rows[r] = &call.acts[r * words + from..][..some];
                    }
                    let sums = few_rows::<R, U>(lines, rows);
                    for r in 0..R {
                        total[r] = _mm512_add_ps(total[r], sums[r]);
                    }
                }
                finish(call.op.n, call.rows, call.bias, call.row_scales, call.y, t, 0, &total);
            }
        }

        #[target_feature(enable = $features)]
        fn few(call: &mut Multiply<'_>) {
            match call.rows {
                0 => {}
                1 => few_tiles::<1, 8>(call),
                2 => few_tiles::<2, 4>(call),
                3 => few_tiles::<3, 4>(call),
                4 => few_tiles::<4, 4>(call),
                5 => few_tiles::<5, 2>(call),
                6 => few_tiles::<6, 2>(call),
                7 => few_tiles::<7, 2>(call),
                FEW => few_tiles::<FEW, 2>(call),
                rows => unreachable!("{rows} rows are not few"),
            }
        }

        /// Brings one of `shares` of what the panel of words `from ..` will be decoded from into L2.
        #[inline]
        #[target_feature(enable = $features)]
        fn fetch(codes: &[u8], words: usize, from: usize, share: usize, shares: usize) {
            let to = (from + PANEL_WORDS).min(words);
            let (start, end) = (codes.len() * from / words, codes.len() * to / words);
            let some = (end - start).div_ceil(shares).next_multiple_of(LINE);
            for at in (start + share * some..end.min(start + (share + 1) * some)).step_by(LINE) {
                _mm_prefetch::<_MM_HINT_T1>(codes.as_ptr().wrapping_add(at).cast());
            }
        }

        /// Adds the products of one panel (T tiles) with one group of rows to `sums`; the words of the group after it are at `next`.
        ///
        /// What a group reads but the panel comes from L2 or beyond, a page a group, too short for the hardware to run ahead of.
        #[inline(never)]
        #[target_feature(enable = $features)]
        fn micro<const T: usize>(
            panel: &[[u8; LINE]],
            acts: &[[i32; GROUP]],
            next: *const [i32; GROUP],
            sums: &mut [[f32; LANES]],
        ) {
            for sum in &sums[..GROUP * T] {
                _mm_prefetch::<_MM_HINT_T0>(sum.as_ptr().cast());
            }
            let mut chunk = [[_mm512_setzero_ps(); T]; GROUP];
            for (at, (lines, words)) in panel.as_chunks::<T>().0.iter().zip(acts).enumerate() {
                _mm_prefetch::<_MM_HINT_T0>(next.wrapping_add(at).cast());
                let mut weights = [_mm512_setzero_si512(); T];
                for t in 0..T {
                    weights[t] = load(&lines[t]);
                }
                for r in 0..GROUP {
                    for t in 0..T {
                        chunk[r][t] = dot(chunk[r][t], weights[t], words[r]);
                    }
                }
            }
            let sums = &mut sums[..GROUP * T];
            for r in 0..GROUP {
                for t in 0..T {
                    let total = load_f32(&sums[r * T + t]);
                    store_f32(&mut sums[r * T + t], _mm512_add_ps(total, chunk[r][t]));
                }
            }
        }

        #[target_feature(enable = $features)]
        fn panels(call: &mut Multiply<'_>) {
            let acts = call.acts.as_chunks::<GROUP>().0;
            let stride = acts.len() / call.rows.div_ceil(GROUP);
            let words = call.op.k.div_ceil(WIDTH);
            let (tiles, rows) = (call.tiles.clone(), call.rows);
            let sums = call.sums.as_chunks_mut::<LANES>().0;
            for pass in (0..rows).step_by(PASS) {
                let groups = (rows - pass).min(PASS).div_ceil(GROUP);
                for first in tiles.clone().step_by(SETS * TILES) {
                    let last = (first + SETS * TILES).min(tiles.end);
                    sums[..groups * GROUP * SETS * TILES].fill([0.0; LANES]);
                    for from in (0..words).step_by(PANEL_WORDS) {
                        let some = PANEL_WORDS.min(words - from);
                        for (set, at) in (first..last).step_by(TILES).enumerate() {
                            let width = TILES.min(last - at);
                            let panel = &mut call.panel.as_chunks_mut::<LINE>().0[..some * width];
                            for t in 0..width {
                                unpack(call.op.weights, call.packed.tile(at + t), from, t, width, panel);
                            }
                            let sums = &mut sums[set * groups * GROUP * TILES..];
                            let next = match (at + width < last, from + some < words) {
                                (true, _) => (at + width..(at + width + TILES).min(last), from),
                                (_, true) => (first..(first + TILES).min(last), from + some),
                                _ => (last..(last + TILES).min(tiles.end), 0),
                            };
                            for group in 0..groups {
                                for t in next.0.clone() {
                                    fetch(call.packed.tile(t).codes, words, next.1, group, groups);
                                }
                                let after = if group + 1 < groups { (group + 1, from) } else { (0, next.1) };
                                let after = acts.as_ptr().wrapping_add((pass / GROUP + after.0) * stride + after.1);
                                let acts = &acts[(pass / GROUP + group) * stride + from..][..some];
                                let sums = &mut sums[group * GROUP * width..];
                                match width {
                                    1 => micro::<1>(panel, acts, after, sums),
                                    2 => micro::<2>(panel, acts, after, sums),
                                    _ => micro::<TILES>(panel, acts, after, sums),
                                }
                            }
                        }
                    }
                    for (set, at) in (first..last).step_by(TILES).enumerate() {
                        let width = TILES.min(last - at);
                        for (group, row) in (pass..(pass + PASS).min(rows)).step_by(GROUP).enumerate() {
                            let sums = &sums[set * groups * GROUP * TILES + group * GROUP * width..];
                            for t in 0..width {
                                let mut column = [_mm512_setzero_ps(); GROUP];
                                for r in 0..GROUP {
                                    column[r] = load_f32(&sums[r * width + t]);
                                }
                                finish(call.op.n, rows, call.bias, call.row_scales, call.y, at + t, row, &column);
                            }
                        }
                    }
                }
            }
        }
    };
}
pub(super) use float_kernels;
