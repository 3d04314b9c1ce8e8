//! The current monitors of a Jetson board: INA3221 (Orin and before) and INA238 (Thor), rail by rail.

use crate::os::SysRoot;

use super::OFTEN;
use super::hwmon::{FOLDER, chips, inputs};
use super::probe::{Files, Probe, Probes};

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

/// The sensor.
pub(super) fn monitors(root: &SysRoot) -> Files {
    Files {
        name: "ina",
        root: root.clone(),
        period: OFTEN,
        quantity: "power",
        folder: FOLDER,
        none: "no INA3221 or INA238 is listed: not a Jetson board",
        walk,
        probes: Probes::default(),
    }
}

fn walk(root: &SysRoot) -> Vec<Probe> {
    let of_chip = |(folder, chip): (String, String)| match chip.as_str() {
        "ina3221" => rails(root, &folder),
        "ina238" => powers(root, &folder),
        _ => Vec::new(),
    };
    let probes: Vec<Probe> = chips(root).into_iter().flat_map(of_chip).collect();
    if probes.is_empty() { old(root) } else { probes }
}

/// A rail's power in a file.
fn watts(label: &str, path: String, scale: f64) -> Probe {
    Probe { quantity: "power", scope: scope(label), path, unit: "W", scale, ..Probe::default() }
}

/// An INA3221 gives millivolts and milliamperes of each of its three rails, which are to be multiplied.
fn rails(root: &SysRoot, folder: &str) -> Vec<Probe> {
    let mut probes = Vec::new();
    for (n, current) in inputs(root, folder, "curr", &["input"]) {
        let Ok(label) = root.line(format!("{folder}/in{n}_label")) else { continue };
        if label == "NC" || label.starts_with("sum of shunt") {
            continue;
        }
        let times = Some(format!("{folder}/in{n}_input"));
        probes.push(Probe { times, ..watts(&label, format!("{folder}/{current}"), 1e-6) });
    }
    probes
}

/// An INA238 gives microwatts.
fn powers(root: &SysRoot, folder: &str) -> Vec<Probe> {
    let one = |(n, file): (u32, String)| {
        let named = ["power", "in", "curr"].map(|p| root.line(format!("{folder}/{p}{n}_label")).ok());
        let label = named.into_iter().flatten().next();
        let label = label.or_else(|| root.line(format!("{folder}/device/of_node/label")).ok());
        let label = label.map_or_else(|| format!("ina238 {n}"), |l| l.trim_end_matches('\0').to_owned());
        watts(&label, format!("{folder}/{file}"), 1e-6)
    };
    inputs(root, folder, "power", &["input"]).into_iter().map(one).collect()
}

/// `rail_name_N` beside `in_powerN_input` in milliwatts.
fn old(root: &SysRoot) -> Vec<Probe> {
    let mut probes = Vec::new();
    for device in root.names(OLD) {
        for iio in root.names(format!("{OLD}/{device}")).into_iter().filter(|n| n.starts_with("iio:device")) {
            let folder = format!("{OLD}/{device}/{iio}");
            for (n, name) in root.numbered(&folder, "rail_name_") {
                let Ok(label) = root.line(format!("{folder}/{name}")) else { continue };
                probes.push(watts(&label, format!("{folder}/in_power{n}_input"), 1e-3));
            }
        }
    }
    probes
}
