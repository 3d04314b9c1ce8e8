//! The kernel's thermal zones.

use std::time::Duration;

use crate::os::SysRoot;

use super::probe::{Files, Probe, Probes};

const FOLDER: &str = "/sys/class/thermal";

/// The sensor.
pub(super) fn zones(root: &SysRoot) -> Files {
    Files {
        name: "thermal",
        root: root.clone(),
        period: Duration::from_secs(1),
        quantity: "temperature",
        folder: FOLDER,
        none: "no thermal zone is listed (a virtual machine, or not Linux)",
        walk,
        probes: Probes::default(),
    }
}

fn walk(root: &SysRoot) -> Vec<Probe> {
    let probe = |(number, name): (u32, String)| {
        let kind = root.line(format!("{FOLDER}/{name}/type")).unwrap_or_else(|_| "zone".to_owned());
        // Zones often share a type: GB10 has seven of type acpitz.
        Probe {
            quantity: "temperature",
            scope: format!("{kind} {number}"),
            path: format!("{FOLDER}/{name}/temp"),
            unit: "degC",
            scale: 1e-3,
            ..Probe::default()
        }
    };
    root.numbered(FOLDER, "thermal_zone").into_iter().map(probe).collect()
}
