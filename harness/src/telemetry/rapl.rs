//! Energy of processor packages and their parts from the powercap files (RAPL; Intel, and AMD since Zen).

use std::time::Duration;

use spark_results::telemetry::{Channel, Reading, Status};

use crate::os::SysRoot;

use super::{Probe, Sensor};

const FOLDER: &str = "/sys/class/powercap";

/// A counter of microjoules that starts again at 0 after `range`.
#[derive(Debug, Clone)]
struct Counter {
    range_uj: Option<u64>,
    last_uj: u64,
    sum_uj: u64,
}

impl Counter {
    /// Takes a new value and returns what has been counted since the first; `None` when the counter went back and nobody knows how
    /// far it had come, after which counting goes on from here.
    fn take(&mut self, now_uj: u64) -> Option<u64> {
        let step = now_uj.checked_sub(self.last_uj).or_else(|| {
            // The range is the highest value, so one step more lies between it and 0.
            let left = self.range_uj?.checked_sub(self.last_uj)?;
            Some(left.saturating_add(1).saturating_add(now_uj))
        });
        self.last_uj = now_uj;
        self.sum_uj = self.sum_uj.saturating_add(step?);
        Some(self.sum_uj)
    }
}

pub(super) struct Energy {
    root: SysRoot,
    zones: Vec<(Probe, Counter)>,
}

impl Energy {
    pub(super) fn new(root: &SysRoot) -> Self {
        Self { root: root.clone(), zones: Vec::new() }
    }

    /// `intel-rapl:0` is a package, `intel-rapl:0:1` a part of it; `intel-rapl` itself is the driver.
    fn scope(&self, zone: &str) -> String {
        let name = |zone: &str| self.root.line(format!("{FOLDER}/{zone}/name")).unwrap_or_else(|_| zone.to_owned());
        match zone.rsplit_once(':') {
            Some((package, _)) if package.contains(':') => {
                format!("{}/{}", name(package), name(zone))
            }
            _ => name(zone),
        }
    }
}

impl Sensor for Energy {
    fn name(&self) -> &'static str {
        "rapl"
    }

    fn probe(&mut self) -> Vec<Channel> {
        let mut channels = Vec::new();
        for zone in self.root.names(FOLDER).into_iter().filter(|n| n.contains("rapl") && n.contains(':')) {
            let at = |file: &str| format!("{FOLDER}/{zone}/{file}");
            let probe =
                Probe { quantity: "energy", scope: self.scope(&zone), path: at("energy_uj"), unit: "J", scale: 1e-6 };
            let mut channel = probe.channel(&self.root, self.name(), self.period());
            if let Some(why) = channel.reason.as_mut().filter(|why| why.contains("ermission denied")) {
                why.push_str(&format!("; as root: chmod a+r {FOLDER}/*rapl*/energy_uj (until the next start)"));
            }
            if channel.status == Status::Ok
                && let Ok(last_uj) = self.root.value(&probe.path)
            {
                self.zones.push((
                    probe,
                    Counter { range_uj: self.root.value(at("max_energy_range_uj")).ok(), last_uj, sum_uj: 0 },
                ));
            }
            channels.push(channel);
        }
        if channels.is_empty() {
            let why = "no RAPL zone: a virtual machine, an Arm processor, not Linux, or the module intel_rapl_msr is not loaded";
            channels.push(Channel::refused(self.name(), Some("energy"), Some(FOLDER), why));
        }
        channels
    }

    fn read(&mut self) -> Vec<Reading> {
        let root = &self.root;
        let one = |(probe, counter): &mut (Probe, Counter)| {
            let sum = counter.take(root.value(&probe.path).ok()?)?;
            Some(probe.reading(sum as f64 * probe.scale))
        };
        self.zones.iter_mut().filter_map(one).collect()
    }

    fn period(&self) -> Duration {
        Duration::from_millis(100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_wraps_goes_on() {
        let mut c = Counter { range_uj: Some(999), last_uj: 900, sum_uj: 0 };
        assert_eq!([c.take(950), c.take(10), c.take(10), c.take(20)], [Some(50), Some(110), Some(110), Some(120)]);
        let mut unknown = Counter { range_uj: None, last_uj: 900, sum_uj: 0 };
        assert_eq!([unknown.take(950), unknown.take(10), unknown.take(30)], [Some(50), None, Some(70)]);
    }
}
