//! One side of a comparison: a quantity of a piece of work, with what has to match, what may differ and what is noted.

use super::{Key, Kind};
pub use crate::record::Better;
use serde::Serialize;
use std::collections::BTreeMap;

/// One quantity of one piece of work on one machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Side {
    /// Its name: a benchmark's id, or the title of a published row.
    pub id: String,
    /// What has to be the same on the other side.
    pub must: BTreeMap<Key, String>,
    /// What may differ, and is named: device, implementation, threads.
    pub may: BTreeMap<String, String>,
    /// What bears on trust, and is named where it differs.
    pub noted: BTreeMap<String, String>,
    /// The value, in `unit`.
    pub value: f64,
    /// Its 95 % interval, or the uncertainty of its sensor.
    pub interval: Option<[f64; 2]>,
    /// The unit: `tok/s`, `B/s`, `ns`, `tok/J`.
    pub unit: String,
    /// Which way is better.
    pub better: Better,
    /// Where it comes from.
    pub provenance: Provenance,
    /// Why it must not be compared with anything, if it must not: a test double, a build that was slowed down on purpose.
    pub unfit: Option<String>,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Provenance {
    /// A run of this program.
    Measured {
        /// The run.
        run: String,
        /// Fingerprint of the machine.
        machine: String,
    },
    /// Somebody else's figure.
    Published {
        /// The system it is of.
        system: String,
        /// Who says so.
        source: String,
        /// When.
        date: String,
        /// How it was come by.
        confidence: String,
    },
}

/// Something that is not the same on both sides; absent where a side does not state it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What.
    pub what: String,
    /// On the first side.
    pub a: Option<String>,
    /// On the second.
    pub b: Option<String>,
}

impl Difference {
    /// The difference seen from the other side.
    #[must_use]
    pub fn turned(self) -> Self {
        Self { what: self.what, a: self.b, b: self.a }
    }
}

impl std::fmt::Display for Difference {
    /// `batch 1 against 8`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let say = |value: &Option<String>| value.clone().unwrap_or_else(|| "not stated".to_owned());
        write!(f, "{} {} against {}", self.what, say(&self.a), say(&self.b))
    }
}

impl Side {
    /// The workload's name, or nothing.
    pub fn workload(&self) -> &str {
        self.must.get(&Key::new(Kind::Workload, "workload")).map_or("", String::as_str)
    }
    /// The work in words: the workload with what has to match beside it, such as `decode model=tiny format=mxfp4 n_gen=16`.
    pub fn work(&self) -> String {
        let unsaid = |key: &&Key| !matches!(key.kind, Kind::Workload | Kind::Quantity | Kind::Scope | Kind::Caches);
        // What stands at its default in every ordinary piece of work is left out, as in ids.
        let usual = |key: &Key, value: &str| {
            matches!((key.kind, value), (Kind::Batch, "1") | (Kind::Context, "0") | (Kind::Sparsity, "dense"))
        };
        let said = self.must.iter().filter(|(key, value)| unsaid(key) && !usual(key, value));
        said.fold(self.workload().to_owned(), |text, (key, value)| format!("{text} {}={value}", key.name))
    }
    /// In what has to match, where these differ: the gravest first.
    pub fn apart(&self, other: &Self) -> Vec<(Kind, Difference)> {
        let mut apart: Vec<(Kind, Difference)> =
            differences(&self.must, &other.must).map(|(key, a, b)| (key.kind, stated(&key.name, a, b))).collect();
        apart.sort_by_key(|(kind, _)| *kind);
        apart
    }
    /// In what may differ.
    pub fn other_ways(&self, other: &Self) -> Vec<Difference> {
        differences(&self.may, &other.may).map(|(name, a, b)| stated(name, a, b)).collect()
    }
    /// In what is noted.
    pub fn other_notes(&self, other: &Self) -> Vec<Difference> {
        differences(&self.noted, &other.noted).map(|(name, a, b)| stated(name, a, b)).collect()
    }
}

fn stated(name: &str, a: Option<&String>, b: Option<&String>) -> Difference {
    Difference { what: name.to_owned(), a: a.cloned(), b: b.cloned() }
}

/// Where two maps differ, in the order of their keys.
fn differences<'m, K: Ord>(
    a: &'m BTreeMap<K, String>,
    b: &'m BTreeMap<K, String>,
) -> impl Iterator<Item = (&'m K, Option<&'m String>, Option<&'m String>)> {
    let mut keys: Vec<&K> = a.keys().chain(b.keys()).collect();
    keys.sort();
    keys.dedup();
    keys.into_iter().map(|key| (key, a.get(key), b.get(key))).filter(|(_, a, b)| a != b)
}
