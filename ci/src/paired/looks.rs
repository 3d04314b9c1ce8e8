//! Sequential looks at the blocks of one benchmark, and the verdict over all of them.
//!
//! Looks at 10, 20 and 40 blocks, with α spent by Bonferroni, which holds under any dependence between the looks: what has been
//! rejected at look k has p_k ≤ α_k, so min p_k·α/α_k is a p-value of the whole. Holm over the benchmarks then keeps the
//! family-wise rate. PASS is proven too: non-inferiority at 0.05, a third of it at each look.

use crate::Verdict;
use crate::statistics::{Shift, holm, p_value, shift};

/// Blocks at each look.
pub const LOOKS: [usize; 3] = [10, 20, 40];
/// Blocks of a confirmation.
pub const CONFIRMATION: usize = 20;
/// Chance of a PASS where the slowdown is exactly the floor.
const PASS_LEVEL: f64 = 0.05;
/// Level of a confirmation.
const CONFIRMATION_LEVEL: f64 = 0.05;

/// What is asked of the blocks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// The smallest slowdown that matters, 0.02 for 2 %.
    pub floor: f64,
    /// Family-wise rate of false alarms.
    pub alpha: f64,
    /// Benchmarks judged together.
    pub benchmarks: usize,
    /// Names the resamples, where there are more blocks than can be counted exactly.
    pub seed: u64,
}

impl Rules {
    /// What each look may spend of α. With one benchmark ten blocks can already reject: 2⁻¹⁰ < 0.001. With more they cannot,
    /// and their part goes to the second look.
    fn spending(&self) -> [f64; 3] {
        if self.benchmarks == 1 { [0.1, 0.2, 0.7] } else { [0.0, 0.3, 0.7] }.map(|share| share * self.alpha)
    }
    /// Monte Carlo needs at least so many resamples to reach α over all benchmarks.
    fn resamples(&self) -> usize {
        ((2 * self.benchmarks) as f64 / self.alpha).ceil().max(9_999.0) as usize
    }
    fn p(&self, differences: impl Iterator<Item = f64>) -> f64 {
        p_value(&differences.collect::<Vec<_>>(), self.resamples(), self.seed).unwrap_or(1.0)
    }
}

/// What was found of one benchmark.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effect {
    /// Candidate's time over the baseline's.
    pub ratio: f64,
    /// Its 95 % interval.
    pub ci95: [f64; 2],
    /// Blocks it rests on.
    pub blocks: usize,
}

impl Effect {
    pub(super) fn of(shift: &Shift, blocks: usize) -> Self {
        Self { ratio: shift.estimate.exp(), ci95: shift.ci95.map(f64::exp), blocks }
    }
}

/// How one benchmark stands after some blocks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// The effect; `None` before the first block.
    pub effect: Option<Effect>,
    /// p of being slower, over all looks so far.
    pub slower_p: f64,
    /// p of being faster, over all looks so far.
    pub faster_p: f64,
    /// Whether a slowdown of the floor has been ruled out.
    pub passed: bool,
    /// Blocks to go to before the next look; `None`: nothing more is to be learnt.
    pub next: Option<usize>,
}

/// Looks at the log ratios `d` of all blocks so far, at every look that they reach.
pub fn standing(d: &[f64], rules: &Rules) -> Standing {
    let mut standing =
        Standing { effect: None, slower_p: 1.0, faster_p: 1.0, passed: false, next: LOOKS.first().copied() };
    let floor = rules.floor.ln_1p();
    for (look, spending) in LOOKS.into_iter().zip(rules.spending()) {
        let Some(d) = d.get(..look) else { break };
        let Some(shift) = shift(d) else { break };
        standing.effect = Some(Effect::of(&shift, look));
        if spending > 0.0 {
            let worth = rules.alpha / spending;
            standing.slower_p = standing.slower_p.min(worth * rules.p(d.iter().copied()));
            standing.faster_p = standing.faster_p.min(worth * rules.p(d.iter().map(|d| -d)));
        }
        standing.passed |= rules.p(d.iter().map(|d| floor - d)) <= PASS_LEVEL / LOOKS.len() as f64;
        let clear = rules.alpha / rules.benchmarks as f64;
        let slower = standing.slower_p <= clear && shift.estimate > floor;
        let faster = standing.faster_p <= clear && shift.estimate < -floor;
        // What looks faster by more than the floor has passed, and may yet prove to be an improvement.
        let settled = standing.passed && shift.estimate >= -floor;
        standing.next = LOOKS.into_iter().find(|next| *next > look && !slower && !faster && !settled);
        if standing.next.is_none() {
            break;
        }
    }
    // Before the first look there is an estimate all the same.
    if standing.effect.is_none() {
        standing.effect = shift(d).map(|shift| Effect::of(&shift, d.len()));
    }
    standing
}

