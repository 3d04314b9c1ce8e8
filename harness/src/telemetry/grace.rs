//! The power meters of NVIDIA Grace (GH200, GB200): ACPI power meters that name what they measure, four a socket.

use crate::os::SysRoot;

use super::OFTEN;
use super::hwmon::{self, Chip, FOLDER};
use super::probe::{Files, Probe, Probes};

/// The beginning of each meter's name and the scope of it. `Grace Power` is the processor with its memory; `CPU Power` is a rail
/// inside it, of about half as many watts, which must not be taken for it; the module holds processor and GPU.
const METERS: &[(&str, &str, &str)] = &[
    ("Module Power Socket ", "module", ""),
    ("Grace Power Socket ", "cpu", ""),
    ("CPU Power Socket ", "cpu", "/rail"),
    ("SysIO Power Socket ", "cpu", "/sysio"),
];

/// Whether the chip is such a meter.
pub(super) fn is(root: &SysRoot, chip: &Chip) -> bool {
    meter(root, &chip.folder, 1).is_some()
}

/// The kind of meter and its socket.
fn meter(root: &SysRoot, folder: &str, n: u32) -> Option<(&'static str, &'static str, u32)> {
    // The text stands beside the number, or in the folder of the device behind the chip.
    let told = [format!("{folder}/power{n}_oem_info"), format!("{folder}/device/power{n}_oem_info")];
    let text = told.iter().find_map(|path| root.line(path).ok())?;
    METERS.iter().find_map(|(begin, scope, part)| Some((*scope, *part, text.strip_prefix(begin)?.parse().ok()?)))
}

/// The sensor.
pub(super) fn sockets(root: &SysRoot) -> Files {
    Files {
        name: "grace",
        root: root.clone(),
        period: OFTEN,
        quantity: "power",
        folder: FOLDER,
        none: "no meter of a Grace socket is listed",
        walk,
        probes: Probes::default(),
    }
}

fn walk(root: &SysRoot) -> Vec<Probe> {
    let found = hwmon::walk(root, "power", &["average", "input"], |input| {
        let (scope, part, socket) = meter(root, &input.chip.folder, input.n)?;
        // 50 ms unless the meter says otherwise.
        let averages_ms = input.averages(Some(50.0));
        let probe =
            Probe { quantity: "power", path: input.path(), unit: "W", scale: 1e-6, averages_ms, ..Probe::default() };
        Some((scope, part, socket, probe))
    });
    let several = found.iter().any(|f| f.2 > 0);
    let scoped = |(scope, part, socket, probe): (_, _, u32, _)| Probe {
        scope: if several { format!("{scope} {socket}{part}") } else { format!("{scope}{part}") },
        ..probe
    };
    found.into_iter().map(scoped).collect()
}
