//! Change points: where a series of noisy numbers moves to another level, found without a model of the noise.
//!
//! The method is E-divisive (Matteson and James, 2014, doi 10.1080/01621459.2013.849605): the cut with the largest energy distance
//! between its two sides is kept if few shufflings of the same numbers have one as large, and both sides are searched on.

use crate::stats::{self, Random};
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
    let mut cuts = Vec::new();
    let mut random = Random::new(SEED);
    divide(&grouped, 0, search, &mut random, &mut cuts);
    cuts.sort_unstable();
    let mut bounds: Vec<usize> = cuts.into_iter().map(|cut| cut * group).collect();
    bounds.insert(0, 0);
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

fn divide(values: &[f64], first: usize, search: &Search, random: &mut Random, cuts: &mut Vec<usize>) {
    let shortest = search.shortest.max(2);
    let Some((at, found)) = best(values, shortest) else { return };
    // As many shufflings as can show the significance asked for: 99 for one in a hundred.
    let rounds = (1.0 / search.significance.clamp(1e-4, 1.0)).ceil() as usize - 1;
    let mut shuffled = values.to_vec();
    let allowed = ((rounds + 1) as f64 * search.significance).floor() as usize;
    let mut as_large = 1;
    for _ in 0..rounds {
        shuffle(&mut shuffled, random);
        if best(&shuffled, shortest).is_some_and(|(_, value)| value >= found) {
            as_large += 1;
            if as_large > allowed {
                return;
            }
        }
    }
    cuts.push(first + at);
    divide(&values[..at], first, search, random, cuts);
    divide(&values[at..], first + at, search, random, cuts);
}

fn shuffle(values: &mut [f64], random: &mut Random) {
    for last in (1..values.len()).rev() {
        values.swap(last, random.below(last + 1));
    }
}

/// The cut with the largest energy distance between its sides, and that distance. `None` where the series is too short for two sides.
///
/// Sums of distances within and between the sides follow the cut along the series, each step in linear time.
fn best(values: &[f64], shortest: usize) -> Option<(usize, f64)> {
    let n = values.len();
    if n < 2 * shortest {
        return None;
    }
    let to = |at: usize, range: Range<usize>| values[range].iter().map(|v| (v - values[at]).abs()).sum::<f64>();
    let (mut left, mut between, mut right) = (0.0, 0.0, 0.0);
    // All stands on the right at first.
    for at in 0..n {
        right += to(at, at + 1..n);
    }
    let mut best: Option<(usize, f64)> = None;
    for at in 0..n {
        let (behind, ahead) = (to(at, 0..at), to(at, at + 1..n));
        left += behind;
        between += ahead - behind;
        right -= ahead;
        let (l, r) = (at + 1, n - at - 1);
        if l < shortest || r < shortest {
            continue;
        }
        let (l, r) = (l as f64, r as f64);
        let pairs = |n: f64| n * (n - 1.0) / 2.0;
        let distance = 2.0 * between / (l * r) - left / pairs(l) - right / pairs(r);
        let value = l * r / (l + r) * distance;
        if best.is_none_or(|(_, most)| value > most) {
            best = Some((at + 1, value));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
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
