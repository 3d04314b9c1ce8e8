//! `chase` in plain Rust: one dependent load a hop.

use super::{Chase, Part, WORDS};
use crate::cpu::variant::Variant;

pub(super) static SCALAR: Variant<Chase> = Variant::<Chase>::scalar(walk);

/// The bounds check is a predicted branch beside the chain of loads, not in it: in the assembly a hop is one load through its own result
/// (`mov (%r8,%rdi,8),%rdi`), a comparison, a countdown and two branches.
fn walk(part: &mut Part<'_>) {
    let mut at = *part.at as usize * WORDS;
    for _ in 0..part.hops {
        at = part.links[at] as usize;
    }
    *part.at = (at / WORDS) as u32;
}
