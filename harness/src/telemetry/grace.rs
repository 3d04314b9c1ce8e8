//! The power meters of NVIDIA Grace (GH200, GB200): ACPI power meters that name what they measure, four a socket.

use std::time::Duration;

use spark_results::telemetry::{Channel, Reading};

use crate::os::SysRoot;

use super::hwmon::{FOLDER, average, chips, inputs};
use super::probe::{Probe, Probes};
use super::{OFTEN, Sensor};

/// The beginning of each meter's name and the scope of it. `Grace Power` is the processor with its memory; `CPU Power` is a rail
/// inside it, of about half as many watts, which must not be taken for it; the module holds processor and GPU.
const METERS: &[(&str, &str, &str)] = &[
    ("Module Power Socket ", "module", ""),
    ("Grace Power Socket ", "cpu", ""),
    ("CPU Power Socket ", "cpu", "/rail"),
    ("SysIO Power Socket ", "cpu", "/sysio"),
];

/// Whether the chip in `folder` is such a meter.
pub(super) fn is(root: &SysRoot, folder: &str) -> bool {
    meter(root, folder, 1).is_some()
}

/// The kind of meter and its socket.
fn meter(root: &SysRoot, folder: &str, n: u32) -> Option<(&'static str, &'static str, u32)> {
    // The text stands beside the number, or in the folder of the device behind the chip.
    let told = [format!("{folder}/power{n}_oem_info"), format!("{folder}/device/power{n}_oem_info")];
    let text = told.iter().find_map(|path| root.line(path).ok())?;
    METERS.iter().find_map(|(begin, scope, part)| Some((*scope, *part, text.strip_prefix(begin)?.parse().ok()?)))
}

pub(super) struct Sockets {
    root: SysRoot,
    probes: Probes,
}

impl Sockets {
    pub(super) fn new(root: &SysRoot) -> Self {
        Self { root: root.clone(), probes: Probes::default() }
    }
}

impl Sensor for Sockets {
    fn name(&self) -> &'static str {
        "grace"
    }

    fn probe(&mut self) -> Vec<Channel> {
        let mut found = Vec::new();
        for (folder, _) in chips(&self.root) {
            // Some kernels show the meter's files in the chip's folder, others in that of the device behind it.
            for place in [folder.clone(), format!("{folder}/device")] {
                for (n, file) in inputs(&self.root, &place, "power", &["average", "input"]) {
                    if let Some((scope, part, socket)) = meter(&self.root, &folder, n) {
                        found.push((scope, part, socket, place.clone(), n, file));
                    }
                }
            }
        }
        let several = found.iter().any(|f| f.2 > 0);
        let probe = |(scope, part, socket, place, n, file): (_, _, u32, String, u32, String)| Probe {
            quantity: "power",
            scope: if several { format!("{scope} {socket}{part}") } else { format!("{scope}{part}") },
            path: format!("{place}/{file}"),
            unit: "W",
            scale: 1e-6,
            // 50 ms unless the meter says otherwise.
            averages_ms: file.ends_with("average").then(|| average(&self.root, &place, n).unwrap_or(50.0)),
            ..Probe::default()
        };
        let probes: Vec<Probe> = found.into_iter().map(probe).collect();
        if probes.is_empty() {
            return vec![Channel::refused(
                self.name(),
                Some("power"),
                Some(FOLDER),
                "no meter of a Grace socket is listed",
            )];
        }
        self.probes.ask(&self.root, "grace", self.period(), probes)
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
