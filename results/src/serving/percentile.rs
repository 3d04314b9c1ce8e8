//! Percentiles of times, each with the interval that so many samples can carry.

use crate::stats::{independent, quantile, sorted};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How times are spread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    /// How many.
    pub samples: usize,
    /// How many independent ones they are worth.
    pub independent: f64,
    /// Their mean.
    pub mean: f64,
    /// Half are at most this.
    pub p50: Percentile,
    /// Nine in ten are.
    pub p90: Percentile,
    /// 95 in 100 are.
    pub p95: Percentile,
    /// 99 in 100 are.
    pub p99: Percentile,
    /// The largest.
    pub max: f64,
}

/// A percentile with its 95 % interval: two of the samples. An end that so few samples cannot show is null: of 100 requests nobody
/// knows how slow the slowest in a hundred may be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Percentile {
    /// Its value.
    pub value: f64,
    /// At least this …
    pub low: Option<f64>,
    /// … and at most that.
    pub high: Option<f64>,
}

impl Spread {
    /// Of `values`, in the order they were taken. `None` of nothing.
    pub fn of(values: &[f64]) -> Option<Self> {
        let worth = independent(values);
        let values = sorted(values);
        let max = *values.last()?;
        let at = |q| percentile(&values, worth, q);
        Some(Self {
            samples: values.len(),
            independent: worth,
            mean: values.iter().sum::<f64>() / values.len() as f64,
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            max,
        })
    }
}

/// The `q` quantile of `values`, sorted, which are worth `worth` independent ones.
fn percentile(values: &[f64], worth: f64, q: f64) -> Percentile {
    let n = (worth.floor() as usize).max(1);
    let (low, high) = ranks(n, q);
    // Ranks among the independent ones stand for the same shares of all.
    let at = |rank: usize| values[((rank * values.len()).div_ceil(n)).clamp(1, values.len()) - 1];
    let (low, high) = (low.map(at), high.map(at));
    // Of few samples the quantile between the two largest lies below what the largest alone shows.
    let value = quantile(values, q).max(low.unwrap_or(f64::MIN)).min(high.unwrap_or(f64::MAX));
    Percentile { value, low, high }
}

/// The ranks (from 1) of the two of `n` independent samples that enclose their distribution's `q` quantile 95 times in 100: B of them
/// lie below it, and B is binomial. `None` where even the smallest or the largest does not.
fn ranks(n: usize, q: f64) -> (Option<usize>, Option<usize>) {
    let (mut below, mut low, mut high) = (0.0, None, None);
    let mut log = n as f64 * (1.0 - q).ln();
    for b in 0..=n {
        // P(B ≤ b − 1) is `below` here: the b-th smallest lies above the quantile as seldom.
        if b >= 1 && below <= 0.025 {
            low = Some(b);
        }
        if b >= 1 && high.is_none() && below >= 0.975 {
            high = Some(b);
        }
        below += log.exp();
        log += ((n - b) as f64 / (b + 1) as f64).ln() + (q / (1.0 - q)).ln();
    }
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_the_binomial_table() {
        // The sign test's, as for the median: 2 and 9 of ten, 40 and 61 of a hundred.
        assert_eq!(ranks(10, 0.5), (Some(2), Some(9)));
        assert_eq!(ranks(100, 0.5), (Some(40), Some(61)));
        assert_eq!(ranks(5, 0.5), (None, None));
        // ln 0.025 / ln 0.99 = 367.04: fewer cannot bound the slowest in a hundred from above.
        assert_eq!(ranks(367, 0.99).1, None);
        assert_eq!(ranks(368, 0.99).1, Some(368));
    }

    #[test]
    fn a_percentile_of_few_has_no_upper_end() {
        let mut random = crate::stats::Random::new(7);
        let values: Vec<f64> = (0..400).map(|_| random.unit()).collect();
        let spread = Spread::of(&values[..50]).expect("values");
        assert!(spread.p99.high.is_none() && spread.p50.high.is_some() && spread.p99.low.is_some());
        let spread = Spread::of(&values).expect("values");
        let inside =
            |p: Percentile| p.low.is_some_and(|low| low <= p.value) && p.high.is_none_or(|high| p.value <= high);
        assert!([spread.p50, spread.p90, spread.p95, spread.p99].into_iter().all(inside), "{spread:?}");
        // Twelve that are worth one or two: what the largest shows is no more than the percentile.
        let few = Spread::of(&(1..=12).map(f64::from).collect::<Vec<_>>()).expect("values");
        assert!(few.p99.low == Some(12.0) && few.p99.value == 12.0, "{few:?}");
        assert_eq!(Spread::of(&[]), None);
        let one = Spread::of(&[3.0]).expect("a value");
        assert_eq!((one.p50.value, one.p50.low, one.p50.high, one.max), (3.0, None, None, 3.0));
    }
}
