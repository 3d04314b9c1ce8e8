//! The kernel's thermal zones.

use std::time::Duration;

use spark_results::telemetry::{Channel, Reading};

use crate::os::SysRoot;

use super::Sensor;
use super::probe::{Probe, Probes};

const FOLDER: &str = "/sys/class/thermal";

pub(super) struct Zones {
    root: SysRoot,
    probes: Probes,
}

impl Zones {
    pub(super) fn new(root: &SysRoot) -> Self {
        Self { root: root.clone(), probes: Probes::default() }
    }
}

impl Sensor for Zones {
    fn name(&self) -> &'static str {
        "thermal"
    }

    fn probe(&mut self) -> Vec<Channel> {
        let probe = |(number, name): (u32, String)| {
            let kind = self.root.line(format!("{FOLDER}/{name}/type")).unwrap_or_else(|_| "zone".to_owned());
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
        let probes: Vec<Probe> = self.root.numbered(FOLDER, "thermal_zone").into_iter().map(probe).collect();
        if probes.is_empty() {
            return vec![Channel::refused(
                self.name(),
                Some("temperature"),
                Some(FOLDER),
                "no thermal zone is listed (a virtual machine, or not Linux)",
            )];
        }
        self.probes.ask(&self.root, "thermal", self.period(), probes)
    }

    fn read(&mut self) -> Vec<Reading> {
        self.probes.read(&self.root)
    }

    fn period(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn trouble(&mut self) -> Option<String> {
        self.probes.trouble()
    }
}
