//! The sign-flip permutation test: how often random labels would have made the sum of differences as large as it is.
//!
//! Under the sharp null that both builds are one, the coin that ordered each block could as well have fallen the other way, and
//! the block's log ratio would have had the other sign. The randomisation itself makes the reference set: no normality and no
//! independence between blocks is assumed (Lehmann and Romano, Testing Statistical Hypotheses, chapter 15).

use spark_results::stats::Random;

/// Up to so many differences all 2^K labellings are counted: two halves of 2^12 sums take less than a millisecond.
pub const EXACT: usize = 24;

/// One-sided p: the share of all labellings s with Σ s·d ≥ Σ d. `None` of nothing and of a value that is no number; exact up
/// to [`EXACT`] differences, beyond by [`p_value_sampled`] with `resamples`.
pub fn p_value(differences: &[f64], resamples: usize, seed: u64) -> Option<f64> {
    if differences.is_empty() || differences.iter().any(|d| !d.is_finite()) {
        return None;
    }
    if differences.len() > EXACT {
        return p_value_sampled(differences, resamples, seed);
    }
    // Σ s·d ≥ Σ d where the flipped ones sum to at most 0: count subsets by their sums, as pairs of one from each half.
    let (left, right) = differences.split_at(differences.len() / 2);
    let (left, right) = (subset_sums(left), subset_sums(right));
    let slack = slack(differences);
    let (mut fit, mut count) = (right.len(), 0_u64);
    for sum in left {
        while fit > 0 && sum + right[fit - 1] > slack {
            fit -= 1;
        }
        count += fit as u64;
    }
    Some(count as f64 / (1_u64 << differences.len()) as f64)
}

/// The same from `resamples` random labellings, with the observed one counted among them (Phipson and Smyth 2010): never 0.
pub fn p_value_sampled(differences: &[f64], resamples: usize, seed: u64) -> Option<f64> {
    if differences.is_empty() || differences.iter().any(|d| !d.is_finite()) {
        return None;
    }
    let (mut random, slack) = (Random::new(seed), slack(differences));
    let as_large =
        (0..resamples).filter(|_| differences.iter().filter(|_| random.coin()).sum::<f64>() <= slack).count();
    Some((as_large + 1) as f64 / (resamples + 1) as f64)
}

/// Sums that differ by rounding alone are equal: ties count against the alternative.
fn slack(differences: &[f64]) -> f64 {
    differences.iter().map(|d| d.abs()).sum::<f64>() * differences.len() as f64 * f64::EPSILON
}

/// The sums of all subsets, ascending: each value doubles the list by a merge.
fn subset_sums(values: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0];
    for &value in values {
        let (mut without, mut with) = (0, 0);
        let merged = (0..2 * sums.len()).map(|_| {
            let [a, b] = [without, with].map(|at| sums.get(at).copied().unwrap_or(f64::INFINITY));
            let take = a <= b + value;
            without += usize::from(take);
            with += usize::from(!take);
            if take { a } else { b + value }
        });
        sums = merged.collect();
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counted(differences: &[f64]) -> f64 {
        let all = 1_u32 << differences.len();
        let flipped = |labels: u32| -> f64 {
            differences.iter().enumerate().filter(|(i, _)| labels >> i & 1 == 1).map(|(_, d)| d).sum()
        };
        (0..all).filter(|labels| flipped(*labels) <= 1e-12).count() as f64 / f64::from(all)
    }

    #[test]
    fn a_shift_of_all_blocks_has_the_smallest_p_there_is() {
        assert_eq!(p_value(&[0.1; 10], 0, 0), Some(1.0 / 1024.0));
        assert_eq!(p_value(&[-0.1; 10], 0, 0), Some(1.0));
        assert_eq!(p_value(&[0.1; EXACT], 0, 0), Some((-24_f64).exp2()));
        assert_eq!(p_value(&[0.0; 7], 0, 0), Some(1.0));
        assert_eq!(p_value(&[], 9, 0), None);
        assert_eq!(p_value(&[1.0, f64::NAN], 9, 0), None);
        assert_eq!(p_value(&[1.0; 50], 999, 3), Some(0.001));
    }

    #[test]
    fn p_is_uniform_where_labels_are_random() {
        let (mut random, trials) = (Random::new(11), 2000);
        let mut below = [0_u32; 3];
        for _ in 0..trials {
            let d: Vec<f64> = (0..12).map(|_| random.unit() * if random.coin() { 1.0 } else { -1.0 }).collect();
            let p = p_value(&d, 0, 0).expect("numbers");
            for (at, level) in [0.01, 0.1, 0.5].into_iter().enumerate() {
                below[at] += u32::from(p <= level);
            }
        }
        // Within four standard deviations of 20, 200 and 1000.
        for (count, wanted) in below.into_iter().zip([20.0, 200.0, 1000.0]) {
            assert!((f64::from(count) - wanted).abs() < 4.0 * f64::sqrt(wanted), "{below:?}");
        }
    }

    proptest! {
        #[test]
        fn pairs_of_half_sums_count_every_labelling(d in prop::collection::vec(-1.0f64..1.2, 1..13)) {
            prop_assert!((p_value(&d, 0, 0).expect("numbers") - counted(&d)).abs() < 1e-12);
        }

        #[test]
        fn the_unit_does_not_matter(d in prop::collection::vec(-1.0f64..1.0, 1..20), scale in 1e-6f64..1e6) {
            let scaled: Vec<f64> = d.iter().map(|d| d * scale).collect();
            prop_assert_eq!(p_value(&d, 0, 0), p_value(&scaled, 0, 0));
        }

        #[test]
        fn samples_agree_with_the_count(d in prop::collection::vec(-1.0f64..1.4, 5..20), seed: u64) {
            let (exact, sampled) = (p_value(&d, 0, 0).expect("numbers"), p_value_sampled(&d, 4000, seed).expect("numbers"));
            // Five standard deviations of a share of 4000.
            prop_assert!((exact - sampled).abs() < 5.0 * (exact * (1.0 - exact) / 4000.0).sqrt() + 2.0 / 4000.0);
        }
    }
}
