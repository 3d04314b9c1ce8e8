//! Order statistics and their intervals: the same numbers from the same samples on every machine.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Resamples of the bootstrap; its seed is fixed, so that anyone recomputes the same interval.
const RESAMPLES: usize = 1000;
/// The fewest samples whose range covers the median 95 times in 100: 1 − 2·2⁻⁶ = 0.97.
pub const FEWEST: usize = 6;
const SEED: u64 = 0x5bd1_e995_9d2c_5680;

/// The centre of a sample with what bears on trusting it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// The median.
    pub median: f64,
    /// 95 % bootstrap interval of the median (percentile method); the range of the samples below six of them, since no interval
    /// of so few covers 95 %; none of a single one.
    pub ci95: Option<[f64; 2]>,
    /// How many samples.
    pub samples: usize,
}

/// The `q` quantile of `sorted` values, linear between ranks. NaN of nothing.
pub fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let at = q.clamp(0.0, 1.0) * last as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

/// `values`, sorted; NaN last.
pub fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}

/// The median. NaN of nothing.
pub fn median(values: &[f64]) -> f64 {
    quantile(&sorted(values), 0.5)
}

/// Median absolute deviation from the median. NaN of nothing.
pub fn mad(values: &[f64]) -> f64 {
    let centre = median(values);
    median(&values.iter().map(|v| (v - centre).abs()).collect::<Vec<_>>())
}

/// The median and its 95 % bootstrap interval. `None` of nothing.
pub fn estimate(values: &[f64]) -> Option<Estimate> {
    let values = sorted(values);
    if values.is_empty() {
        return None;
    }
    let n = values.len();
    let mut random = Random(SEED);
    let mut counts = vec![0u32; n];
    let mut medians: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            counts.fill(0);
            for _ in 0..n {
                counts[random.below(n)] += 1;
            }
            // The resample is `values[i]` taken `counts[i]` times: its middle is found by walking, without sorting.
            let rank = |wanted: usize| {
                let mut seen = 0;
                for (value, &count) in values.iter().zip(&counts) {
                    seen += count as usize;
                    if seen > wanted {
                        return *value;
                    }
                }
                values[n - 1]
            };
            if n % 2 == 1 { rank(n / 2) } else { 0.5 * (rank(n / 2 - 1) + rank(n / 2)) }
        })
        .collect();
    medians.sort_by(f64::total_cmp);
    Some(Estimate {
        median: quantile(&values, 0.5),
        ci95: match n {
            1 => None,
            2..FEWEST => Some([values[0], values[n - 1]]),
            _ => Some([quantile(&medians, 0.025), quantile(&medians, 0.975)]),
        },
        samples: n,
    })
}

/// A cheap 95 % interval of the median from ranks alone (normal approximation of the binomial), for a stopping rule.
pub fn rank_interval(values: &[f64]) -> Option<[f64; 2]> {
    let values = sorted(values);
    let n = values.len();
    if n < 6 {
        return None;
    }
    let half = 0.98 * (n as f64).sqrt();
    let low = ((n as f64 / 2.0 - half).floor().max(0.0)) as usize;
    let high = ((n as f64 / 2.0 + half).ceil() as usize).min(n - 1);
    Some([values[low], values[high]])
}

/// How many samples lie further than 5 scaled MADs from the median.
pub fn outliers(values: &[f64]) -> usize {
    let (centre, spread) = (median(values), 1.4826 * mad(values));
    values.iter().filter(|v| (**v - centre).abs() > 5.0 * spread.max(f64::MIN_POSITIVE)).count()
}

/// The median of the last third over that of the first third: 1 where nothing drifts. `None` below nine samples, and over nothing.
pub fn drift(values: &[f64]) -> Option<f64> {
    let third = values.len() / 3;
    if third < 3 {
        return None;
    }
    Some(median(&values[values.len() - third..]) / median(&values[..third])).filter(|drift| drift.is_finite())
}

/// SplitMix64: small, portable, good enough to resample and to toss coins with.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream that `seed` names.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }
    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        // The high word of a widening product: unbiased to n / 2^64.
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }
    /// A fair coin.
    pub fn coin(&mut self) -> bool {
        self.bits() >> 63 == 1
    }
    /// Uniform in \[0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn medians_and_quantiles_of_known_samples() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan() && estimate(&[]).is_none());
        assert_eq!(mad(&[1.0, 2.0, 3.0, 4.0, 100.0]), 1.0);
        assert_eq!(outliers(&[1.0, 1.1, 0.9, 1.0, 1.05, 9.0]), 1);
    }

    #[test]
    fn the_interval_covers_the_truth_about_as_often_as_it_says() {
        let mut random = Random(7);
        let trials = 400;
        let covered = (0..trials)
            .filter(|_| {
                let values: Vec<_> = (0..40).map(|_| random.below(1_000_000) as f64).collect();
                let [low, high] = estimate(&values).unwrap().ci95.unwrap();
                (low..=high).contains(&500_000.0)
            })
            .count();
        assert!((360..=396).contains(&covered), "{covered} of {trials}: 95 % wanted");
    }

    #[test]
    fn drift_is_seen() {
        let steady = [1.0; 30];
        assert_eq!(drift(&steady), Some(1.0));
        let rising: Vec<_> = (0..30).map(|i| 1.0 + f64::from(i) / 30.0).collect();
        assert!(drift(&rising).unwrap() > 1.4);
        assert_eq!(drift(&[1.0; 5]), None);
    }

    proptest! {
        #[test]
        fn the_median_lies_in_its_intervals(values in prop::collection::vec(0.0f64..1e9, 1..60)) {
            let e = estimate(&values).unwrap();
            prop_assert_eq!(e.ci95.is_none(), values.len() == 1);
            prop_assert!(e.ci95.is_none_or(|[low, high]| low <= e.median && e.median <= high));
            prop_assert_eq!(estimate(&values), Some(e));
            if let Some([low, high]) = rank_interval(&values) {
                prop_assert!(low <= e.median && e.median <= high);
            }
        }
    }
}
