//! When to stop sampling: looked at seldom, and only believed where the interval is one.
//!
//! A rule that looks after every sample and stops at the first narrow interval picks the moments at which the interval is narrow by
//! chance, and then covers less than it says. Looks therefore come at counts that grow by a quarter, of which a thousand samples have
//! some twenty; the interval that is looked at counts samples by what they are worth, so that a machine that changes slowly is
//! sampled for longer; and where they are worth fewer than six, sampling goes on until the budget ends it. What coverage remains is
//! measured over kinds of noise in `tests/coverage.rs`.

use super::estimate;

/// After how many samples to look next, `taken` being there.
pub const fn next_look(taken: usize) -> usize {
    taken + if taken < 20 { 5 } else { taken / 4 }
}

/// Whether the 95 % interval of the median of `values`, in the order they were taken, is within ± `share` of it.
pub fn narrow(values: &[f64], share: f64) -> bool {
    let Some(e) = estimate(values).filter(super::Estimate::covers) else { return false };
    e.ci95.is_some_and(|[low, high]| high - low <= 2.0 * share * e.median.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_few_and_a_narrow_range_of_too_few_is_not_believed() {
        let looks = std::iter::successors(Some(10), |n| Some(next_look(*n))).take_while(|n| *n <= 1000).count();
        assert!((15..25).contains(&looks), "{looks}");
        assert!(narrow(&[1.0; 10], 0.01) && !narrow(&[1.0; 5], 0.01));
        let creeping: Vec<f64> = (0..10).map(|i| 1.0 + 1e-4 * f64::from(i)).collect();
        assert!(!narrow(&creeping, 0.01), "ten steps of a staircase say nothing of where it ends");
    }
}
