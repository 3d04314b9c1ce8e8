//! Levels of a noisy series: E-divisive change points, of which only those are kept that somebody would act on.

use crate::stats;
use std::ops::Range;

/// How a series is searched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Search {
    /// The fewest numbers on either side of a change; at least 2.
    pub shortest: usize,
    /// How often a change may be found where there is none, for each cut that is tried.
    pub significance: f64,
    /// Two neighbours whose medians differ by a smaller share than this are one: true, but nothing anybody would act on.
    pub smallest: f64,
}

impl Default for Search {
    fn default() -> Self {
        Self { shortest: 5, significance: 0.01, smallest: 0.03 }
    }
}

/// More numbers than this are searched in groups' medians: the work grows with the square of their number.
const MOST: usize = 240;
const SEED: u64 = 0x0ddb_1a5e_5bad_5eed;

/// Stretches of `values` at one level each, in order, which together are all of it. No stretch of nothing.
///
/// The same numbers give the same stretches on every machine.
pub fn stretches(values: &[f64], search: &Search) -> Vec<Range<usize>> {
    if values.is_empty() {
        return Vec::new();
    }
    let group = values.len().div_ceil(MOST);
    let grouped: Vec<f64> = values.chunks(group).map(stats::median).collect();
    // As many random orders as can show the significance asked for: 99 for one in a hundred.
    let orders = (1.0 / search.significance.clamp(1e-4, 1.0)).ceil() as usize - 1;
    let found = stats::changes(&grouped, search.shortest, search.significance, orders, SEED);
    let mut bounds = vec![0];
    bounds.extend(found.iter().map(|change| change.at * group));
    bounds.push(values.len());
    merge(values, &mut bounds, search.smallest);
    bounds.windows(2).map(|pair| pair[0]..pair[1]).collect()
}

/// Takes away the bound between the two most alike neighbours until none are alike.
fn merge(values: &[f64], bounds: &mut Vec<usize>, smallest: f64) {
    loop {
        let levels: Vec<f64> = bounds.windows(2).map(|b| stats::median(&values[b[0]..b[1]])).collect();
        let apart = levels.windows(2).map(|l| (l[0] - l[1]).abs() / l[0].abs().max(l[1].abs()).max(f64::MIN_POSITIVE));
        match apart.enumerate().min_by(|a, b| a.1.total_cmp(&b.1)) {
            Some((at, share)) if share < smallest => drop(bounds.remove(at + 1)),
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Random;
    use proptest::prelude::*;

    /// `levels` of so many numbers each, with noise of a share of the level.
    fn steps(levels: &[(usize, f64)], noise: f64, seed: u64) -> Vec<f64> {
        let mut random = Random::new(seed);
        let of = |(count, level): &(usize, f64)| vec![*level; *count];
        levels.iter().flat_map(of).map(|level| level * (1.0 + noise * (2.0 * random.unit() - 1.0))).collect()
    }

    fn bounds(values: &[f64]) -> Vec<usize> {
        stretches(values, &Search::default()).iter().map(|s| s.start).collect()
    }

    #[test]
    fn steps_are_found_where_they_are() {
        assert_eq!(bounds(&steps(&[(40, 100.0), (60, 80.0)], 0.02, 1)), [0, 40]);
        let three = bounds(&steps(&[(30, 100.0), (50, 80.0), (40, 90.0)], 0.02, 2));
        assert_eq!(three.len(), 3);
        assert!(three[1].abs_diff(30) <= 1 && three[2].abs_diff(80) <= 1, "{three:?}");
    }

    #[test]
    fn noise_alone_is_one_stretch_nearly_always() {
        let alarms = (0..200).filter(|seed| bounds(&steps(&[(60, 100.0)], 0.10, *seed)).len() > 1).count();
        assert!(alarms <= 8, "{alarms} of 200: about 2 wanted at 1 in 100");
    }

    #[test]
    fn a_single_wild_number_is_no_change_and_a_small_true_step_is_not_told() {
        let mut one = steps(&[(60, 100.0)], 0.01, 3);
        one[30] = 10.0;
        assert_eq!(bounds(&one), [0]);
        assert_eq!(bounds(&steps(&[(50, 100.0), (50, 99.0)], 0.001, 4)), [0], "1 % is below the 3 % asked for");
    }

    #[test]
    fn a_long_series_is_searched_in_groups() {
        let found = bounds(&steps(&[(1500, 100.0), (1500, 70.0)], 0.05, 5));
        assert!(found.len() == 2 && found[1].abs_diff(1500) <= 13, "{found:?}");
    }

    proptest! {
        #[test]
        fn stretches_are_all_of_it_in_order(values in prop::collection::vec(0.0f64..1e9, 0..80)) {
            let found = stretches(&values, &Search::default());
            let mut at = 0;
            for stretch in &found {
                prop_assert!(stretch.start == at && stretch.end > at);
                at = stretch.end;
            }
            prop_assert_eq!(at, values.len());
            prop_assert_eq!(found, stretches(&values, &Search::default()));
        }
    }
}
