//! `read` in plain Rust.
#![expect(unsafe_code, reason = "a variant is declared with a promise, which plain Rust keeps anywhere")]

use super::{Part, Read};
use crate::roof::Variant;
use std::hint::black_box;

// SAFETY: a safe function that needs no optional instruction.
pub(super) static SCALAR: Variant<Read> = unsafe { Variant::<Read>::new("scalar", &[], sum) };

fn sum(part: &mut Part<'_>) {
    for _ in 0..part.passes {
        // Opaque, so that passes over the same words are not replaced by a multiplication.
        for &word in black_box(part.words) {
            part.sum = part.sum.wrapping_add(word);
        }
    }
}
