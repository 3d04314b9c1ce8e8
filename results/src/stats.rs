//! Order statistics and their intervals: the same numbers from the same samples on every machine.
//!
//! Samples of one process on a shared machine follow each other: a burst, a governor or a neighbour lasts for many of them. Every
//! interval here therefore counts how many *independent* samples there are ([`independent`]), and where they are too few for an
//! interval, says so.

pub mod bootstrap;
mod dependence;
mod e_divisive;
mod interval;
mod outliers;
mod ratio;
mod sampling;
mod settling;
mod stopping;
mod student;
mod trend;

pub use dependence::{autocorrelation, independent};
pub use e_divisive::{Change, changes};
pub use interval::{Estimate, FEWEST, estimate};
pub use outliers::{Outliers, outliers};
pub use ratio::{Ratio, ratio};
pub use sampling::Sampling;
pub use settling::settled;
pub use stopping::Stopping;
pub use student::upper_tail;
pub use trend::{Drift, drift};

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
    }

    proptest! {
        #[test]
        fn the_median_lies_in_its_interval_by_either_rule(values in prop::collection::vec(0.0f64..1e9, 1..60)) {
            for estimate in [estimate, bootstrap::estimate] {
                let e = estimate(&values).unwrap();
                prop_assert_eq!(e.ci95.is_none(), values.len() == 1);
                prop_assert!(e.ci95.is_none_or(|[low, high]| low <= e.median && e.median <= high));
                prop_assert_eq!(estimate(&values), Some(e));
            }
            prop_assert!((1.0..=values.len() as f64).contains(&independent(&values)));
        }
    }
}
