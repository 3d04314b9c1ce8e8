//! What would spoil a measurement on this machine now, and the mend for each.
//!
//! Pure: the same machine and state give the same findings. A list of checks, each in the file of what it is about.

mod clocks;
mod company;
pub mod evidence;
mod faults;
mod gpus;
mod memory;
mod surroundings;

use evidence::Evidence;
use serde::{Deserialize, Serialize};
use spark_results::Machine;
use spark_results::canary::Canary;
use spark_results::run::DeviceInfo;

use crate::detect::State;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Figures mean something else than one may think, or something cannot be known.
    Note,
    /// Figures will vary or be lower than they could be.
    Warning,
    /// Figures taken now are not worth keeping.
    Spoils,
}

/// Something about this machine that a measurer should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// What was found, with the numbers.
    pub what: String,
    /// What it does to a measurement.
    pub why: String,
    /// A command or an action, or that nothing can be done here.
    pub mend: String,
}

/// A check: nothing, or what it found.
type Check = fn(&Machine, &State) -> Option<Finding>;

const CHECKS: &[Check] = &[
    surroundings::debug_build,
    company::load,
    company::processes,
    company::steal,
    memory::little,
    memory::swapping,
    memory::no_huge_pages,
    clocks::governor,
    clocks::unknown,
    clocks::turbo,
    clocks::hot,
    surroundings::quota,
    surroundings::memory_limit,
    surroundings::battery,
    surroundings::virtual_machine,
    surroundings::smt,
    surroundings::silent,
    surroundings::no_power,
];

/// Everything that would spoil or colour a measurement, the worst first.
#[must_use]
pub fn check(machine: &Machine, state: &State) -> Vec<Finding> {
    let mut findings: Vec<Finding> = CHECKS.iter().filter_map(|check| check(machine, state)).collect();
    findings.sort_by_key(|f| std::cmp::Reverse(f.severity));
    findings
}

/// The named faults that what is known of GPUs and of the canary comes to, the worst first.
#[must_use]
pub fn faults(evidence: &[Evidence], canary: Option<&Canary>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = evidence.iter().filter_map(faults::of).collect();
    findings.extend(canary.and_then(faults::hidden));
    findings.sort_by_key(|f| std::cmp::Reverse(f.severity));
    findings
}

/// What keeps GPUs that the driver lists from being measured, the worst first; `compiler` says why there is none.
#[must_use]
pub fn gpus(devices: &[DeviceInfo], compiler: Option<&str>) -> Vec<Finding> {
    let mut findings = gpus::check(devices, compiler);
    findings.sort_by_key(|f| std::cmp::Reverse(f.severity));
    findings
}

fn finding(
    severity: Severity,
    what: impl Into<String>,
    why: impl Into<String>,
    mend: impl Into<String>,
) -> Option<Finding> {
    Some(Finding { severity, what: what.into(), why: why.into(), mend: mend.into() })
}

/// Bytes in GiB, for reading.
fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / (1u64 << 30) as f64)
}

/// Whether this is a Linux machine, where the commands of most mends exist.
fn linux(machine: &Machine) -> bool {
    machine.os.family.as_deref() == Some("linux")
}

/// Processors that this process can use: the fewest of those online, those allowed and the quota.
fn usable(machine: &Machine) -> Option<f64> {
    let limits = &machine.limits;
    let counts = [limits.affinity.as_ref(), limits.cpuset.as_ref()].into_iter().flatten().map(|set| set.len() as f64);
    let quota = limits.cpu_quota.and_then(|q| q.at());
    machine.cpu.logical.map(f64::from).into_iter().chain(counts).chain(quota).filter(|n| *n > 0.0).reduce(f64::min)
}
