//! The rule that intervals followed first: a bootstrap of samples taken for independent. Kept so that older folders can be verified.

use super::{Estimate, FEWEST, Random, quantile, sorted};

/// Resamples of the bootstrap; its seed is fixed, so that anyone recomputes the same interval.
const RESAMPLES: usize = 1000;
const SEED: u64 = 0x5bd1_e995_9d2c_5680;

/// The median and its 95 % bootstrap interval (percentile method), as if no sample knew of the one before. `None` of nothing.
pub fn estimate(values: &[f64]) -> Option<Estimate> {
    let values = sorted(values);
    if values.is_empty() {
        return None;
    }
    let n = values.len();
    let mut random = Random::new(SEED);
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
        independent: n as f64,
    })
}

/// How many values lie further than 5 scaled MADs from the median, by the first rule.
pub fn outliers(values: &[f64]) -> usize {
    let (centre, spread) = (super::median(values), 1.4826 * super::mad(values));
    values.iter().filter(|v| (**v - centre).abs() > 5.0 * spread.max(f64::MIN_POSITIVE)).count()
}
