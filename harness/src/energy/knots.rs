//! The moments at which a sensor really said something new, among readings that repeat what it said before.

use super::series::Point;

/// So many changes are needed before their distances tell a period.
const FEWEST: usize = 4;

/// Seconds between two updates as the readings show them: the median distance of changes; never less than the distance of readings.
pub(super) fn update_period(points: &[Point]) -> Option<f64> {
    let changes: Vec<f64> = points.windows(2).filter(|w| w[0].value != w[1].value).map(|w| w[1].t).collect();
    let gaps: Vec<f64> = changes.windows(2).map(|w| w[1] - w[0]).collect();
    (changes.len() >= FEWEST).then(|| spark_results::stats::median(&gaps))
}

/// The median distance of two readings, in seconds.
pub(super) fn reading_period(points: &[Point]) -> f64 {
    let gaps: Vec<f64> = points.windows(2).map(|w| w[1].t - w[0].t).collect();
    if gaps.is_empty() { 0.0 } else { spark_results::stats::median(&gaps) }
}

/// The knots of readings: the moments of updates. One that is seen at a reading came after the reading before it, and not earlier than
/// `updates_s` where the maker says how often it updates; when exactly each was read is itself known to its slack. With `repeats`, a
/// number that stays longer than its sensor's period is a number that was said again: with half a period's grace, since what changes may
/// come late, and without it at the last reading, behind which nothing can come. Where too few changes tell a period, the last reading
/// says it again in any case. A counter that stays has simply not been added to yet.
pub(super) fn knots(points: &[Point], updates_s: Option<f64>, repeats: bool) -> Vec<Point> {
    let told = update_period(points);
    let period = told.unwrap_or_else(|| reading_period(points));
    let mut knots: Vec<Point> = Vec::new();
    let (mut earliest, mut latest) = (f64::MIN, f64::MIN);
    for (left, pair) in (0..points.len().saturating_sub(1)).rev().zip(points.windows(2)) {
        let (before, now) = (pair[0], pair[1]);
        let stays = if left == 0 { told.unwrap_or(0.0) } else { 1.5 * period };
        // Updates come one after the other, however uncertain the moments of two readings are.
        latest = (now.t + now.slack).max(latest + 1e-9);
        earliest = (before.t - before.slack).max(now.t - now.slack - updates_s.unwrap_or(f64::INFINITY)).max(earliest);
        let again = repeats && knots.last().is_none_or(|last| now.t - last.t > stays);
        if before.value != now.value || again {
            let (t, slack) = (0.5 * (earliest + latest), 0.5 * (latest - earliest));
            knots.push(Point { t, slack, value: now.value });
        }
    }
    knots
}

/// Where `t` lies: the index of the knot before it and the share of the way to the next. `None` outside of them.
pub(super) fn place(knots: &[Point], t: f64) -> Option<(usize, f64)> {
    let after = knots.partition_point(|k| k.t < t);
    if knots.get(after)?.t == t && after == 0 {
        return (knots.len() > 1).then_some((0, 0.0));
    }
    let before = after.checked_sub(1)?;
    let (a, b) = (knots[before].t, knots[after].t);
    Some((before, (t - a) / (b - a)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Read every 50 ms, at once.
    fn at(i: u32, value: f64) -> Point {
        Point { t: f64::from(i) * 0.05, slack: 0.0, value }
    }

    #[test]
    fn the_period_is_that_of_the_changes_and_not_of_the_readings() {
        // Updated every 200 ms.
        let points: Vec<Point> = (0..100).map(|i| at(i, f64::from(i / 4))).collect();
        assert!((update_period(&points).unwrap() - 0.2).abs() < 1e-9);
        let k = knots(&points, None, false);
        assert!(k.iter().all(|k| (k.slack - 0.025).abs() < 1e-9) && (k[0].t - 0.175).abs() < 1e-9, "{:?}", k[0]);
        assert!(knots(&points, Some(0.001), false).iter().all(|k| k.slack < 0.001));
        assert_eq!(update_period(&points[..8]), None);
    }

    #[test]
    fn a_number_that_stays_was_said_again() {
        // 20 W for two seconds, then 40 W: not a ramp of two seconds.
        let points: Vec<Point> = (0..80).map(|i| at(i, if i < 40 { 20.0 } else { 40.0 })).collect();
        let k = knots(&points, None, true);
        let step = k.iter().position(|k| k.value == 40.0).unwrap();
        assert!(k[step].t - k[step - 1].t < 0.11, "{:?}", &k[step - 1..=step]);
    }

    #[test]
    fn the_last_reading_says_it_again_once_the_period_is_over() {
        // Updated every 200 ms; the last update is seen at the reading 100, and the next one says the same.
        let read = |last: u32| (0..=last).map(|i| at(i, f64::from(i.min(100) / 4))).collect::<Vec<_>>();
        let end = |last: u32| knots(&read(last), None, true).last().map(|k| (k.t / 0.05 * 2.0).round() / 2.0).unwrap();
        // In readings: the middle of those around the update, and of the two last ones.
        assert_eq!((end(103), end(104)), (99.5, 103.5));
        assert_eq!(knots(&read(104), None, false).last().map(|k| k.value), Some(25.0));
        assert!(knots(&read(104), None, false).last().unwrap().t < 5.0, "a counter has not been added to");
    }

    #[test]
    fn readings_at_odd_moments_of_a_number_that_never_changes_reach_to_the_last() {
        // A meter that answers twice a second, fails now and then and stalls once.
        let points: Vec<Point> = [0.0, 0.25, 0.75, 1.25, 2.25, 4.04, 4.54, 4.79, 5.05, 5.32, 5.58]
            .map(|t| Point { t, slack: 0.0, value: 60.5 })
            .to_vec();
        for seen in 3..points.len() {
            let (end, k) = (points[seen].t, knots(&points[..=seen], None, true));
            assert!(place(&k, 0.5 * (points[seen - 1].t + end) - 1e-3).is_some(), "up to {end}: {k:?}");
        }
    }

    #[test]
    fn a_reading_that_came_late_is_of_a_moment_that_much_less_certain() {
        let mut points: Vec<Point> = (0..100).map(|i| at(i, f64::from(i / 4))).collect();
        // The reading that saw the fifth update waited for 80 ms, or the one before it did.
        for late in [20, 19] {
            let mut points = points.clone();
            points[late].slack = 0.04;
            let k = knots(&points, None, false);
            assert!((k[4].slack - 0.045).abs() < 1e-9 && (k[3].slack - 0.025).abs() < 1e-9, "{:?}", &k[3..5]);
        }
        points[20].slack = 0.04;
        let k = knots(&points, Some(0.001), false);
        assert!((k[4].slack - 0.0405).abs() < 1e-9, "what is known of the sensor does not mend the wait: {:?}", k[4]);
    }
}
