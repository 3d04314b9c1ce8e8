//! The clock of each group of cores as the frequency driver states it; under some drivers that is a wish, not a measurement.

use std::time::Duration;

use crate::detect::frequency;
use crate::os::SysRoot;

use super::probe::{Files, Probe, Probes};

/// The sensor.
pub(super) fn clocks(root: &SysRoot) -> Files {
    Files {
        name: "cpufreq",
        root: root.clone(),
        period: Duration::from_millis(500),
        quantity: "frequency",
        folder: "/sys/devices/system/cpu/cpufreq",
        none: "no frequency policy: the system does not tell the clock (a virtual machine, or not Linux)",
        walk,
        probes: Probes::default(),
    }
}

fn walk(root: &SysRoot) -> Vec<Probe> {
    let probe = |(number, folder): (u32, String)| {
        let cpus = frequency::spaced(root, &format!("{folder}/related_cpus")).map(|c| c.to_string());
        Probe {
            quantity: "frequency",
            scope: format!("cpu {}", cpus.unwrap_or_else(|_| number.to_string())),
            path: format!("{folder}/scaling_cur_freq"),
            unit: "Hz",
            scale: 1e3,
            ..Probe::default()
        }
    };
    frequency::policies(root).into_iter().map(probe).collect()
}
