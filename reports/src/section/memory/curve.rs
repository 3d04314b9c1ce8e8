//! One curve over working sets.

use crate::chart::{Ink, Line, Shape};
use spark_results::Entry;
use std::collections::BTreeMap;

/// The best value at each size.
pub(super) struct Curve {
    pub(super) name: &'static str,
    pub(super) ink: Ink,
    pub(super) shape: Shape,
    /// Threads that share the set, and with it their caches.
    pub(super) threads: u64,
    pub(super) points: Vec<(u64, f64)>,
}

impl Curve {
    pub(super) fn of<'e>(
        name: &'static str,
        ink: Ink,
        shape: Shape,
        threads: u64,
        entries: impl Iterator<Item = &'e Entry>,
        value: impl Fn(&Entry) -> Option<f64>,
        better: fn(f64, f64) -> f64,
    ) -> Self {
        let mut best: BTreeMap<u64, f64> = BTreeMap::new();
        for e in entries {
            if let (Some(bytes), Some(v)) = (e.int("bytes").filter(|b| *b > 0), value(e).filter(|v| *v > 0.0)) {
                best.entry(bytes).and_modify(|b| *b = better(*b, v)).or_insert(v);
            }
        }
        Self { name, ink, shape, threads, points: best.into_iter().collect() }
    }
    pub(super) fn line(&self) -> Line {
        let points = self.points.iter().map(|(bytes, v)| (*bytes as f64, *v)).collect();
        Line { ink: self.ink, points, label: String::new(), shape: Some(self.shape) }
    }
}

/// Lowest and highest of one side of some points.
pub(super) fn span(lines: &[Line], pick: fn(&(f64, f64)) -> f64) -> (f64, f64) {
    let all = lines.iter().flat_map(|l| l.points.iter().map(pick));
    all.fold((f64::INFINITY, 0.0), |(low, high), v| (low.min(v), high.max(v)))
}
