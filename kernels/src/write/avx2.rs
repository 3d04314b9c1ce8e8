//! `write` with 256-bit stores, ordinary and non-temporal.
#![expect(unsafe_code, reason = "vectors are stored through pointers")]

use super::{Part, Write};
use crate::cpu::isa::AVX2;
use crate::cpu::opaque::opaque;
use crate::cpu::variant::Variant;
use std::arch::x86_64::*;

// SAFETY: `fill` is compiled for a subset of `AVX2` and derives every address from the slice it is given.
pub(super) static TEMPORAL: Variant<Write> = unsafe { Variant::<Write>::new("avx2", AVX2, fill::<false>) };
// SAFETY: as above.
pub(super) static NT: Variant<Write> = unsafe { Variant::<Write>::new("avx2-nt", AVX2, fill::<true>) };

#[target_feature(enable = "avx2")]
fn fill<const NT: bool>(part: &mut Part<'_>) {
    let lines = part.to.len() / 16;
    assert!(part.to.as_ptr().cast::<__m256i>().is_aligned(), "shares of a buffer start at a line");
    let pattern = part.pattern.as_ptr().cast::<__m256i>();
    // SAFETY: the first half of the 64 bytes of the pattern.
    let low = unsafe { _mm256_loadu_si256(pattern) };
    // SAFETY: its second half.
    let high = unsafe { _mm256_loadu_si256(pattern.wrapping_add(1)) };
    for pass in 0..part.passes {
        let first = opaque(part.to.as_mut_ptr()).cast::<__m256i>();
        let pass = _mm256_set1_epi32(pass as i32);
        let line = [_mm256_add_epi32(low, pass), _mm256_add_epi32(high, pass)];
        for at in 0..lines {
            for (i, &half) in line.iter().enumerate() {
                store::<NT>(first.wrapping_add(2 * at + i), half);
            }
        }
    }
    if NT {
        // Non-temporal stores are ordered with nothing else: without the fence the end of a run would not see them.
        _mm_sfence();
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn store<const NT: bool>(to: *mut __m256i, half: __m256i) {
    if NT {
        // SAFETY: `fill` passes halves of its share's lines only, aligned to 32 bytes as it has asserted.
        unsafe { _mm256_stream_si256(to, half) }
    } else {
        // SAFETY: as above.
        unsafe { _mm256_store_si256(to, half) }
    }
}
