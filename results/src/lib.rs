#![doc = include_str!("../README.md")]

pub mod baselines;
pub mod canary;
pub mod ceilings;
pub mod change;
pub mod claims;
pub mod coherence;
pub mod compare;
pub mod conditions;
pub mod contention;
pub mod cost;
pub mod document;
pub mod handover;
pub mod id;
pub mod knees;
pub mod loaded;
pub mod machine;
pub mod markdown;
pub mod published;
pub mod quantity;
pub mod record;
pub mod reported;
pub mod roofline;
pub mod run;
pub mod serving;
pub mod soak;
pub mod stats;
pub mod storage;
pub mod store;
pub mod sums;
pub mod table;
pub mod telemetry;
pub mod transfer;
pub mod unified;

pub use document::{Document, Entry};
pub use id::{Axes, AxisValue, BenchmarkId};
pub use machine::Machine;
pub use record::{Measurement, Outcome, Record, Work};
pub use run::{Manifest, Run};

/// The JSON Schema (2020-12) of the document that `export --format json` prints.
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Document).to_value();
    schema["$id"] = run::SCHEMA.into();
    schema["title"] = "spark-bench run".into();
    schema
}
