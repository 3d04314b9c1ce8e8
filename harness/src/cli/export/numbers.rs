//! Every number of a run that was measured on this machine, one by one, with its interval, unit and direction.

use spark_results::Run;
use spark_results::compare::{Kind, Side, sides_of};
use spark_results::record::Better;

/// One number.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Number {
    /// The benchmark's id.
    pub(super) id: String,
    /// What it is: `tokens a second`, `items a joule`.
    pub(super) quantity: String,
    /// For an energy: what its sensor covers.
    pub(super) scope: Option<String>,
    /// The value, in `unit`.
    pub(super) value: f64,
    /// Its 95 % interval.
    pub(super) interval: Option<[f64; 2]>,
    /// `tok/s`, `B/s`, `ns` …
    pub(super) unit: String,
    /// Which way is better.
    pub(super) better: Better,
}

/// The numbers of `run`, in its order. What a test double made, or a build that was slowed down on purpose, is none.
pub(super) fn of(run: &Run) -> Vec<Number> {
    let fit = |side: &Side| side.unfit.is_none() && side.value.is_finite();
    sides_of(run).sides.into_iter().filter(fit).map(number).collect()
}

fn number(side: Side) -> Number {
    let stated = |kind| side.must.iter().find(|(key, _)| key.kind == kind).map(|(_, value)| value.clone());
    Number {
        quantity: stated(Kind::Quantity).unwrap_or_default(),
        scope: stated(Kind::Scope),
        id: side.id,
        value: side.value,
        interval: side.interval.filter(|ends| ends.iter().copied().all(f64::is_finite)),
        unit: side.unit,
        better: side.better,
    }
}

/// Words as a slug: lower case, everything but letters and digits as single dashes.
pub(super) fn slug(words: &str) -> String {
    let parts = words.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    parts.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}
