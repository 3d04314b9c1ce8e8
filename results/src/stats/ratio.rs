//! The ratio of two estimates with an interval.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A ratio and its 95 % interval, where both sides have one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ratio {
    /// The second over the first.
    pub ratio: f64,
    /// Its interval; null where a side has none.
    pub ci95: Option<[f64; 2]>,
}

/// `b` over `a`, each with its interval: the distances to the ends, in logarithms, add like errors that know nothing of each other
/// (Zou and Donner 2008, the variances recovered from the limits), so that exchanging the sides inverts the ratio and its interval.
/// `None` where a side is not above zero.
pub fn ratio(a: (f64, Option<[f64; 2]>), b: (f64, Option<[f64; 2]>)) -> Option<Ratio> {
    let positive = |v: f64| v > 0.0 && v.is_finite();
    if !positive(a.0) || !positive(b.0) {
        return None;
    }
    let ratio = b.0 / a.0;
    let reach = |(value, ends): (f64, Option<[f64; 2]>)| {
        let [low, high] = ends.filter(|ends| ends.iter().all(|v| positive(*v)))?;
        Some([(value / low).ln().max(0.0), (high / value).ln().max(0.0)])
    };
    let ci95 = reach(a).zip(reach(b)).map(|([a_down, a_up], [b_down, b_up])| {
        [ratio * (-b_down.hypot(a_up)).exp(), ratio * b_up.hypot(a_down).exp()]
    });
    Some(Ratio { ratio, ci95 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Random, estimate};
    use proptest::prelude::*;

    #[test]
    fn known_ratios() {
        let of = |value, ends| (value, ends);
        let r = ratio(of(2.0, Some([2.0, 2.0])), of(3.0, Some([2.7, 3.3]))).expect("above zero");
        let [low, high] = r.ci95.expect("both have one");
        assert!(r.ratio == 1.5 && (low - 1.35).abs() < 1e-12 && (high - 1.65).abs() < 1e-12, "{r:?}");
        assert_eq!(ratio(of(2.0, None), of(3.0, Some([2.7, 3.3]))), Some(Ratio { ratio: 1.5, ci95: None }));
        for (a, b) in [(0.0, 1.0), (1.0, 0.0), (f64::NAN, 1.0), (1.0, f64::INFINITY)] {
            assert_eq!(ratio((a, None), (b, None)), None);
        }
    }

    #[test]
    fn the_interval_covers_the_true_ratio_as_often_as_it_says() {
        let mut random = Random::new(31);
        let mut side = |centre: f64, n: usize| {
            let values: Vec<f64> = (0..n).map(|_| centre * (0.9 + 0.2 * random.unit())).collect();
            let e = estimate(&values).expect("samples");
            (e.median, e.ci95)
        };
        let covered = (0..600)
            .filter(|_| {
                let r = ratio(side(1.0, 30), side(1.3, 60)).expect("above zero");
                r.ci95.is_some_and(|[low, high]| (low..=high).contains(&1.3))
            })
            .count();
        assert!(covered >= 558, "{covered} of 600: 95 % or a little more wanted");
    }

    proptest! {
        #[test]
        fn exchanged_sides_invert_it(a in 0.1f64..10.0, b in 0.1f64..10.0, w in prop::array::uniform4(0.0f64..0.5)) {
            let a = (a, Some([a * (1.0 - w[0]), a * (1.0 + w[1])]));
            let b = (b, Some([b * (1.0 - w[2]), b * (1.0 + w[3])]));
            let (there, back) = (ratio(a, b).unwrap(), ratio(b, a).unwrap());
            let ([low, high], [back_low, back_high]) = (there.ci95.unwrap(), back.ci95.unwrap());
            for (one, other) in [(there.ratio, back.ratio), (low, back_high), (high, back_low)] {
                prop_assert!((one * other - 1.0).abs() < 1e-9);
            }
            prop_assert!(low <= there.ratio && there.ratio <= high);
        }
    }
}
