//! `read` with pairs of 128-bit loads: one stream, several streams, several pages at once, with and without software prefetch.
#![expect(unsafe_code, reason = "vectors are loaded through pointers")]

use super::{Part, Read};
use crate::cpu::isa::NEON;
use crate::cpu::opaque::opaque;
use crate::cpu::prefetch::prefetch;
use crate::cpu::variant::Variant;
use std::arch::aarch64::*;

/// Lines of a page: the distance of neighbouring streams that walk page by page.
const PAGE: usize = 64;

/// A kernel named `neon…`; for the parameters see [`sum`].
const fn variant<const STREAMS: usize, const SPAN: usize, const AHEAD: usize>(name: &'static str) -> Variant<Read> {
    // SAFETY: `sum` is compiled for `NEON` and derives every address from the slice it is given.
    unsafe { Variant::<Read>::new(name, NEON, sum::<STREAMS, SPAN, AHEAD>) }
}
pub(super) static PLAIN: Variant<Read> = variant::<1, 0, 0>("neon");
pub(super) static PREFETCHED: Variant<Read> = variant::<1, 0, 16>("neon-prefetch");
pub(super) static FAR_PREFETCHED: Variant<Read> = variant::<1, 0, PAGE>("neon-prefetch-far");
pub(super) static PAGES4: Variant<Read> = variant::<4, PAGE, 0>("neon-pages4");
pub(super) static STREAMS4: Variant<Read> = variant::<4, 0, 0>("neon-streams4");

/// Sums the share in blocks of `STREAMS` streams that lie `SPAN` lines apart (0: one block, the share cut evenly), asking for
/// lines `AHEAD` lines before they are needed (0: not asking).
#[target_feature(enable = "neon")]
fn sum<const STREAMS: usize, const SPAN: usize, const AHEAD: usize>(part: &mut Part<'_>) {
    // Four lines, sixteen loads, between two branches.
    let run = const { 4 / STREAMS };
    let lines = part.words.len() / 8;
    let span = if SPAN == 0 { lines / STREAMS / run * run } else { SPAN };
    let block = span * STREAMS;
    let blocks = lines.checked_div(block).unwrap_or(0);
    // Four pipes of latency 2 need 8; each of a line's four vectors has two.
    let mut sums = [vdupq_n_u64(0); 8];
    let mut rest = vdupq_n_u64(0);
    for _ in 0..part.passes {
        let first = opaque(part.words.as_ptr().cast_mut()).cast_const();
        for block_at in 0..blocks {
            let first = first.wrapping_add(8 * block_at * block);
            let mut at = 0;
            while at < span {
                for stream in 0..STREAMS {
                    for i in 0..run {
                        let line = first.wrapping_add(8 * (stream * span + at + i));
                        for quarter in 0..4 {
                            // SAFETY: at + i < span (span is a multiple of run) and stream < STREAMS, so the line lies in
                            // block `block_at`, and blocks · block ≤ lines.
                            let words = unsafe { vld1q_u64(line.wrapping_add(2 * quarter)) };
                            let sum = (stream * run + i) % 2 * 4 + quarter;
                            sums[sum] = vaddq_u64(sums[sum], words);
                        }
                        if AHEAD > 0 {
                            prefetch(line.wrapping_add(8 * AHEAD));
                        }
                    }
                }
                at += run;
            }
        }
        for vector in 4 * blocks * block..4 * lines {
            // SAFETY: two of the words of the share, which is whole lines.
            let words = unsafe { vld1q_u64(first.wrapping_add(2 * vector)) };
            rest = vaddq_u64(rest, words);
        }
    }
    part.sum = vaddvq_u64(sums.iter().fold(rest, |total, &sum| vaddq_u64(total, sum)));
}
