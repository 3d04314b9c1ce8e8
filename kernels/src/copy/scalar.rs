//! `copy` in plain Rust.

use super::{Copy, Part};
use crate::cpu::variant::Variant;
use std::hint::black_box;

pub(super) static SCALAR: Variant<Copy> = Variant::<Copy>::scalar(copy);

/// What the standard library's copy does: on most systems the C library's, the best that a program gets without asking.
fn copy(part: &mut Part<'_>) {
    for _ in 0..part.passes {
        // Opaque, so that a pass that the next one repeats is not left out.
        black_box(&mut *part.to).copy_from_slice(black_box(part.from));
    }
}
