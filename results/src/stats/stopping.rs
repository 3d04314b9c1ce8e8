//! When to stop sampling: looked at seldom, believed twice, and only where the interval is one.
//!
//! A rule that looks after every sample and stops at the first narrow interval picks the moments at which the interval is narrow by
//! chance, and then covers less than it says. Looks therefore come at counts that grow by a quarter, of which a thousand samples have
//! some twenty, and two in a row have to be narrow; the interval that is looked at counts samples by what they are worth, so that a
//! machine that changes slowly is sampled for longer; and where they are worth fewer than thirty, sampling goes on until the budget
//! ends it. What coverage remains is counted over kinds of noise in `tests/coverage.rs`.

use super::estimate;

/// The fewest independent samples whose interval ends sampling: of fewer, how many they are is itself known too badly.
const BELIEVED: f64 = 30.0;

/// When enough is sampled.
#[derive(Clone, Copy, Debug)]
pub struct Stopping {
    look: usize,
    share: f64,
    narrow: bool,
}

impl Stopping {
    /// Stops from `first` samples on, once the 95 % interval of their median is within ± `share` of it.
    pub const fn new(first: usize, share: f64) -> Self {
        Self { look: first, share, narrow: false }
    }
    /// Whether the interval of `values`, in the order they were taken, is narrow enough, at this look and the one before. Between looks
    /// the answer is no.
    pub fn enough(&mut self, values: &[f64]) -> bool {
        let taken = values.len();
        if taken < self.look || taken == 0 {
            return false;
        }
        self.look = taken + if taken < 20 { 5 } else { taken / 4 };
        let before = std::mem::replace(&mut self.narrow, narrow(values, self.share));
        before && self.narrow
    }
}

fn narrow(values: &[f64], share: f64) -> bool {
    let Some(e) = estimate(values).filter(|e| e.independent >= BELIEVED) else { return false };
    e.ci95.is_some_and(|[low, high]| high - low <= 2.0 * share * e.median.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After how many of `values` sampling ends.
    fn ends(values: impl Iterator<Item = f64>, first: usize, share: f64) -> Option<usize> {
        let (mut stopping, mut taken) = (Stopping::new(first, share), Vec::new());
        for value in values {
            taken.push(value);
            if stopping.enough(&taken) {
                return Some(taken.len());
            }
        }
        None
    }

    #[test]
    fn two_looks_in_a_row_have_to_agree() {
        let steady = || std::iter::repeat_n(1.0, 300);
        // Looks at 10, 15, 20, 25, 31, 38; the first of thirty or more is believed at the next.
        assert_eq!(ends(steady(), 10, 0.01), Some(38));
        assert_eq!(ends(steady(), 200, 0.01), Some(250));
        assert_eq!(ends(steady().take(37), 10, 0.01), None);
    }

    #[test]
    fn a_staircase_is_not_believed_however_narrow() {
        let creeping = (0..200).map(|i| 1.0 + 1e-6 * f64::from(i));
        assert_eq!(ends(creeping, 10, 0.01), None, "its steps say nothing of where it ends");
    }

    #[test]
    fn looks_are_few() {
        let mut stopping = Stopping::new(10, 0.0);
        let noise: Vec<f64> = (0..1000).map(|i| 1.0 + f64::from(i * 7919 % 41)).collect();
        let looks = (1..=noise.len()).filter(|n| {
            let before = stopping.look;
            stopping.enough(&noise[..*n]) || stopping.look != before
        });
        assert_eq!(looks.count(), 20);
    }
}
