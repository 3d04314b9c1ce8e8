//! What one task yields: exactly one record, holding what was observed and nothing derived from it.

use crate::conditions::{Conditions, Energy};
use crate::id::BenchmarkId;
use crate::reported::Reported;
use crate::roofline::RoofReading;
use crate::serving::Request;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A line of `records.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// Which benchmark.
    pub id: BenchmarkId,
    /// When the task began, in nanoseconds since the run's start.
    pub began_ns: u64,
    /// When it ended, likewise.
    pub ended_ns: u64,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Outcome {
    /// It was found correct and was measured.
    Measured(Box<Measurement>),
    /// Another program says it was measured, elsewhere or at another time.
    Reported(Box<Reported>),
    /// It was not run, for a reason that is no fault: no room, not supported here.
    Skipped {
        /// Why.
        reason: String,
    },
    /// It broke, or its result was wrong; nothing of it was timed.
    Failed {
        /// How.
        error: String,
    },
}

/// What was observed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measurement {
    /// The clock the samples were read from, such as `monotonic`.
    pub clock: String,
    /// How long each sample took, in the order they were taken.
    pub samples_ns: Vec<u64>,
    /// When each sample began, in nanoseconds since the run's start; empty where it was not noted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub at_ns: Vec<u64>,
    /// Samples that were taken and do not count, with the reason; they are in none of the numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<Dropped>,
    /// How often the step ran within each sample.
    pub iterations: u64,
    /// Whether operands came from memory (`cold`), were left where the last iteration put them (`warm`), or neither applies.
    pub cache: Cache,
    /// What one iteration does.
    pub work: Work,
    /// Named parts of the window, where the measurement has parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Phase>,
    /// Where the time of an iteration goes, op by op, where it consists of several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ops: Vec<OpTime>,
    /// Values a workload timed by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
    /// Every request to a server, where that is what was measured: failed ones, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<Request>,
    /// The roofs over this work, measured right before and right after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roofs: Vec<RoofReading>,
    /// The machine's state beside it.
    pub conditions: Conditions,
    /// The comparison with the reference, made before anything was timed.
    pub check: Option<Check>,
    /// What a reader must know beside the numbers, by name: where weights came from, what was seeded, which pages.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, String>,
    /// What the harness did or saw that bears on trust: samples dropped, budget reached, drift.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A sample that does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Dropped {
    /// When it began, in nanoseconds since the run's start.
    pub at_ns: u64,
    /// How long it took.
    pub ns: u64,
    /// Why it does not count.
    pub why: String,
}

/// The state of the caches at the start of each iteration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cache {
    /// Operands were rotated past the last-level cache.
    Cold,
    /// Operands were left as the last iteration left them.
    Warm,
}

/// Work of one iteration. Rates are derived from it, never stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Work {
    /// Floating-point or integer operations; a multiply-add is 2.
    pub flops: u64,
    /// Bytes that have to be moved at least.
    pub bytes: u64,
    /// Things produced: tokens, hops.
    pub items: u64,
    /// What an item is, in the singular; empty if there are none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub item: String,
}

/// A named part of the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Phase {
    /// Its name, such as `prefill`.
    pub name: String,
    /// When it began, in nanoseconds since the run's start.
    pub began_ns: u64,
    /// When it ended.
    pub ended_ns: u64,
    /// What it did.
    pub work: Work,
    /// Energy over it; absent where nobody asked the sensors for this part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy: Option<Energy>,
}

/// One kind of op within an iteration, timed by itself in iterations of their own beside the samples.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpTime {
    /// Its name, such as `gemm qkv` or `attention`.
    pub name: String,
    /// How often it is called in one iteration.
    pub calls: u64,
    /// What all these calls do.
    pub work: Work,
    /// The arithmetic that its products are of, as workload `peak` names it; absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arithmetic: Option<String>,
    /// Whether it reads weights, or cached keys and values, which come from memory. The others work on what the op before left in a cache.
    pub streams: bool,
    /// How long all its calls of an iteration took together, one value an iteration that was timed so.
    pub samples_ns: Vec<u64>,
}

/// A value that a workload timed by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// Its unit.
    pub unit: String,
    /// Which way is better.
    pub better: Better,
}

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// More.
    Higher,
    /// Less.
    Lower,
    /// Neither: it informs.
    Neither,
}

/// The comparison with the f64 reference.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// Largest error, relative to Σ|a·b|.
    pub max_error: f64,
    /// What was allowed, likewise.
    pub tolerance: f64,
    /// How many elements were compared.
    pub compared: u64,
}

impl Check {
    /// Whether it may be timed: something was compared, and nothing was NaN or further off than allowed.
    pub fn passed(&self) -> bool {
        self.compared > 0 && self.max_error <= self.tolerance
    }
}

impl Record {
    /// The measurement, if there is one.
    pub fn measured(&self) -> Option<&Measurement> {
        match &self.outcome {
            Outcome::Measured(measurement) => Some(measurement),
            Outcome::Reported(_) | Outcome::Skipped { .. } | Outcome::Failed { .. } => None,
        }
    }
    /// What another program says, if it is that.
    pub fn reported(&self) -> Option<&Reported> {
        match &self.outcome {
            Outcome::Reported(reported) => Some(reported),
            _ => None,
        }
    }
    /// `measured`, `reported`, `skipped` or `failed`.
    pub fn status(&self) -> &'static str {
        match self.outcome {
            Outcome::Measured(_) => "measured",
            Outcome::Reported(_) => "reported",
            Outcome::Skipped { .. } => "skipped",
            Outcome::Failed { .. } => "failed",
        }
    }
    /// Why there is no measurement.
    pub fn reason(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Measured(_) | Outcome::Reported(_) => None,
            Outcome::Skipped { reason } => Some(reason),
            Outcome::Failed { error } => Some(error),
        }
    }
}
