//! What stands around the processor: operating system, firmware, clocks, hypervisor, limits, power.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CpuSet;

/// The operating system.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Os {
    /// `linux`, `macos` or `windows`.
    pub family: Option<String>,
    /// The distribution or product, such as `Ubuntu`.
    pub name: Option<String>,
    /// Its version, such as `24.04`.
    pub version: Option<String>,
    /// The kernel's release.
    pub kernel: Option<String>,
}

/// The machine as its maker names it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Product {
    /// Maker.
    pub vendor: Option<String>,
    /// Product, such as `NVIDIA_DGX_Spark`.
    pub name: Option<String>,
    /// Main board.
    pub board: Option<String>,
    /// Firmware version.
    pub firmware: Option<String>,
}

/// Clocks and who governs them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Frequency {
    /// One entry for each group of cores that share a clock; empty when the system governs none.
    pub policies: Vec<FrequencyPolicy>,
    /// Whether clocks above the base clock are allowed.
    pub turbo: Option<bool>,
}

/// The rules under which a group of cores changes its clock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct FrequencyPolicy {
    /// Processors under this policy.
    pub cpus: CpuSet,
    /// `performance`, `powersave`, `schedutil`, …
    pub governor: Option<String>,
    /// `intel_pstate`, `amd-pstate-epp`, `cppc_cpufreq`, …
    pub driver: Option<String>,
    /// The energy-performance preference, where the driver has one.
    pub preference: Option<String>,
    /// Lowest clock now allowed, kHz.
    pub min_khz: Option<u64>,
    /// Highest clock now allowed, kHz.
    pub max_khz: Option<u64>,
    /// Lowest clock of the hardware, kHz.
    pub hardware_min_khz: Option<u64>,
    /// Highest clock of the hardware, kHz.
    pub hardware_max_khz: Option<u64>,
}

/// Whether this is somebody's guest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Virtualisation {
    /// Whether this is a virtual machine.
    pub virtual_machine: Option<bool>,
    /// The hypervisor: `KVM`, `Hyper-V`, `VMware`, `Xen`, …
    pub hypervisor: Option<String>,
    /// The container engine, `None` outside of one or when none was recognised.
    pub container: Option<String>,
    /// What said so: `cpuid`, `/sys/hypervisor`, `dmi`, `cpuinfo flag`, …
    pub seen_by: Vec<String>,
}

/// A bound that may not be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Limit<T> {
    /// Looked for, and there is none.
    Unlimited,
    /// At most this much.
    At(T),
}

impl<T: Copy> Limit<T> {
    /// The bound, if there is one.
    pub fn at(&self) -> Option<T> {
        match self {
            Self::Unlimited => None,
            Self::At(value) => Some(*value),
        }
    }
}

/// What this process may use.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Limits {
    /// 1 or 2: the version of the control groups that the limits below come from.
    pub cgroup_version: Option<u32>,
    /// CPU time per time, in processors: 1.5 is one and a half.
    pub cpu_quota: Option<Limit<f64>>,
    /// Memory, in bytes.
    pub memory_bytes: Option<Limit<u64>>,
    /// Processors that the control group allows.
    pub cpuset: Option<CpuSet>,
    /// Processors that this process may run on.
    pub affinity: Option<CpuSet>,
}

/// What feeds the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PowerSource {
    /// The mains, or a supply that behaves like it.
    Mains,
    /// A battery that is being discharged.
    Battery,
}
