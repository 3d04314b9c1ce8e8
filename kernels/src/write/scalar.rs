//! `write` in plain Rust.

use super::{Part, Write};
use crate::cpu::variant::Variant;
use std::hint::black_box;

pub(super) static SCALAR: Variant<Write> = Variant::<Write>::scalar(fill);

fn fill(part: &mut Part<'_>) {
    for pass in 0..part.passes {
        let line = part.pattern.map(|word| word.wrapping_add(pass as u32));
        // Opaque, so that a pass that the next one overwrites is not left out.
        for to in black_box(&mut *part.to).as_chunks_mut::<16>().0 {
            *to = line;
        }
    }
}
