//! `copy` with pairs of 128-bit vectors, stores ordinary and non-temporal.
#![expect(unsafe_code, reason = "vectors are loaded and stored through pointers")]

use super::{Copy, Part};
use crate::cpu::isa::NEON;
use crate::cpu::line128::{load, store};
use crate::cpu::opaque::opaque;
use crate::cpu::variant::Variant;

// SAFETY: `copy` is compiled for `NEON` and derives every address from the slices it is given.
pub(super) static TEMPORAL: Variant<Copy> = unsafe { Variant::<Copy>::new("neon", NEON, copy::<false>) };
// SAFETY: as above.
pub(super) static NT: Variant<Copy> = unsafe { Variant::<Copy>::new("neon-nt", NEON, copy::<true>) };

/// Lines between two branches.
const RUN: usize = 4;

#[target_feature(enable = "neon")]
fn copy<const NT: bool>(part: &mut Part<'_>) {
    let lines = part.to.len().min(part.from.len()) / 16;
    let from = part.from.as_ptr();
    for _ in 0..part.passes {
        let to = opaque(part.to.as_mut_ptr());
        let mut at = 0;
        while at + RUN <= lines {
            for at in (at..at + RUN).map(|at| at * 16) {
                // SAFETY: RUN whole lines from `at` on are inside both shares.
                unsafe { line::<NT>(from.wrapping_add(at), to.wrapping_add(at)) };
            }
            at += RUN;
        }
        for at in (at..lines).map(|at| at * 16) {
            // SAFETY: a whole line of both shares.
            unsafe { line::<NT>(from.wrapping_add(at), to.wrapping_add(at)) };
        }
    }
}

/// # Safety
/// 64 bytes at `from` may be read, 64 at `to` written.
#[target_feature(enable = "neon")]
#[inline]
unsafe fn line<const NT: bool>(from: *const u32, to: *mut u32) {
    // SAFETY: by this function's contract.
    let line = unsafe { load(from) };
    // SAFETY: as above.
    unsafe { store::<NT>(to, line) }
}
