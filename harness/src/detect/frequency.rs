//! Who sets the clocks, and within which bounds.

use spark_results::machine::{Absent, Frequency, FrequencyPolicy};

use crate::os::SysRoot;

use super::known;

const FOLDER: &str = "/sys/devices/system/cpu/cpufreq";

pub(super) fn detect(root: &SysRoot, absent: &mut Vec<Absent>) -> Frequency {
    let policies: Vec<FrequencyPolicy> = policies(root).into_iter().map(|(_, name)| policy(root, &name)).collect();
    if policies.is_empty() {
        absent.push(Absent::new(
            "frequency.policies",
            format!("{FOLDER} has no policy: hypervisor or firmware sets the clock and does not tell"),
        ));
    }
    Frequency { policies, turbo: known(absent, "frequency.turbo", turbo(root)) }
}

/// The policies' numbers and folders under /sys/devices/system/cpu/cpufreq.
pub(crate) fn policies(root: &SysRoot) -> Vec<(u32, String)> {
    root.numbered(FOLDER, "policy").into_iter().map(|(n, name)| (n, format!("{FOLDER}/{name}"))).collect()
}

fn policy(root: &SysRoot, folder: &str) -> FrequencyPolicy {
    let at = |file: &str| format!("{folder}/{file}");
    FrequencyPolicy {
        cpus: root.value(at("related_cpus")).or_else(|_| spaced(root, &at("related_cpus"))).unwrap_or_default(),
        governor: root.line(at("scaling_governor")).ok(),
        driver: root.line(at("scaling_driver")).ok(),
        preference: root.line(at("energy_performance_preference")).ok(),
        min_khz: root.value(at("scaling_min_freq")).ok(),
        max_khz: root.value(at("scaling_max_freq")).ok(),
        hardware_min_khz: root.value(at("cpuinfo_min_freq")).ok(),
        hardware_max_khz: root.value(at("cpuinfo_max_freq")).ok(),
    }
}

/// `related_cpus` is written with spaces, `0 1 2 3`, unlike every other list.
pub(crate) fn spaced(root: &SysRoot, path: &str) -> Result<spark_results::machine::CpuSet, String> {
    let line = root.line(path)?;
    line.replace(' ', ",").parse().map_err(|e| format!("{path}: {e}"))
}

/// intel_pstate has a switch of its own, upside down; all other drivers share `boost`.
fn turbo(root: &SysRoot) -> Result<bool, String> {
    let off = root.value::<u32>("/sys/devices/system/cpu/intel_pstate/no_turbo").map(|n| n == 0);
    off.or_else(|_| root.value::<u32>(format!("{FOLDER}/boost")).map(|n| n != 0))
        .map_err(|_| format!("neither intel_pstate/no_turbo nor {FOLDER}/boost is there"))
}
