//! What another program says it measured: numbers with their origin, which are nobody's measurement here.

use crate::machine::clean;
use crate::record::Metric;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Numbers read from a file that another program wrote. No roof stands over them, no gate judges by them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reported {
    /// Who says so.
    pub origin: Origin,
    /// The numbers, as they stand in the file; one that it does not state is absent.
    pub metrics: Vec<Metric>,
    /// Single samples in nanoseconds, where the file has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples_ns: Vec<u64>,
    /// What the file says beside its numbers: the machine, settings, the file of the model.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, String>,
    /// What bears on trust: fields that were not understood, numbers that the file contradicts itself about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Where numbers come from that were not measured here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Origin {
    /// The program: `llama-bench`, `nvbandwidth` …
    pub tool: String,
    /// Its version or build; absent where the file does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The name of the file.
    pub file: String,
    /// BLAKE3 of the file's bytes, in hexadecimal.
    pub hash: String,
    /// When it was measured, as the file says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured_at: Option<String>,
}

impl Origin {
    /// In one line: `llama-bench b6890 in results.json, measured 2026-01-02T03:04:05Z`.
    pub fn words(&self) -> String {
        let mut text = clean(&self.tool);
        if let Some(version) = &self.version {
            text = format!("{text} {}", clean(version));
        }
        text = format!("{text} in {}", clean(&self.file));
        match &self.measured_at {
            Some(at) => format!("{text}, measured {}", clean(at)),
            None => text,
        }
    }
}
