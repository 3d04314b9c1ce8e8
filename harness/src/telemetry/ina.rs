//! The current monitors of a Jetson board: INA3221 (Orin and before) and INA238 (Thor), rail by rail.

use std::time::Duration;

use spark_results::telemetry::{Channel, Reading};

use crate::os::SysRoot;

use super::hwmon::{FOLDER, chips, inputs};
use super::probe::{Probe, Probes};
use super::{OFTEN, Sensor};

/// Where JetPack before version 5 shows them.
const OLD: &str = "/sys/bus/i2c/drivers/ina3221x";

/// The rails at which the whole board is fed: Orin, Thor, Nano.
const TOTALS: &[&str] = &["VDD_IN", "VIN", "VIN_SYS_5V0", "POM_5V_IN", "SYS_VIN"];

/// Whether a chip of this name is one. What a USB supply agreed to give (`ucsi_…`) is no measurement and not among them.
pub(super) fn is(chip: &str) -> bool {
    matches!(chip, "ina3221" | "ina238")
}

fn scope(label: &str) -> String {
    if TOTALS.contains(&label) { "sys_total".to_owned() } else { format!("rail {label}") }
}

pub(super) struct Monitors {
    root: SysRoot,
    probes: Probes,
}

impl Monitors {
    pub(super) fn new(root: &SysRoot) -> Self {
        Self { root: root.clone(), probes: Probes::default() }
    }

    /// An INA3221 gives millivolts and milliamperes of each of its three rails, which are to be multiplied.
    fn rails(&self, folder: &str) -> Vec<Probe> {
        let mut probes = Vec::new();
        for (n, current) in inputs(&self.root, folder, "curr", &["input"]) {
            let Ok(label) = self.root.line(format!("{folder}/in{n}_label")) else { continue };
            if label == "NC" || label.starts_with("sum of shunt") {
                continue;
            }
            probes.push(Probe {
                quantity: "power",
                scope: scope(&label),
                path: format!("{folder}/{current}"),
                times: Some(format!("{folder}/in{n}_input")),
                unit: "W",
                scale: 1e-6,
                ..Probe::default()
            });
        }
        probes
    }

    /// An INA238 gives microwatts.
    fn power(&self, folder: &str) -> Vec<Probe> {
        let one = |(n, file): (u32, String)| {
            let named = ["power", "in", "curr"].map(|p| self.root.line(format!("{folder}/{p}{n}_label")).ok());
            let label = named.into_iter().flatten().next();
            let label = label.or_else(|| self.root.line(format!("{folder}/device/of_node/label")).ok());
            Probe {
                quantity: "power",
                scope: scope(&label.map_or_else(|| format!("ina238 {n}"), |l| l.trim_end_matches('\0').to_owned())),
                path: format!("{folder}/{file}"),
                unit: "W",
                scale: 1e-6,
                ..Probe::default()
            }
        };
        inputs(&self.root, folder, "power", &["input"]).into_iter().map(one).collect()
    }

    /// `rail_name_N` beside `in_powerN_input` in milliwatts.
    fn old(&self) -> Vec<Probe> {
        let mut probes = Vec::new();
        for device in self.root.names(OLD) {
            for iio in self.root.names(format!("{OLD}/{device}")).into_iter().filter(|n| n.starts_with("iio:device")) {
                let folder = format!("{OLD}/{device}/{iio}");
                for (n, name) in self.root.numbered(&folder, "rail_name_") {
                    let Ok(label) = self.root.line(format!("{folder}/{name}")) else { continue };
                    probes.push(Probe {
                        quantity: "power",
                        scope: scope(&label),
                        path: format!("{folder}/in_power{n}_input"),
                        unit: "W",
                        scale: 1e-3,
                        ..Probe::default()
                    });
                }
            }
        }
        probes
    }
}

impl Sensor for Monitors {
    fn name(&self) -> &'static str {
        "ina"
    }

    fn probe(&mut self) -> Vec<Channel> {
        let mut probes = Vec::new();
        for (folder, chip) in chips(&self.root) {
            match chip.as_str() {
                "ina3221" => probes.extend(self.rails(&folder)),
                "ina238" => probes.extend(self.power(&folder)),
                _ => {}
            }
        }
        if probes.is_empty() {
            probes = self.old();
        }
        if probes.is_empty() {
            let why = "no INA3221 or INA238 is listed: not a Jetson board";
            return vec![Channel::refused(self.name(), Some("power"), Some(FOLDER), why)];
        }
        self.probes.ask(&self.root, "ina", self.period(), probes)
    }

    fn read(&mut self) -> Vec<Reading> {
        self.probes.read(&self.root)
    }

    fn period(&self) -> Duration {
        OFTEN
    }

    fn trouble(&mut self) -> Option<String> {
        self.probes.trouble()
    }
}
