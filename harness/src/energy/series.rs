//! What the samples hold of one sensor in one scope: its power, its energy counter, and what is known of both.

use std::collections::BTreeMap;

use spark_results::telemetry::{Channel, Header, Sample};

/// A moment at which a number is known, how uncertain the moment is, and the number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    /// Seconds since the beginning of the first window; the middle of the time in which it lay.
    pub(super) t: f64,
    /// Half the length of that time.
    pub(super) slack: f64,
    pub(super) value: f64,
}

/// One number of one sensor through time.
#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    pub(super) scope: String,
    pub(super) source: String,
    pub(super) points: Vec<Point>,
    /// Seconds that each number is the mean of.
    pub(super) averages_s: Option<f64>,
    /// Seconds between updates, as the maker states them.
    pub(super) updates_s: Option<f64>,
    /// Share of the time that the sensor looks.
    pub(super) duty: Option<f64>,
    pub(super) simulated: bool,
}

/// A sensor's energy and power in one scope, of which one may be missing.
#[derive(Clone, Debug, Default)]
pub(super) struct Pair {
    pub(super) energy: Option<Stream>,
    pub(super) power: Option<Stream>,
}

impl Pair {
    /// Either of the two, for what they have in common.
    pub(super) fn any(&self) -> Option<&Stream> {
        self.energy.as_ref().or(self.power.as_ref())
    }
}

/// The pairs in `samples`, by scope and source. Times are seconds since `zero_ns`.
pub(super) fn pairs(header: &Header, samples: &[Sample], zero_ns: u64) -> Vec<Pair> {
    // Scope, source, whether it is a counter.
    let mut streams: BTreeMap<(&str, &str, bool), Stream> = BTreeMap::new();
    for sample in samples {
        let t = (i128::from(sample.t_ns) - i128::from(zero_ns)) as f64 * 1e-9;
        let slack = sample.slack_ns as f64 * 1e-9;
        for r in &sample.readings {
            let counter = match r.quantity.as_str() {
                "energy" => true,
                "power" => false,
                _ => continue,
            };
            let stream = streams.entry((r.scope.as_str(), r.source.as_str(), counter)).or_insert_with(|| {
                let c = channel(header, &r.quantity, &r.scope, &r.source);
                Stream {
                    scope: r.scope.clone(),
                    source: r.source.clone(),
                    points: Vec::new(),
                    averages_s: c.and_then(|c| c.averages_ms).map(|ms| ms * 1e-3),
                    updates_s: c.and_then(|c| c.updates_ms).map(|ms| ms * 1e-3),
                    duty: c.and_then(|c| c.duty),
                    simulated: c.is_some_and(|c| c.simulated),
                }
            });
            // The same moment twice says nothing new; sums over pairs divide by the time between.
            if r.value.is_finite() && stream.points.last().is_none_or(|last| last.t < t) {
                stream.points.push(Point { t, slack, value: r.value });
            }
        }
    }
    let sensor = |s: &Stream, quantity: &str| {
        channel(header, quantity, &s.scope, &s.source).map_or_else(|| s.source.clone(), |c| c.name.clone())
    };
    let (counters, mut powers): (Vec<Stream>, Vec<Option<Stream>>) =
        streams.into_iter().fold((Vec::new(), Vec::new()), |(mut c, mut p), ((_, _, counter), stream)| {
            if counter {
                c.push(stream);
            } else {
                p.push(Some(stream));
            }
            (c, p)
        });
    let mut pairs = Vec::new();
    for energy in counters {
        let name = sensor(&energy, "energy");
        let same =
            |p: &&mut Option<Stream>| p.as_ref().is_some_and(|p| p.scope == energy.scope && sensor(p, "power") == name);
        let mut own: Vec<_> = powers.iter_mut().filter(same).collect();
        // Two powers of the same name are of two things: neither can be told to be the counter's.
        let power = if let [one] = own.as_mut_slice() { one.take() } else { None };
        pairs.push(Pair { energy: Some(energy), power });
    }
    pairs.extend(powers.into_iter().flatten().map(|power| Pair { energy: None, power: Some(power) }));
    pairs.sort_by(|a, b| name(a).cmp(&name(b)));
    pairs
}

fn name(pair: &Pair) -> Option<(&str, &str)> {
    pair.any().map(|s| (s.scope.as_str(), s.source.as_str()))
}

fn channel<'a>(header: &'a Header, quantity: &str, scope: &str, source: &str) -> Option<&'a Channel> {
    header.sensors.iter().find(|c| {
        c.quantity.as_deref() == Some(quantity)
            && c.scope.as_deref() == Some(scope)
            && c.source.as_deref() == Some(source)
    })
}
