//! A machine as a run remembers it: plain data, each unknown field `None` with its reason in `absent`.

mod cpu;
mod cpuset;
mod environment;
mod fingerprint;
mod memory;
mod text;

pub use cpu::{Cache, CacheKind, CoreType, Cpu, Span};
pub use cpuset::{CpuSet, ParseCpuSetError};
pub use environment::{Frequency, FrequencyPolicy, Limit, Limits, Os, PowerSource, Product, Virtualisation};
pub use memory::{HugePagePool, Memory, NumaNode};
pub use text::clean;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something that could not be found out, and why; the value itself is then `None` or empty, never 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Absent {
    /// What is missing: the path of the field, such as `cpu.caches` or `frequency.policies`.
    pub what: String,
    /// Why, in one line, as the operating system or the library gave it where it gave one.
    pub why: String,
}

impl Absent {
    /// States that `what` is missing because of `why`; both are cleaned like every text from outside.
    pub fn new(what: impl AsRef<str>, why: impl AsRef<str>) -> Self {
        Self { what: clean(what.as_ref()), why: clean(why.as_ref()) }
    }
}

/// What a machine is, as far as it can be seen from inside: hardware, limits and settings that decide performance.
///
/// Accelerators are devices and are listed elsewhere. Every text is data from outside: cleaned, not escaped.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Machine {
    /// The host's name; never part of the fingerprint.
    pub host: Option<String>,
    /// The instruction set: `x86_64` or `aarch64`, as Rust names them.
    pub architecture: Option<String>,
    /// The operating system.
    pub os: Os,
    /// Vendor, product and firmware as DMI or the device tree names them.
    pub product: Option<Product>,
    /// The processors.
    pub cpu: Cpu,
    /// Main memory.
    pub memory: Memory,
    /// Clocks and who governs them.
    pub frequency: Frequency,
    /// Whether this is a virtual machine or a container, and whose.
    pub virtualisation: Virtualisation,
    /// What this process may use of the machine.
    pub limits: Limits,
    /// NUMA nodes, lowest id first; empty when unknown.
    pub numa: Vec<NumaNode>,
    /// What feeds the machine.
    pub power_source: Option<PowerSource>,
    /// Every field that could not be filled, with its reason.
    pub absent: Vec<Absent>,
}

impl Machine {
    /// Why the field at `what` (such as `cpu.caches`) is missing, if it is.
    #[must_use]
    pub fn why_absent(&self, what: &str) -> Option<&str> {
        self.absent.iter().find(|a| a.what == what).map(|a| a.why.as_str())
    }
}
