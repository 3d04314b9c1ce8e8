//! In which order lines are read: at random, or so many bytes apart.

use crate::working_set::{LINE, noise};
use std::fmt;
use std::str::FromStr;

/// The order of the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Order {
    /// Drawn anew for each read; any line may come again.
    #[default]
    Random,
    /// So many bytes apart, from the start; at the end again from the line behind the first. A multiple of 64.
    Stride(usize),
}

impl Order {
    /// What reads at position `at` of a walk that `worker` makes over `lines` lines, and the position behind it.
    #[inline(always)]
    pub(super) fn step(self, at: u64, lines: usize) -> (usize, u64) {
        match self {
            // The position is a count here: reads do not wait for each other.
            Order::Random => (((u128::from(noise(SEED, at as usize)) * lines as u128) >> 64) as usize, at + 1),
            Order::Stride(bytes) => (at as usize, behind(at as usize, bytes / LINE, lines) as u64),
        }
    }
    /// Where `worker` begins.
    pub(super) fn start(self, worker: usize) -> u64 {
        match self {
            Order::Random => (worker as u64) << 40,
            Order::Stride(_) => 0,
        }
    }
}

/// Of the draws; what the lines hold comes from another.
const SEED: u64 = 0x6c69_6e65;

/// The line behind `line` in a walk `stride` lines apart over `lines` lines.
#[inline(always)]
fn behind(line: usize, stride: usize, lines: usize) -> usize {
    if line + stride < lines {
        return line + stride;
    }
    let column = line % stride + 1;
    if column < stride.min(lines) { column } else { 0 }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Order::Random => f.write_str("random"),
            Order::Stride(bytes) => write!(f, "stride:{bytes}"),
        }
    }
}

impl FromStr for Order {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let stride = || text.strip_prefix("stride:")?.parse().ok();
        match (text, stride()) {
            ("random", _) => Ok(Order::Random),
            (_, Some(bytes)) => Ok(Order::Stride(bytes)),
            _ => Err("it is random or stride:BYTES, such as stride:4096".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strided_walk_visits_every_line_once_and_comes_back() {
        for (lines, stride) in [(1, 1), (1, 64), (7, 2), (64, 4), (1009, 64), (100, 99), (100, 100), (100, 101)] {
            let (mut seen, mut at) = (vec![false; lines], 0);
            for _ in 0..lines {
                let (line, next) = Order::Stride(stride * LINE).step(at, lines);
                assert!(!seen[line], "line {line} of {lines} twice, {stride} apart");
                seen[line] = true;
                at = next;
            }
            assert_eq!(at, 0, "{lines} lines, {stride} apart");
        }
    }

    #[test]
    fn draws_are_spread_over_all_lines() {
        let lines = 64;
        let mut counts = vec![0; lines];
        (0..64_000).for_each(|at| counts[Order::Random.step(at, lines).0] += 1);
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    }

    #[test]
    fn an_order_reads_back_from_its_name() {
        for order in [Order::Random, Order::Stride(256)] {
            assert_eq!(order.to_string().parse(), Ok(order));
        }
        assert!("stride:x".parse::<Order>().is_err() && "".parse::<Order>().is_err());
    }
}
