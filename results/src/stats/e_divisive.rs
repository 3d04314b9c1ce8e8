//! Where a series changed: E-divisive, the split at which the values before and after are furthest apart in energy distance, with a
//! permutation test (Matteson and James, JASA 2014; the index 1 and a split of the whole segment, as for series of benchmarks).

use super::Random;

/// A place where a series changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// The first value after it.
    pub at: usize,
    /// How often values in random order split as clearly.
    pub p: f64,
}

/// Every change of `values`, in order: the clearest split with at least `shortest` values (two or more) on each side is tested at
/// `level` by `resamples` random orders, and where it holds both sides are searched in turn. Values are assumed to be independent of
/// each other. The same arguments give the same changes on every machine.
pub fn changes(values: &[f64], shortest: usize, level: f64, resamples: usize, seed: u64) -> Vec<Change> {
    let shortest = shortest.max(2);
    let mut random = Random::new(seed);
    let mut found = Vec::new();
    let mut open = vec![(0, values.len())];
    while let Some((from, to)) = open.pop() {
        let segment = &values[from..to];
        let Some((at, clearest)) = split(segment, shortest) else { continue };
        let mut shuffled = segment.to_vec();
        // Once too many orders split as clearly, the rest can change nothing.
        let allowed = (level * (resamples + 1) as f64).ceil() as usize;
        let as_clear = (0..resamples).filter(|_| {
            shuffle(&mut shuffled, &mut random);
            split(&shuffled, shortest).is_some_and(|(_, q)| q >= clearest)
        });
        let p = (as_clear.take(allowed).count() + 1) as f64 / (resamples + 1) as f64;
        if p <= level {
            found.push(Change { at: from + at, p });
            open.extend([(from, from + at), (from + at, to)]);
        }
    }
    found.sort_by_key(|change| change.at);
    found
}

/// The split with the largest energy statistic, and that statistic; `None` of too few values and of equal ones.
fn split(values: &[f64], shortest: usize) -> Option<(usize, f64)> {
    let n = values.len();
    if n < 2 * shortest {
        return None;
    }
    let apart = |i: usize, part: std::ops::Range<usize>| part.map(|j| (values[i] - values[j]).abs()).sum::<f64>();
    // Sums of distances over pairs within the left part, within the right part, and between them. Each step moves one value over.
    let (mut left, mut right, mut between) = (0.0, (0..n).map(|i| apart(i, i + 1..n)).sum::<f64>(), 0.0);
    let mut best: Option<(usize, f64)> = None;
    for moved in 0..n - shortest {
        let (to_left, to_right) = (apart(moved, 0..moved), apart(moved, moved + 1..n));
        left += to_left;
        right -= to_right;
        between += to_right - to_left;
        let at = moved + 1;
        if at < shortest {
            continue;
        }
        let (l, r) = (at as f64, (n - at) as f64);
        let energy = 2.0 * between / (l * r) - 2.0 * left / (l * (l - 1.0)) - 2.0 * right / (r * (r - 1.0));
        let q = l * r / (l + r) * energy;
        if q > 0.0 && best.is_none_or(|(_, most)| q > most) {
            best = Some((at, q));
        }
    }
    best
}

fn shuffle(values: &mut [f64], random: &mut Random) {
    for last in (1..values.len()).rev() {
        values.swap(last, random.below(last + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESAMPLES: usize = 199;
    const SHORTEST: usize = 4;

    /// `values` with noise around them: twelve uniforms, close to a normal.
    fn noisy(values: impl Iterator<Item = f64>, deviation: f64, seed: u64) -> Vec<f64> {
        let mut random = Random::new(seed);
        values.map(|v| v + deviation * ((0..12).map(|_| random.unit()).sum::<f64>() - 6.0)).collect()
    }
    fn steps(parts: &[(usize, f64)]) -> impl Iterator<Item = f64> {
        parts.iter().flat_map(|(n, v)| std::iter::repeat_n(*v, *n))
    }

    #[test]
    fn a_series_that_did_not_change_is_seldom_said_to_have() {
        let cried = (0..200).filter(|seed| {
            let series = noisy(steps(&[(40, 0.0)]), 0.01, *seed);
            !changes(&series, SHORTEST, 0.01, RESAMPLES, *seed).is_empty()
        });
        let cried = cried.count();
        assert!(cried <= 7, "{cried} of 200 at a level of 1 %");
    }

    #[test]
    fn a_step_is_found_where_it_is() {
        let found = (0..50).filter(|seed| {
            let series = noisy(steps(&[(20, 0.0), (20, 0.03)]), 0.01, 1000 + seed);
            let found = changes(&series, SHORTEST, 0.01, RESAMPLES, *seed);
            found.first().is_some_and(|change| change.at.abs_diff(20) <= 2)
        });
        let found = found.count();
        assert!(found >= 47, "{found} of 50");
    }

    #[test]
    fn two_steps_are_two_changes_in_order() {
        let series = noisy(steps(&[(20, 0.0), (20, 0.05), (20, -0.02)]), 0.005, 3);
        let at: Vec<usize> = changes(&series, SHORTEST, 0.01, RESAMPLES, 1).iter().map(|change| change.at).collect();
        assert_eq!(at, [20, 40]);
    }

    #[test]
    fn half_a_percent_a_week_is_seen_within_half_a_year() {
        let series = noisy((0..26).map(|week| 0.005 * f64::from(week)), 0.01, 5);
        assert!(!changes(&series, SHORTEST, 0.01, RESAMPLES, 1).is_empty());
    }

    #[test]
    fn too_few_and_equal_values_change_nowhere() {
        assert!(changes(&[], SHORTEST, 0.01, RESAMPLES, 1).is_empty());
        assert!(changes(&[0.0, 0.0, 0.0, 9.0, 9.0, 9.0, 9.0], SHORTEST, 0.05, RESAMPLES, 1).is_empty());
        assert!(changes(&[0.3; 50], SHORTEST, 0.01, RESAMPLES, 1).is_empty());
    }

    #[test]
    fn one_disturbed_run_is_no_change() {
        let mut series = noisy(steps(&[(30, 0.0)]), 0.005, 9);
        series[15] = 0.4;
        assert!(changes(&series, SHORTEST, 0.01, RESAMPLES, 1).is_empty());
    }
}
