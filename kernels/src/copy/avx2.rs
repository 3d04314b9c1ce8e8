//! `copy` with 256-bit vectors, stores ordinary and non-temporal.
#![expect(unsafe_code, reason = "vectors are loaded and stored through pointers")]

use super::{Copy, Part};
use crate::cpu::isa::AVX2;
use crate::cpu::opaque::opaque;
use crate::cpu::variant::Variant;
use std::arch::x86_64::*;

// SAFETY: `copy` is compiled for a subset of `AVX2` and derives every address from the slices it is given.
pub(super) static TEMPORAL: Variant<Copy> = unsafe { Variant::<Copy>::new("avx2", AVX2, copy::<false>) };
// SAFETY: as above.
pub(super) static NT: Variant<Copy> = unsafe { Variant::<Copy>::new("avx2-nt", AVX2, copy::<true>) };

/// Half lines between two branches.
const RUN: usize = 8;

/// Seen in the assembly of an optimised build: a load and a store (`vmovntdq` if `NT`) a half line, eight of them a branch.
#[target_feature(enable = "avx2")]
fn copy<const NT: bool>(part: &mut Part<'_>) {
    assert!(part.to.as_ptr().cast::<__m256i>().is_aligned(), "shares of a buffer start at a line");
    let halves = part.to.len().min(part.from.len()) / 8;
    let from = part.from.as_ptr().cast::<__m256i>();
    for _ in 0..part.passes {
        let to = opaque(part.to.as_mut_ptr()).cast::<__m256i>();
        let mut at = 0;
        while at + RUN <= halves {
            for at in at..at + RUN {
                half::<NT>(from.wrapping_add(at), to.wrapping_add(at));
            }
            at += RUN;
        }
        for at in at..halves {
            half::<NT>(from.wrapping_add(at), to.wrapping_add(at));
        }
    }
    if NT {
        // Non-temporal stores are ordered with nothing else: without the fence the end of a run would not see them.
        _mm_sfence();
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn half<const NT: bool>(from: *const __m256i, to: *mut __m256i) {
    // SAFETY: `copy` passes half lines of its share only.
    let words = unsafe { _mm256_loadu_si256(from) };
    if NT {
        // SAFETY: as above, and aligned to 32 bytes as `copy` has asserted.
        unsafe { _mm256_stream_si256(to, words) }
    } else {
        // SAFETY: as above.
        unsafe { _mm256_store_si256(to, words) }
    }
}
