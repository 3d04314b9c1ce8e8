//! `triad` with 256-bit fused multiply-adds, stores ordinary and non-temporal.
#![expect(unsafe_code, reason = "vectors are loaded and stored through pointers")]

use super::{Part, Triad};
use crate::cpu::isa::AVX2;
use crate::cpu::opaque::opaque;
use crate::cpu::variant::Variant;
use std::arch::x86_64::*;

// SAFETY: `triad` is compiled for a subset of `AVX2` and derives every address from the slices it is given.
pub(super) static TEMPORAL: Variant<Triad> = unsafe { Variant::<Triad>::new("avx2", AVX2, triad::<false>) };
// SAFETY: as above.
pub(super) static NT: Variant<Triad> = unsafe { Variant::<Triad>::new("avx2-nt", AVX2, triad::<true>) };

/// Vectors between two branches.
const RUN: usize = 4;
/// Elements of a vector.
const LANES: usize = 8;

/// Seen in the assembly of an optimised build: a load, a multiply-add from memory and a store (`vmovntps` if `NT`) a vector, four a branch.
#[target_feature(enable = "avx2,fma")]
fn triad<const NT: bool>(part: &mut Part<'_>) {
    assert!(part.a.as_ptr().cast::<__m256>().is_aligned(), "shares of a buffer start at a line");
    let vectors = part.a.len().min(part.b.len()).min(part.c.len()) / LANES;
    let (b, c, s) = (part.b.as_ptr(), part.c.as_ptr(), _mm256_set1_ps(part.s));
    for _ in 0..part.passes {
        let a = opaque(part.a.as_mut_ptr());
        let mut at = 0;
        while at + RUN <= vectors {
            for at in (at..at + RUN).map(|at| at * LANES) {
                vector::<NT>(a.wrapping_add(at), b.wrapping_add(at), c.wrapping_add(at), s);
            }
            at += RUN;
        }
        for at in (at..vectors).map(|at| at * LANES) {
            vector::<NT>(a.wrapping_add(at), b.wrapping_add(at), c.wrapping_add(at), s);
        }
    }
    if NT {
        // Non-temporal stores are ordered with nothing else: without the fence the end of a run would not see them.
        _mm_sfence();
    }
}

#[target_feature(enable = "avx2,fma")]
#[inline]
fn vector<const NT: bool>(a: *mut f32, b: *const f32, c: *const f32, s: __m256) {
    // SAFETY: `triad` passes whole vectors of its share only.
    let b = unsafe { _mm256_loadu_ps(b) };
    // SAFETY: as above.
    let c = unsafe { _mm256_loadu_ps(c) };
    let sum = _mm256_fmadd_ps(s, c, b);
    if NT {
        // SAFETY: as above, and aligned to 32 bytes as `triad` has asserted.
        unsafe { _mm256_stream_ps(a, sum) }
    } else {
        // SAFETY: as above.
        unsafe { _mm256_store_ps(a, sum) }
    }
}
