//! The Hodges–Lehmann estimate: the median of all averages of two differences, with the interval of the signed-rank test.

use spark_results::stats::sorted;

/// A shift with its 95 % interval, in the unit of the differences.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    /// The estimate.
    pub estimate: f64,
    /// Its interval at 95 % or the next wider level that ranks allow; the range of the averages below six differences, where no
    /// interval of ranks covers 95 %.
    pub ci95: [f64; 2],
}

/// The shift of `differences`, at most some thousands of them. `None` of nothing and of a value that is no number.
pub fn shift(differences: &[f64]) -> Option<Shift> {
    if differences.is_empty() || differences.iter().any(|d| !d.is_finite()) {
        return None;
    }
    let n = differences.len();
    let averages = (0..n).flat_map(|i| (i..n).map(move |j| 0.5 * (differences[i] + differences[j])));
    let averages = sorted(&averages.collect::<Vec<_>>());
    let cut = outside(n);
    Some(Shift {
        estimate: spark_results::stats::quantile(&averages, 0.5),
        ci95: [averages[cut], averages[averages.len() - 1 - cut]],
    })
}

/// How many averages stand outside the interval on each side: the largest c with P(W < c) ≤ 0.025, W the signed-rank sum
/// under symmetry, whose distribution is counted exactly: rank r is in the sum or is not.
fn outside(n: usize) -> usize {
    let most = n * (n + 1) / 2;
    let mut ways = vec![0.0_f64; most + 1];
    ways[0] = 1.0;
    for rank in 1..=n {
        for sum in (rank..=rank * (rank + 1) / 2).rev() {
            ways[sum] += ways[sum - rank];
        }
        // Halved each time instead of divided by 2^n at the end, which f64 could not hold.
        ways.iter_mut().for_each(|w| *w *= 0.5);
    }
    let mut below = 0.0;
    for (sum, ways) in ways.iter().enumerate() {
        below += ways;
        if below > 0.025 {
            return sum;
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use spark_results::stats::Random;

    #[test]
    fn cuts_are_those_of_the_published_table() {
        // Critical values of Wilcoxon's signed-rank test, two-sided 5 %: the sum at or below which it rejects, plus 1.
        for (n, critical) in [(5, None), (6, Some(0)), (8, Some(3)), (10, Some(8)), (20, Some(52)), (40, Some(264))] {
            assert_eq!(outside(n), critical.map_or(0, |c: usize| c + 1), "n = {n}");
        }
    }

    #[test]
    fn known_differences() {
        let shift = shift(&[1.0, 2.0, 3.0, 4.0, 100.0]).expect("numbers");
        assert_eq!(shift.estimate, 3.0);
        assert_eq!(shift.ci95, [1.0, 100.0]);
        assert_eq!(super::shift(&[]), None);
        assert_eq!(super::shift(&[f64::INFINITY]), None);
    }

    #[test]
    fn the_interval_covers_the_shift_as_often_as_it_says() {
        let (mut random, trials) = (Random::new(5), 1000);
        let covered = (0..trials)
            .filter(|_| {
                let d: Vec<f64> = (0..20).map(|_| 0.3 + random.unit() - random.unit()).collect();
                let [low, high] = shift(&d).expect("numbers").ci95;
                (low..=high).contains(&0.3)
            })
            .count();
        assert!((930..=985).contains(&covered), "{covered} of {trials}: 95 % or a little more wanted");
    }
}
