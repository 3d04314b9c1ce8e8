//! `read` with 256-bit vectors: one stream and four.
#![expect(unsafe_code, reason = "vectors are loaded through pointers")]

use super::{Part, Read};
use crate::cpu::isa::AVX2;
use crate::cpu::opaque::opaque;
use crate::cpu::variant::Variant;
use std::arch::x86_64::*;

// SAFETY: `sum` is compiled for a subset of `AVX2` and derives every address from the slice it is given.
pub(super) static PLAIN: Variant<Read> = unsafe { Variant::<Read>::new("avx2", AVX2, sum::<1>) };
// SAFETY: as above.
pub(super) static STREAMS4: Variant<Read> = unsafe { Variant::<Read>::new("avx2-streams4", AVX2, sum::<4>) };

/// Half lines taken from each stream in turn.
const RUN: usize = 8;

/// Sums the share, cut evenly into `STREAMS` streams. Seen in the assembly of an optimised build: eight `vpaddq` from memory a stream and
/// turn, each into a register of its own, and nothing else but addresses and one branch. Where debug assertions are on, the loads' own
/// checks pass every vector through the stack: such a build's bandwidth is no bandwidth.
#[target_feature(enable = "avx2")]
fn sum<const STREAMS: usize>(part: &mut Part<'_>) {
    let vectors = part.words.len() / 4;
    let span = vectors / STREAMS / RUN * RUN;
    let mut sums = [_mm256_setzero_si256(); 8];
    for _ in 0..part.passes {
        let first = opaque(part.words.as_ptr().cast_mut()).cast_const().cast::<__m256i>();
        let mut at = 0;
        while at < span {
            for stream in 0..STREAMS {
                for (i, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: at + i < span (a multiple of RUN = 8 sums) and stream < STREAMS; STREAMS · span ≤ vectors.
                    let words = unsafe { _mm256_loadu_si256(first.wrapping_add(stream * span + at + i)) };
                    *sum = _mm256_add_epi64(*sum, words);
                }
            }
            at += RUN;
        }
        for at in STREAMS * span..vectors {
            // SAFETY: at < vectors; a share is whole lines, so it is whole vectors.
            sums[0] = _mm256_add_epi64(sums[0], unsafe { _mm256_loadu_si256(first.wrapping_add(at)) });
        }
    }
    let mut words = [0u64; 4];
    for sum in sums {
        let mut lanes = [0u64; 4];
        // SAFETY: 32 bytes of our own.
        unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), sum) };
        for (word, lane) in words.iter_mut().zip(lanes) {
            *word = word.wrapping_add(lane);
        }
    }
    part.sum = words.iter().fold(0, |total: u64, &word| total.wrapping_add(word));
}
