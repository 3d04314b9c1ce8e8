//! `lines` in plain Rust: the loads do not depend on each other, so that as many are in flight as the core can hold.

use super::{Lines, Order, Part, WORDS};
use crate::cpu::variant::Variant;

pub(super) static SCALAR: Variant<Lines> = Variant::<Lines>::scalar(walk);

fn walk(part: &mut Part<'_>) {
    match part.order {
        Order::Random => sum(part, Order::Random),
        stride @ Order::Stride(_) => sum(part, stride),
    }
}

/// The bounds check is a predicted branch beside the loads.
#[inline(always)]
fn sum(part: &mut Part<'_>, order: Order) {
    let lines = part.words.len() / WORDS;
    for _ in 0..part.count {
        let (line, next) = order.step(part.at, lines);
        part.sum = part.sum.wrapping_add(part.words[line * WORDS]);
        part.at = next;
    }
}
