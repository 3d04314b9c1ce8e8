//! How long a block may be.

/// A block is at least this long: below, one preemption is the whole block.
pub const SHORTEST_S: f64 = 0.05;
/// And at most this long: beyond, drift enters.
const LONGEST_S: f64 = 1.0;
/// The blocks of the last look may take this share of the budget.
const SHARE: f64 = 0.85;

/// Seconds of a block, so that `blocks` of them, each with `start_s` for the start of its processes, fit into a budget.
pub fn block_s(budget_s: f64, blocks: usize, start_s: f64) -> f64 {
    (SHARE * budget_s / blocks as f64 - start_s).clamp(SHORTEST_S, LONGEST_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_blocks_fit_into_the_budget_or_are_as_short_as_they_may_be() {
        for (budget_s, start_s, length_s) in [
            (30.0, 0.1, 0.5375),
            (2.0, 0.0, SHORTEST_S),
            (60.0, 1.2, 0.075),
            (60.0, 9.0, SHORTEST_S),
            (600.0, 1.0, LONGEST_S),
        ] {
            assert!((block_s(budget_s, 40, start_s) - length_s).abs() < 1e-12, "{budget_s} s, starts of {start_s} s");
        }
    }
}
