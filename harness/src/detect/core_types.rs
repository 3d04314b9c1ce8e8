//! The kinds of core of a machine: by Arm's MIDR, by the kernel's hybrid lists on x86, by capacity where there is nothing better.

use std::collections::BTreeMap;

use spark_results::machine::{CoreType, CpuSet, Span};

use crate::os::SysRoot;

use super::cpuinfo::CpuInfo;

/// What is known of one logical processor.
#[derive(Debug, Clone, Copy, Default)]
pub struct Core {
    /// Its number.
    pub cpu: u32,
    /// Arm's implementer and part.
    pub midr: Option<(u32, u32)>,
    /// The scheduler's capacity, 1024 at most.
    pub capacity: Option<u64>,
    /// Highest clock, kHz.
    pub max_khz: Option<u64>,
}

/// Arm implementer codes (Arm ARM, MIDR_EL1; as in Linux' cputype.h).
const IMPLEMENTERS: &[(u32, &str)] = &[
    (0x41, "Arm"),
    (0x46, "Fujitsu"),
    (0x48, "HiSilicon"),
    (0x4e, "NVIDIA"),
    (0x51, "Qualcomm"),
    (0x61, "Apple"),
    (0x6d, "Microsoft"),
    (0xc0, "Ampere"),
];

/// Implementer, part and name of the cores one meets, the faster before the slower of one machine.
const PARTS: &[(u32, u32, &str)] = &[
    (0x41, 0xd85, "Cortex-X925"),
    (0x41, 0xd82, "Cortex-X4"),
    (0x41, 0xd4e, "Cortex-X3"),
    (0x41, 0xd48, "Cortex-X2"),
    (0x41, 0xd44, "Cortex-X1"),
    (0x41, 0xd84, "Neoverse-V3"),
    (0x41, 0xd83, "Neoverse-V3AE"),
    (0x41, 0xd4f, "Neoverse-V2"),
    (0x41, 0xd40, "Neoverse-V1"),
    (0x41, 0xd8e, "Neoverse-N3"),
    (0x41, 0xd49, "Neoverse-N2"),
    (0x41, 0xd0c, "Neoverse-N1"),
    (0x41, 0xd87, "Cortex-A725"),
    (0x41, 0xd81, "Cortex-A720"),
    (0x41, 0xd4d, "Cortex-A715"),
    (0x41, 0xd47, "Cortex-A710"),
    (0x41, 0xd42, "Cortex-A78AE"),
    (0x41, 0xd41, "Cortex-A78"),
    (0x41, 0xd0d, "Cortex-A77"),
    (0x41, 0xd0b, "Cortex-A76"),
    (0x41, 0xd0a, "Cortex-A75"),
    (0x41, 0xd09, "Cortex-A73"),
    (0x41, 0xd08, "Cortex-A72"),
    (0x41, 0xd07, "Cortex-A57"),
    (0x41, 0xd80, "Cortex-A520"),
    (0x41, 0xd46, "Cortex-A510"),
    (0x41, 0xd05, "Cortex-A55"),
    (0x41, 0xd03, "Cortex-A53"),
    (0x46, 0x001, "A64FX"),
    (0x4e, 0x004, "Carmel"),
    (0x51, 0x001, "Oryon"),
    (0x61, 0x023, "M1 Firestorm"),
    (0x61, 0x022, "M1 Icestorm"),
    (0x61, 0x033, "M2 Avalanche"),
    (0x61, 0x032, "M2 Blizzard"),
    (0x6d, 0xd49, "Azure Cobalt 100"),
    (0xc0, 0xac3, "AmpereOne"),
];

/// The name of an implementer, or its code.
pub(super) fn implementer(code: u32) -> String {
    IMPLEMENTERS
        .iter()
        .find(|(c, _)| *c == code)
        .map_or_else(|| format!("implementer {code:#04x}"), |(_, name)| (*name).to_owned())
}

fn place(implementer: u32, part: u32) -> usize {
    PARTS.iter().position(|(i, p, _)| (*i, *p) == (implementer, part)).unwrap_or(PARTS.len())
}

