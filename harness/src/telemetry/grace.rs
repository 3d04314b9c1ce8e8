//! The power meters of NVIDIA Grace (GH200, GB200): ACPI power meters that name what they measure, four a socket.

use crate::os::SysRoot;

use super::OFTEN;
use super::hwmon::{FOLDER, average, chips, inputs};
use super::probe::{Files, Probe, Probes};

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
    let mut found = Vec::new();
    for (folder, _) in chips(root) {
        // Some kernels show the meter's files in the chip's folder, others in that of the device behind it.
        for place in [folder.clone(), format!("{folder}/device")] {
            for (n, file) in inputs(root, &place, "power", &["average", "input"]) {
                if let Some((scope, part, socket)) = meter(root, &folder, n) {
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
        averages_ms: file.ends_with("average").then(|| average(root, &place, n).unwrap_or(50.0)),
        ..Probe::default()
    };
    found.into_iter().map(probe).collect()
}
