//! /proc/cpuinfo: a block of `key : value` lines for each processor that is online.

use std::collections::BTreeMap;

use spark_results::machine::{Absent, clean};

use crate::os::SysRoot;

/// What /proc/cpuinfo says.
#[derive(Debug, Default)]
pub(super) struct CpuInfo {
    /// The processors in the order of the file: the number and its keys.
    pub(super) processors: Vec<(u32, BTreeMap<String, String>)>,
}

impl CpuInfo {
    /// A key of the first processor.
    pub(super) fn first(&self, key: &str) -> Option<&str> {
        self.processors.first()?.1.get(key).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// The instruction-set words of the first processor: `flags` on x86, `Features` on Arm.
    pub(super) fn flags(&self) -> Vec<&str> {
        self.first("flags")
            .or_else(|| self.first("Features"))
            .map(|f| f.split_whitespace().collect())
            .unwrap_or_default()
    }

    /// Arm's implementer and part of each processor, where it has them.
    pub(super) fn midr(&self) -> BTreeMap<u32, (u32, u32)> {
        let code = |keys: &BTreeMap<String, String>, key| number(keys.get(key)?);
        self.processors
            .iter()
            .filter_map(|(cpu, keys)| Some((*cpu, (code(keys, "CPU implementer")?, code(keys, "CPU part")?))))
            .collect()
    }
}

/// A number in decimal or with `0x`.
pub(super) fn number(text: &str) -> Option<u32> {
    text.strip_prefix("0x").map_or_else(|| text.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok())
}

pub(super) fn read(root: &SysRoot, absent: &mut Vec<Absent>) -> CpuInfo {
    super::known(absent, "cpu", root.text("/proc/cpuinfo")).map(|text| parse(&text)).unwrap_or_default()
}

fn parse(text: &str) -> CpuInfo {
    let mut processors: Vec<(u32, BTreeMap<String, String>)> = Vec::new();
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        let (key, value) = (key.trim(), value.trim());
        if key == "processor" {
            if let Ok(n) = value.parse() {
                processors.push((n, BTreeMap::new()));
            }
        } else if let Some((_, keys)) = processors.last_mut() {
            // Flags are longer than any text that is shown and are matched against a list, never shown.
            let value = if matches!(key, "flags" | "Features") { value.to_owned() } else { clean(value) };
            keys.insert(key.to_owned(), value);
        }
    }
    CpuInfo { processors }
}

/// The architecture: of this program when it looks at its own machine, else the one that the file's keys belong to.
pub(super) fn architecture(root: &SysRoot, info: &CpuInfo, absent: &mut Vec<Absent>) -> Option<String> {
    if root.is_live() {
        return Some(std::env::consts::ARCH.to_owned());
    }
    let found = of_file(info).map(str::to_owned);
    super::known(
        absent,
        "architecture",
        found.ok_or_else(|| "/proc/cpuinfo has the keys of no known architecture".to_owned()),
    )
}

/// The architecture that /proc/cpuinfo was written for.
pub(super) fn of_file(info: &CpuInfo) -> Option<&'static str> {
    match () {
        () if info.first("CPU implementer").is_some() => Some("aarch64"),
        () if info.first("vendor_id").is_some() && info.first("flags").is_some() => Some("x86_64"),
        () => None,
    }
}
