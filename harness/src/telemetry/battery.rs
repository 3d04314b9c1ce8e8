//! What a discharging battery gives: then it is what the whole machine takes.

use std::time::Duration;

use spark_results::telemetry::{Channel, Reading};

use crate::os::SysRoot;

use super::Sensor;
use super::probe::{Probe, Probes};

const FOLDER: &str = "/sys/class/power_supply";

pub(super) struct Batteries {
    root: SysRoot,
    probes: Probes,
    status: Vec<String>,
}

impl Batteries {
    pub(super) fn new(root: &SysRoot) -> Self {
        Self { root: root.clone(), probes: Probes::default(), status: Vec::new() }
    }

    fn discharging(&self) -> bool {
        !self.status.is_empty() && self.status.iter().all(|p| self.root.line(p).is_ok_and(|s| s == "Discharging"))
    }
}

impl Sensor for Batteries {
    fn name(&self) -> &'static str {
        "battery"
    }

    fn probe(&mut self) -> Vec<Channel> {
        let refused = |why: &str| vec![Channel::refused("battery", Some("power"), Some(FOLDER), why)];
        let at = |name: &str, file: &str| self.root.line(format!("{FOLDER}/{name}/{file}")).unwrap_or_default();
        let mut names = self.root.names(FOLDER);
        // The battery of a mouse powers itself only.
        names.retain(|n| at(n, "type") == "Battery" && at(n, "scope") != "Device");
        let [name] = names.as_slice() else {
            return refused(match names.len() {
                0 => "the machine lists no battery",
                _ => "there are several batteries, and which of them feeds the machine changes",
            });
        };
        self.status = vec![format!("{FOLDER}/{name}/status")];
        if !self.discharging() {
            return refused("the battery is not discharging: what the machine takes from the mains is not told here");
        }
        let probe = |file: &str, times: Option<&str>, scale| Probe {
            quantity: "power",
            scope: "sys_total".to_owned(),
            path: format!("{FOLDER}/{name}/{file}"),
            times: times.map(|f| format!("{FOLDER}/{name}/{f}")),
            unit: "W",
            scale,
            ..Probe::default()
        };
        // Microwatts, or microamperes and microvolts.
        let probe = match self.root.has(format!("{FOLDER}/{name}/power_now")) {
            true => probe("power_now", None, 1e-6),
            false => probe("current_now", Some("voltage_now"), 1e-12),
        };
        self.probes.ask(&self.root, "battery", self.period(), vec![probe])
    }

    fn read(&mut self) -> Vec<Reading> {
        if !self.discharging() {
            return Vec::new();
        }
        let mut readings = self.probes.read(&self.root);
        // Some drivers count what flows out below 0.
        readings.iter_mut().for_each(|r| r.value = r.value.abs());
        readings
    }

    fn period(&self) -> Duration {
        Duration::from_millis(250)
    }

    fn trouble(&mut self) -> Option<String> {
        match self.discharging() {
            true => self.probes.trouble(),
            false => Some("the battery does not discharge any more: the machine was plugged in".to_owned()),
        }
    }
}
