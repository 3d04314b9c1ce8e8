//! Numbers over time: what the sensors said and what was measured beside it, as curves over bands of what ran.

use crate::chart::{Axis, Band, Chart, Ink, Line, legend};
use maud::{Markup, html};
use spark_results::quantity::{digits, percent};
use spark_results::{Record, Run, telemetry};
use std::collections::{BTreeMap, BTreeSet};

/// Points drawn of one curve at most; more are averaged in groups.
const POINTS: usize = 240;
pub(crate) const INKS: [Ink; 5] = [Ink::A, Ink::B, Ink::C, Ink::D, Ink::E];

/// Points in seconds since the run began.
pub(crate) type Points = Vec<(f64, f64)>;

/// Points by quantity and scope.
#[derive(Debug, Default)]
pub(crate) struct Curves(BTreeMap<String, BTreeMap<String, Points>>);

/// A quantity that is drawn: its name in telemetry, its title, the factor to the title's unit.
pub(crate) type Quantity = (&'static str, &'static str, f64);

/// The core clock as it was measured by work, which is told beside what the system says.
pub(crate) const MEASURED_CLOCK: &str = "clock";

impl Curves {
    /// Everything that the sensors of `run` said, and the core clocks measured between samples.
    pub(crate) fn of(run: &Run) -> Self {
        let mut curves = Self::default();
        let channels = || {
            run.telemetry.iter().flat_map(|line| match line {
                telemetry::Line::Header(header) => header.sensors.as_slice(),
                _ => &[],
            })
        };
        let doubles: BTreeSet<_> = channels().filter(|c| c.simulated).filter_map(|c| c.source.as_deref()).collect();
        for line in &run.telemetry {
            let telemetry::Line::Sample(sample) = line else { continue };
            for r in sample.readings.iter().filter(|r| r.value.is_finite()) {
                let double = if doubles.contains(r.source.as_str()) { ", a test double" } else { "" };
                curves.add(&r.quantity, &format!("{}{double}", r.scope), sample.t_ns, r.value);
            }
        }
        for clock in run.records.iter().filter_map(Record::measured).flat_map(|m| &m.conditions.core_clocks) {
            let hz: Vec<f64> = clock.hz.iter().copied().filter(|hz| hz.is_finite()).collect();
            if !hz.is_empty() {
                curves.add(MEASURED_CLOCK, "cores, measured", clock.at_ns, spark_results::stats::median(&hz));
            }
        }
        curves
    }
    fn add(&mut self, quantity: &str, scope: &str, t_ns: u64, value: f64) {
        let scopes = self.0.entry(quantity.to_owned()).or_default();
        scopes.entry(scope.to_owned()).or_default().push((t_ns as f64 * 1e-9, value));
    }
    /// Whether anything was said of `quantity`.
    pub(crate) fn has(&self, quantity: &str) -> bool {
        self.0.contains_key(quantity)
    }
    /// Whether there is nothing at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// The last moment of any curve.
    pub(crate) fn end(&self) -> f64 {
        self.0.values().flat_map(BTreeMap::values).flatten().map(|p| p.0).fold(0.0, f64::max)
    }
    /// The mean of each scope of `quantity` between two moments, in seconds.
    pub(crate) fn means(&self, quantity: &str, from: f64, to: f64) -> Vec<(&str, f64)> {
        let mean = |points: &Points| {
            let inside: Vec<f64> = points.iter().filter(|p| (from..=to).contains(&p.0)).map(|p| p.1).collect();
            (!inside.is_empty()).then(|| inside.iter().sum::<f64>() / inside.len() as f64)
        };
        let scopes = self.0.get(quantity).into_iter().flatten();
        scopes.filter_map(|(scope, points)| Some((scope.as_str(), mean(points)?))).collect()
    }
    /// One panel: `quantity`'s curves between two moments, counted from the first, over `bands` in the same count. `None` where nothing
    /// was said of it then.
    pub(crate) fn panel(
        &self,
        quantity: Quantity,
        (from, to): (f64, f64),
        bands: &[Band],
        height: u32,
    ) -> Option<Markup> {
        let (name, title, factor) = quantity;
        let all = self.0.get(name)?;
        let inside = |points: &Points| -> Points {
            points.iter().filter(|p| (from..=to).contains(&p.0)).map(|p| (p.0 - from, p.1 * factor)).collect()
        };
        let mut scopes: Vec<(&str, Points)> =
            all.iter().map(|(scope, points)| (scope.as_str(), inside(points))).filter(|(_, p)| !p.is_empty()).collect();
        if scopes.is_empty() {
            return None;
        }
        // What moves most is worth seeing most: of many zones the hottest.
        let most = |points: &Points| points.iter().map(|p| p.1).fold(f64::NEG_INFINITY, f64::max);
        scopes.sort_by(|a, b| most(&b.1).total_cmp(&most(&a.1)));
        let lines: Vec<_> = scopes.iter().zip(INKS).map(|((_, points), ink)| line(ink, thin(points))).collect();
        let keys: Vec<_> = scopes.iter().zip(INKS).map(|((scope, _), ink)| (ink, None, *scope)).collect();
        Some(html! {
            (draw(title, lines, to - from, bands, height, factor == 100.0))
            @if keys.len() > 1 || keys.iter().any(|k| k.2 != "cpu") { (legend(&keys)) }
            @if scopes.len() > INKS.len() { p.of { (scopes.len() - INKS.len()) " further scopes are in telemetry.jsonl." } }
        })
    }
}

/// A curve without a name of its own.
pub(crate) fn line(ink: Ink, points: Points) -> Line {
    Line { ink, points, label: String::new(), shape: None }
}

/// Curves over `bands`, from 0 to `end` seconds.
pub(crate) fn draw(title: &str, lines: Vec<Line>, end: f64, bands: &[Band], height: u32, share: bool) -> Markup {
    let values = || lines.iter().flat_map(|l| &l.points).map(|p| p.1);
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
    let written = |v: f64| if share { percent(v / 100.0) } else { digits(v) };
    let low = if low.is_finite() { low } else { 0.0 };
    let chart = Chart {
        about: format!("{title}, over {} s: between {} and {}", digits(end), written(low), written(high)),
        x: Axis::linear("seconds", end, |v| format!("{v}")),
        y: Axis::linear(title, high, |v| format!("{}", (v * 1e3).round() / 1e3)),
        bands: bands.to_vec(),
        lines,
        dots: Vec::new(),
    };
    chart.render(height)
}

/// Means of equal groups, so that a long run draws no more than a screen can show.
pub(crate) fn thin(points: &[(f64, f64)]) -> Points {
    thin_to(points, POINTS)
}

/// The same to at most `most` points.
pub(crate) fn thin_to(points: &[(f64, f64)], most: usize) -> Points {
    let group = points.len().div_ceil(most.max(1)).max(1);
    let mean =
        |part: &[(f64, f64)], pick: fn(&(f64, f64)) -> f64| part.iter().map(pick).sum::<f64>() / part.len() as f64;
    points.chunks(group).map(|part| (mean(part, |p| p.0), mean(part, |p| p.1))).collect()
}
