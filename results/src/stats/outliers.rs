//! Samples far from the rest: counted and told, never dropped.

use super::{mad, median};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Scaled MADs beyond which a sample is far: of normal ones, less than one in a million is.
const FAR: f64 = 5.0;
/// The least share of the median that is far: where a coarse clock makes most samples equal, the next tick is no outlier.
const LEAST: f64 = 0.002;

/// Samples far from the median. They stay among the samples: on a shared machine they are part of what it does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outliers {
    /// How many.
    pub count: usize,
    /// As a share of all samples.
    pub share: f64,
    /// The furthest of them, over the median; null where there is none.
    pub furthest: Option<f64>,
}

/// Values further than 5 scaled MADs, and 0.2 %, from the median.
pub fn outliers(values: &[f64]) -> Outliers {
    let centre = median(values);
    let far = (FAR * 1.4826 * mad(values)).max(LEAST * centre.abs());
    let found = values.iter().filter(|v| (**v - centre).abs() > far);
    let count = found.clone().count();
    let furthest = found.max_by(|a, b| (*a - centre).abs().total_cmp(&(*b - centre).abs()));
    Outliers {
        count,
        share: if values.is_empty() { 0.0 } else { count as f64 / values.len() as f64 },
        furthest: furthest.map(|v| v / centre).filter(|v| v.is_finite()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_counted_with_the_furthest() {
        let found = outliers(&[1.0, 1.1, 0.9, 1.0, 1.05, 9.0, 1.0, 4.0]);
        assert_eq!((found.count, found.share), (2, 0.25));
        assert!(found.furthest.is_some_and(|f| (f - 9.0 / 1.025).abs() < 1e-12), "{found:?}");
        assert_eq!(outliers(&[1.0, 2.0, 1.5, 1.7]), Outliers::default());
        assert_eq!(outliers(&[]), Outliers::default());
    }

    #[test]
    fn the_next_tick_of_a_coarse_clock_is_none() {
        let mut ticks = [1000.0; 50];
        ticks[7] = 1001.0;
        assert_eq!(outliers(&ticks).count, 0);
        ticks[9] = 1010.0;
        assert_eq!(outliers(&ticks).count, 1);
    }
}
