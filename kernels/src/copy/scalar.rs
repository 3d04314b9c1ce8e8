//! `copy` in plain Rust.
#![expect(unsafe_code, reason = "a variant is declared with a promise, which plain Rust keeps anywhere")]

use super::{Copy, Part};
use crate::roof::Variant;
use std::hint::black_box;

// SAFETY: a safe function that needs no optional instruction.
pub(super) static SCALAR: Variant<Copy> = unsafe { Variant::<Copy>::new("scalar", &[], copy) };

/// What the standard library's copy does: on most systems the C library's, the best that a program gets without asking.
fn copy(part: &mut Part<'_>) {
    for _ in 0..part.passes {
        // Opaque, so that a pass that the next one repeats is not left out.
        black_box(&mut *part.to).copy_from_slice(black_box(part.from));
    }
}