fn part_name(implementer: u32, part: u32) -> String {
    PARTS
        .get(place(implementer, part))
        .map_or_else(|| format!("implementer {implementer:#04x} part {part:#05x}"), |(_, _, name)| (*name).to_owned())
}

/// Groups processors into kinds, the fastest first. Cores with a MIDR are grouped by it alone: on GB10 the two clusters of one kind
/// have different clocks and are still one kind. Processors without one are not grouped (see `by_capacity`).
#[must_use]
pub fn grouped(cores: &[Core]) -> Vec<CoreType> {
    let mut kinds: BTreeMap<(u32, u32), Vec<Core>> = BTreeMap::new();
    for core in cores {
        if let Some(midr) = core.midr {
            kinds.entry(midr).or_default().push(*core);
        }
    }
    let mut kinds: Vec<CoreType> = kinds
        .into_iter()
        .map(|((implementer, part), cores)| CoreType {
            implementer: Some(implementer),
            part: Some(part),
            ..kind(part_name(implementer, part), &cores)
        })
        .collect();
    let speed = |t: &CoreType| (t.capacity.map(|s| s.high), t.max_khz.map(|s| s.high));
    kinds.sort_by(|a, b| speed(b).cmp(&speed(a)).then_with(|| rank(a).cmp(&rank(b))));
    kinds
}

fn rank(t: &CoreType) -> usize {
    t.implementer.zip(t.part).map_or(PARTS.len(), |(i, p)| place(i, p))
}

/// Processors without a MIDR on a machine whose scheduler knows unequal capacities, the fastest first; empty when all are equal.
fn by_capacity(cores: &[Core]) -> Vec<CoreType> {
    let mut kinds: BTreeMap<u64, Vec<Core>> = BTreeMap::new();
    for core in cores {
        let Some(capacity) = core.capacity else {
            return Vec::new();
        };
        kinds.entry(capacity).or_default().push(*core);
    }
    if kinds.len() < 2 {
        return Vec::new();
    }
    kinds.iter().rev().map(|(capacity, cores)| kind(format!("capacity {capacity}"), cores)).collect()
}

fn kind(name: String, cores: &[Core]) -> CoreType {
    CoreType {
        name,
        implementer: None,
        part: None,
        cpus: cores.iter().map(|c| c.cpu).collect(),
        capacity: Span::of(cores.iter().filter_map(|c| c.capacity)),
        max_khz: Span::of(cores.iter().filter_map(|c| c.max_khz)),
    }
}

/// The kinds of core among the processors `online`; one kind where nothing tells them apart.
pub(super) fn detect(root: &SysRoot, info: &CpuInfo, online: &CpuSet) -> Vec<CoreType> {
    let midr = info.midr();
    let cores: Vec<Core> = online
        .iter()
        .map(|cpu| {
            let at = |file: &str| root.value(format!("/sys/devices/system/cpu/cpu{cpu}/{file}")).ok();
            Core {
                cpu,
                midr: midr.get(&cpu).copied(),
                capacity: at("cpu_capacity"),
                max_khz: at("cpufreq/cpuinfo_max_freq"),
            }
        })
        .collect();
    if !midr.is_empty() {
        return grouped(&cores);
    }
    // Single favoured cores of an x86 processor clock higher than their equals, so clocks make no kinds there.
    let hybrid: Vec<CoreType> = [("cpu_core", "P-core"), ("cpu_atom", "E-core"), ("cpu_lowpower", "LP-E-core")]
        .iter()
        .filter_map(|(folder, name)| {
            let cpus: CpuSet = root.value(format!("/sys/devices/{folder}/cpus")).ok()?;
            let cores: Vec<Core> = cores.iter().filter(|c| cpus.contains(c.cpu)).copied().collect();
            (!cores.is_empty()).then(|| kind((*name).to_owned(), &cores))
        })
        .collect();
    match () {
        () if !hybrid.is_empty() => hybrid,
        () if info.first("vendor_id").is_none() && !by_capacity(&cores).is_empty() => by_capacity(&cores),
        () if cores.is_empty() => Vec::new(),
        () => vec![kind("core".to_owned(), &cores)],
    }
}
