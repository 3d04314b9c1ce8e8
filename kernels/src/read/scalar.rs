//! `read` in plain Rust.

use super::{Part, Read};
use crate::cpu::variant::Variant;
use std::hint::black_box;

pub(super) static SCALAR: Variant<Read> = Variant::<Read>::scalar(sum);

fn sum(part: &mut Part<'_>) {
    for _ in 0..part.passes {
        // Opaque, so that passes over the same words are not replaced by a multiplication.
        for &word in black_box(part.words) {
            part.sum = part.sum.wrapping_add(word);
        }
    }
}
