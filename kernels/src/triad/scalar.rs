//! `triad` in plain Rust: a product, then a sum, never fused.
#![expect(unsafe_code, reason = "a variant is declared with a promise, which plain Rust keeps anywhere")]

use super::{Part, Triad};
use crate::roof::Variant;
use std::hint::black_box;

// SAFETY: a safe function that needs no optional instruction.
pub(super) static SCALAR: Variant<Triad> = unsafe { Variant::<Triad>::new("scalar", &[], triad) };

fn triad(part: &mut Part<'_>) {
    for _ in 0..part.passes {
        // Opaque, so that a pass that the next one repeats is not left out.
        for ((a, b), c) in black_box(&mut *part.a).iter_mut().zip(part.b).zip(part.c) {
            *a = b + part.s * c;
        }
    }
}
