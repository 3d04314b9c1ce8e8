//! `triad` in plain Rust: a product, then a sum, never fused.

use super::{Part, Triad};
use crate::cpu::variant::Variant;
use std::hint::black_box;

pub(super) static SCALAR: Variant<Triad> = Variant::<Triad>::scalar(triad);

fn triad(part: &mut Part<'_>) {
    for _ in 0..part.passes {
        // Opaque, so that a pass that the next one repeats is not left out.
        for ((a, b), c) in black_box(&mut *part.a).iter_mut().zip(part.b).zip(part.c) {
            *a = b + part.s * c;
        }
    }
}
