//! How much samples taken one after another repeat each other, and how many independent ones they are worth.

use super::{median, sorted};

/// Standard errors (1/√n) of a lag-1 autocorrelation that chance exceeds in one of twenty cases.
const CHANCE: f64 = 1.645;
/// The margin on dependence, in standard errors.
const MARGIN: f64 = 2.0;

/// The lag-1 autocorrelation of the ranks of `values`, in the order they were taken: near 0 where no sample knows of the one before,
/// near 1 where the machine changes slowly. Ranks, because one outlier would else decide it. `None` below six values and where all
/// are equal.
pub fn autocorrelation(values: &[f64]) -> Option<f64> {
    if values.len() < super::FEWEST {
        return None;
    }
    let ranks = ranks(values);
    let mean = 0.5 * (values.len() - 1) as f64;
    let centred: Vec<f64> = ranks.iter().map(|r| r - mean).collect();
    let all = product(&centred, 0);
    (all > 0.0).then(|| product(&centred, 1) / all)
}

/// How many independent samples `values` are worth for their median, in the order they were taken: from 1 to their number.
///
/// The median's variance is that of the share of samples above it, so what counts is the autocorrelation of the *sides* on which the
/// samples lie (+1 above, −1 below), summed over all lags; it is blind to how far outliers lie. Two sums are made and the larger one
/// counts, because both are too small where few samples follow each other closely:
///
/// * of the lags as they are, until a pair of neighbouring ones is no longer positive, where pairs may not grow (Geyer 1992, the
///   initial monotone sequence). Sides sum to zero by construction, which hides a share of the sum as large as the share of lags in
///   it; it is put back.
/// * of a process in which each sample keeps a constant share of the deviation before it: (1 + ρ) / (1 − ρ), ρ the lag-1
///   autocorrelation of the ranks with its small-sample bias of −(1 + 3ρ) / n taken out (Kendall 1954).
///
/// How much samples follow each other is itself known only so well, which shortens the interval as often as it lengthens it and costs
/// coverage; a margin that shrinks with their number makes up for it (`tests/coverage.rs` counts).
///
/// Where the first lag is no larger than chance makes it in 19 of 20 cases, samples count as independent: sums of noise alone would
/// else make six of fifteen.
pub fn independent(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let Some(ranked) = autocorrelation(values) else { return n.max(1.0) };
    let centre = median(values);
    let side = |v: &f64| f64::from(i8::from(*v > centre) - i8::from(*v < centre));
    let sides: Vec<f64> = values.iter().map(side).collect();
    let all = product(&sides, 0);
    if all <= 0.0 || ranked.max(product(&sides, 1) / all) <= CHANCE / n.sqrt() {
        return n;
    }
    let (mut sum, mut last, mut lag) = (0.0, f64::INFINITY, 0);
    while lag + 1 < sides.len() {
        let pair = (product(&sides, lag) + product(&sides, lag + 1)) / all;
        if pair <= 0.0 {
            break;
        }
        last = pair.min(last);
        sum += last;
        lag += 2;
    }
    let hidden = ((2 * lag) as f64 / n).min(0.75);
    let as_they_are = (2.0 * sum - 1.0) / (1.0 - hidden);
    let rho = ((n * ranked + 1.0) / (n - 3.0)).clamp(0.0, 0.999);
    let kept = (1.0 + rho) / (1.0 - rho);
    let margin = 1.0 + MARGIN / n.sqrt();
    (n / (margin * as_they_are.max(kept))).clamp(1.0, n)
}

/// Ranks from 0, ties at the middle of theirs.
pub(super) fn ranks(values: &[f64]) -> Vec<f64> {
    let sorted = sorted(values);
    let rank = |v: &f64| {
        let below = sorted.partition_point(|s| s.total_cmp(v).is_lt());
        let through = sorted.partition_point(|s| s.total_cmp(v).is_le());
        0.5 * (below + through - 1) as f64
    };
    values.iter().map(rank).collect()
}

/// Σ vₜ·vₜ₊ₗₐ₉.
fn product(values: &[f64], lag: usize) -> f64 {
    values.iter().zip(&values[lag..]).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Random;

    #[test]
    fn samples_that_repeat_each_other_count_once() {
        let mut random = Random::new(3);
        let fresh: Vec<f64> = (0..400).map(|_| random.unit()).collect();
        let repeated: Vec<f64> = fresh.iter().take(40).flat_map(|v| [*v; 10]).collect();
        let (of_fresh, of_repeated) = (independent(&fresh), independent(&repeated));
        assert!((250.0..=400.0).contains(&of_fresh), "{of_fresh}");
        assert!((10.0..40.0).contains(&of_repeated), "{of_repeated} of forty told ten times, with the margin");
        assert!(autocorrelation(&fresh).is_some_and(|r| r.abs() < 0.15));
        assert!(autocorrelation(&repeated).is_some_and(|r| r > 0.8));
    }

    #[test]
    fn alternating_samples_are_worth_no_more_than_their_number() {
        let swinging: Vec<f64> = (0..50).map(|i| f64::from(i % 2)).collect();
        assert_eq!(independent(&swinging), 50.0);
        assert!(autocorrelation(&swinging).is_some_and(|r| r < -0.9));
    }

    #[test]
    fn equal_samples_tell_nothing_of_dependence() {
        assert_eq!((independent(&[2.0; 30]), autocorrelation(&[2.0; 30])), (30.0, None));
        assert_eq!((independent(&[]), independent(&[1.0]), autocorrelation(&[1.0; 5])), (1.0, 1.0, None));
    }
}
