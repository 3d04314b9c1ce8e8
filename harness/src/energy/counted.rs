//! Joules from a counter: its difference between the window's ends, each placed between the two ticks around it.

use super::knots::{knots, place, update_period};
use super::series::{Point, Stream};
use super::{Estimate, LONGEST_GAP_S, sleeping};

/// The joules of `[from, to]` by `stream`; `powers` is what the same sensor says of its power, if it does.
///
/// # Errors
/// Why the counter is not valid there.
pub(super) fn counted(stream: &Stream, powers: &[Point], from: f64, to: f64) -> Result<Estimate, String> {
    let points = &stream.points;
    let near = |t: f64| t >= from - LONGEST_GAP_S && t <= to + LONGEST_GAP_S;
    if points.windows(2).any(|w| w[1].value < w[0].value && near(w[1].t)) {
        return Err("its counter went back (a reset): what was counted is lost".into());
    }
    let knots = knots(points, stream.updates_s, false);
    let inside: Vec<Point> = points.iter().copied().filter(|p| (from..=to).contains(&p.t)).collect();
    if inside.len() > 1 && inside.first().map(|p| p.value) == inside.last().map(|p| p.value) {
        return Err("its counter stood still".into());
    }
    let (Some(start), Some(end)) = (place(&knots, from), place(&knots, to)) else {
        return Err("it did not cover the window".into());
    };
    let watts = |w: &[Point]| (w[1].value - w[0].value) / (w[1].t - w[0].t);
    let around = &knots[start.0.saturating_sub(1)..(end.0 + 3).min(knots.len())];
    // Ticks whose moments are uncertain seem nearer or farther than they were: only what is certain of the powers between them
    // counts as swing.
    let sure =
        |w: &[Point], sign: f64| (w[1].value - w[0].value) / (w[1].t - w[0].t + sign * (w[0].slack + w[1].slack));
    let high = around.windows(2).map(|w| sure(w, 1.0)).fold(f64::MIN, f64::max);
    let low = around.windows(2).map(|w| sure(w, -1.0)).filter(|w| *w > 0.0).fold(f64::MAX, f64::min).min(high);
    let mut seen = vec![high, low];
    if let Some(gap) = around.windows(2).map(|w| w[1].t - w[0].t).find(|gap| *gap > LONGEST_GAP_S) {
        return Err(format!("its counter was not added to for {gap:.1} s"));
    }
    let held: Vec<(f64, f64)> =
        knots[start.0..(end.0 + 2).min(knots.len())].windows(2).map(|w| (watts(w), w[1].t - w[0].t)).collect();
    seen.extend(powers.iter().filter(|p| near(p.t)).map(|p| p.value));
    let swing = seen.iter().copied().fold(f64::MIN, f64::max) - seen.iter().copied().fold(f64::MAX, f64::min);
    let value = |(at, share): (usize, f64)| knots[at].value + share * (knots[at + 1].value - knots[at].value);
    let joules = value(end) - value(start);
    let mean = joules / (to - from);
    let edge = |(at, share): (usize, f64)| {
        let (a, b) = (knots[at], knots[at + 1]);
        let length = b.t - a.t;
        // A step of the power anywhere between the two ticks moves the energy at the edge by at most this; bursts too short to be
        // seen move it too, so that the power is never taken for steadier than a third of it.
        let bend = swing.max(mean / 3.0) * share * (1.0 - share) * length;
        let early = (b.value - a.value) / length * ((1.0 - share) * a.slack).hypot(share * b.slack);
        bend.hypot(early)
    };
    // Readings and ticks of nearly the same beat err for long in one direction, and between the ends it may have turned: the sum.
    let half = (edge(start) + edge(end)).hypot(sleeping(&held, stream.duty, swing));
    Ok(Estimate {
        joules,
        half,
        update_s: update_period(points).or(stream.updates_s),
        coverage: stream.duty.unwrap_or(1.0),
        peak_w: seen.iter().copied().reduce(f64::max).filter(|w| *w > 0.0),
    })
}
