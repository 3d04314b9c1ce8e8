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

    /// For a benchmark that may take `budget_s` in all, of which the last look's `blocks` may take four fifths, each with `start_s` for the
    /// start of its processes.
    pub fn new(budget_s: f64, blocks: usize, start_s: f64) -> Self {
        let longest_s = (0.8 * budget_s / blocks as f64 - start_s).clamp(SHORTEST_S, LONGEST_S);
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
        if !gained || self.length_s >= self.longest_s {
            self.done = true;
        } else {
            self.length_s = (2.0 * self.length_s).min(self.longest_s);
            self.spread = Some(spread);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_while_it_gains_and_no_further() {
        let mut tuning = Tuning::new(60.0, 40, 0.0);
        tuning.hear(&[0.10, -0.10, 0.05, -0.05]);
        assert_eq!((tuning.length_s(), tuning.is_done()), (0.1, false));
        tuning.hear(&[0.05, -0.05, 0.02, -0.02]);
        assert_eq!((tuning.length_s(), tuning.is_done()), (0.2, false));
        tuning.hear(&[0.05, -0.05, 0.02, -0.02]);
        assert_eq!((tuning.length_s(), tuning.is_done()), (0.2, true));
    }

    #[test]
    fn a_small_budget_and_long_starts_keep_blocks_short() {
        for (budget_s, start_s) in [(2.0, 0.0), (60.0, 1.2), (60.0, 9.0)] {
            let mut tuning = Tuning::new(budget_s, 40, start_s);
            tuning.hear(&[0.10, -0.10]);
            assert_eq!(
                (tuning.length_s(), tuning.is_done()),
                (SHORTEST_S, true),
                "{budget_s} s, starts of {start_s} s"
            );
        }
    }

    #[test]
    fn what_the_budget_allows_is_reached_and_not_passed() {
        let mut tuning = Tuning::new(30.0, 40, 0.45);
        tuning.hear(&[0.10, -0.10]);
        tuning.hear(&[0.05, -0.05]);
        assert!((tuning.length_s() - 0.15).abs() < 1e-12 && !tuning.is_done());
        tuning.hear(&[0.03, -0.03]);
        assert!((tuning.length_s() - 0.15).abs() < 1e-12 && tuning.is_done());
    }
}
