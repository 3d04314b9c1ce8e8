//! Energy of processor packages and their parts from the powercap files (RAPL; Intel, and AMD since Zen).

use std::time::Duration;

use spark_results::telemetry::{Channel, Reading};

use crate::os::SysRoot;

use super::probe::{Probe, Probes};
use super::{OFTEN, Sensor};

const FOLDER: &str = "/sys/class/powercap";
/// The hardware adds to the counter about every millisecond (Intel SDM vol. 3, "RAPL interfaces").
const UPDATE_MS: f64 = 1.0;
const MEND: &str = "reading it is for root only since Linux 5.10 (CVE-2020-8694); to allow it until the next start: \
                    sudo chmod a+r /sys/class/powercap/*rapl*/energy_uj";

pub(super) struct Energy {
    root: SysRoot,
    zones: Probes,
}

impl Energy {
    pub(super) fn new(root: &SysRoot) -> Self {
        Self { root: root.clone(), zones: Probes::default() }
    }

    /// `intel-rapl:0` is a package, `intel-rapl:0:1` a part of it; `intel-rapl` itself is the driver. A package is the scope `cpu`,
    /// `cpu N` where there are several; `psys` is the whole board. Parts are named after both, and memory beside the package.
    fn scope(&self, zone: &str, several: bool) -> String {
        let name = |zone: &str| self.root.line(format!("{FOLDER}/{zone}/name")).unwrap_or_else(|_| zone.to_owned());
        let whole = |zone: &str| match name(zone).split_once('-') {
            Some(("package", number)) if several => format!("cpu {number}"),
            Some(("package", _)) => "cpu".to_owned(),
            _ if name(zone) == "psys" => "sys_total".to_owned(),
            _ => name(zone),
        };
        match zone.rsplit_once(':') {
            Some((package, _)) if package.contains(':') => format!("{}/{}", whole(package), name(zone)),
            _ => whole(zone),
        }
    }
}

impl Sensor for Energy {
    fn name(&self) -> &'static str {
        "rapl"
    }

    fn probe(&mut self) -> Vec<Channel> {
        let is_zone = |n: &String| n.contains("rapl") && n.contains(':');
        let zones: Vec<String> = self.root.names(FOLDER).into_iter().filter(is_zone).collect();
        // The same package may be listed twice, by the registers of the processor and by those of the memory controller.
        let mmio = |zone: &str| zone.starts_with("intel-rapl-mmio");
        let zones: Vec<String> = match zones.iter().any(|z| !mmio(z)) {
            true => zones.into_iter().filter(|z| !mmio(z)).collect(),
            false => zones,
        };
        let package = |zone: &&String| {
            self.root.line(format!("{FOLDER}/{zone}/name")).is_ok_and(|name| name.starts_with("package"))
        };
        let several = zones.iter().filter(package).count() > 1;
        let probe = |zone: &String| Probe {
            quantity: "energy",
            scope: self.scope(zone, several),
            path: format!("{FOLDER}/{zone}/energy_uj"),
            unit: "J",
            scale: 1e-6,
            counts_to: Some(self.root.value(format!("{FOLDER}/{zone}/max_energy_range_uj")).ok()),
            updates_ms: Some(UPDATE_MS),
            ..Probe::default()
        };
        let probes = zones.iter().map(probe).collect();
        let mut channels = self.zones.ask(&self.root, self.name(), self.period(), probes);
        for why in channels.iter_mut().filter_map(|c| c.reason.as_mut()).filter(|why| why.contains("ermission denied"))
        {
            *why = format!("{why}; {MEND}");
        }
        if channels.is_empty() {
            let why = "no RAPL zone: a virtual machine, an Arm processor, not Linux, or the module intel_rapl_msr is not loaded";
            channels.push(Channel::refused(self.name(), Some("energy"), Some(FOLDER), why));
        }
        channels
    }

    fn read(&mut self) -> Vec<Reading> {
        self.zones.read(&self.root)
    }

    fn period(&self) -> Duration {
        OFTEN
    }

    fn trouble(&mut self) -> Option<String> {
        self.zones.trouble()
    }
}
