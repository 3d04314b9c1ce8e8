//! The current monitors of a Jetson board: INA3221 (Orin and before) and INA238 (Thor), rail by rail.

use crate::os::SysRoot;

use super::OFTEN;
use super::hwmon::{self, Chip, FOLDER, Input};
use super::probe::{Files, Probe, Probes};

/// Gives millivolts and milliamperes of each of its three rails, which are to be multiplied.
const RAILS: &str = "ina3221";
/// Gives microwatts.
const POWERS: &str = "ina238";

/// Where JetPack before version 5 shows them.
const OLD: &str = "/sys/bus/i2c/drivers/ina3221x";

/// The rails at which the whole board is fed: Orin, Thor, Nano.
const TOTALS: &[&str] = &["VDD_IN", "VIN", "VIN_SYS_5V0", "POM_5V_IN", "SYS_VIN"];

/// Whether the chip is one. What a USB supply agreed to give (`ucsi_…`) is no measurement and not among them.
pub(super) fn is(chip: &Chip) -> bool {
    [RAILS, POWERS].contains(&chip.name.as_str())
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
    let rails = hwmon::walk(root, "curr", &["input"], |input| rail(root, input).filter(|_| input.chip.name == RAILS));
    let powers =
        hwmon::walk(root, "power", &["input"], |input| (input.chip.name == POWERS).then(|| power(root, input)));
    let probes: Vec<Probe> = rails.into_iter().chain(powers).collect();
    if probes.is_empty() { old(root) } else { probes }
}

/// A rail's power in a file.
fn watts(label: &str, path: String, scale: f64) -> Probe {
    Probe { quantity: "power", scope: scope(label), path, unit: "W", scale, ..Probe::default() }
}

/// Amperes beside volts.
fn rail(root: &SysRoot, input: &Input) -> Option<Probe> {
    let volts = |end: &str| format!("{}/in{}_{end}", input.place, input.n);
    let label = root.line(volts("label")).ok().filter(|l| l != "NC" && !l.starts_with("sum of shunt"))?;
    Some(Probe { times: Some(volts("input")), ..watts(&label, input.path(), 1e-6) })
}

fn power(root: &SysRoot, input: &Input) -> Probe {
    let (place, n) = (input.place, input.n);
    let named = ["power", "in", "curr"].map(|p| root.line(format!("{place}/{p}{n}_label")).ok());
    let label = named.into_iter().flatten().next();
    let label = label.or_else(|| root.line(format!("{}/device/of_node/label", input.chip.folder)).ok());
    let label = label.map_or_else(|| format!("{POWERS} {n}"), |l| l.trim_end_matches('\0').to_owned());
    watts(&label, input.path(), 1e-6)
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
