//! A number as a reader meets it: unit, interval and status always with it.

use maud::{Markup, html};
use spark_results::quantity;

/// Where a number comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Read from a clock or a sensor in this run, or counted work over such a time.
    Measured,
    /// Computed from several measurements.
    Derived,
    /// Somebody else says so: the system, the firmware, a driver.
    Reported,
}

impl Status {
    /// Its name and the letter that marks it.
    pub(crate) const fn words(self) -> (&'static str, &'static str) {
        match self {
            Status::Measured => ("measured", "m"),
            Status::Derived => ("derived", "d"),
            Status::Reported => ("reported", "r"),
        }
    }
}

/// What a number counts, which decides how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit<'a> {
    /// With an SI prefix: `43.1 GB/s`.
    Si(&'a str),
    /// Nanoseconds, as a duration.
    Time,
    /// A share, as per cent.
    Share,
    /// Bytes with a binary prefix.
    Size,
    /// Things counted, as a whole number: `2 cores`.
    Count(&'a str),
    /// An error relative to Σ|a·b|.
    Error,
    /// As it is, with this unit.
    Plain(&'a str),
}

impl Unit<'_> {
    /// The number and the unit as two texts.
    fn write(self, value: f64) -> (String, String) {
        let text = match self {
            Unit::Si(unit) => quantity::si(value, unit),
            Unit::Time => quantity::duration(value),
            Unit::Share => quantity::percent(value),
            Unit::Size => quantity::size(value.max(0.0) as u64),
            Unit::Count(unit) => format!("{value:.0} {unit}"),
            Unit::Error => format!("{value:.1e} rel."),
            Unit::Plain(unit) => format!("{} {unit}", quantity::digits(value)),
        };
        let (number, unit) = text.split_once(' ').unwrap_or((&text, ""));
        (number.to_owned(), unit.to_owned())
    }
}

/// A number with its unit, interval and status, or the reason why there is none.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shown {
    what: Result<Number, String>,
}

#[derive(Clone, Debug, PartialEq)]
struct Number {
    value: f64,
    number: String,
    unit: String,
    spread: Option<f64>,
    status: Status,
}

impl Shown {
    /// A number. One that is not finite is unavailable.
    pub(crate) fn new(value: f64, unit: Unit, status: Status) -> Self {
        if !value.is_finite() {
            return Self::unavailable("not a finite number");
        }
        let (number, unit) = unit.write(value);
        Self { what: Ok(Number { value, number, unit, spread: None, status }) }
    }
    /// No number, and why.
    pub(crate) fn unavailable(reason: impl Into<String>) -> Self {
        Self { what: Err(reason.into()) }
    }
    /// `value`, or the reason.
    pub(crate) fn or(value: Option<f64>, unit: Unit, status: Status, reason: &str) -> Self {
        value.map_or_else(|| Self::unavailable(reason), |v| Self::new(v, unit, status))
    }
    /// The same with its 95 % interval, in the number's own unit, where it has one.
    #[must_use]
    pub(crate) fn within(mut self, interval: Option<[f64; 2]>) -> Self {
        if let (Ok(n), Some([low, high])) = (&mut self.what, interval) {
            let wider = (n.value - low).abs().max((high - n.value).abs());
            n.spread = Some(wider / n.value.abs()).filter(|s| s.is_finite());
        }
        self
    }
    /// Number and unit as text; a dash where there is none.
    pub(crate) fn text(&self) -> String {
        self.what.as_ref().map_or_else(|_| "–".into(), |n| format!("{} {}", n.number, n.unit))
    }
    /// `± 1.2 %`, or nothing.
    pub(crate) fn spread(&self) -> Option<String> {
        let spread = self.what.as_ref().ok()?.spread?;
        Some(format!("± {}", quantity::percent(spread)))
    }
    /// Why there is no number.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.what.as_ref().err().map(String::as_str)
    }
    /// Large, for the headline: number, unit, mark, and the interval beneath.
    pub(crate) fn large(&self) -> Markup {
        match &self.what {
            Ok(n) => html! {
                p.large { b { (n.number) } " " span.unit { (n.unit) } (mark(n.status)) }
                @if let Some(spread) = self.spread() { p.spread { (spread) " (95 %)" } }
            },
            Err(reason) => html! { p.why { (reason) } },
        }
    }
    /// Within a line: number, unit, interval, mark; a dash with the reason beside it.
    pub(crate) fn inline(&self) -> Markup {
        match &self.what {
            Ok(n) => html! {
                span.q { (n.number) "\u{a0}" span.unit { (n.unit) } (mark(n.status)) }
                @if let Some(spread) = self.spread() { " " span.spread { (spread) } }
            },
            Err(reason) if reason.is_empty() => html! { span.none { "–" } },
            Err(reason) => html! { span.none { "– " (reason) } },
        }
    }
}

/// The letter that says where a number comes from.
pub(crate) fn mark(status: Status) -> Markup {
    let (name, letter) = status.words();
    html! { sup.(name) title=(name) { (letter) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_its_unit_interval_and_status() {
        let shown = Shown::new(43.12e9, Unit::Si("B/s"), Status::Measured).within(Some([42e9, 44e9]));
        assert_eq!((shown.text().as_str(), shown.spread().as_deref()), ("43.1 GB/s", Some("± 2.6 %")));
        let html = shown.inline().into_string();
        assert!(html.contains("measured") && html.contains("GB/s") && html.contains("± 2.6 %"), "{html}");
    }

    #[test]
    fn a_missing_number_is_its_reason_and_never_zero() {
        for shown in [Shown::new(f64::NAN, Unit::Time, Status::Measured), Shown::unavailable("no sensor")] {
            assert_eq!(shown.text(), "–");
            assert!(shown.reason().is_some() && !shown.large().into_string().contains('0'));
        }
    }
}
