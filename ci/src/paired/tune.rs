//! How long a block has to be: doubled while that still makes blocks agree better, as far as the budget reaches.

use spark_results::stats::mad;

/// A block is at least this long: below, one preemption is the whole block.
pub const SHORTEST_S: f64 = 0.05;
/// And at most this long: beyond, drift enters.
const LONGEST_S: f64 = 1.0;
/// Independent noise falls to 0.71 where a block doubles; what falls to less than this still gains.
const GAIN: f64 = 0.85;

/// Lengths tried so far, each with the spread of its blocks.
#[derive(Clone, Debug)]
pub struct Tuning {
    longest_s: f64,
    length_s: f64,
    spread: Option<f64>,
    done: bool,
}

impl Tuning {
    /// Blocks a length is judged by.
    pub const PILOTS: usize = 6;

    /// For a benchmark that may take `budget_s` in all, of which the last look's `blocks` may take three quarters.
    pub fn new(budget_s: f64, blocks: usize) -> Self {
        let longest_s = (0.75 * budget_s / blocks as f64).clamp(SHORTEST_S, LONGEST_S);
        Self { longest_s, length_s: SHORTEST_S, spread: None, done: false }
    }
    /// The length to use now, in seconds.
    pub fn length_s(&self) -> f64 {
        self.length_s
    }
    /// Whether that length stands.
    pub fn is_done(&self) -> bool {
        self.done
    }
    /// Hears the log ratios of pilot blocks of the present length. Only their spread counts, which is the same whichever build is
    /// the slower one; pilots enter no test.
    pub fn hear(&mut self, pilots: &[f64]) {
        let spread = mad(pilots);
        let gained = self.spread.is_none_or(|before| spread < GAIN * before);
        if !gained || 2.0 * self.length_s > self.longest_s {
            self.done = true;
        } else {
            self.length_s *= 2.0;
            self.spread = Some(spread);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_while_it_gains_and_no_further() {
        let mut tuning = Tuning::new(60.0, 40);
        tuning.hear(&[0.10, -0.10, 0.05, -0.05]);
        assert_eq!((tuning.length_s(), tuning.is_done()), (0.1, false));
        tuning.hear(&[0.05, -0.05, 0.02, -0.02]);
        assert_eq!((tuning.length_s(), tuning.is_done()), (0.2, false));
        tuning.hear(&[0.05, -0.05, 0.02, -0.02]);
        assert_eq!((tuning.length_s(), tuning.is_done()), (0.2, true));
    }

    #[test]
    fn a_small_budget_keeps_blocks_short() {
        let mut tuning = Tuning::new(4.0, 40);
        tuning.hear(&[0.10, -0.10]);
        assert_eq!((tuning.length_s(), tuning.is_done()), (SHORTEST_S, true));
    }
}
