//! A wait of a few nanoseconds that touches no memory but a word of its own.

use std::hint::black_box;

/// Goes round `rounds` times; a round is a store and a load of one word on the stack, some 1.5 ns. The processor's own pause would
/// last 3 ns on one core and 50 on another.
pub(crate) fn idle(rounds: u32) {
    let mut word = 0u32;
    for _ in 0..rounds {
        word = black_box(word).wrapping_add(1);
    }
    black_box(word);
}

#[cfg(test)]
mod tests {
    #[test]
    fn waiting_ends() {
        super::idle(0);
        super::idle(1000);
    }
}
