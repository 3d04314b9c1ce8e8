//! A counter of energy that starts again at 0: by running over, which is made up for, or by a reset, which stays visible.

/// A reset shows as a step back by this many units, so that no window over it is taken for measured.
const STEP_BACK: i64 = 1_000_000;

/// Turns the readings of a counter into what has been counted since the first of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Counter {
    /// The highest value before it starts again at 0.
    range: Option<u64>,
    last: Option<u64>,
    sum: i64,
    reset: bool,
}

impl Counter {
    /// A counter whose highest value is `range`, if that is known.
    pub(super) fn up_to(range: Option<u64>) -> Self {
        Self { range, ..Self::default() }
    }

    /// Takes a new value and returns what has been counted since the first. After a reset that is less than before.
    pub(super) fn take(&mut self, now: u64) -> i64 {
        let last = self.last.replace(now).unwrap_or(now);
        let step = now.checked_sub(last).or_else(|| {
            // The range is the highest value, so one step more lies between it and 0.
            let left = self.range?.checked_sub(last)?;
            // At 20 readings a second no counter comes around from its middle: that is a reset.
            (left <= self.range? / 8).then(|| left.saturating_add(1).saturating_add(now))
        });
        match step {
            Some(step) => self.sum = self.sum.saturating_add_unsigned(step),
            None => {
                self.reset = true;
                self.sum -= STEP_BACK;
            }
        }
        self.sum
    }

    /// Whether it was reset since this was last asked.
    pub(super) fn reset(&mut self) -> bool {
        std::mem::take(&mut self.reset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_wraps_goes_on() {
        let mut c = Counter::up_to(Some(999));
        assert_eq!([900, 950, 10, 10, 20].map(|n| c.take(n)), [0, 50, 110, 110, 120]);
        assert!(!c.reset());
    }

    #[test]
    fn a_reset_is_seen_in_the_sum_and_is_told_once() {
        let mut unknown = Counter::up_to(None);
        assert_eq!([900, 950].map(|n| unknown.take(n)), [0, 50]);
        let after = unknown.take(10);
        assert!(after < 50 && unknown.reset() && !unknown.reset());
        assert_eq!(unknown.take(30), after + 20);
        // From the middle of its range a counter does not come around between two readings.
        let mut middle = Counter::up_to(Some(999));
        assert!(middle.take(500) == 0 && middle.take(5) < 0 && middle.reset());
    }
}
