//! How often the kernel saw a core or a package of the processor held back by heat: a counter that only grows.

use std::time::Duration;

use spark_results::telemetry::{Channel, Reading};

use crate::os::SysRoot;
use crate::throttled::EVENTS;

use super::{Sensor, channel, reading};

const FOLDER: &str = "/sys/devices/system/cpu";
const SOURCE: &str = "/sys/devices/system/cpu/cpu*/thermal_throttle";
const SCOPE: &str = "cpu";

/// The paths of all counters, found once.
pub(super) struct Events {
    root: SysRoot,
    paths: Vec<String>,
}

impl Events {
    pub(super) fn new(root: &SysRoot) -> Self {
        Self { root: root.clone(), paths: Vec::new() }
    }
}

/// The counters there are. A package's counter stands at each of its cores alike, which does no harm: only whether the sum grows counts.
pub(crate) fn counters(root: &SysRoot) -> Vec<String> {
    let cpus = root.numbered(FOLDER, "cpu");
    let of = |name: &str| ["core", "package"].map(|c| format!("{FOLDER}/{name}/thermal_throttle/{c}_throttle_count"));
    cpus.iter().flat_map(|(_, name)| of(name)).filter(|path| root.has(path)).collect()
}

impl Sensor for Events {
    fn name(&self) -> &'static str {
        "throttle"
    }

    fn probe(&mut self) -> Vec<Channel> {
        self.paths = counters(&self.root);
        if self.paths.is_empty() {
            let why = "the kernel counts none here (it does on Intel's processors, outside virtual machines)";
            return vec![Channel::refused(self.name(), Some(EVENTS), Some(SOURCE), why)];
        }
        vec![channel(self.name(), EVENTS, SCOPE, SOURCE, "1", self.period())]
    }

    fn read(&mut self) -> Vec<Reading> {
        let counts: Vec<u64> = self.paths.iter().filter_map(|path| self.root.value(path).ok()).collect();
        // With a counter missing the sum would fall and rise again, as if there had been events.
        if counts.is_empty() || counts.len() < self.paths.len() {
            return Vec::new();
        }
        vec![reading(EVENTS, SCOPE, SOURCE, counts.iter().sum::<u64>() as f64, "1")]
    }

    fn period(&self) -> Duration {
        Duration::from_millis(500)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn counters_are_summed_and_a_machine_without_them_refuses() {
        let dir = tempfile::tempdir().unwrap();
        let root = SysRoot::at(dir.path());
        let mut none = Events::new(&root);
        assert!(
            none.probe()[0].reason.as_deref().is_some_and(|why| why.contains("counts none")) && none.read().is_empty()
        );
        for (cpu, count) in [(0, 3), (1, 4)] {
            let folder = dir.path().join(format!("sys/devices/system/cpu/cpu{cpu}/thermal_throttle"));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("core_throttle_count"), format!("{count}\n")).unwrap();
        }
        let mut events = Events::new(&root);
        assert_eq!(events.probe()[0].quantity.as_deref(), Some(EVENTS));
        assert_eq!(events.read()[0].value, 7.0);
        fs::write(dir.path().join("sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count"), "x").unwrap();
        assert!(events.read().is_empty(), "half a sum is none");
    }
}
