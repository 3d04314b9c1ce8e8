//! The same blocks in cycles of the device's own clock: what changed in time and not in cycles ran at another clock, and is no other code.
//!
//! A GPU lowers its clock by its watts and its temperature, and whichever build runs first into that looks slow. Its SMs count their own
//! cycles around a window, so that a case is looked at a second time in a unit that the clock is not part of.

use super::looks::{Effect, Rules, confirmed};
use crate::Verdict;
use crate::statistics::shift;

/// What cycles say of a change that times have confirmed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cycles {
    /// Not every block has them: the device does not stamp them, or one of the builds does not tell.
    Untold,
    /// They changed as well.
    Also(Effect),
    /// They did not, or cannot be told to have.
    Not(Effect),
}

/// Looks at `d`, the log ratios of the blocks in cycles, for the change that `verdict` tells of `blocks` blocks: by the rule of a confirmation.
pub fn in_cycles(d: &[f64], blocks: usize, verdict: &Verdict, rules: &Rules) -> Cycles {
    let Some(shift) = shift(d).filter(|_| d.len() == blocks) else { return Cycles::Untold };
    let effect = Effect::of(&shift, blocks);
    if confirmed(d, verdict, rules) { Cycles::Also(effect) } else { Cycles::Not(effect) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spark_results::stats::Random;

    const RULES: Rules = Rules { floor: 0.02, alpha: 0.01, benchmarks: 1, seed: 1 };

    fn blocks(shift: f64) -> Vec<f64> {
        let mut random = Random::new(5);
        (0..20).map(|_| shift + 0.01 * (random.unit() - 0.5)).collect()
    }

    #[test]
    fn more_cycles_are_more_work_and_the_same_cycles_are_another_clock() {
        let slower = |d: &[f64]| in_cycles(d, 20, &Verdict::Regression, &RULES);
        assert!(matches!(slower(&blocks(0.05)), Cycles::Also(effect) if (effect.ratio - 1.051).abs() < 0.005));
        assert!(matches!(slower(&blocks(0.0)), Cycles::Not(effect) if (effect.ratio - 1.0).abs() < 0.005));
        // Fewer cycles are no confirmation of more time.
        assert!(matches!(slower(&blocks(-0.05)), Cycles::Not(_)));
        assert!(matches!(in_cycles(&blocks(-0.05), 20, &Verdict::Improvement, &RULES), Cycles::Also(_)));
    }

    #[test]
    fn half_of_the_blocks_say_nothing() {
        let verdict = Verdict::Regression;
        assert_eq!(in_cycles(&blocks(0.05)[..10], 20, &verdict, &RULES), Cycles::Untold);
        assert_eq!(in_cycles(&[], 0, &verdict, &RULES), Cycles::Untold);
        assert_eq!(in_cycles(&[f64::NAN; 20], 20, &verdict, &RULES), Cycles::Untold);
    }
}
