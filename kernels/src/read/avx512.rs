//! `read` with 512-bit vectors: one stream, several streams, several pages at once, with and without software prefetch.
#![expect(unsafe_code, reason = "vectors are loaded and prefetched through pointers")]

use super::{Part, Read};
use crate::cpu::isa::AVX512;
use crate::cpu::opaque::opaque;
use crate::cpu::variant::Variant;
use std::arch::x86_64::*;

/// Lines of a page: the distance of neighbouring streams that walk page by page.
const PAGE: usize = 64;

/// A kernel named `avx512…`; for the parameters see [`sum`].
const fn variant<const STREAMS: usize, const SPAN: usize, const AHEAD: usize>(name: &'static str) -> Variant<Read> {
    // SAFETY: `sum` is compiled for a subset of `AVX512` and derives every address from the slice it is given.
    unsafe { Variant::<Read>::new(name, AVX512, sum::<STREAMS, SPAN, AHEAD>) }
}
pub(super) static PAGES4: Variant<Read> = variant::<4, PAGE, 0>("avx512-pages4");
pub(super) static PAGES2: Variant<Read> = variant::<2, PAGE, 0>("avx512-pages2");
pub(super) static PAGES8: Variant<Read> = variant::<8, PAGE, 0>("avx512-pages8");
pub(super) static PAGES4_PREFETCHED: Variant<Read> = variant::<4, PAGE, { 4 * PAGE }>("avx512-pages4-prefetch");
pub(super) static STREAMS4: Variant<Read> = variant::<4, 0, 0>("avx512-streams4");
pub(super) static STREAMS2: Variant<Read> = variant::<2, 0, 0>("avx512-streams2");
pub(super) static PLAIN: Variant<Read> = variant::<1, 0, 0>("avx512");
pub(super) static PREFETCHED: Variant<Read> = variant::<1, 0, 16>("avx512-prefetch");
pub(super) static FAR_PREFETCHED: Variant<Read> = variant::<1, 0, PAGE>("avx512-prefetch-far");

/// Lines taken from each of `streams` in turn: 16 or more loads between two branches.
const fn run_length(streams: usize) -> usize {
    if streams < 4 { 16 / streams } else { 4 }
}

/// Sums the share in blocks of `STREAMS` streams that lie `SPAN` lines apart (0: one block, the share cut evenly), asking for
/// lines `AHEAD` lines before they are needed (0: not asking).
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn sum<const STREAMS: usize, const SPAN: usize, const AHEAD: usize>(part: &mut Part<'_>) {
    let run = const { run_length(STREAMS) };
    let lines = part.words.len() / 8;
    let span = if SPAN == 0 { lines / STREAMS / run * run } else { SPAN };
    let block = span * STREAMS;
    let blocks = lines.checked_div(block).unwrap_or(0);
    // 8 sums: a load takes 5 cycles and an addition 1, two of each start a cycle.
    let mut sums = [_mm512_setzero_si512(); 8];
    let mut rest = _mm512_setzero_si512();
    for _ in 0..part.passes {
        let first = opaque(part.words.as_ptr().cast_mut()).cast_const().cast::<__m512i>();
        for block_at in 0..blocks {
            let first = first.wrapping_add(block_at * block);
            let mut at = 0;
            while at < span {
                for stream in 0..STREAMS {
                    for i in 0..run {
                        let line = first.wrapping_add(stream * span + at + i);
                        // SAFETY: at + i < span (span is a multiple of run) and stream < STREAMS, so the line lies in block
                        // `block_at`, and blocks · block ≤ lines.
                        let words = unsafe { _mm512_loadu_si512(line) };
                        let sum = (stream * run + i) % 8;
                        sums[sum] = _mm512_add_epi64(sums[sum], words);
                        if AHEAD > 0 {
                            // A prefetch may name any address; beyond the end it does nothing.
                            _mm_prefetch::<_MM_HINT_T0>(line.wrapping_add(AHEAD).cast());
                        }
                    }
                }
                at += run;
            }
        }
        for at in blocks * block..lines {
            // SAFETY: at < lines, the whole lines of the share.
            rest = _mm512_add_epi64(rest, unsafe { _mm512_loadu_si512(first.wrapping_add(at)) });
        }
    }
    let total = sums.iter().fold(rest, |total, &sum| _mm512_add_epi64(total, sum));
    part.sum = _mm512_reduce_add_epi64(total) as u64;
}
