//! The sensors as a person watches them: what each says now, and how it moved over the last minutes.

mod draw;

pub use draw::draw;

use crate::throttled;
use spark_results::quantity::{digits, percent, si};
use spark_results::telemetry::{Channel, Header, Reading, Sample, Status};
use std::collections::{BTreeMap, VecDeque};

/// Readings kept of each sensor: as many as the widest terminal has columns for.
const KEPT: usize = 240;
/// Quantities in the order they are shown; any other stands behind them.
const ORDER: [&str; 9] = [
    "power",
    "power from energy",
    "clock",
    "frequency",
    "throttle_reasons",
    "throttle_events",
    "temperature",
    "load",
    "available",
];

/// What identifies a row: quantity, scope, source.
type Key = (String, String, String);

/// A sensor over the last minutes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// What: `power`, `clock`; an energy counter is shown as the power it comes to.
    pub quantity: String,
    /// Of what.
    pub scope: String,
    /// Where it comes from.
    pub source: String,
    /// Its unit.
    pub unit: String,
    /// The last values, oldest first.
    pub values: VecDeque<f64>,
}

impl Row {
    /// The last value.
    pub fn now(&self) -> Option<f64> {
        self.values.back().copied()
    }
    /// The last value with its unit, in words where it is a set of bits.
    pub fn told(&self) -> String {
        match self.now() {
            None => "–".to_owned(),
            Some(bits) if self.quantity == throttled::REASONS => {
                let words = throttled::reasons(bits as u64);
                if words.is_empty() { "none".to_owned() } else { words.join(", ") }
            }
            Some(value) => told(value, &self.unit),
        }
    }
    /// Whether this says that a device is held back now: bits in force, or a counter that has just grown.
    pub fn alarming(&self) -> bool {
        match (self.quantity.as_str(), self.now()) {
            (throttled::REASONS, Some(bits)) => bits as u64 & throttled::HELD_BACK != 0,
            (quantity, Some(now)) if throttled::counts(quantity) => {
                let past = self.values.len().saturating_sub(8);
                self.values.range(past..).any(|v| *v < now)
            }
            _ => false,
        }
    }
    /// Lowest and highest of the values kept.
    pub fn span(&self) -> Option<(f64, f64)> {
        let low = self.values.iter().copied().reduce(f64::min)?;
        Some((low, self.values.iter().copied().reduce(f64::max)?))
    }
}

/// A number with its unit, as people read it.
pub fn told(value: f64, unit: &str) -> String {
    match unit {
        "Hz" => si(value, "Hz"),
        "B" => si(value, "B"),
        "1" => percent(value),
        "degC" => format!("{value:.0} °C"),
        unit => format!("{} {unit}", digits(value)).trim_end().to_owned(),
    }
}

/// All sensors.
#[derive(Clone, Debug, Default)]
pub struct Board {
    rows: BTreeMap<Key, Row>,
    /// The last reading of each energy counter, with its time.
    counters: BTreeMap<Key, (u64, f64)>,
    /// Sensors that refused, with the reason.
    pub refused: Vec<Channel>,
}

impl Board {
    /// A board for the sensors of `header`.
    pub fn new(header: &Header) -> Self {
        let refused = header.sensors.iter().filter(|c| c.status == Status::Refused).cloned().collect();
        Self { refused, ..Self::default() }
    }
    /// Takes in what was read at one time.
    pub fn take(&mut self, sample: &Sample) {
        for reading in sample.readings.iter().filter(|r| r.value.is_finite()) {
            let key = (reading.quantity.clone(), reading.scope.clone(), reading.source.clone());
            if reading.quantity != "energy" {
                self.push(&reading.quantity, reading, reading.value, &reading.unit);
                continue;
            }
            let before = self.counters.insert(key, (sample.t_ns, reading.value));
            if let Some((at, joules)) = before.filter(|(at, joules)| sample.t_ns > *at && reading.value >= *joules) {
                let watts = (reading.value - joules) / ((sample.t_ns - at) as f64 * 1e-9);
                self.push("power from energy", reading, watts, "W");
            }
        }
    }
    fn push(&mut self, quantity: &str, reading: &Reading, value: f64, unit: &str) {
        let row = self.rows.entry((quantity.to_owned(), reading.scope.clone(), reading.source.clone())).or_default();
        if row.values.is_empty() {
            let Reading { scope, source, .. } = reading.clone();
            *row = Row { quantity: quantity.to_owned(), scope, source, unit: unit.to_owned(), ..Row::default() };
        }
        if row.values.len() == KEPT {
            row.values.pop_front();
        }
        row.values.push_back(value);
    }
    /// Every row, what matters most first.
    pub fn rows(&self) -> Vec<&Row> {
        let place = |row: &Row| ORDER.iter().position(|q| *q == row.quantity).unwrap_or(ORDER.len());
        let mut rows: Vec<&Row> = self.rows.values().collect();
        rows.sort_by_key(|row| place(row));
        rows
    }
}

/// `values` as a line of blocks, the last `width` of them, between the lowest and the highest; flat where nothing moves.
pub fn spark(values: &VecDeque<f64>, width: usize) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let shown = values.range(values.len().saturating_sub(width)..);
    let low = shown.clone().copied().fold(f64::INFINITY, f64::min);
    let high = shown.clone().copied().fold(f64::NEG_INFINITY, f64::max);
    let at = |v: f64| if high > low { ((v - low) / (high - low) * 7.0).round() as usize } else { 0 };
    shown.map(|v| BLOCKS[at(*v).min(7)]).collect()
}

#[cfg(test)]
mod tests;