/// The verdicts of all benchmarks of one gate, before any confirmation.
pub fn verdicts(standings: &[Standing], rules: &Rules) -> Vec<Verdict> {
    let slower = holm(&standings.iter().map(|s| s.slower_p.min(1.0)).collect::<Vec<_>>());
    let faster = holm(&standings.iter().map(|s| s.faster_p.min(1.0)).collect::<Vec<_>>());
    let one = |(at, standing): (usize, &Standing)| {
        let Some(effect) = standing.effect else {
            return Verdict::Inconclusive("not one block was measured".to_owned());
        };
        let shift = effect.ratio.ln();
        if slower[at] <= rules.alpha && shift > rules.floor.ln_1p() {
            return Verdict::Regression;
        }
        if faster[at] <= rules.alpha && shift < -rules.floor.ln_1p() {
            return Verdict::Improvement;
        }
        if standing.passed {
            return Verdict::Pass;
        }
        let what =
            if slower[at] <= rules.alpha { "slower, but maybe by less than" } else { "neither proven nor ruled out:" };
        Verdict::Inconclusive(format!(
            "{what} {:.1} % after {} blocks, p = {:.2}",
            100.0 * rules.floor,
            effect.blocks,
            slower[at]
        ))
    };
    standings.iter().enumerate().map(one).collect()
}

/// Whether fresh blocks `d` of new processes, in a new order, say the same again: at 0.05, by at least half the floor.
pub fn confirmed(d: &[f64], verdict: &Verdict, rules: &Rules) -> bool {
    let sign = if *verdict == Verdict::Improvement { -1.0 } else { 1.0 };
    let flipped: Vec<f64> = d.iter().map(|d| sign * d).collect();
    let large = shift(&flipped).is_some_and(|shift| shift.estimate > (rules.floor / 2.0).ln_1p());
    large && rules.p(flipped.into_iter()) <= CONFIRMATION_LEVEL
}

#[cfg(test)]
mod tests {
    use super::*;
    use spark_results::stats::Random;

    const RULES: Rules = Rules { floor: 0.02, alpha: 0.01, benchmarks: 1, seed: 1 };

    fn blocks(n: usize, shift: f64, spread: f64) -> Vec<f64> {
        let mut random = Random::new(3);
        (0..n).map(|_| shift + spread * (random.unit() - 0.5)).collect()
    }

    #[test]
    fn equal_builds_pass_at_the_first_look() {
        let standing = standing(&blocks(10, 0.0, 0.01), &RULES);
        assert!(standing.passed && standing.next.is_none());
        assert_eq!(verdicts(&[standing], &RULES), [Verdict::Pass]);
    }

    #[test]
    fn a_slow_one_is_found_and_confirmed() {
        let d = blocks(10, 0.05, 0.01);
        let standing = standing(&d, &RULES);
        assert_eq!(standing.next, None);
        assert_eq!(verdicts(&[standing], &RULES), [Verdict::Regression]);
        assert!(confirmed(&blocks(20, 0.05, 0.01), &Verdict::Regression, &RULES));
        assert!(!confirmed(&blocks(20, 0.0, 0.01), &Verdict::Regression, &RULES));
    }

    #[test]
    fn with_many_benchmarks_ten_blocks_never_reject() {
        let rules = Rules { benchmarks: 8, ..RULES };
        assert_eq!(standing(&blocks(10, 0.05, 0.01), &rules).next, Some(20));
        assert_eq!(standing(&blocks(20, 0.05, 0.01), &rules).next, None);
    }

    #[test]
    fn a_faster_one_is_an_improvement_not_only_a_pass() {
        let d = blocks(20, -0.06, 0.01);
        let standing = standing(&d, &RULES);
        assert_eq!(verdicts(&[standing], &RULES), [Verdict::Improvement]);
    }

    #[test]
    fn noise_is_said_to_be_noise() {
        let standing = standing(&blocks(40, 0.01, 0.4), &RULES);
        assert!(matches!(&verdicts(&[standing], &RULES)[0], Verdict::Inconclusive(_)), "{standing:?}");
        assert!(matches!(&verdicts(&[super::standing(&[], &RULES)], &RULES)[0], Verdict::Inconclusive(_)));
    }
}
