//! The processors: identity, extensions, counts.

use std::collections::BTreeSet;

use spark_results::machine::{Absent, CoreType, Cpu, CpuSet};

use crate::os::SysRoot;

use super::cpuinfo::{CpuInfo, number};
use super::{caches, core_types, isa, known};

pub(super) fn detect(root: &SysRoot, info: &CpuInfo, absent: &mut Vec<Absent>) -> Cpu {
    let online = online(root, info);
    let core_types = core_types::detect(root, info, &online);
    let decimal = |key: &str| info.first(key).and_then(number);
    let text = |key: &str| info.first(key).map(str::to_owned);
    let logical = u32::try_from(online.len()).ok().filter(|n| *n > 0);
    let physical = distinct(&online, |cpu| siblings(root, cpu)).or_else(|| cores_in_cpuinfo(info));
    let mut cpu = Cpu {
        vendor: text("vendor_id").or_else(|| decimal("CPU implementer").map(core_types::implementer)),
        brand: text("model name").or_else(|| composed(&core_types)),
        family: decimal("cpu family"),
        model: decimal("model"),
        stepping: decimal("stepping"),
        microcode: text("microcode"),
        isa: if root.is_live() { isa::live(&info.flags()) } else { isa::from_words(&info.flags()) },
        logical,
        physical,
        packages: distinct(&online, |cpu| root.line(topology(cpu, "physical_package_id")).ok()),
        smt: smt(root).or_else(|| logical.zip(physical).map(|(l, p)| l > p)),
        core_types,
        caches: Vec::new(),
    };
    cpu.caches = known(absent, "cpu.caches", caches::detect(root, &online)).unwrap_or_default();
    let missing = [
        ("cpu.vendor", cpu.vendor.is_none(), "/proc/cpuinfo has neither vendor_id nor CPU implementer"),
        ("cpu.brand", cpu.brand.is_none(), "/proc/cpuinfo has neither a model name nor a known part"),
        ("cpu.isa", cpu.isa.is_empty(), "/proc/cpuinfo has neither flags nor features"),
        (
            "cpu.logical",
            cpu.logical.is_none(),
            "neither /sys/devices/system/cpu/online nor /proc/cpuinfo lists a processor",
        ),
        (
            "cpu.physical",
            cpu.physical.is_none(),
            "no topology under /sys/devices/system/cpu and no core id in /proc/cpuinfo",
        ),
        ("cpu.smt", cpu.smt.is_none(), "no topology under /sys/devices/system/cpu and no core id in /proc/cpuinfo"),
        ("cpu.packages", cpu.packages.is_none(), "no physical_package_id under /sys/devices/system/cpu"),
    ];
    absent.extend(missing.into_iter().filter(|(_, missing, _)| *missing).map(|(what, _, why)| Absent::new(what, why)));
    cpu
}

fn online(root: &SysRoot, info: &CpuInfo) -> CpuSet {
    root.value("/sys/devices/system/cpu/online")
        .unwrap_or_else(|_| info.processors.iter().map(|(cpu, _)| *cpu).collect())
}

fn topology(cpu: u32, file: &str) -> String {
    format!("/sys/devices/system/cpu/cpu{cpu}/topology/{file}")
}

/// The processors on the same core as `cpu`; the first name is the newer one.
fn siblings(root: &SysRoot, cpu: u32) -> Option<String> {
    root.line(topology(cpu, "core_cpus_list")).or_else(|_| root.line(topology(cpu, "thread_siblings_list"))).ok()
}

/// How many different values `of` has over `cpus`; `None` when it is unknown for one of them.
fn distinct(cpus: &CpuSet, of: impl Fn(u32) -> Option<String>) -> Option<u32> {
    let values: Option<BTreeSet<String>> = cpus.iter().map(of).collect();
    values.and_then(|v| u32::try_from(v.len()).ok()).filter(|n| *n > 0)
}

fn cores_in_cpuinfo(info: &CpuInfo) -> Option<u32> {
    let cores: Option<BTreeSet<_>> =
        info.processors.iter().map(|(_, keys)| Some((keys.get("physical id")?, keys.get("core id")?))).collect();
    cores.and_then(|c| u32::try_from(c.len()).ok()).filter(|n| *n > 0)
}

fn smt(root: &SysRoot) -> Option<bool> {
    root.value::<u32>("/sys/devices/system/cpu/smt/active").ok().map(|n| n != 0)
}

/// Arm processors give themselves no name: `10x Cortex-X925 + 10x Cortex-A725`.
fn composed(kinds: &[CoreType]) -> Option<String> {
    let named: Vec<String> =
        kinds.iter().filter(|t| t.part.is_some()).map(|t| format!("{}x {}", t.cpus.len(), t.name)).collect();
    (!named.is_empty()).then(|| named.join(" + "))
}
