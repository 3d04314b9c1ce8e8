//! Joules from power: trapezoids between the sensor's updates, with the window's ends interpolated.

use super::knots::{knots, place, reading_period, update_period};
use super::series::{Point, Stream};
use super::{Estimate, LONGEST_GAP_S, sleeping};

/// Readings that are the same to the last digit, through so many of them and so many seconds, come from a sensor that is stuck.
const STUCK: (usize, f64) = (20, 2.0);

/// The joules of `[from, to]` by `stream`.
///
/// # Errors
/// Why its powers are not valid there.
pub(super) fn integrated(stream: &Stream, from: f64, to: f64) -> Result<Estimate, String> {
    let points = &stream.points;
    let silent = points.windows(2).any(|w| w[1].t - w[0].t > LONGEST_GAP_S && w[1].t > from && w[0].t < to);
    if silent {
        return Err(format!("it was silent for more than {LONGEST_GAP_S:.0} s within the window"));
    }
    let inside: Vec<f64> = points.iter().filter(|p| (from..=to).contains(&p.t)).map(|p| p.value).collect();
    // A meter at the wall rounds to whole watts, and may well say the same for long.
    if let (Some(first), Some(last)) = (points.first(), points.last())
        && stream.scope != "wall"
        && points.len() >= STUCK.0
        && last.t - first.t >= STUCK.1
        && points.iter().all(|p| p.value == first.value)
    {
        return Err(format!(
            "it said {} W {} times, the same to the last digit: it is stuck",
            first.value,
            points.len()
        ));
    }
    let mean_of = stream.averages_s.unwrap_or(0.0);
    let mut knots = knots(points, stream.updates_s, true);
    // A mean over the last moments is the power of their middle.
    knots.iter_mut().for_each(|k| k.t -= mean_of / 2.0);
    let (Some(start), Some(end)) = (place(&knots, from), place(&knots, to)) else {
        return Err("it did not cover the window".into());
    };
    let at = |(k, share): (usize, f64)| knots[k].value + share * (knots[k + 1].value - knots[k].value);
    let mut line = vec![Point { t: from, slack: 0.0, value: at(start) }];
    line.extend(knots[start.0 + 1..=end.0].iter().copied().filter(|k| k.t < to));
    line.push(Point { t: to, slack: 0.0, value: at(end) });
    let joules: f64 = line.windows(2).map(|w| 0.5 * (w[0].value + w[1].value) * (w[1].t - w[0].t)).sum();
    // Beyond the ends, too: a load that begins with the window shows only from then on.
    let around = &knots[start.0.saturating_sub(1)..(end.0 + 3).min(knots.len())];
    let wide = points.iter().filter(|p| (from - 1.0..=to + 1.0).contains(&p.t)).map(|p| p.value);
    let (low, high) = wide.fold((f64::MAX, f64::MIN), |(l, h), w| (l.min(w), h.max(w)));
    let swing = (high - low).max(0.0);
    let edge = |(k, _): (usize, f64)| {
        let (a, b) = (knots[k], knots[k + 1]);
        // A step between two updates is drawn as a slope, off by up to a quarter of their distance times the step; a mean over
        // `mean_of` smears it over an eighth of that on either side. The moments themselves are known to `slack`.
        swing * (0.25 * (b.t - a.t) + 0.25 * mean_of) + (b.value - a.value).abs() * a.slack.max(b.slack)
    };
    // Within the window a step lies anywhere between two updates: the trapezoid is off by a uniform share of the step times
    // their distance, and twice the standard deviation of the sum is stated. A sensor that averages misses nothing.
    let period = update_period(points).unwrap_or_else(|| reading_period(points));
    let missed = if mean_of >= 0.9 * period {
        0.0
    } else {
        let squares = around.windows(2).map(|w| ((w[1].value - w[0].value) * (w[1].t - w[0].t)).powi(2) / 12.0);
        2.0 * squares.sum::<f64>().sqrt()
    };
    let slept: f64 = around.windows(2).map(|w| w[1].t - w[0].t).filter(|gap| *gap > 4.0 * period).sum();
    let held: Vec<(f64, f64)> = line.windows(2).map(|w| (0.5 * (w[0].value + w[1].value), w[1].t - w[0].t)).collect();
    let digits = rounding(&inside) * (to - from);
    let half = edge(start)
        .hypot(edge(end))
        .hypot(missed)
        .hypot(sleeping(&held, stream.duty, swing))
        .hypot(swing * slept / 4.0)
        .hypot(digits);
    Ok(Estimate {
        joules,
        half,
        update_s: update_period(points),
        coverage: (1.0 - slept / (to - from)).clamp(0.0, 1.0) * stream.duty.unwrap_or(1.0),
        peak_w: inside.iter().copied().reduce(f64::max),
    })
}

/// Half a unit of the last digit in which all of `watts` are whole: what a constant number may hide.
fn rounding(watts: &[f64]) -> f64 {
    let whole = |scale: f64| watts.iter().all(|w| (w * scale - (w * scale).round()).abs() < 1e-6 * scale.max(1.0));
    [1.0, 10.0, 100.0, 1000.0].into_iter().find(|scale| whole(*scale)).map_or(0.0, |scale| 0.5 / scale)
}
