//! `triad` with 128-bit fused multiply-adds, stores ordinary and non-temporal.
#![expect(unsafe_code, reason = "vectors are loaded and stored through pointers")]

use super::{Part, Triad};
use crate::cpu::isa::NEON;
use crate::cpu::line128::{load, store};
use crate::cpu::opaque::opaque;
use crate::cpu::variant::Variant;
use std::arch::aarch64::*;

// SAFETY: `triad` is compiled for `NEON` and derives every address from the slices it is given.
pub(super) static TEMPORAL: Variant<Triad> = unsafe { Variant::<Triad>::new("neon", NEON, triad::<false>) };
// SAFETY: as above.
pub(super) static NT: Variant<Triad> = unsafe { Variant::<Triad>::new("neon-nt", NEON, triad::<true>) };

/// Lines between two branches.
const RUN: usize = 2;

#[target_feature(enable = "neon")]
fn triad<const NT: bool>(part: &mut Part<'_>) {
    let lines = part.a.len().min(part.b.len()).min(part.c.len()) / 16;
    let (b, c, s) = (part.b.as_ptr(), part.c.as_ptr(), vdupq_n_f32(part.s));
    for _ in 0..part.passes {
        let a = opaque(part.a.as_mut_ptr());
        let mut at = 0;
        while at + RUN <= lines {
            for at in (at..at + RUN).map(|at| at * 16) {
                // SAFETY: RUN whole lines from `at` on are inside the three shares.
                unsafe { line::<NT>(a.wrapping_add(at), b.wrapping_add(at), c.wrapping_add(at), s) };
            }
            at += RUN;
        }
        for at in (at..lines).map(|at| at * 16) {
            // SAFETY: a whole line of each share.
            unsafe { line::<NT>(a.wrapping_add(at), b.wrapping_add(at), c.wrapping_add(at), s) };
        }
    }
}

/// # Safety
/// 64 bytes at `b` and `c` may be read, 64 at `a` written.
#[target_feature(enable = "neon")]
#[inline]
unsafe fn line<const NT: bool>(a: *mut f32, b: *const f32, c: *const f32, s: float32x4_t) {
    // SAFETY: by this function's contract.
    let b = unsafe { load(b.cast()) };
    // SAFETY: as above.
    let c = unsafe { load(c.cast()) };
    let sum = |i: usize| vreinterpretq_u32_f32(vfmaq_f32(vreinterpretq_f32_u32(b[i]), s, vreinterpretq_f32_u32(c[i])));
    // SAFETY: as above.
    unsafe { store::<NT>(a.cast(), [sum(0), sum(1), sum(2), sum(3)]) }
}
