//! What was read so far, kept small: names once, numbers in a ring, and lines that are not yet in the file.

use std::collections::{HashMap, VecDeque};

use spark_results::telemetry::{Event, Line, Reading, Sample};

/// Samples kept at hand for sums over a window: about ten minutes of everything; all of them are in the file.
const KEPT: usize = 60_000;

/// Everything of a reading but its number.
type Name = (String, String, String, String);

/// One reading of one sensor: when, how surely, and which numbers.
#[derive(Debug)]
struct Kept {
    t_ns: u64,
    slack_ns: u64,
    numbers: Box<[(u32, f64)]>,
}

#[derive(Debug, Default)]
pub(super) struct History {
    names: Vec<Name>,
    index: HashMap<Name, u32>,
    kept: VecDeque<Kept>,
    pending: Vec<Line>,
    events: Vec<Event>,
}

impl History {
    /// Takes what a sensor read at `t_ns`, or up to `slack_ns` before or after it.
    pub(super) fn sample(&mut self, t_ns: u64, slack_ns: u64, readings: Vec<Reading>) {
        if readings.is_empty() {
            return;
        }
        let numbers = readings.iter().map(|r| (self.name(r), r.value)).collect();
        // Sensors end their reading in another order than they began it, by little.
        let at = self.kept.iter().rposition(|kept| kept.t_ns <= t_ns).map_or(0, |before| before + 1);
        self.kept.insert(at, Kept { t_ns, slack_ns, numbers });
        if self.kept.len() > KEPT {
            self.kept.pop_front();
        }
        self.pending.push(Line::Sample(Sample { t_ns, slack_ns, readings }));
    }

    /// Takes what went wrong.
    pub(super) fn event(&mut self, event: Event) {
        self.events.push(event.clone());
        self.pending.push(Line::Event(event));
    }

    /// What went wrong so far.
    pub(super) fn events(&self) -> &[Event] {
        &self.events
    }

    /// The lines up to `until_ns` that were not taken before, oldest first.
    pub(super) fn lines(&mut self, until_ns: u64) -> Vec<Line> {
        let (mut due, rest): (Vec<Line>, _) = self.pending.drain(..).partition(|line| time(line) <= until_ns);
        self.pending = rest;
        due.sort_by_key(time);
        due
    }

    /// The samples with `from_ns <= t_ns <= to_ns`, oldest first.
    pub(super) fn between(&self, from_ns: u64, to_ns: u64) -> Vec<Sample> {
        let first = self.kept.partition_point(|kept| kept.t_ns < from_ns);
        let kept = self.kept.iter().skip(first).take_while(|kept| kept.t_ns <= to_ns);
        kept.map(|kept| Sample {
            t_ns: kept.t_ns,
            slack_ns: kept.slack_ns,
            readings: kept.numbers.iter().map(|(name, value)| self.reading(*name, *value)).collect(),
        })
        .collect()
    }

    /// When a number of power or energy was last read, by source.
    pub(super) fn last_of(&self, source: &str) -> Option<u64> {
        let is = |name: &u32| self.names.get(*name as usize).is_some_and(|n| n.2 == source);
        self.kept.iter().rev().find(|kept| kept.numbers.iter().any(|(name, _)| is(name))).map(|kept| kept.t_ns)
    }

    fn name(&mut self, r: &Reading) -> u32 {
        let name = (r.quantity.clone(), r.scope.clone(), r.source.clone(), r.unit.clone());
        if let Some(at) = self.index.get(&name) {
            return *at;
        }
        let at = self.names.len() as u32;
        self.names.push(name.clone());
        self.index.insert(name, at);
        at
    }

    fn reading(&self, name: u32, value: f64) -> Reading {
        let (quantity, scope, source, unit) = self.names.get(name as usize).cloned().unwrap_or_default();
        Reading { quantity, scope, source, value, unit }
    }
}

fn time(line: &Line) -> u64 {
    match line {
        Line::Header(_) => 0,
        Line::Sample(sample) => sample.t_ns,
        Line::Event(event) => event.t_ns,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(value: f64) -> Vec<Reading> {
        vec![super::super::reading("power", "cpu", "s", value, "W")]
    }

    #[test]
    fn samples_come_back_in_order_and_lines_once() {
        let mut history = History::default();
        for (t, v) in [(5, 1.0), (9, 2.0), (7, 3.0)] {
            history.sample(t, t / 5, one(v));
        }
        history.sample(8, 0, Vec::new());
        let got: Vec<_> = history.between(5, 8).iter().map(|s| (s.t_ns, s.slack_ns, s.readings[0].value)).collect();
        assert_eq!(got, [(5, 1, 1.0), (7, 1, 3.0)]);
        assert_eq!(history.last_of("s"), Some(9));
        assert_eq!(history.last_of("t"), None);
        assert_eq!(history.lines(7).iter().map(time).collect::<Vec<_>>(), [5, 7]);
        assert_eq!(history.lines(u64::MAX).iter().map(time).collect::<Vec<_>>(), [9]);
        assert!(history.lines(u64::MAX).is_empty());
    }
}
