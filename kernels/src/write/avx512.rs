//! `write` with 512-bit stores, ordinary and non-temporal.
#![expect(unsafe_code, reason = "vectors are stored through pointers")]

use super::{Part, Write};
use crate::cpu::isa::AVX512;
use crate::cpu::opaque::opaque;
use crate::cpu::variant::Variant;
use std::arch::x86_64::*;

// SAFETY: `fill` is compiled for a subset of `AVX512` and derives every address from the slice it is given.
pub(super) static TEMPORAL: Variant<Write> = unsafe { Variant::<Write>::new("avx512", AVX512, fill::<false>) };
// SAFETY: as above.
pub(super) static NT: Variant<Write> = unsafe { Variant::<Write>::new("avx512-nt", AVX512, fill::<true>) };

/// Lines between two branches.
const RUN: usize = 8;

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn fill<const NT: bool>(part: &mut Part<'_>) {
    let lines = part.to.len() / 16;
    assert!(part.to.as_ptr().cast::<__m512i>().is_aligned(), "shares of a buffer start at a line");
    // SAFETY: 64 bytes of our own.
    let pattern = unsafe { _mm512_loadu_si512(part.pattern.as_ptr().cast()) };
    for pass in 0..part.passes {
        let first = opaque(part.to.as_mut_ptr()).cast::<__m512i>();
        let line = _mm512_add_epi32(pattern, _mm512_set1_epi32(pass as i32));
        let mut at = 0;
        while at + RUN <= lines {
            for i in 0..RUN {
                store::<NT>(first.wrapping_add(at + i), line);
            }
            at += RUN;
        }
        for at in at..lines {
            store::<NT>(first.wrapping_add(at), line);
        }
    }
    if NT {
        // Non-temporal stores are ordered with nothing else: without the fence the end of a run would not see them.
        _mm_sfence();
    }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn store<const NT: bool>(to: *mut __m512i, line: __m512i) {
    if NT {
        // SAFETY: `fill` passes lines of its share only, aligned to 64 bytes as it has asserted.
        unsafe { _mm512_stream_si512(to, line) }
    } else {
        // SAFETY: as above.
        unsafe { _mm512_store_si512(to, line) }
    }
}
