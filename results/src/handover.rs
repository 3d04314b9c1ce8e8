//! A line handed from core to core: how the metrics are named, and the matrix they make.

use crate::record::Metric;

/// The name of the metric that holds the time from one CPU to another: `handover 0-1`.
pub fn name(one: usize, other: usize) -> String {
    format!("handover {one}-{other}")
}

/// Times between CPUs.
#[derive(Clone, Debug, PartialEq)]
pub struct Handovers {
    /// The CPUs, in order.
    pub cpus: Vec<usize>,
    /// First CPU, second CPU, nanoseconds.
    pub pairs: Vec<(usize, usize, f64)>,
}

impl Handovers {
    /// From a record's metrics; `None` if none of them is one.
    pub fn of(metrics: &[Metric]) -> Option<Self> {
        let pair = |m: &Metric| {
            let (one, other) = m.name.strip_prefix("handover ")?.split_once('-')?;
            Some((one.parse().ok()?, other.parse().ok()?, m.value))
        };
        let pairs: Vec<(usize, usize, f64)> = metrics.iter().filter_map(pair).collect();
        let mut cpus: Vec<_> = pairs.iter().flat_map(|(one, other, _)| [*one, *other]).collect();
        cpus.sort_unstable();
        cpus.dedup();
        (!pairs.is_empty()).then_some(Self { cpus, pairs })
    }
    /// Nanoseconds between two CPUs, whichever begins.
    pub fn between(&self, one: usize, other: usize) -> Option<f64> {
        let is = |(a, b, _): &&(usize, usize, f64)| (*a, *b) == (one, other) || (*a, *b) == (other, one);
        self.pairs.iter().find(is).map(|(_, _, ns)| *ns)
    }
    /// The shortest and the longest.
    pub fn span(&self) -> (f64, f64) {
        let ns = || self.pairs.iter().map(|(_, _, ns)| *ns);
        (ns().fold(f64::INFINITY, f64::min), ns().fold(0.0, f64::max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Better;

    #[test]
    fn the_matrix_is_the_same_from_both_sides() {
        let metric = |name: String, value| Metric { name, value, unit: "ns".into(), better: Better::Lower };
        let metrics = [metric(name(0, 4), 50.0), metric(name(0, 10), 70.0), metric("handover x".into(), 1.0)];
        let found = Handovers::of(&metrics).unwrap();
        assert_eq!(found.cpus, [0, 4, 10]);
        assert_eq!((found.between(4, 0), found.between(4, 10)), (Some(50.0), None));
        assert_eq!(found.span(), (50.0, 70.0));
        assert_eq!(Handovers::of(&metrics[2..]), None);
    }
}
