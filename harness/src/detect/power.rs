//! Mains or battery.

use spark_results::machine::{Absent, PowerSource};

use crate::os::SysRoot;

pub(super) fn source(root: &SysRoot, absent: &mut Vec<Absent>) -> Option<PowerSource> {
    let folder = "/sys/class/power_supply";
    let (mut plugged, mut draining, mut batteries) = (None::<bool>, false, false);
    for name in root.names(folder) {
        let at = |file: &str| root.line(format!("{folder}/{name}/{file}")).unwrap_or_default();
        // The battery of a mouse or a headset powers itself only.
        if at("scope") == "Device" {
            continue;
        }
        match at("type").as_str() {
            "Mains" | "USB" => plugged = Some(plugged.unwrap_or(false) || at("online") == "1"),
            "Battery" => {
                batteries = true;
                draining |= at("status") == "Discharging";
            }
            _ => {}
        }
    }
    match (plugged, draining) {
        (_, true) => Some(PowerSource::Battery),
        (Some(true), false) => Some(PowerSource::Mains),
        _ if batteries => Some(PowerSource::Mains),
        _ => {
            absent.push(Absent::new(
                "power_source",
                format!("{folder} lists no supply, as on most machines without a battery"),
            ));
            None
        }
    }
}
