//! Temperatures and powers of the kernel's hardware-monitoring chips: board sensors, processors, disks, out-of-tree power meters.

use std::time::Duration;

use spark_results::telemetry::{Channel, Reading};

use crate::os::SysRoot;

use super::{Probe, Sensor, keep_answering};

const FOLDER: &str = "/sys/class/hwmon";

/// A file's beginning and end, and what the integer in it is (the kernel's sysfs-interface: millidegrees, microwatts).
/// A chip that has both `average` and `input` is read once, by the first that is there.
const FILES: &[(&str, &[&str], &str, &str, f64)] =
    &[("temp", &["input"], "temperature", "degC", 1e-3), ("power", &["average", "input"], "power", "W", 1e-6)];

pub(super) struct Chips {
    root: SysRoot,
    probes: Vec<Probe>,
}

impl Chips {
    pub(super) fn new(root: &SysRoot) -> Self {
        Self { root: root.clone(), probes: Vec::new() }
    }

    fn of_chip(&self, folder: &str) -> Vec<Probe> {
        let chip = self.root.line(format!("{folder}/name")).unwrap_or_else(|_| "unnamed".to_owned());
        let names = self.root.names(folder);
        let mut probes = Vec::new();
        for (prefix, endings, quantity, unit, scale) in FILES.iter().copied() {
            let numbers = names
                .iter()
                .filter_map(|n| n.strip_prefix(prefix)?.split_once('_'))
                .filter(|(_, end)| endings.contains(end));
            let mut numbers: Vec<u32> = numbers.filter_map(|(n, _)| n.parse().ok()).collect();
            numbers.sort_unstable();
            numbers.dedup();
            for n in numbers {
                let Some(end) = endings.iter().find(|end| names.contains(&format!("{prefix}{n}_{end}"))) else {
                    continue;
                };
                let label =
                    self.root.line(format!("{folder}/{prefix}{n}_label")).unwrap_or_else(|_| format!("{prefix}{n}"));
                probes.push(Probe {
                    quantity,
                    scope: format!("{chip} {label}"),
                    path: format!("{folder}/{prefix}{n}_{end}"),
                    unit,
                    scale,
                });
            }
        }
        probes
    }
}

impl Sensor for Chips {
    fn name(&self) -> &'static str {
        "hwmon"
    }

    fn probe(&mut self) -> Vec<Channel> {
        let chips = self.root.numbered(FOLDER, "hwmon");
        self.probes = chips.iter().flat_map(|(_, name)| self.of_chip(&format!("{FOLDER}/{name}"))).collect();
        if self.probes.is_empty() {
            let why = if chips.is_empty() {
                "no chip is listed (a virtual machine, or not Linux)"
            } else {
                "no chip has a temperature or a power"
            };
            return vec![Channel::refused(self.name(), None, Some(FOLDER), why)];
        }
        keep_answering(&self.root, "hwmon", self.period(), &mut self.probes)
    }

    fn read(&mut self) -> Vec<Reading> {
        self.probes.iter().filter_map(|p| p.read(&self.root)).collect()
    }

    fn period(&self) -> Duration {
        Duration::from_millis(500)
    }
}
