//! The clock of each group of cores as the frequency driver states it; under some drivers that is a wish, not a measurement.

use std::time::Duration;

use spark_results::telemetry::{Channel, Reading};

use crate::detect::frequency;
use crate::os::SysRoot;

use super::Sensor;
use super::probe::{Probe, Probes};

pub(super) struct Clocks {
    root: SysRoot,
    probes: Probes,
}

impl Clocks {
    pub(super) fn new(root: &SysRoot) -> Self {
        Self { root: root.clone(), probes: Probes::default() }
    }
}

impl Sensor for Clocks {
    fn name(&self) -> &'static str {
        "cpufreq"
    }

    fn probe(&mut self) -> Vec<Channel> {
        let probe = |(number, folder): (u32, String)| {
            let cpus = frequency::spaced(&self.root, &format!("{folder}/related_cpus")).map(|c| c.to_string());
            let path = format!("{folder}/scaling_cur_freq");
            Probe {
                quantity: "frequency",
                scope: format!("cpu {}", cpus.unwrap_or_else(|_| number.to_string())),
                path,
                unit: "Hz",
                scale: 1e3,
                ..Probe::default()
            }
        };
        let probes: Vec<Probe> = frequency::policies(&self.root).into_iter().map(probe).collect();
        if probes.is_empty() {
            let why = "no frequency policy: the system does not tell the clock (a virtual machine, or not Linux)";
            return vec![Channel::refused(
                self.name(),
                Some("frequency"),
                Some("/sys/devices/system/cpu/cpufreq"),
                why,
            )];
        }
        self.probes.ask(&self.root, "cpufreq", self.period(), probes)
    }

    fn read(&mut self) -> Vec<Reading> {
        self.probes.read(&self.root)
    }

    fn period(&self) -> Duration {
        Duration::from_millis(500)
    }

    fn trouble(&mut self) -> Option<String> {
        self.probes.trouble()
    }
}
