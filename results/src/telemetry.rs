//! What the sensors said during a run: the lines of `telemetry.jsonl`, a header first, then samples.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A line of `telemetry.jsonl`; its `line` field says which kind it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Line {
    /// The first line.
    Header(Header),
    /// What was read at one time.
    Sample(Sample),
    /// What went wrong with a sensor meanwhile.
    Event(Event),
}

/// Every sensor that was asked, also those that refused.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Header {
    /// One entry for each quantity a sensor offers in each scope, and one for each refusal.
    pub sensors: Vec<Channel>,
    /// What sensors told once, by `sensor scope what`: driver, addressing mode, why a number that was offered is not believed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, String>,
}

/// One quantity of one sensor, or the sensor's refusal to give it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Channel {
    /// The sensor, such as `rapl`.
    pub name: String,
    /// The quantity, as in [`Reading::quantity`]; `None` when the sensor refused as a whole.
    pub quantity: Option<String>,
    /// Whether it will be sampled.
    pub status: Status,
    /// Why it was refused, as the system or library says, with the mend where there is one.
    pub reason: Option<String>,
    /// Where the number comes from: a path or a library call.
    pub source: Option<String>,
    /// What it covers, as in [`Reading::scope`].
    pub scope: Option<String>,
    /// Its unit.
    pub unit: Option<String>,
    /// Milliseconds between readings, as intended.
    pub period_ms: Option<u64>,
    /// Milliseconds that each number is the mean of, where the sensor averages by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub averages_ms: Option<f64>,
    /// Milliseconds between two updates of the number, as the sensor's maker states them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updates_ms: Option<f64>,
    /// Share of the time that the sensor looks at all; absent where it does not sleep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duty: Option<f64>,
    /// Whether a test double answers in the sensor's stead: then no number of it is a measurement.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub simulated: bool,
}

impl Channel {
    /// A quantity that answers: the sensor's name, what, of what, where from, its unit, and milliseconds between readings.
    pub fn ok(name: &str, quantity: &str, scope: &str, source: &str, unit: &str, period_ms: Option<u64>) -> Self {
        Self {
            name: name.to_owned(),
            quantity: Some(quantity.to_owned()),
            status: Status::Ok,
            reason: None,
            source: Some(source.to_owned()),
            scope: Some(scope.to_owned()),
            unit: Some(unit.to_owned()),
            period_ms,
            averages_ms: None,
            updates_ms: None,
            duty: None,
            simulated: false,
        }
    }
    /// A sensor, or one quantity of it, that cannot be read, and why.
    pub fn refused(name: &str, quantity: Option<&str>, source: Option<&str>, reason: impl AsRef<str>) -> Self {
        Self {
            name: name.to_owned(),
            quantity: quantity.map(str::to_owned),
            status: Status::Refused,
            reason: Some(crate::machine::clean(reason.as_ref())),
            source: source.map(crate::machine::clean),
            scope: None,
            unit: None,
            period_ms: None,
            averages_ms: None,
            updates_ms: None,
            duty: None,
            simulated: false,
        }
    }
}

/// Whether a sensor can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It answers.
    Ok,
    /// It does not, for the reason beside it.
    Refused,
}

/// What the sensors said at one time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sample {
    /// Nanoseconds since the run's start, on a clock that never goes back.
    pub t_ns: u64,
    /// The numbers are of a moment at most so far from `t_ns`, in nanoseconds: half of what asking took. What is below a tenth of a
    /// millisecond is left out; a reading that waited for a processor or a bus has more.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub slack_ns: u64,
    /// What was read; a quantity that could not be read this time is not here.
    pub readings: Vec<Reading>,
}

fn is_zero(ns: &u64) -> bool {
    *ns == 0
}

/// Something that went wrong with a sensor while the run went on without it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Nanoseconds since the run's start.
    pub t_ns: u64,
    /// The sensor's name.
    pub sensor: String,
    /// What happened.
    pub what: String,
}

/// One number from one sensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reading {
    /// What: `load`, `steal`, `available`, `frequency`, `temperature`, `power`, `energy`, `clock`, `margin` (kelvin to the
    /// limit), `throttle_reasons` (bits), `throttled …` (seconds held back so far, by reason), `power_average`, `power_limit`, …
    pub quantity: String,
    /// Of what: `cpu`, `memory`, `cpu 0-3`, `package-0`, `gpu 0`, …; powers and energies are of `gpu N`, `module N`, `soc_pkg`,
    /// `cpu`, `sys_total` or `wall`, or of a rail inside one, named as the sensor names it.
    pub scope: String,
    /// Where it comes from, as in [`Channel::source`].
    pub source: String,
    /// The number; energies only ever grow.
    pub value: f64,
    /// Its unit: `1` for a share, `B`, `Hz`, `degC`, `W`, `J`.
    pub unit: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_name_their_kind_and_read_back() {
        let header = Line::Header(Header {
            sensors: vec![Channel::refused("rapl", None, None, "no such\nfile")],
            ..Header::default()
        });
        let text = serde_json::to_string(&header).unwrap();
        assert!(text.starts_with(r#"{"line":"header""#) && text.contains("no such file"), "{text}");
        assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), header);
        let reading = Reading {
            quantity: "load".into(),
            scope: "cpu".into(),
            source: "/proc/stat".into(),
            value: 0.25,
            unit: "1".into(),
        };
        let sample = Line::Sample(Sample { t_ns: 5, readings: vec![reading], ..Sample::default() });
        let text = serde_json::to_string(&sample).unwrap();
        assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), sample);
    }
}
