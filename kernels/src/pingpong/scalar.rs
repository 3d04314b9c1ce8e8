//! `pingpong` in plain Rust.

use super::{Part, PingPong};
use crate::cpu::variant::Variant;
use std::sync::atomic::Ordering::{Acquire, Release};

pub(super) static SCALAR: Variant<PingPong> = Variant::<PingPong>::scalar(play);

/// Looks between two offers of the core to others, for machines on which the partner is not running: a pause at every look would
/// be longer than what is measured.
const PATIENCE: u32 = 1 << 16;

fn play(part: &mut Part<'_>) {
    let mut awaited = part.first;
    while awaited < part.handovers {
        let mut looks = 0u32;
        while part.line.0.load(Acquire) != awaited {
            looks = looks.wrapping_add(1);
            if looks.is_multiple_of(PATIENCE) {
                std::thread::yield_now();
            }
        }
        part.line.0.store(awaited + 1, Release);
        awaited += 2;
    }
}
