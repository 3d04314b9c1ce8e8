//! A run: what was asked for, where, and what came of it.

use crate::canary::Canary;
use crate::machine::{Absent, Machine};
use crate::record::Record;
use crate::telemetry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The schema every artefact names; another one is refused on reading.
pub const SCHEMA: &str = "https://spark-bench.github.io/spark-bench/run/v1.json";

/// `run.json`: everything about a run but its records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Manifest {
    /// Which version of these types wrote it: [`SCHEMA`].
    pub schema: String,
    /// Name of the run, unique to second and host.
    pub id: String,
    /// When it started, RFC 3339, UTC.
    pub started_at: String,
    /// How it ended; absent while it runs and after it was killed.
    pub ended: Option<Ended>,
    /// The command line.
    pub command: Vec<String>,
    /// The program that ran.
    pub build: Build,
    /// What was asked for.
    pub settings: Settings,
    /// The machine it ran on.
    pub machine: Machine,
    /// Every device that was looked for.
    pub devices: Vec<DeviceInfo>,
    /// The ids of all tasks planned, in order.
    pub planned: Vec<String>,
    /// What sampling the sensors took from the machine, in a sentence; absent until the run ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telemetry_cost: Option<String>,
    /// Small work by which hidden states of the machine are seen: before the tasks, and after them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub canaries: Vec<Canary>,
    /// What this run could not do, and why.
    pub absent: Vec<Absent>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ended {
    /// When, RFC 3339, UTC.
    pub at: String,
    /// Whether every planned task has its record.
    pub complete: bool,
    /// Why not.
    pub reason: Option<String>,
}

/// The program that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Build {
    /// Package version.
    pub version: String,
    /// Source revision, where the build knew it.
    pub revision: Option<String>,
    /// `release` or `debug`.
    pub profile: String,
    /// Target triple's architecture and system, such as `x86_64-linux`.
    pub target: String,
}

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// Name of the suite, if it came from one.
    pub suite: Option<String>,
    /// Seed of all synthetic data.
    pub seed: u64,
    /// Threads a CPU device uses.
    pub threads: Option<u64>,
    /// Device ids asked for; empty for all.
    #[serde(default)]
    pub devices: Vec<String>,
    /// Globs on ids; empty for all.
    #[serde(default)]
    pub filters: Vec<String>,
    /// Wall-clock budget of the whole command, in seconds.
    pub budget_s: Option<f64>,
}

/// A device that was looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceInfo {
    /// Its id: `cpu`, `cuda:0`; a family such as `cuda` where none was found.
    pub id: String,
    /// What it calls itself.
    pub name: Option<String>,
    /// Why it cannot be used, if it cannot.
    pub unavailable: Option<String>,
    /// Whether its library is a test double: then nothing of it is a measurement.
    pub simulated: bool,
}

/// A manifest with its records and telemetry.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// What was asked for, and where.
    pub manifest: Manifest,
    /// One a task, in the order they were made.
    pub records: Vec<Record>,
    /// What the sensors said.
    pub telemetry: Vec<telemetry::Line>,
    /// What reading found that a reader should know: a last line cut short, telemetry missing.
    pub remarks: Vec<String>,
}

impl Run {
    /// Planned tasks without a record.
    pub fn unfinished(&self) -> Vec<&str> {
        let done: std::collections::HashSet<String> = self.records.iter().map(|r| r.id.to_string()).collect();
        self.manifest.planned.iter().map(String::as_str).filter(|id| !done.contains(*id)).collect()
    }
    /// Whether `device` is a test double.
    pub fn simulated(&self, device: &str) -> bool {
        self.manifest.devices.iter().any(|d| d.id == device && d.simulated)
    }
}
