//! `read` with 512-bit vectors: one stream, several streams, several pages at once, with and without software prefetch.
#![expect(unsafe_code, reason = "vectors are loaded and prefetched through pointers")]

use super::{Part, Read};
use crate::cpu::isa::AVX512;
use crate::roof::{Variant, opaque};
use std::arch::x86_64::*;

/// Lines of a page: the distance of neighbouring streams that walk page by page.
const PAGE: usize = 64;

macro_rules! variants {
    ($($constant:ident = $name:literal, $streams:literal, $span:expr, $ahead:literal;)*) => {$(
        // SAFETY: `sum` is compiled for a subset of `AVX512` and checks or derives every address from the slice it is given.
        pub(super) static $constant: Variant<Read> =
            unsafe { Variant::<Read>::new($name, AVX512, sum::<$streams, { $span }, $ahead>) };
    )*};
}
variants! {
    PLAIN = "avx512", 1, 0, 0;
    PREFETCHED = "avx512-prefetch", 1, 0, 16;
    FAR_PREFETCHED = "avx512-prefetch-far", 1, 0, 64;
    STREAMS2 = "avx512-streams2", 2, 0, 0;
    STREAMS4 = "avx512-streams4", 4, 0, 0;
    STREAMS8 = "avx512-streams8", 8, 0, 0;
    PAGES2 = "avx512-pages2", 2, PAGE, 0;
    PAGES4 = "avx512-pages4", 4, PAGE, 0;
    PAGES8 = "avx512-pages8", 8, PAGE, 0;
    PAGES4_PREFETCHED = "avx512-pages4-prefetch", 4, PAGE, 256;
}

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
    let blocks = if block == 0 { 0 } else { lines / block };
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
