//! Temperatures, powers and energies of the kernel's hardware-monitoring chips: board sensors, processors, disks.
//!
//! Chips whose rails are known by name have sensors of their own beside this one and only their temperatures are read here.

use std::time::Duration;

use spark_results::telemetry::{Channel, Reading};

use crate::os::SysRoot;

use super::probe::{Probe, Probes};
use super::{OFTEN, Sensor, grace, ina, spbm};

pub(super) const FOLDER: &str = "/sys/class/hwmon";

/// A file's beginning and end, and what the integer in it is (the kernel's sysfs-interface: millidegrees, microwatts,
/// microjoules). A chip that has both `average` and `input` is read once, by the first that is there.
const FILES: &[(&str, &[&str], &str, &str, f64)] = &[
    ("temp", &["input"], "temperature", "degC", 1e-3),
    ("power", &["average", "input"], "power", "W", 1e-6),
    ("energy", &["input"], "energy", "J", 1e-6),
];

pub(super) struct Chips {
    root: SysRoot,
    probes: Probes,
    quick: bool,
}

/// The folder of each chip and its name.
pub(super) fn chips(root: &SysRoot) -> Vec<(String, String)> {
    let one = |(_, chip): (u32, String)| {
        let folder = format!("{FOLDER}/{chip}");
        let name = root.line(format!("{folder}/name")).unwrap_or_else(|_| "unnamed".to_owned());
        (folder, name)
    };
    root.numbered(FOLDER, "hwmon").into_iter().map(one).collect()
}

/// The numbers n for which a folder holds `PREFIXn_END` with one of `ends`, with the first such end.
pub(super) fn inputs(root: &SysRoot, folder: &str, prefix: &str, ends: &[&str]) -> Vec<(u32, String)> {
    let names = root.names(folder);
    let split = |n: &String| {
        let (number, end) = n.strip_prefix(prefix)?.split_once('_')?;
        ends.contains(&end).then_some(())?;
        number.parse().ok()
    };
    let mut numbers: Vec<u32> = names.iter().filter_map(split).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let file = |n: u32| ends.iter().map(|e| format!("{prefix}{n}_{e}")).find(|f| names.contains(f));
    numbers.into_iter().filter_map(|n| Some((n, file(n)?))).collect()
}

impl Chips {
    pub(super) fn new(root: &SysRoot) -> Self {
        Self { root: root.clone(), probes: Probes::default(), quick: false }
    }

    fn of_chip(&self, folder: &str, chip: &str) -> Vec<Probe> {
        let elsewhere = chip == spbm::CHIP || grace::is(&self.root, folder) || ina::is(chip);
        let mut probes = Vec::new();
        for (prefix, ends, quantity, unit, scale) in FILES.iter().copied() {
            if elsewhere && quantity != "temperature" {
                continue;
            }
            for (n, file) in inputs(&self.root, folder, prefix, ends) {
                let label =
                    self.root.line(format!("{folder}/{prefix}{n}_label")).unwrap_or_else(|_| format!("{prefix}{n}"));
                // zenergy, the driver outside the kernel for AMD, counts each socket.
                let scope = match label.strip_prefix("Esocket") {
                    Some(socket) => format!("cpu {socket}"),
                    None => format!("{chip} {label}"),
                };
                probes.push(Probe {
                    quantity,
                    scope,
                    path: format!("{folder}/{file}"),
                    unit,
                    scale,
                    counts_to: (quantity == "energy").then_some(None),
                    averages_ms: average(&self.root, folder, n).filter(|_| file.ends_with("average")),
                    ..Probe::default()
                });
            }
        }
        probes
    }
}

/// Milliseconds that `powerN_average` is the mean of, where the chip says so.
pub(super) fn average(root: &SysRoot, folder: &str, n: u32) -> Option<f64> {
    root.value::<u32>(format!("{folder}/power{n}_average_interval")).ok().map(f64::from).filter(|ms| *ms > 0.0)
}

impl Sensor for Chips {
    fn name(&self) -> &'static str {
        "hwmon"
    }

    fn probe(&mut self) -> Vec<Channel> {
        let chips = chips(&self.root);
        let probes: Vec<Probe> = chips.iter().flat_map(|(folder, name)| self.of_chip(folder, name)).collect();
        self.quick = probes.iter().any(|p| p.quantity != "temperature");
        if probes.is_empty() {
            let why = if chips.is_empty() {
                "no chip is listed (a virtual machine, or not Linux)"
            } else {
                "no chip has a temperature or a power"
            };
            return vec![Channel::refused(self.name(), None, Some(FOLDER), why)];
        }
        self.probes.ask(&self.root, "hwmon", self.period(), probes)
    }

    fn read(&mut self) -> Vec<Reading> {
        self.probes.read(&self.root)
    }

    fn period(&self) -> Duration {
        if self.quick { 4 * OFTEN } else { Duration::from_millis(500) }
    }

    fn trouble(&mut self) -> Option<String> {
        self.probes.trouble()
    }
}
