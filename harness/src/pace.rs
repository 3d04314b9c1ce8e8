//! How fast this program's own clockwork goes: as it is made, but for tests, which may hurry it; a run then says so.

use std::time::Duration;

/// The environment variable that hurries the clockwork so many times. It exists for tests of the program.
pub const PACE: &str = "SPARK_BENCH_PACE";
/// Beyond this, readings would follow each other faster than a scheduler wakes a thread.
const FASTEST: f64 = 10.0;

/// So many times faster than it is made: pauses, the periods of sensors, the windows of energy and how long a silent sensor is waited
/// for. The work that is timed is not touched by it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace(f64);

impl Pace {
    /// As it is made.
    pub const OWN: Self = Self(1.0);

    /// `times` faster, between one and ten times.
    #[must_use]
    pub fn hurried(times: f64) -> Self {
        Self(if times.is_finite() { times.clamp(1.0, FASTEST) } else { 1.0 })
    }

    /// As [`PACE`] says, else its own; what is no number there is its own, too.
    #[must_use]
    pub fn from_env() -> Self {
        let times = std::env::var(PACE).ok().and_then(|text| text.parse().ok());
        times.map_or(Self::OWN, Self::hurried)
    }

    /// `time` at this pace.
    #[must_use]
    pub fn of(self, time: Duration) -> Duration {
        time.div_f64(self.0)
    }

    /// Milliseconds at this pace.
    #[must_use]
    pub fn ms(self, ms: u64) -> u64 {
        (ms as f64 / self.0).round() as u64
    }

    /// What a run that was hurried has to say of itself.
    #[must_use]
    pub fn told(self) -> Option<String> {
        (self != Self::OWN).then(|| {
            format!(
                "hurried {} times by {PACE}, for a test: pauses and the windows of energy are so much shorter",
                self.0
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hurried_clockwork_says_so_and_no_other_does() {
        assert_eq!((Pace::OWN.told(), Pace::OWN.ms(2_000)), (None, 2_000));
        let quick = Pace::hurried(4.0);
        assert_eq!((quick.ms(2_000), quick.of(Duration::from_secs(2))), (500, Duration::from_millis(500)));
        assert!(quick.told().is_some_and(|told| told.contains("4 times") && told.contains(PACE)));
        for odd in [0.0, -3.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Pace::hurried(odd), Pace::OWN, "{odd}");
        }
        assert_eq!(Pace::hurried(1e9).ms(1000), 100);
    }
}
