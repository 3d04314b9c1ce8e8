//! Latency under load: how the metrics are named, and the curve they make.

use crate::record::Metric;

/// The name of the metric that holds the latency at point `at`, of which 0 is without load: `latency at 3`.
pub fn latency(at: usize) -> String {
    format!("latency at {at}")
}

/// The name of the metric that holds the bandwidth injected at that point: `injected at 3`.
pub fn injected(at: usize) -> String {
    format!("injected at {at}")
}

/// One point: bytes a second that the other cores took, and nanoseconds of a dependent read meanwhile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Bytes a second.
    pub injected: f64,
    /// Nanoseconds.
    pub latency_ns: f64,
}

/// The points of a record, by what was injected; empty if it has none.
pub fn points(metrics: &[Metric]) -> Vec<Point> {
    let value = |name: String| metrics.iter().find(|m| m.name == name).map(|m| m.value);
    let count = metrics.iter().filter_map(|m| m.name.strip_prefix("latency at ")?.parse::<usize>().ok());
    let point = |at: usize| {
        let injected = if at == 0 { 0.0 } else { value(injected(at))? };
        Some(Point { injected, latency_ns: value(latency(at))? })
    };
    let mut points: Vec<Point> = count.filter_map(point).collect();
    points.sort_by(|a, b| a.injected.total_cmp(&b.injected));
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Better;

    #[test]
    fn points_stand_by_what_was_injected_and_a_half_one_is_none() {
        let metric = |name: String, value| Metric { name, value, unit: String::new(), better: Better::Lower };
        let metrics = [
            metric(latency(0), 100.0),
            metric(latency(2), 180.0),
            metric(injected(2), 30e9),
            metric(latency(1), 110.0),
            metric(injected(1), 10e9),
            metric(latency(3), 1.0),
        ];
        let found: Vec<_> = points(&metrics).iter().map(|p| (p.injected, p.latency_ns)).collect();
        assert_eq!(found, [(0.0, 100.0), (10e9, 110.0), (30e9, 180.0)]);
        assert!(points(&[]).is_empty());
    }
}
