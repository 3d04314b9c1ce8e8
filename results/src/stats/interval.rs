//! The median and its interval, by ranks and by the number of independent samples.

use super::{independent, quantile, sorted};

/// The fewest independent samples whose range covers the median 95 times in 100: 1 − 2·2⁻⁶ = 0.97.
pub const FEWEST: usize = 6;

/// The centre of a sample with what bears on trusting it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The median.
    pub median: f64,
    /// Its 95 % interval: two of the samples. The range of all of them where they are worth fewer than six independent ones, since no
    /// interval of so few covers 95 %; none of a single one.
    pub ci95: Option<[f64; 2]>,
    /// How many samples.
    pub samples: usize,
    /// How many independent ones they are worth.
    pub independent: f64,
}

impl Estimate {
    /// Whether the interval is one: not the range of too few.
    pub fn covers(&self) -> bool {
        self.ci95.is_some() && self.independent >= FEWEST as f64
    }
}

/// The median of `values`, in the order they were taken, and its 95 % interval. `None` of nothing.
///
/// Of N independent samples the r-th smallest and the r-th largest enclose the median unless fewer than r lie on one side of it, and
/// that is a matter of coin tosses, whatever the distribution. Samples worth N independent ones get the same share of themselves cut
/// off at both ends: as exact as that N is.
pub fn estimate(values: &[f64]) -> Option<Estimate> {
    let worth = independent(values);
    let values = sorted(values);
    let n = values.len();
    let (first, last) = (values.first()?, values.last()?);
    let ci95 = match (n, outside(worth.floor() as usize)) {
        (1, _) => None,
        (_, 0) => Some([*first, *last]),
        (_, rank) => {
            let cut = ((rank * n) as f64 / worth.floor()) as usize;
            // At least one is cut off beside the ends, or the range is meant.
            let low = cut.saturating_sub(1).min((n - 1) / 2);
            Some([values[low], values[n - 1 - low]])
        }
    };
    Some(Estimate { median: quantile(&values, 0.5), ci95, samples: n, independent: worth })
}

/// The largest rank r (from 1) with P(B < r) ≤ 2.5 %, B heads of `n` fair coins; 0 where there is none.
fn outside(n: usize) -> usize {
    // Beyond a few hundred the normal form differs by less than a rank.
    if n > 400 {
        return (0.5 * n as f64 - 0.98 * (n as f64).sqrt()) as usize;
    }
    let mut term = -(n as f64) * std::f64::consts::LN_2;
    let mut below = term.exp();
    let mut rank = 0;
    while below <= 0.025 && rank < n {
        rank += 1;
        term += ((n - rank + 1) as f64 / rank as f64).ln();
        below += term.exp();
    }
    rank
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_the_sign_test() {
        // Critical values of the two-sided sign test at 5 %, plus one: Dixon and Mood's table.
        for (n, rank) in
            [(5, 0), (6, 1), (8, 1), (9, 2), (10, 2), (12, 3), (15, 4), (20, 6), (25, 8), (50, 18), (100, 40)]
        {
            assert_eq!(outside(n), rank, "n = {n}");
        }
        assert_eq!(outside(0), 0);
        for n in 380..=400 {
            let normal = (0.5 * f64::from(n) - 0.98 * f64::from(n).sqrt()) as usize;
            assert!(outside(n as usize).abs_diff(normal) <= 1, "the two forms meet at {n}");
        }
    }

    #[test]
    fn known_samples() {
        let e = estimate(&[5.0, 1.0, 4.0, 2.0, 3.0, 6.0, 0.0, 9.0, 7.0, 8.0]).expect("samples");
        assert_eq!((e.median, e.samples), (4.5, 10));
        let few = estimate(&[3.0, 1.0, 2.0]).expect("samples");
        assert_eq!((few.ci95, few.covers()), (Some([1.0, 3.0]), false));
        let one = estimate(&[3.0]).expect("a sample");
        assert_eq!((one.ci95, one.covers()), (None, false));
        let equal = estimate(&[3.0; 40]).expect("samples");
        assert_eq!((equal.ci95, equal.covers()), (Some([3.0, 3.0]), true));
    }

    #[test]
    fn a_staircase_is_no_sample_of_forty() {
        let rising: Vec<f64> = (0..40).map(f64::from).collect();
        let e = estimate(&rising).expect("samples");
        assert_eq!((e.ci95, e.covers()), (Some([0.0, 39.0]), false), "{e:?}");
    }
}
