//! Whether samples drift from the first to the last, by how much, and how likely chance alone is to look like it.

use super::dependence::ranks;
use super::{independent, median, upper_tail};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A drift from the first samples to the last.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Drift {
    /// How much more the last third took than the first: +0.05 is 5 % longer.
    pub change: f64,
    /// How often samples of a machine that does not drift would look as ordered (two-sided, Spearman's rank correlation with time,
    /// counted with as many samples as they are worth).
    pub p: f64,
}

/// The smallest change that anybody should act on.
const MATTERS: f64 = 0.02;
/// The rarity from which a drift is told.
const RARE: f64 = 0.01;

impl Drift {
    /// Whether it is worth telling: more than 2 %, and by chance in less than one of a hundred.
    pub fn matters(&self) -> bool {
        self.change.abs() > MATTERS && self.p < RARE
    }
}

/// The drift of `values`, in the order they were taken. `None` below nine of them, and where the first ones took no time.
pub fn drift(values: &[f64]) -> Option<Drift> {
    let (n, third) = (values.len(), values.len() / 3);
    if third < 3 {
        return None;
    }
    let (first, last) = (median(&values[..third]), median(&values[n - third..]));
    let change = Some(last / first - 1.0).filter(|change| change.is_finite())?;
    // The trend itself makes neighbours alike: what they are worth is asked of what is left without it.
    let slope = (last - first) / (n - third) as f64;
    let level: Vec<f64> = values.iter().enumerate().map(|(i, v)| v - slope * i as f64).collect();
    let freedom = (independent(&level) - 2.0).max(1.0);
    let rho = with_time(values);
    let t = rho.abs() * (freedom / (1.0 - rho * rho).max(f64::MIN_POSITIVE)).sqrt();
    Some(Drift { change, p: (2.0 * upper_tail(t, freedom)).min(1.0) })
}

/// Spearman's rank correlation with time; 0 where all are equal.
fn with_time(values: &[f64]) -> f64 {
    let mean = 0.5 * (values.len() - 1) as f64;
    let (mut both, mut of_time, mut of_ranks) = (0.0, 0.0, 0.0);
    for (time, rank) in ranks(values).into_iter().enumerate() {
        let (time, rank) = (time as f64 - mean, rank - mean);
        both += time * rank;
        of_time += time * time;
        of_ranks += rank * rank;
    }
    if of_ranks > 0.0 { (both / (of_time * of_ranks).sqrt()).clamp(-1.0, 1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Random;

    #[test]
    fn a_drift_is_seen_with_its_size_and_a_steady_machine_has_none() {
        let rising: Vec<_> = (0..30).map(|i| 1.0 + f64::from(i) / 30.0).collect();
        let found = drift(&rising).expect("enough");
        assert!(found.matters() && (found.change - 0.576).abs() < 0.01, "{found:?}");
        let steady = drift(&[1.0; 30]).expect("enough");
        assert_eq!((steady.change, steady.p, steady.matters()), (0.0, 1.0, false));
        assert_eq!(drift(&[1.0; 5]), None);
        assert_eq!(drift(&[0.0; 30]), None);
        let falling: Vec<_> = rising.iter().rev().copied().collect();
        assert!(drift(&falling).is_some_and(|d| d.matters() && d.change < -0.3));
    }

    #[test]
    fn noise_alone_is_seldom_called_a_drift() {
        let mut random = Random::new(19);
        let said = (0..1000)
            .filter(|_| {
                let values: Vec<f64> = (0..40).map(|_| 1.0 + 0.2 * random.unit()).collect();
                drift(&values).is_some_and(|d| d.matters())
            })
            .count();
        assert!(said <= 20, "{said} of 1000");
    }
}
