//! `chase` in plain Rust: one dependent load a hop.
#![expect(unsafe_code, reason = "a variant is declared with a promise, which plain Rust keeps anywhere")]

use super::{Chase, Part, WORDS};
use crate::roof::Variant;

// SAFETY: a safe function that needs no optional instruction.
pub(super) static SCALAR: Variant<Chase> = unsafe { Variant::<Chase>::new("scalar", &[], walk) };

/// The bounds check is a predicted branch beside the chain of loads, not in it.
fn walk(part: &mut Part<'_>) {
    let mut at = *part.at as usize * WORDS;
    for _ in 0..part.hops {
        at = part.links[at] as usize;
    }
    *part.at = (at / WORDS) as u32;
}
