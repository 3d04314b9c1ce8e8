//! `write` with pairs of 128-bit stores, ordinary and non-temporal.
#![expect(unsafe_code, reason = "vectors are stored through pointers")]

use super::{Part, Write};
use crate::cpu::isa::NEON;
use crate::cpu::line128::{load, store};
use crate::cpu::opaque::opaque;
use crate::cpu::variant::Variant;
use std::arch::aarch64::*;

// SAFETY: `fill` is compiled for `NEON` and derives every address from the slice it is given.
pub(super) static TEMPORAL: Variant<Write> = unsafe { Variant::<Write>::new("neon", NEON, fill::<false>) };
// SAFETY: as above.
pub(super) static NT: Variant<Write> = unsafe { Variant::<Write>::new("neon-nt", NEON, fill::<true>) };

/// Lines between two branches.
const RUN: usize = 4;

#[target_feature(enable = "neon")]
fn fill<const NT: bool>(part: &mut Part<'_>) {
    let lines = part.to.len() / 16;
    // SAFETY: the 64 bytes of the pattern.
    let pattern = unsafe { load(part.pattern.as_ptr()) };
    for pass in 0..part.passes {
        let first = opaque(part.to.as_mut_ptr());
        let line = pattern.map(|quarter| vaddq_u32(quarter, vdupq_n_u32(pass as u32)));
        let mut at = 0;
        while at + RUN <= lines {
            for i in 0..RUN {
                // SAFETY: at + i < lines, the whole lines of the share.
                unsafe { store::<NT>(first.wrapping_add(16 * (at + i)), line) };
            }
            at += RUN;
        }
        for at in at..lines {
            // SAFETY: at < lines.
            unsafe { store::<NT>(first.wrapping_add(16 * at), line) };
        }
    }
}
