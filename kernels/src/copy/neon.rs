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

/// Lines between two branches: their sixteen vectors are loaded before the first is stored.
const RUN: usize = 4;

#[target_feature(enable = "neon")]
fn copy<const NT: bool>(part: &mut Part<'_>) {
    let lines = part.to.len().min(part.from.len()) / 16;
    let from = part.from.as_ptr();
    for _ in 0..part.passes {
        let to = opaque(part.to.as_mut_ptr());
        let mut at = 0;
        while at + RUN <= lines {
            let run: [_; RUN] = std::array::from_fn(|i| {
                // SAFETY: at + i < lines, the whole lines of both shares.
                unsafe { load(from.wrapping_add(16 * (at + i))) }
            });
            for (i, line) in run.into_iter().enumerate() {
                // SAFETY: as above.
                unsafe { store::<NT>(to.wrapping_add(16 * (at + i)), line) };
            }
            at += RUN;
        }
        for at in at..lines {
            // SAFETY: at < lines.
            let line = unsafe { load(from.wrapping_add(16 * at)) };
            // SAFETY: as above.
            unsafe { store::<NT>(to.wrapping_add(16 * at), line) };
        }
    }
}
