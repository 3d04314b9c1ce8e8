//! What a program's fields mean, as a table: the same few lines turn a flat row of any of them into a result.

use super::{Row, short};
use serde_json::{Map, Value};
use spark_results::AxisValue;
use spark_results::record::{Better, Metric};

/// What a field is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Use {
    /// A part of what was measured.
    Axis,
    /// A number, its unit and which way is better. One that a program writes as 0 where it has none is left out if 0.
    Number(&'static str, Better, Zero),
    /// A list of single samples, in nanoseconds.
    SamplesNs,
    /// Something said beside.
    Fact,
    /// The program's version or build.
    Version,
    /// Where it ran.
    Device,
    /// When.
    When,
    /// Known, and of no use here.
    Ignored,
}

/// What 0 means in a number's field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zero {
    /// Zero.
    Is,
    /// That there is no number.
    IsNone,
}

/// A field's name and what it is.
pub(super) type Field = (&'static str, Use);

pub(super) const UP: Better = Better::Higher;
pub(super) const DOWN: Better = Better::Lower;
pub(super) const TOLD: Better = Better::Neither;

/// A rate that is never 0.
pub(super) const fn rate(unit: &'static str) -> Use {
    Use::Number(unit, UP, Zero::IsNone)
}
/// A time that is never 0.
pub(super) const fn time(unit: &'static str) -> Use {
    Use::Number(unit, DOWN, Zero::IsNone)
}
/// A number that informs.
pub(super) const fn told(unit: &'static str) -> Use {
    Use::Number(unit, TOLD, Zero::Is)
}

/// A number, also one in quotes; `None` for anything that is not finite.
pub(super) fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|n: &f64| n.is_finite())
}

/// A value as text; empty for null.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => short(text),
        other => short(&other.to_string()),
    }
}

/// A value as an axis; `None` where there is none.
pub(super) fn axis(value: &Value) -> Option<AxisValue> {
    Some(text(value)).filter(|text| !text.is_empty()).map(|text| AxisValue::from(text.as_str()))
}

/// A metric.
pub(super) fn metric(name: &str, value: f64, unit: &str, better: Better) -> Metric {
    Metric { name: name.to_owned(), value, unit: unit.to_owned(), better }
}

/// A flat row by the table `fields`. What stands in no line of it is named in a note.
pub(super) fn row(fields: &[Field], from: &Map<String, Value>) -> Row {
    let mut row = Row::default();
    let mut strange = Vec::new();
    for (name, value) in from {
        match fields.iter().find(|(known, _)| known == name).map(|(_, of)| *of) {
            None => strange.push(short(name)),
            Some(of) => put(&mut row, name, of, value),
        }
    }
    if !strange.is_empty() {
        strange.truncate(40);
        row.notes.push(format!("fields that are not understood and left out: {}", strange.join(", ")));
    }
    row
}

fn put(row: &mut Row, name: &str, of: Use, value: &Value) {
    let said = Some(text(value)).filter(|text| !text.is_empty());
    match of {
        Use::Axis => row.axes.extend(axis(value).map(|value| (name.to_owned(), value))),
        Use::Number(unit, better, zero) => {
            let number = number(value).filter(|n| *n != 0.0 || zero == Zero::Is);
            row.metrics.extend(number.map(|value| metric(name, value, unit, better)));
        }
        Use::SamplesNs => {
            let list = value.as_array().into_iter().flatten();
            row.samples_ns = list.filter_map(number).filter(|ns| *ns >= 0.0).map(|ns| ns as u64).collect();
        }
        Use::Fact => row.facts.extend(said.map(|text| (name.to_owned(), text))),
        Use::Version => row.version = said,
        Use::Device => row.device = said,
        Use::When => row.measured_at = said,
        Use::Ignored => {}
    }
}
