//! The power rails of a DGX Spark, from the `spbm` chip that an out-of-tree driver (spark_hwmon) makes of its firmware's numbers.
//!
//! Only read: writing its `power_cap` changes the machine.

use std::time::Duration;

use spark_results::telemetry::{Channel, Reading};

use crate::os::SysRoot;

use super::hwmon::{self, FOLDER};
use super::probe::{Probe, Probes};
use super::{OFTEN, Sensor, reading};

pub(super) const CHIP: &str = "spbm";

/// The firmware counts millijoules in 32 bits: at 100 W it starts again at 0 every 12 hours. The driver shows microjoules.
const RANGE_UJ: u64 = ((1 << 32) - 1) * 1000;

/// The rails that have a scope of their own. GB10 is one package of processor and GPU, so that `soc_pkg` holds both.
const SCOPES: &[(&str, &str)] = &[
    ("sys_total", "sys_total"),
    ("dc_input", "dc_input"),
    ("soc_pkg", "soc_pkg"),
    ("pkg", "soc_pkg"),
    ("cpu_p", "cpu/p"),
    ("cpu_e", "cpu/e"),
    ("gpu", "gpu 0"),
];

/// Rails that state what may be taken, not what is.
const LIMITS: &[&str] = &["pl1", "pl2", "syspl1", "syspl2"];

pub(super) struct Rails {
    root: SysRoot,
    probes: Probes,
    /// Both kinds of core answer with an energy or a power: their sum is the processor.
    sums: Vec<Channel>,
}

impl Rails {
    pub(super) fn new(root: &SysRoot) -> Self {
        Self { root: root.clone(), probes: Probes::default(), sums: Vec::new() }
    }

    fn rails(&self) -> Vec<Probe> {
        let of = |(prefix, ends, quantity, unit): (_, &[&str], &'static str, &'static str)| {
            hwmon::walk(&self.root, prefix, ends, |input| {
                let label = Some(input.label()).filter(|_| input.chip.name == CHIP)?;
                let scope = SCOPES.iter().find(|(rail, _)| *rail == label).map(|(_, scope)| (*scope).to_owned());
                Some(Probe {
                    quantity: if LIMITS.contains(&label.as_str()) { "power_limit" } else { quantity },
                    scope: scope.unwrap_or_else(|| format!("{CHIP} {label}")),
                    path: input.path(),
                    unit,
                    scale: 1e-6,
                    counts_to: (quantity == "energy").then_some(Some(RANGE_UJ)),
                    ..Probe::default()
                })
            })
        };
        let mut probes = of(("power", &["average", "input"], "power", "W"));
        probes.extend(of(("energy", &["input"], "energy", "J")));
        probes
    }
}

impl Sensor for Rails {
    fn name(&self) -> &'static str {
        CHIP
    }

    fn probe(&mut self) -> Vec<Channel> {
        let mut channels = self.probes.ask(&self.root, CHIP, self.period(), self.rails());
        for (quantity, unit) in [("energy", "J"), ("power", "W")] {
            let ok = |scope| {
                channels.iter().any(|c| {
                    c.reason.is_none() && c.quantity.as_deref() == Some(quantity) && c.scope.as_deref() == Some(scope)
                })
            };
            if ok("cpu/p") && ok("cpu/e") {
                let source = format!("{CHIP} {quantity} cpu_p + cpu_e");
                self.sums.push(super::channel(CHIP, quantity, "cpu", &source, unit, self.period()));
            }
        }
        channels.extend(self.sums.iter().cloned());
        if channels.is_empty() {
            let why = "no spbm chip: not a DGX Spark, or without the driver spark_hwmon, which alone tells a Spark's processor and \
                       board power (it is out of the kernel's tree)";
            return vec![Channel::refused(CHIP, None, Some(FOLDER), why)];
        }
        channels
    }

    fn read(&mut self) -> Vec<Reading> {
        let mut readings = self.probes.read(&self.root);
        for sum in &self.sums {
            let (Some(quantity), Some(source), Some(unit)) = (&sum.quantity, &sum.source, &sum.unit) else { continue };
            let of = |scope| readings.iter().find(|r| r.quantity == *quantity && r.scope == scope).map(|r| r.value);
            if let (Some(p), Some(e)) = (of("cpu/p"), of("cpu/e")) {
                readings.push(reading(quantity, "cpu", source, p + e, unit));
            }
        }
        readings
    }

    fn period(&self) -> Duration {
        OFTEN
    }

    fn trouble(&mut self) -> Option<String> {
        self.probes.trouble()
    }
}
