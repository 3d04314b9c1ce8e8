//! `copy` with 512-bit vectors, stores ordinary and non-temporal.
#![expect(unsafe_code, reason = "vectors are loaded and stored through pointers")]

use super::{Copy, Part};
use crate::cpu::isa::AVX512;
use crate::cpu::opaque::opaque;
use crate::cpu::variant::Variant;
use std::arch::x86_64::*;

// SAFETY: `copy` is compiled for a subset of `AVX512` and derives every address from the slices it is given.
pub(super) static TEMPORAL: Variant<Copy> = unsafe { Variant::<Copy>::new("avx512", AVX512, copy::<false>) };
// SAFETY: as above.
pub(super) static NT: Variant<Copy> = unsafe { Variant::<Copy>::new("avx512-nt", AVX512, copy::<true>) };

// SAFETY: as above, with `copy_pages`.
pub(super) static PAGES4_NT: Variant<Copy> =
    unsafe { Variant::<Copy>::new("avx512-pages4-nt", AVX512, copy_pages::<4>) };

/// Lines between two branches.
const RUN: usize = 8;
/// Lines of a page.
const PAGE: usize = 64;
/// Lines taken from each of several pages in turn.
const TURN: usize = 4;

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn copy<const NT: bool>(part: &mut Part<'_>) {
    assert!(part.to.as_ptr().cast::<__m512i>().is_aligned(), "shares of a buffer start at a line");
    let lines = part.to.len().min(part.from.len()) / 16;
    let from = part.from.as_ptr().cast::<__m512i>();
    for _ in 0..part.passes {
        let to = opaque(part.to.as_mut_ptr()).cast::<__m512i>();
        let mut at = 0;
        while at + RUN <= lines {
            for at in at..at + RUN {
                line::<NT>(from.wrapping_add(at), to.wrapping_add(at));
            }
            at += RUN;
        }
        for at in at..lines {
            line::<NT>(from.wrapping_add(at), to.wrapping_add(at));
        }
    }
    if NT {
        // Non-temporal stores are ordered with nothing else: without the fence the end of a run would not see them.
        _mm_sfence();
    }
}

/// Copies `PAGES` neighbouring pages at a time, a few lines of each in turn, past the caches: as many pages of memory are open at once.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn copy_pages<const PAGES: usize>(part: &mut Part<'_>) {
    assert!(part.to.as_ptr().cast::<__m512i>().is_aligned(), "shares of a buffer start at a line");
    let lines = part.to.len().min(part.from.len()) / 16;
    let whole = lines / (PAGES * PAGE) * (PAGES * PAGE);
    let from = part.from.as_ptr().cast::<__m512i>();
    for _ in 0..part.passes {
        let to = opaque(part.to.as_mut_ptr()).cast::<__m512i>();
        for block in (0..whole).step_by(PAGES * PAGE) {
            let mut at = block;
            while at < block + PAGE {
                for page in 0..PAGES {
                    for i in 0..TURN {
                        // Below `whole`: at + i < block + PAGE (PAGE is a multiple of TURN) and page < PAGES.
                        let at = at + page * PAGE + i;
                        line::<true>(from.wrapping_add(at), to.wrapping_add(at));
                    }
                }
                at += TURN;
            }
        }
        for at in whole..lines {
            line::<true>(from.wrapping_add(at), to.wrapping_add(at));
        }
    }
    // As in `copy`.
    _mm_sfence();
}

#[target_feature(enable = "avx512f")]
#[inline]
fn line<const NT: bool>(from: *const __m512i, to: *mut __m512i) {
    // SAFETY: `copy` passes lines of its share only.
    let words = unsafe { _mm512_loadu_si512(from) };
    if NT {
        // SAFETY: as above, and aligned to 64 bytes as `copy` has asserted.
        unsafe { _mm512_stream_si512(to, words) }
    } else {
        // SAFETY: as above.
        unsafe { _mm512_store_si512(to, words) }
    }
}
